package drasi

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// Plugin is a plugin of drasi-server (3.1).
type Plugin struct {
	// Category is source, reaction, bootstrap, secret-store or identity.
	Category string
	// Kind is for instance postgres.
	Kind string
	// Reference is how the configuration refers to it, or category/kind where it does not.
	Reference string
}

// isBuiltIn says whether a category/kind is part of the server itself (3.1, 2.9).
func isBuiltIn(name string) bool {
	switch name {
	case "bootstrap/noop", "bootstrap/application", "reaction/application", "identity/password":
		return true
	default:
		return false
	}
}

// plugins derives the plugins in use and checks that a written list covers them.
func (p *planner) plugins() {
	p.plan.Plugins = derivePlugins(p.root)
	written, there := p.root["plugins"].([]any)
	delete(p.root, "plugins")
	if !there || len(written) == 0 {
		return
	}
	field := child(configPath, "plugins")
	listed := map[string]string{}
	for i, item := range written {
		o, _ := item.(object)
		reference := text(o, "ref")
		name := pluginName(reference)
		if name == "" {
			p.out.refuse(child(element(field, i), "ref"), "%s names no plugin: write category/kind, category/kind:version or a full reference that ends so", quoted(reference))
			continue
		}
		if _, taken := listed[name]; !taken {
			listed[name] = reference
		}
	}
	p.coverPlugins(field, listed)
}

// coverPlugins takes references from the list, and names what is missing in it or not needed.
func (p *planner) coverPlugins(field string, listed map[string]string) {
	for i := range p.plan.Plugins {
		plugin := &p.plan.Plugins[i]
		name := plugin.Category + "/" + plugin.Kind
		reference, there := listed[name]
		if !there {
			p.out.refuse(field, "%s is in use but not in the list: add {ref: %s}, or leave the list out", name, name)
			continue
		}
		plugin.Reference = reference
		delete(listed, name)
	}
	for _, name := range sortedKeys(listed) {
		p.out.notice("%s names %s, which nothing uses: it is left out", field, shortened(name, 128))
	}
}

// derivePlugins are the plugins that a configuration needs, sorted.
func derivePlugins(root object) []Plugin {
	needed := map[string]bool{}
	need := func(group, kind string) {
		if name := group + "/" + kind; kind != "" && !isBuiltIn(name) {
			needed[name] = true
		}
	}
	each := func(key string, use func(object)) {
		list, _ := root[key].([]any)
		for _, item := range list {
			if o, isObject := item.(object); isObject {
				use(o)
			}
		}
	}
	each("sources", func(o object) {
		need("source", text(o, "kind"))
		inline, _ := o["bootstrapProvider"].(object)
		need("bootstrap", text(inline, "kind"))
	})
	each("reactions", func(o object) { need("reaction", text(o, "kind")) })
	each("bootstrapProviders", func(o object) { need("bootstrap", text(o, "kind")) })
	each("identityProviders", func(o object) { need("identity", text(o, "kind")) })
	store, _ := root["secretStore"].(object)
	need("secret-store", text(store, "kind"))

	var out []Plugin
	for name := range needed {
		group, kind, _ := strings.Cut(name, "/")
		out = append(out, Plugin{Category: group, Kind: kind, Reference: name})
	}
	slices.SortFunc(out, func(a, b Plugin) int { return cmp.Compare(a.Reference, b.Reference) })
	return out
}

// categories are the categories of plugins as references and as file names write them.
func categories() []category {
	return []category{
		{"source", "source"}, {"reaction", "reaction"}, {"bootstrap", "bootstrap"}, {"secret-store", "secret_store"}, {"identity", "identity"},
	}
}

type category struct{ reference, file string }

// pluginName is the category/kind that a reference names (3.2), or nothing.
func pluginName(reference string) string {
	if strings.Contains(reference, "://") {
		return fileName(reference)
	}
	repository, _, _ := strings.Cut(reference, "@")
	if slash, colon := strings.LastIndexByte(repository, '/'), strings.LastIndexByte(repository, ':'); colon > slash {
		repository = repository[:colon]
	}
	folder, kind := path.Split(repository)
	folder = strings.TrimSuffix(folder, "/")
	name := folder[strings.LastIndexByte(folder, '/')+1:]
	if name == "secret_store" {
		name = "secret-store"
	}
	for _, c := range categories() {
		if c.reference == name && kind != "" && kind != "*" {
			return name + "/" + kind
		}
	}
	return ""
}

// fileName is the category/kind of a plugin's file (3.1), or nothing. A file writes _ for the - of a kind.
func fileName(reference string) string {
	name := path.Base(reference)
	name = strings.TrimPrefix(strings.TrimSuffix(name, path.Ext(name)), "lib")
	name, isPlugin := strings.CutPrefix(name, "drasi_")
	if !isPlugin {
		return ""
	}
	name = strings.Replace(name, "secret-store_", "secret_store_", 1)
	for _, c := range categories() {
		if kind, found := strings.CutPrefix(name, c.file+"_"); found && kind != "" {
			return c.reference + "/" + strings.ReplaceAll(kind, "_", "-")
		}
	}
	return ""
}
