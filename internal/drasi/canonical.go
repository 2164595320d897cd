package drasi

import (
	"encoding/json"
	"slices"
)

// serverDefaults are values that mean the same as the key's absence.
func serverDefaults() object {
	return object{
		"logLevel": "info", "persistIndex": false, "enableArchive": false, "enableUi": false,
		"defaultPriorityQueueCapacity": json.Number("10000"), "defaultDispatchBufferCapacity": json.Number("1000"),
	}
}

// queryDefaults are those of a query (2.6), with our own for autoStart.
func queryDefaults() object {
	return object{
		"autoStart": true, "queryLanguage": "GQL", "enableBootstrap": true, "bootstrapBufferSize": json.Number("10000"),
		"bootstrapTimeoutSecs": json.Number("300"), "dispatchMode": "Channel", "outboxCapacity": json.Number("1000"),
	}
}

// pluginComponentDefaults are those of sources and reactions.
func pluginComponentDefaults() object { return object{"autoStart": true} }

// canonical is the configuration for the input hash. What is ignored is left out, and so is what says the default: a field that a release
// adds, or a default that somebody writes out, changes nothing. Plugins count as far as the list pins them.
func (p *planner) canonical() []byte {
	root, _ := copyTree(p.root).(object)
	for _, ignored := range ignoredKeys() {
		delete(root, ignored.key)
	}
	delete(root, "apiVersion")
	dropDefaults(root, serverDefaults())
	if root["id"] == p.in.Name {
		delete(root, "id")
	}
	if pins := pinnedPlugins(root); pins != nil {
		root["plugins"] = pins
	} else {
		delete(root, "plugins")
	}
	for _, key := range append([]string{"corsAllowedOrigins"}, instanceKeys()...) {
		dropEmpty(root, key)
	}
	eachObject(root, "sources", func(o object) { dropDefaults(o, pluginComponentDefaults()) })
	eachObject(root, "reactions", func(o object) { dropDefaults(o, pluginComponentDefaults()) })
	eachObject(root, "queries", canonicalQuery)
	return encodeTree(root)
}

func canonicalQuery(query object) {
	dropDefaults(query, queryDefaults())
	for _, key := range []string{"sources", "middleware", "joins"} {
		dropEmpty(query, key)
	}
	eachObject(query, "sources", func(o object) {
		for _, key := range []string{"nodes", "relations", "pipeline"} {
			dropEmpty(o, key)
		}
	})
}

// pinnedPlugins are the listed references that say more than the kinds in use do, sorted; nil where there is none.
func pinnedPlugins(root object) []any {
	list, _ := root["plugins"].([]any)
	needed := map[string]bool{}
	for _, plugin := range derivePlugins(root) {
		needed[plugin.Category+"/"+plugin.Kind] = true
	}
	var pins []string
	for _, item := range list {
		o, _ := item.(object)
		reference := text(o, "ref")
		if name := pluginName(reference); needed[name] && name != reference {
			pins = append(pins, reference)
		}
	}
	slices.Sort(pins)
	var out []any
	for _, pin := range slices.Compact(pins) {
		out = append(out, pin)
	}
	return out
}

// dropDefaults leaves out keys that say the default or null.
func dropDefaults(o, defaults object) {
	for key, byDefault := range defaults {
		if value, there := o[key]; there && (value == nil || value == byDefault) {
			delete(o, key)
		}
	}
}

// dropEmpty leaves out a list without items.
func dropEmpty(o object, key string) {
	value, there := o[key]
	if list, isList := value.([]any); there && (value == nil || isList && len(list) == 0) {
		delete(o, key)
	}
}

func eachObject(o object, key string, use func(object)) {
	list, _ := o[key].([]any)
	for _, item := range list {
		if inner, isObject := item.(object); isObject {
			use(inner)
		}
	}
}
