package main

import "fmt"

// sourceConfig has the keys common to all sources (contract 2.5); props are
// the plugin's.
type sourceConfig struct {
	id, kind      string
	autoStart     bool
	identity      string
	bootstrapID   string
	bootstrapKind string
	bootstrap     map[string]any
	props         map[string]any
}

// reactionConfig has the keys common to all reactions (contract 2.7).
type reactionConfig struct {
	id, kind  string
	autoStart bool
	identity  string
	queries   []string
	props     map[string]any
}

// queryConfig is a query (contract 2.6); all its values are plain.
type queryConfig struct {
	id, text, language string
	autoStart          bool
	enableBootstrap    bool
	bootstrapBuffer    uint64
	bootstrapTimeout   uint64
	outbox             uint64
	queueCapacity      uint64
	bufferSize         uint64
	sources            []subscription
	middleware         []any
	joins              any
	backend            any
}

type subscription struct {
	source                     string
	nodes, relations, pipeline []string
}

func queryKeys() []string {
	return []string{
		"id", "autoStart", "query", "queryLanguage", "middleware", "sources", "enableBootstrap", "bootstrapBufferSize",
		"joins", "priorityQueueCapacity", "dispatchBufferCapacity", "dispatchMode", "storageBackend", "outboxCapacity",
		"bootstrapTimeoutSecs",
	}
}

// refuseSnakeCase finds the keys that a component refuses by name.
func refuseSnakeCase(r *reader) {
	misspelt := map[string]string{
		"auto_start": "autoStart", "bootstrap_provider": "bootstrapProvider", "identity_provider": "identityProvider",
	}
	for _, key := range sortedKeys(misspelt) {
		if _, ok := r.fields[key]; ok {
			r.fail(fmt.Errorf("unknown field `%s`, did you mean `%s`?", key, misspelt[key]))
		}
	}
}

func decodeSource(raw any, at string) (sourceConfig, error) {
	r := newReader(raw, at)
	refuseSnakeCase(r)
	cfg := sourceConfig{
		kind: r.required("kind"), id: r.required("id"), autoStart: r.flag("autoStart", true), identity: r.text("identityProvider"),
		props: without(r.fields, "kind", "id", "autoStart", "bootstrapProvider", "identityProvider"),
	}
	switch provider := r.fields["bootstrapProvider"].(type) {
	case nil:
	case string:
		cfg.bootstrapID = provider
	case map[string]any:
		sub := newReader(provider, at+".bootstrapProvider")
		cfg.bootstrapKind = sub.required("kind")
		cfg.bootstrap = without(provider, "kind")
		r.fail(sub.err)
	default:
		r.fail(wrongType(provider, "a bootstrap provider"))
	}
	return cfg, r.err
}

func decodeReaction(raw any, at string) (reactionConfig, error) {
	r := newReader(raw, at)
	refuseSnakeCase(r)
	if r.err == nil && r.fields["queries"] == nil {
		r.fail(fmt.Errorf("missing field `queries`"))
	}
	cfg := reactionConfig{
		kind: r.required("kind"), id: r.required("id"), autoStart: r.flag("autoStart", true), identity: r.text("identityProvider"),
		queries: r.texts("queries"),
		props:   without(r.fields, "kind", "id", "autoStart", "queries", "identityProvider"),
	}
	return cfg, r.err
}

func decodeQuery(raw any, at string) (queryConfig, error) {
	r := newReader(raw, at)
	r.onlyKnown(queryKeys())
	cfg := queryConfig{
		id: r.required("id"), text: r.required("query"), language: r.text("queryLanguage"),
		autoStart: r.flag("autoStart", false), enableBootstrap: r.flag("enableBootstrap", true),
		bootstrapBuffer: r.count("bootstrapBufferSize", 10000), bootstrapTimeout: r.count("bootstrapTimeoutSecs", 300),
		outbox: r.count("outboxCapacity", 1000), queueCapacity: r.count("priorityQueueCapacity", 0),
		bufferSize: r.count("dispatchBufferCapacity", 0), middleware: r.list("middleware"), joins: r.fields["joins"],
		backend: r.fields["storageBackend"],
	}
	if cfg.middleware == nil {
		cfg.middleware = []any{}
	}
	if cfg.language == "" {
		cfg.language = "GQL"
	}
	oneOf(r, "queryLanguage", cfg.language, "Cypher", "GQL")
	oneOf(r, "dispatchMode", r.text("dispatchMode"), "", "Channel")
	checkBackend(r, cfg.backend)
	for i, raw := range r.list("sources") {
		sub := newReader(raw, fmt.Sprintf("%s.sources[%d]", at, i))
		cfg.sources = append(cfg.sources, subscription{
			source: sub.required("sourceId"), nodes: sub.texts("nodes"),
			relations: sub.texts("relations"), pipeline: sub.texts("pipeline"),
		})
		r.fail(sub.err)
	}
	return cfg, r.err
}

func oneOf(r *reader, key, have string, allowed ...string) {
	if !contains(allowed, have) {
		r.fail(fmt.Errorf("%s: unknown variant `%s`", key, have))
	}
}

func checkBackend(r *reader, backend any) {
	switch backend := backend.(type) {
	case nil, string:
	case map[string]any:
		if backend["kind"] != "memory" {
			r.fail(fmt.Errorf("storageBackend: unknown variant `%v`, expected `memory`", backend["kind"]))
		}
	default:
		r.fail(wrongType(backend, "a storage backend"))
	}
}
