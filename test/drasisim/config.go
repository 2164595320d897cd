package main

import (
	"errors"
	"fmt"
	"os"
)

// serverConfig is the configuration file (contract 2.2).
type serverConfig struct {
	id, host, port, logLevel configValue
	verifyPlugins            bool
	persistConfig            bool
	enableUI                 bool
	autoInstall              bool
	plugins                  []string
	top                      instanceConfig
	instances                []instanceConfig
}

// instanceConfig is what one instance has (contract 2.3).
type instanceConfig struct {
	id            configValue
	persistIndex  bool
	statePath     configValue
	secretStore   map[string]any
	queueCapacity configValue
	bufferSize    configValue
	sources       []sourceConfig
	queries       []queryConfig
	reactions     []reactionConfig
	identities    []namedConfig
	bootstraps    []namedConfig
}

// namedConfig is a top-level bootstrap provider or an identity provider.
type namedConfig struct {
	id, kind string
	props    map[string]any
}

func topKeys() []string {
	return []string{
		"apiVersion", "id", "host", "port", "logLevel", "persistConfig", "persistIndex", "enableArchive", "enableUi",
		"solutionsDir", "stateStore", "secretStore", "defaultPriorityQueueCapacity", "defaultDispatchBufferCapacity",
		"pluginRegistry", "autoInstallPlugins", "plugins", "verifyPlugins", "trustedIdentities", "hotReloadPlugins",
		"hotReloadDebounceMs", "corsAllowedOrigins", "sources", "queries", "reactions", "identityProviders",
		"bootstrapProviders", "instances",
	}
}

func instanceKeys() []string {
	return []string{
		"id", "persistIndex", "enableArchive", "stateStore", "secretStore", "defaultPriorityQueueCapacity",
		"defaultDispatchBufferCapacity", "sources", "queries", "reactions", "identityProviders", "bootstrapProviders",
	}
}

// parseError is a file that neither parser takes.
type parseError struct {
	path       string
	yaml, json error
}

func (e parseError) Error() string {
	return fmt.Sprintf("Failed to parse config file '%s': YAML error: %v, JSON error: %v", e.path, e.yaml, e.json)
}

// loadConfig reads a file as YAML first, then as JSON (contract 2.1).
func loadConfig(path string) (*serverConfig, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, failf("Failed to read config file '%s': %s", path, osError(err))
	}
	doc, yamlErr := readYAML(text)
	if yamlErr == nil {
		if err := checkTemplates(doc); err != nil {
			return nil, err
		}
		cfg, err := decodeServer(doc)
		if err == nil {
			return cfg, nil
		}
		yamlErr = err
	}
	doc, jsonErr := readJSON(text)
	if jsonErr == nil {
		cfg, err := decodeServer(doc)
		if err == nil {
			return cfg, checkTemplates(doc)
		}
		jsonErr = err
	}
	return nil, parseError{path: path, yaml: yamlErr, json: jsonErr}
}

func decodeServer(doc any) (*serverConfig, error) {
	r := newReader(doc, "")
	r.onlyKnown(topKeys())
	cfg := &serverConfig{
		id:            r.value("id", wantString),
		host:          r.value("host", wantString),
		port:          r.value("port", wantU16),
		logLevel:      r.value("logLevel", wantString),
		persistConfig: r.flag("persistConfig", true),
		enableUI:      r.flag("enableUi", true),
		verifyPlugins: r.flag("verifyPlugins", true),
		autoInstall:   r.flag("autoInstallPlugins", false),
	}
	checkPlain(r)
	for i, raw := range r.list("plugins") {
		entry := newReader(raw, fmt.Sprintf("plugins[%d]", i))
		cfg.plugins = append(cfg.plugins, entry.required("ref"))
		r.fail(entry.err)
	}
	cfg.top = decodeInstance(r)
	for i, raw := range r.list("instances") {
		sub := newReader(raw, fmt.Sprintf("instances[%d]", i))
		sub.onlyKnown(instanceKeys())
		cfg.instances = append(cfg.instances, decodeInstance(sub))
		r.fail(sub.err)
	}
	return cfg, r.err
}

// checkPlain holds the keys that matter to the simulator by their type only.
func checkPlain(r *reader) {
	r.text("apiVersion")
	r.text("solutionsDir")
	r.text("pluginRegistry")
	r.flag("hotReloadPlugins", false)
	r.count("hotReloadDebounceMs", 0)
	r.texts("corsAllowedOrigins")
	r.list("trustedIdentities")
}

func decodeInstance(r *reader) instanceConfig {
	r.flag("enableArchive", false)
	cfg := instanceConfig{
		id:            r.value("id", wantString),
		persistIndex:  r.flag("persistIndex", false),
		secretStore:   r.object("secretStore"),
		queueCapacity: r.value("defaultPriorityQueueCapacity", wantUsize),
		bufferSize:    r.value("defaultDispatchBufferCapacity", wantUsize),
		statePath:     decodeStateStore(r),
		identities:    decodeNamed(r, "identityProviders"),
		bootstraps:    decodeNamed(r, "bootstrapProviders"),
	}
	if cfg.secretStore != nil && r.err == nil {
		if _, ok := cfg.secretStore["kind"].(string); !ok {
			r.fail(errors.New("secretStore: missing field `kind`"))
		}
	}
	for i, raw := range r.list("sources") {
		source, err := decodeSource(raw, fmt.Sprintf("sources[%d]", i))
		r.fail(err)
		cfg.sources = append(cfg.sources, source)
	}
	for i, raw := range r.list("queries") {
		query, err := decodeQuery(raw, fmt.Sprintf("queries[%d]", i))
		r.fail(err)
		cfg.queries = append(cfg.queries, query)
	}
	for i, raw := range r.list("reactions") {
		reaction, err := decodeReaction(raw, fmt.Sprintf("reactions[%d]", i))
		r.fail(err)
		cfg.reactions = append(cfg.reactions, reaction)
	}
	return cfg
}

func decodeStateStore(r *reader) configValue {
	if r.fields["stateStore"] == nil {
		return configValue{}
	}
	sub := newReader(r.fields["stateStore"], "stateStore")
	sub.onlyKnown([]string{"kind", "path"})
	if kind := sub.required("kind"); sub.err == nil && kind != "redb" {
		sub.fail(fmt.Errorf("unknown variant `%s`, expected `redb`", kind))
	}
	if sub.fields["path"] == nil {
		sub.fail(errors.New("missing field `path`"))
	}
	path := sub.value("path", wantString)
	r.fail(sub.err)
	return path
}

func decodeNamed(r *reader, key string) []namedConfig {
	var list []namedConfig
	for i, raw := range r.list(key) {
		sub := newReader(raw, fmt.Sprintf("%s[%d]", key, i))
		list = append(list, namedConfig{
			id: sub.required("id"), kind: sub.required("kind"), props: without(sub.fields, "id", "kind"),
		})
		r.fail(sub.err)
	}
	return list
}

func without(fields map[string]any, keys ...string) map[string]any {
	rest := make(map[string]any, len(fields))
	for key, val := range fields {
		if !contains(keys, key) {
			rest[key] = val
		}
	}
	return rest
}
