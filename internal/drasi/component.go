package drasi

import (
	"strings"

	"github.com/draas-io/draas/api/v1alpha1"
)

// maxID is the longest id, in bytes.
const maxID = 1024

// componentLists are the lists of components in the order in which the server starts them.
func componentLists() []componentList {
	return []componentList{
		{"sources", "source", v1alpha1.ComponentSource},
		{"queries", "query", v1alpha1.ComponentQuery},
		{"reactions", "reaction", v1alpha1.ComponentReaction},
	}
}

// componentList is a list of components of one type; category is that of their plugins.
type componentList struct {
	key      string
	category string
	kind     v1alpha1.ComponentType
}

// entry is an object of a list, with its path.
type entry struct {
	path string
	object
}

// entries are the objects of a list. What is no object is refused.
func (p *planner) entries(key string) []entry {
	value, there := p.root[key]
	if !there {
		return nil
	}
	field := child(p.inst, key)
	list, isList := value.([]any)
	if !isList {
		p.out.refuse(field, "must be a list, not %s", kindOf(value))
		return nil
	}
	var out []entry
	for i, item := range list {
		if o, isObject := item.(object); isObject {
			out = append(out, entry{path: element(field, i), object: o})
		} else {
			p.out.refuse(element(field, i), "must be an object, not %s", kindOf(item))
		}
	}
	return out
}

// components checks sources, queries and reactions one by one, and writes out the defaults on which we do not rely.
func (p *planner) components() {
	seen := map[string]string{}
	for _, list := range componentLists() {
		for _, e := range p.entries(list.key) {
			p.componentID(e, seen)
			p.autoStart(e)
			switch list.kind {
			case v1alpha1.ComponentQuery:
				p.query(e)
			default:
				p.pluginComponent(e, list.category)
			}
		}
	}
	p.plan.Components = readComponents(p.root)
}

// componentID checks an id: sources, queries and reactions share one set (2.3).
func (p *planner) componentID(e entry, seen map[string]string) {
	field := child(e.path, "id")
	id, ok := p.requiredText(e, "id")
	if !ok {
		return
	}
	switch first, taken := seen[id]; {
	case taken:
		p.out.refuse(field, "%s is the id of %s already: sources, queries and reactions share one set of ids", quoted(id), first)
	case strings.HasPrefix(id, "__"):
		p.out.refuse(field, "%s must not begin with __, which marks the server's own components", quoted(id))
	case len(id) > maxID:
		p.out.refuse(field, "must not be longer than %d bytes", maxID)
	}
	if _, taken := seen[id]; !taken {
		seen[id] = e.path
	}
}

// requiredText is the text at a key that must be there.
func (p *planner) requiredText(e entry, key string) (string, bool) {
	value, there := e.object[key]
	if !there || value == nil {
		p.out.refuse(child(e.path, key), "must be set")
		return "", false
	}
	s, isText := value.(string)
	switch {
	case !isText:
		p.out.refuse(child(e.path, key), "must be a text, not %s: write it in quotes", kindOf(value))
	case s == "":
		p.out.refuse(child(e.path, key), "must not be empty")
	}
	return s, isText && s != ""
}

// autoStart writes autoStart, true by default for queries as well.
func (p *planner) autoStart(e entry) {
	value, there := e.object["autoStart"]
	if !there || value == nil {
		e.object["autoStart"] = true
		return
	}
	if _, isBool := value.(bool); !isBool {
		p.out.refuse(child(e.path, "autoStart"), "must be true or false, not %s", kindOf(value))
	}
}

// replacement is the kind of reaction that took the place of one that the server no longer has (2.7).
func replacement(kind string) (string, bool) {
	base, adaptive := strings.CutSuffix(kind, "-adaptive")
	return base, adaptive && (base == "http" || base == "grpc")
}

// pluginComponent checks a source or a reaction by what is known of its kind.
func (p *planner) pluginComponent(e entry, category string) {
	kind, ok := p.requiredText(e, "kind")
	if !ok {
		return
	}
	if now, removed := replacement(kind); removed && category == "reaction" {
		p.out.refuse(child(e.path, "kind"), "drasi-server has no kind %s any more: use %s, whose batching is adaptive where its configuration says so", kind, now)
		return
	}
	p.defaultHost(e, category, kind)
	p.keys(e, category, kind, p.pluginValues())
	if category == "source" {
		p.inlineBootstrap(e)
	}
}

// pluginValues checks values that a plugin resolves, which can look up secrets where there is a secret store (2.4).
func (p *planner) pluginValues() *values {
	_, stored := p.root["secretStore"].(object)
	return &values{env: p.in.Env, out: &p.out, secrets: stored, noSecrets: "but there is no secretStore to look it up in"}
}

// inlineBootstrap checks a bootstrap provider that stands in its source.
func (p *planner) inlineBootstrap(e entry) {
	value, there := e.object["bootstrapProvider"]
	if !there || value == nil {
		return
	}
	field := child(e.path, "bootstrapProvider")
	switch provider := value.(type) {
	case string:
	case object:
		inline := entry{path: field, object: provider}
		if kind, ok := p.requiredText(inline, "kind"); ok {
			p.keys(inline, "bootstrap", kind, p.pluginValues())
		}
	default:
		p.out.refuse(field, "must be the id of a bootstrap provider or an object with a kind, not %s", kindOf(provider))
	}
}

// readComponents reads the components of a configuration in which defaults are written out.
func readComponents(root object) []Component {
	var out []Component
	for _, list := range componentLists() {
		items, _ := root[list.key].([]any)
		for _, item := range items {
			if o, isObject := item.(object); isObject {
				out = append(out, readComponent(o, list.kind))
			}
		}
	}
	return out
}

func readComponent(o object, kind v1alpha1.ComponentType) Component {
	c := Component{ID: text(o, "id"), Type: kind, AutoStart: truth(o, "autoStart", kind != v1alpha1.ComponentQuery)}
	switch kind {
	case v1alpha1.ComponentQuery:
		c.Query = text(o, "query")
		c.Language = v1alpha1.QueryLanguage(text(o, "queryLanguage"))
		c.Upstream = querySources(o)
	case v1alpha1.ComponentReaction:
		c.Kind = text(o, "kind")
		c.Upstream = texts(o, "queries")
	default:
		c.Kind = text(o, "kind")
	}
	return c
}

// querySources are the ids of a query's sources.
func querySources(query object) []string {
	list, _ := query["sources"].([]any)
	var out []string
	for _, item := range list {
		if o, isObject := item.(object); isObject {
			out = append(out, text(o, "sourceId"))
		}
	}
	return out
}
