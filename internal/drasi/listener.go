package drasi

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/draas-io/draas/api/v1alpha1"
)

// listenerRule says how a kind of component listens (2.5, 2.7).
type listenerRule struct {
	list, kind string
	// inside is the key of the object that holds host and port; empty: the component itself.
	inside string
	// port is the port without one in the configuration; 0: the plugin wants one to be written.
	port   uint16
	scheme string
	path   func(o object, env map[string]string) string
}

// listenerRules are the kinds that listen.
func listenerRules() []listenerRule {
	return []listenerRule{
		{list: "sources", kind: "http", scheme: "http", path: eventsPath},
		{list: "sources", kind: "grpc", port: 50051, scheme: "grpc"},
		{list: "sources", kind: "sqlite", inside: "restApi", port: 8080, scheme: "http"},
		{list: "reactions", kind: "sse", port: 8080, scheme: "http", path: ssePath},
		{list: "reactions", kind: "dashboard", port: 3000, scheme: "http"},
		{list: "reactions", kind: "mcp", port: 3000, scheme: "http"},
	}
}

// listenerRuleOf is the rule of a kind, or nothing.
func listenerRuleOf(list, kind string) *listenerRule {
	for _, rule := range listenerRules() {
		if rule.list == list && rule.kind == kind {
			return &rule
		}
	}
	return nil
}

// place is the object that holds the host and the port of a component, if it listens.
func (r *listenerRule) place(component object) (object, bool) {
	if r.inside == "" {
		return component, true
	}
	inside, there := component[r.inside].(object)
	return inside, there
}

func ssePath(o object, env map[string]string) string {
	path, found := resolveText(o["ssePath"], env)
	if !found || !strings.HasPrefix(path, "/") {
		return "/events"
	}
	return path
}

// eventsPath is where an http source takes events. With webhooks it has routes of its own.
func eventsPath(o object, _ map[string]string) string {
	if o["webhooks"] != nil {
		return ""
	}
	return "/sources/" + url.PathEscape(text(o, "id")) + "/events"
}

// resolveText is the text of a value in a configuration that was checked before.
func resolveText(value any, env map[string]string) (string, bool) {
	ref, err := parseReference(value)
	if err != nil {
		return "", false
	}
	if ref != nil {
		if ref.secret {
			return "", false
		}
		return ref.lookup(env)
	}
	switch value := value.(type) {
	case string:
		return value, true
	case fmt.Stringer: // json.Number
		return value.String(), true
	default:
		return "", false
	}
}

// defaultHost writes the address of spec.expose where a listener names no host.
func (p *planner) defaultHost(e entry, category, kind string) {
	rule := listenerRuleOf(category+"s", kind)
	if rule == nil {
		return
	}
	place, listens := rule.place(e.object)
	if listens && place["host"] == nil {
		place["host"] = exposeAddress(p.in.Expose).String()
	}
}

// exposeAddress is the address on which listeners are that name none.
func exposeAddress(expose bool) netip.Addr {
	if expose {
		return netip.IPv4Unspecified()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// deriveListeners are the listeners of a configuration in which hosts are written out.
func deriveListeners(root object, env map[string]string) []Listener {
	var out []Listener
	for _, list := range []string{"sources", "reactions"} {
		items, _ := root[list].([]any)
		for _, item := range items {
			o, _ := item.(object)
			rule := listenerRuleOf(list, text(o, "kind"))
			if rule == nil {
				continue
			}
			if l, listens := rule.listener(o, env); listens {
				out = append(out, l)
			}
		}
	}
	return out
}

func (r *listenerRule) listener(o object, env map[string]string) (Listener, bool) {
	place, listens := r.place(o)
	if !listens {
		return Listener{}, false
	}
	port := r.port
	if written := place["port"]; written != nil {
		text, _ := resolveText(written, env)
		port = parsePort(text)
	}
	if port == 0 {
		return Listener{}, false
	}
	host, _ := resolveText(place["host"], env)
	out := Listener{
		Name: listenerName(text(o, "id"), r.kind), Component: text(o, "id"), Kind: r.kind, Address: hostAddress(host), Port: port,
		Scheme: r.scheme, AutoStart: truth(o, "autoStart", true),
	}
	if r.path != nil {
		out.Path = r.path(o, env)
	}
	return out, true
}

// listenerName is the component's id, unless that is the name of the server's own listener.
func listenerName(id, kind string) string {
	if id == "api" {
		return id + "-" + kind
	}
	return id
}

// hostAddress is the address of a host as a component writes it; not valid where it is a name that only the host can look up.
func hostAddress(host string) netip.Addr {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "localhost" {
		return exposeAddress(false)
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap()
}

// applyPorts lets spec.ports override and add to derived listeners. An entry stands for the derived listener of its component that has its
// name, or else for the only one; without a component for the one that has its very port. Any other entry is a listener more.
func applyPorts(derived []Listener, ports []v1alpha1.Port, components []Component, address netip.Addr) []Listener {
	out := derived
	taken := make([]bool, len(derived))
	named := make([]bool, len(ports))
	for i, port := range ports {
		named[i] = override(out, taken, port, func(l Listener) bool { return l.Component == port.Component && l.Name == port.Name })
	}
	for i, port := range ports {
		if named[i] || override(out, taken, port, func(l Listener) bool { return standsFor(port, l) }) {
			continue
		}
		out = append(out, portListener(port, components, address))
	}
	return out
}

// standsFor says whether an entry of spec.ports without the listener's name means it all the same.
func standsFor(port v1alpha1.Port, l Listener) bool {
	if port.Component == "" {
		return l.Port == uint16(port.Port) && l.UDP == isUDP(port)
	}
	return l.Component == port.Component
}

// override changes the first derived listener that fits and was not changed yet.
func override(derived []Listener, taken []bool, port v1alpha1.Port, fits func(Listener) bool) bool {
	for i := range taken {
		if l := &derived[i]; !taken[i] && fits(*l) {
			taken[i] = true
			l.Name, l.Port, l.UDP = port.Name, uint16(port.Port), isUDP(port)
			return true
		}
	}
	return false
}

func isUDP(port v1alpha1.Port) bool { return port.Protocol == "UDP" }

// portListener is the listener that an entry of spec.ports describes.
func portListener(port v1alpha1.Port, components []Component, address netip.Addr) Listener {
	l := Listener{
		Name: port.Name, Component: port.Component, Address: address, Port: uint16(port.Port), Scheme: "tcp",
		AutoStart: true, UDP: isUDP(port),
	}
	if l.UDP {
		l.Scheme = "udp"
	}
	for _, c := range components {
		if c.ID == port.Component {
			l.Kind, l.AutoStart = c.Kind, c.AutoStart
		}
	}
	return l
}
