package main

import (
	"fmt"
)

// graphSource is the internal source that every instance has (contract 4.4).
const graphSource = "__component_graph__"

// instance is one DrasiLib of the process.
type instance struct {
	id        string
	key       string
	persist   bool
	sources   []*component
	queries   []*component
	reactions []*component
	log       *logger
}

// builder makes instances from their configuration.
type builder struct {
	kinds *registry
	env   environment
	log   *logger
}

// build reads the plugins' configurations, then registers everything in one
// namespace, in the order in which the real server finds its faults.
func (b *builder) build(cfg *instanceConfig, id string) (*instance, error) {
	inst := &instance{id: id, key: storageKey(id), persist: cfg.persistIndex, log: b.log}
	store, err := b.openSecrets(cfg)
	if err != nil {
		return nil, err
	}
	if err := b.openState(cfg); err != nil {
		return nil, err
	}
	b.log.info("drasi_server::server", "Enabling WAL provider for instance '%s' at: ./data/%s/wal", id, inst.key)
	b.log.info("drasi_server::server", "Loading %d source(s) from configuration for instance '%s'", len(cfg.sources), id)
	graph := newComponent(typeSource, graphSource, "component_graph", b.log)
	graph.autoStart = true
	graph.props = map[string]any{"instance_id": id}
	inst.sources = []*component{graph}
	for i := range cfg.sources {
		c, err := b.source(cfg, &cfg.sources[i], inst, store)
		if err != nil {
			return nil, err
		}
		inst.sources = append(inst.sources, c)
	}
	for i := range cfg.reactions {
		c, err := b.reaction(cfg, &cfg.reactions[i], store)
		if err != nil {
			return nil, err
		}
		inst.reactions = append(inst.reactions, c)
	}
	if err := b.queries(cfg, inst); err != nil {
		return nil, err
	}
	if err := inst.register(); err != nil {
		return nil, failf("Failed to create DrasiLib: %v", err)
	}
	return inst, nil
}

func (b *builder) openSecrets(cfg *instanceConfig) (secrets, error) {
	if cfg.secretStore == nil {
		return nil, nil
	}
	kind, _ := cfg.secretStore["kind"].(string)
	if !b.kinds.has("secret_store", kind) {
		return nil, failf("No secret store plugin registered for kind '%s'. Available: %s. Make sure the plugin is loaded.",
			kind, quotedList(b.kinds.available("secret_store")))
	}
	if kind != "file" {
		return func(name string) (string, error) {
			return "", failf("Secret '%s' not found in %s secret store", name, kind)
		}, nil
	}
	path, _ := cfg.secretStore["path"].(string)
	return openSecretFile(path)
}

func (b *builder) openState(cfg *instanceConfig) error {
	if cfg.statePath.form == formAbsent {
		return nil
	}
	path, err := cfg.statePath.resolve(b.env, nil)
	if err != nil {
		return err
	}
	return createState(path.(string))
}

func (b *builder) source(cfg *instanceConfig, s *sourceConfig, inst *instance, store secrets) (*component, error) {
	c := newComponent(typeSource, s.id, s.kind, b.log)
	c.autoStart, c.props = s.autoStart, s.props
	var err error
	if c.resolved, err = construct("source", s.kind, s.props, b.env, store); err != nil {
		return nil, failf("Failed to create source '%s': %v", s.id, err)
	}
	if c.bootstrap, err = b.bootstrapOf(cfg, s, c, store); err != nil {
		return nil, failf("Failed to create source '%s': %v", s.id, err)
	}
	if err := b.identity(cfg, "Source", s.identity); err != nil {
		return nil, err
	}
	if durable(c) {
		if err := createLog(inst.key, s.id); err != nil {
			return nil, failf("Failed to create source '%s': %v", s.id, err)
		}
	}
	return c, nil
}

func (b *builder) bootstrapOf(cfg *instanceConfig, s *sourceConfig, c *component, store secrets) (bootstrapper, error) {
	kind, props := s.bootstrapKind, s.bootstrap
	for _, named := range cfg.bootstraps {
		if s.bootstrapID != "" && named.id == s.bootstrapID {
			kind, props = named.kind, named.props
		}
	}
	if kind == s.kind {
		props = inherit(props, s.props)
	}
	if kind == "" {
		return newBootstrapper("", c.kind, c.resolved), nil
	}
	resolved, err := construct("bootstrap", kind, props, b.env, store)
	if err != nil {
		return nil, err
	}
	return newBootstrapper(kind, c.kind, resolved), nil
}

// inherit gives an inline provider of the source's own kind the source's
// fields (contract 2.5).
func inherit(own, from map[string]any) map[string]any {
	merged := without(from)
	for key, val := range own {
		merged[key] = val
	}
	return merged
}

func (b *builder) reaction(cfg *instanceConfig, r *reactionConfig, store secrets) (*component, error) {
	c := newComponent(typeReaction, r.id, r.kind, b.log)
	c.autoStart, c.props, c.queries = r.autoStart, r.props, r.queries
	var err error
	if c.resolved, err = construct("reaction", r.kind, r.props, b.env, store); err != nil {
		return nil, failf("Failed to create reaction '%s': %v", r.id, err)
	}
	return c, b.identity(cfg, "Reaction", r.identity)
}

func (b *builder) identity(cfg *instanceConfig, what, id string) error {
	if id == "" {
		return nil
	}
	declared := []string{}
	for _, p := range cfg.identities {
		declared = append(declared, p.id)
	}
	if contains(declared, id) {
		return nil
	}
	return failf("%s references unknown identityProvider '%s'. Declared providers: %s", what, id, quotedList(declared))
}

// queries checks what the real builder validates before it registers anything.
func (b *builder) queries(cfg *instanceConfig, inst *instance) error {
	capacity, err := b.capacity(cfg.queueCapacity, 10000)
	if err != nil {
		return err
	}
	buffer, err := b.capacity(cfg.bufferSize, 1000)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range cfg.queries {
		q := &cfg.queries[i]
		if seen[q.id] {
			return failf("Failed to create DrasiLib: Validation failed: Duplicate query id: '%s'", q.id)
		}
		seen[q.id] = true
		if name, ok := q.backend.(string); ok && (name != "rocksdb" || !cfg.persistIndex) {
			return failf("Failed to create DrasiLib: Validation failed: Query '%s' references unknown storage backend '%s'. "+
				"Declare it in storage_backends or inject a provider via with_index_provider(\"%s\", ...).", q.id, name, name)
		}
		if q.queueCapacity == 0 {
			q.queueCapacity = capacity
		}
		if q.bufferSize == 0 {
			q.bufferSize = buffer
		}
		c := newComponent(typeQuery, q.id, "", b.log)
		c.autoStart, c.query = q.autoStart, q
		inst.queries = append(inst.queries, c)
	}
	return nil
}

func (b *builder) capacity(val configValue, byDefault uint64) (uint64, error) {
	if val.form == formAbsent {
		return byDefault, nil
	}
	size, err := val.resolve(b.env, nil)
	if err != nil {
		return 0, err
	}
	return size.(uint64), nil
}

// register puts all ids into one namespace and checks the references.
func (inst *instance) register() error {
	nodes := map[string]componentType{}
	for _, c := range inst.sources {
		if _, taken := nodes[c.id]; taken {
			return failf("Failed to add source '%s': Failed to register: source '%s' already exists in the graph", c.id, c.id)
		}
		nodes[c.id] = typeSource
	}
	for _, c := range inst.queries {
		if _, taken := nodes[c.id]; taken {
			return failf("query '%s' already exists in the graph", c.id)
		}
		for _, sub := range c.query.sources {
			if nodes[sub.source] != typeSource {
				return failf("Cannot register query '%s': referenced source '%s' does not exist in the graph", c.id, sub.source)
			}
		}
		nodes[c.id] = typeQuery
	}
	for _, c := range inst.reactions {
		if _, taken := nodes[c.id]; taken {
			return failf("Failed to add reaction '%s': Failed to register: reaction '%s' already exists in the graph", c.id, c.id)
		}
		for _, query := range c.queries {
			if nodes[query] != typeQuery {
				return failf("Failed to add reaction '%s': Failed to register: Cannot register reaction '%s': referenced query '%s' does not exist in the graph", c.id, c.id, query)
			}
		}
		nodes[c.id] = typeReaction
	}
	return nil
}

func (inst *instance) find(typ componentType, id string) *component {
	for _, c := range inst.list(typ) {
		if c.id == id {
			return c
		}
	}
	return nil
}

func (inst *instance) list(typ componentType) []*component {
	switch typ {
	case typeSource:
		return inst.sources
	case typeQuery:
		return inst.queries
	}
	return inst.reactions
}

func quotedList(items []string) string {
	return "[" + joinQuoted(items) + "]"
}

func joinQuoted(items []string) string {
	text := ""
	for i, item := range items {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%q", item)
	}
	return text
}
