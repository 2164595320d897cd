package drasi

// graphSource is the server's own source, which queries may use.
const graphSource = "__component_graph__"

// providers checks the providers that components refer to (2.8, 2.9).
func (p *planner) providers() {
	for _, list := range []struct{ key, category string }{{"identityProviders", "identity"}, {"bootstrapProviders", "bootstrap"}} {
		seen := map[string]string{}
		for _, e := range p.entries(list.key) {
			if id, ok := p.requiredText(e, "id"); ok {
				if first, taken := seen[id]; taken {
					p.out.refuse(child(e.path, "id"), "%s is the id of %s already", quoted(id), first)
				} else {
					seen[id] = e.path
				}
			}
			if kind, ok := p.requiredText(e, "kind"); ok {
				p.keys(e, list.category, kind, p.providerValues(list.category, kind))
			}
		}
	}
}

// providerValues: the identity provider password is the server's own, everything else a plugin's (2.4).
func (p *planner) providerValues(category, kind string) *values {
	if category == "identity" && kind == "password" {
		return p.serverValues()
	}
	return p.pluginValues()
}

// references checks that everything referred to by id is there.
func (p *planner) references() {
	identities := p.ids("identityProviders")
	p.sourceReferences(identities)
	p.queryReferences()
	p.reactionReferences(identities)
}

func (p *planner) sourceReferences(identities map[string]bool) {
	bootstraps := p.ids("bootstrapProviders")
	for _, e := range p.objects("sources") {
		if id, isText := e.object["bootstrapProvider"].(string); isText && !bootstraps[id] {
			p.out.refuse(child(e.path, "bootstrapProvider"), "there is no bootstrap provider %s in bootstrapProviders", quoted(id))
		}
		p.identityReference(e, identities)
	}
}

func (p *planner) identityReference(e entry, identities map[string]bool) {
	value, there := e.object["identityProvider"]
	if !there || value == nil {
		return
	}
	field := child(e.path, "identityProvider")
	id, isText := value.(string)
	switch {
	case !isText:
		p.out.refuse(field, "must be the id of an entry of identityProviders, not %s", kindOf(value))
	case !identities[id]:
		p.out.refuse(field, "there is no identity provider %s in identityProviders", quoted(id))
	}
}

func (p *planner) queryReferences() {
	sources := p.ids("sources")
	sources[graphSource] = true
	for _, e := range p.objects("queries") {
		list, _ := e.object["sources"].([]any)
		for i, item := range list {
			field := element(child(e.path, "sources"), i)
			o, isObject := item.(object)
			if !isObject {
				p.out.refuse(field, "must be an object with a sourceId, not %s", kindOf(item))
				continue
			}
			if id, ok := p.requiredText(entry{path: field, object: o}, "sourceId"); ok && !sources[id] {
				p.out.refuse(child(field, "sourceId"), "there is no source %s", quoted(id))
			}
		}
	}
}

func (p *planner) reactionReferences(identities map[string]bool) {
	queries := p.ids("queries")
	for _, e := range p.objects("reactions") {
		list, _ := e.object["queries"].([]any)
		for i, item := range list {
			field := element(child(e.path, "queries"), i)
			id, isText := item.(string)
			switch {
			case !isText:
				p.out.refuse(field, "must be the id of a query, not %s", kindOf(item))
			case !queries[id]:
				p.out.refuse(field, "there is no query %s", quoted(id))
			}
		}
		p.identityReference(e, identities)
	}
}

// ids are the ids of a list's entries.
func (p *planner) ids(key string) map[string]bool {
	out := map[string]bool{}
	for _, e := range p.objects(key) {
		out[text(e.object, "id")] = true
	}
	return out
}

// objects are the objects of a list that was checked before.
func (p *planner) objects(key string) []entry {
	list, _ := p.root[key].([]any)
	var out []entry
	for i, item := range list {
		if o, isObject := item.(object); isObject {
			out = append(out, entry{path: element(child(p.inst, key), i), object: o})
		}
	}
	return out
}
