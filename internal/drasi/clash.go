package drasi

// listeners works out the listeners of components and what clashes among them.
func (p *planner) listeners() {
	derived := deriveListeners(p.root, p.in.Env)
	p.portComponents()
	p.plan.Listeners = applyPorts(derived, p.in.Ports, p.plan.Components, exposeAddress(p.in.Expose))
	p.clashes()
	p.openListeners()
	p.wishedPort()
}

// portComponents checks that components that spec.ports names are there.
func (p *planner) portComponents() {
	known := map[string]bool{"": true}
	for _, c := range p.plan.Components {
		known[c.ID] = true
	}
	for i, port := range p.in.Ports {
		if !known[port.Component] {
			p.out.refuse(child(element("spec.ports", i), "component"), "there is no component %s", quoted(port.Component))
		}
	}
}

// clashes finds listeners that want the same port. Of two that do not both start with the server it is only mentioned.
func (p *planner) clashes() {
	for i, later := range p.plan.Listeners {
		for _, earlier := range p.plan.Listeners[:i] {
			switch {
			case later.Name == earlier.Name:
				p.out.refuse(p.listenerField(later), "%s and %s have the same name %s: name them apart in spec.ports", describe(later), describe(earlier), quoted(later.Name))
			case !overlap(later, earlier):
			case later.AutoStart && earlier.AutoStart:
				p.out.conflict(p.listenerField(later), "%s and %s both want port %d: give one of them another", describe(earlier), describe(later), later.Port)
			default:
				p.out.notice("%s and %s both want port %d and cannot run at the same time", describe(earlier), describe(later), later.Port)
			}
		}
	}
}

// listenerField is where a listener's port is written.
func (p *planner) listenerField(l Listener) string {
	for i, port := range p.in.Ports {
		if port.Name == l.Name {
			return child(element("spec.ports", i), "port")
		}
	}
	for _, list := range []string{"sources", "reactions"} {
		for _, e := range p.objects(list) {
			if text(e.object, "id") != l.Component {
				continue
			}
			path := e.path
			if rule := listenerRuleOf(list, l.Kind); rule != nil && rule.inside != "" {
				path = child(path, rule.inside)
			}
			return child(path, "port")
		}
	}
	return configPath
}

// describe names a listener in a message.
func describe(l Listener) string {
	switch {
	case l.Component == "":
		return "the listener " + quoted(l.Name)
	case l.Kind == "":
		return "component " + quoted(l.Component)
	default:
		return "component " + quoted(l.Component) + " (" + l.Kind + ")"
	}
}

// overlap says whether two listeners cannot be there at the same time.
func overlap(a, b Listener) bool {
	if a.Port != b.Port || a.UDP != b.UDP {
		return false
	}
	return !a.Address.IsValid() || !b.Address.IsValid() || a.Address == b.Address || a.Address.IsUnspecified() || b.Address.IsUnspecified()
}

// openListeners mentions components that listen on more than spec.expose asks for.
func (p *planner) openListeners() {
	if p.in.Expose {
		return
	}
	for _, l := range p.plan.Listeners {
		if l.Component != "" && !l.Address.IsLoopback() {
			p.out.notice("%s listens beyond loopback, as its host says", describe(l))
		}
	}
}

// wishedPort gives up a wish for the API's port that a component's listener has.
func (p *planner) wishedPort() {
	api := Listener{Address: exposeAddress(p.in.Expose), Port: p.plan.APIPort}
	for _, l := range p.plan.Listeners {
		if api.Port != 0 && overlap(api, l) {
			p.out.notice("%s is not used for the API: %s has port %d", child(configPath, "port"), describe(l), l.Port)
			p.plan.APIPort = 0
		}
	}
}
