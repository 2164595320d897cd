package drasi

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// instanceKeys are the keys that an entry of instances may have (2.3).
func instanceKeys() []string {
	return []string{
		"id", "persistIndex", "enableArchive", "stateStore", "secretStore", "defaultPriorityQueueCapacity", "defaultDispatchBufferCapacity",
		"sources", "queries", "reactions", "identityProviders", "bootstrapProviders",
	}
}

// serverKeys are the keys that the server takes at its top level only (2.2).
func serverKeys() []string {
	return []string{
		"apiVersion", "host", "port", "logLevel", "persistConfig", "enableUi", "solutionsDir", "pluginRegistry", "autoInstallPlugins", "plugins",
		"verifyPlugins", "trustedIdentities", "hotReloadPlugins", "hotReloadDebounceMs", "corsAllowedOrigins", "instances",
	}
}

// flatten puts the keys of a single instance at the top level, as the server would see them without instances.
func (p *planner) flatten() {
	list, isList := p.root["instances"].([]any)
	delete(p.root, "instances")
	if !isList || len(list) == 0 {
		p.dropNulls()
		return
	}
	field := child(configPath, "instances")
	if len(list) > 1 {
		p.out.refuse(field, "has %d entries: write one DrasiInstance for each", len(list))
		return
	}
	entry, isObject := list[0].(object)
	if !isObject {
		p.out.refuse(element(field, 0), "must be an object, not %s", kindOf(list[0]))
		return
	}
	for _, key := range instanceKeys() {
		if _, there := p.root[key]; there {
			p.out.notice("%s is ignored, as the server does beside instances", child(configPath, key))
			delete(p.root, key)
		}
	}
	p.inst = element(field, 0)
	for _, key := range serverKeys() {
		if _, there := entry[key]; there {
			p.out.refuse(child(p.inst, key), "is a key of the server, not of an instance: write it as %s", child(configPath, key))
			delete(entry, key)
		}
	}
	for key, value := range entry {
		p.root[key] = value
	}
	p.dropNulls()
}

// dropNulls takes a null at a key of the server's for the key's absence.
func (p *planner) dropNulls() {
	for _, keys := range [][]string{instanceKeys(), serverKeys()} {
		for _, key := range keys {
			if value, there := p.root[key]; there && value == nil {
				delete(p.root, key)
			}
		}
	}
}

// ignoredKeys are keys whose values have no effect, and what counts instead. Where false is written it is what we do anyway.
type ignoredKey struct{ key, instead string }

func ignoredKeys() []ignoredKey {
	return []ignoredKey{
		{"host", "spec.expose says where the server listens"},
		{"persistConfig", "the object is the configuration's only source"},
		{"pluginRegistry", "the host's administrator says which registry may be used"},
		{"autoInstallPlugins", "plugins are prepared before a start"},
		{"verifyPlugins", "plugins are verified when they are prepared"},
		{"trustedIdentities", "the host's administrator says whom to trust"},
		{"hotReloadPlugins", "plugins do not change while the server runs"},
		{"hotReloadDebounceMs", "plugins do not change while the server runs"},
	}
}

// server checks the keys of the server itself and writes those that are always written (2.2).
func (p *planner) server() {
	for _, ignored := range ignoredKeys() {
		if value, there := p.root[ignored.key]; there && value != false {
			p.out.notice("%s is ignored: %s", child(configPath, ignored.key), ignored.instead)
		}
		delete(p.root, ignored.key)
	}
	delete(p.root, "apiVersion")
	values := p.serverValues()
	p.instanceID(values)
	p.apiPort(values)
	p.logLevel(values)
	p.capacities(values)
	p.stateStore(values)
	p.secretStore(values)
	p.unknownKeys(values)
	p.root["persistConfig"] = false
	p.root["enableUi"] = truth(p.root, "enableUi", false)
	p.root["autoInstallPlugins"] = false
	p.root["verifyPlugins"] = false
}

// serverValues checks values that the server resolves itself, which cannot look up secrets (2.4).
func (p *planner) serverValues() *values {
	return &values{env: p.in.Env, out: &p.out, noSecrets: "which drasi-server resolves in the configuration of plugins only: use a variable"}
}

func (p *planner) instanceID(values *values) {
	field := child(p.inst, "id")
	id := p.in.Name
	if written, there := p.root["id"]; there {
		resolved, ok := values.scalar(field, written, textType)
		if ok {
			id = resolved
		}
	}
	switch {
	case id == "":
		p.out.refuse(field, "must not be empty")
	case len(id) > maxID:
		p.out.refuse(field, "must not be longer than %d bytes", maxID)
	case strings.ContainsRune(id, 0):
		p.out.refuse(field, "must not contain a NUL character")
	case parseShortReference(id) != nil:
		p.out.refuse(field, "stands for a text that is a reference again, which cannot be used as an id")
	}
	p.plan.InstanceID = id
	p.root["id"] = id
}

func (p *planner) apiPort(values *values) {
	written, there := p.root["port"]
	delete(p.root, "port")
	if !there {
		return
	}
	field := child(configPath, "port")
	text, ok := values.scalar(field, written, portType)
	if !ok {
		return
	}
	port := parsePort(text)
	if port == 0 {
		p.out.refuse(field, "must be from 1 to 65535")
	}
	p.plan.APIPort = port
}

func (p *planner) logLevel(values *values) {
	written, there := p.root["logLevel"]
	if !there {
		p.root["logLevel"] = "info"
		return
	}
	field := child(configPath, "logLevel")
	if word, ok := values.scalar(field, written, textType); ok && !isLogLevel(word) {
		p.out.refuse(field, "must be one of %s", strings.Join(logLevels(), ", "))
	}
}

func (p *planner) capacities(values *values) {
	for _, key := range []string{"defaultPriorityQueueCapacity", "defaultDispatchBufferCapacity"} {
		values.scalar(child(p.inst, key), p.root[key], u64Type)
	}
}

// stateStore checks the state store's path and asks for its folder, which the server does not make (1.5).
func (p *planner) stateStore(values *values) {
	store, isObject := p.root["stateStore"].(object)
	if !isObject {
		return
	}
	field := child(child(p.inst, "stateStore"), "path")
	file, ok := values.scalar(field, store["path"], textType)
	if !ok {
		return
	}
	clean := path.Clean(file)
	switch {
	case file == "" || clean == "." || strings.HasSuffix(file, "/"):
		p.out.refuse(field, "must name a file")
	case path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../"):
		p.out.refuse(field, "must be below the working directory: write a relative path without ..")
	case strings.ContainsRune(file, 0):
		p.out.refuse(field, "must not contain a NUL character")
	default:
		if folder := path.Dir(clean); folder != "." {
			p.plan.Folders = append(p.plan.Folders, folder)
		}
	}
}

// secretStore mentions references in the secret store, whose keys take none (2.9).
func (p *planner) secretStore(values *values) {
	store, _ := p.root["secretStore"].(object)
	for _, key := range sortedKeys(store) {
		values.mentionReference(child(child(p.inst, "secretStore"), key), store[key])
	}
}

// unknownKeys mentions references in keys that the server does not have as far as we know.
func (p *planner) unknownKeys(values *values) {
	walk := keyWalk{values: values}
	for _, key := range sortedKeys(p.root) {
		if !slices.Contains(instanceKeys(), key) && !slices.Contains(serverKeys(), key) {
			walk.node(child(p.inst, key), patternKey(key), p.root[key])
		}
	}
}

// parsePort is the port that a checked text stands for; 0 where it is none.
func parsePort(text string) uint16 {
	port, err := strconv.ParseUint(strings.TrimPrefix(text, "+"), 10, 16)
	if err != nil {
		return 0
	}
	return uint16(port)
}
