// Package drasi knows drasi-server's dialect: it checks a configuration, writes the file that the server reads, tells which plugins, folders
// and listeners it needs, talks to the server's API and judges what it says. It knows neither Kubernetes clients nor platforms.
//
// Section numbers in comments are those of the hosting contract of drasi-server 0.2.2.
package drasi

import (
	"encoding/json"
	"net/netip"

	"github.com/draas-io/draas/api/v1alpha1"
)

// Input is what a plan is made from.
type Input struct {
	// Config is spec.config.
	Config *v1alpha1.ServerConfig
	// Name is the object's name, the default of the server's instance id.
	Name string
	// Env is the whole environment that the server will have.
	Env map[string]string
	// Ports is spec.ports.
	Ports []v1alpha1.Port
	// Expose says that listeners shall be reachable from outside the host.
	Expose bool
}

// Plan is what must be done to run a configuration.
type Plan struct {
	// Findings are what forbids running it, in the order of the configuration. At most 16, and one more that counts the rest.
	Findings []Finding
	// Notices are what is ignored or worth a mention, sorted. They hold no values of variables.
	Notices []string

	// InstanceID is the server's instance id.
	InstanceID string
	// APIPort is the wished port of the API; 0: none, or one that a component's listener has.
	APIPort uint16
	// Listeners are those of components, and what spec.ports adds.
	Listeners []Listener
	// Plugins are the plugins in use, sorted.
	Plugins []Plugin
	// Folders are to be made below the server's working directory. Each is a clean relative path with slashes.
	Folders []string
	// Components are what must be loaded.
	Components []Component

	// Canonical is the configuration for the input hash: sorted keys, without what is ignored and without what says the default.
	Canonical []byte
	// Rendered is the configuration file. It is nil when there are findings.
	Rendered []byte
}

// Component is a source, a query or a reaction.
type Component struct {
	ID   string
	Type v1alpha1.ComponentType
	// Kind is the kind of a source or reaction; empty for a query.
	Kind string
	// AutoStart says that the component starts with the server.
	AutoStart bool
	// Query and Language are a query's text and its language.
	Query    string
	Language v1alpha1.QueryLanguage
	// Upstream are a query's sources or a reaction's queries, as written.
	Upstream []string
}

// Listener is an address on which a component of the server listens.
type Listener struct {
	// Name is the name in status.endpoints.
	Name string
	// Component is the id of the component; empty where spec.ports names none.
	Component string
	// Kind is the kind of the component; empty where the listener is known from spec.ports only.
	Kind string
	// Address is the IP address it binds. It is not valid where the configuration has a host name that only the host can look up.
	Address netip.Addr
	Port    uint16
	// Path is the path to show in a URL.
	Path string
	// Scheme is that of the URL: http, grpc, tcp or udp.
	Scheme string
	// AutoStart says that it is there as soon as the server has started.
	AutoStart bool
	// UDP says that it is no TCP listener.
	UDP bool
}

// planner makes a plan.
type planner struct {
	in   Input
	root object
	// inst is the path of the keys that an instance may have: spec.config, or spec.config.instances[0].
	inst string
	out  report
	plan *Plan
}

// configPath is the path of the configuration in the object.
const configPath = "spec.config"

// NewPlan checks a configuration and works out what running it takes. It never fails: what is wrong is in the plan's findings.
func NewPlan(in Input) *Plan {
	p := &planner{in: in, inst: configPath, plan: &Plan{InstanceID: in.Name}}
	if p.decode() {
		p.flatten()
		p.turnBackWords()
		p.plan.Canonical = p.canonical()
		p.server()
		p.providers()
		p.components()
		p.references()
		p.listeners()
		p.plugins()
		p.render()
	}
	p.plan.Findings, p.plan.Notices = p.out.result()
	if len(p.plan.Findings) > 0 {
		p.plan.Rendered = nil
	}
	return p.plan
}

// decode turns the configuration into a tree and checks what holds for every key.
func (p *planner) decode() bool {
	config := p.in.Config
	if config == nil {
		config = &v1alpha1.ServerConfig{}
	}
	raw, err := json.Marshal(config)
	if err != nil {
		p.out.refuse(configPath, "cannot be written as JSON: %v", err)
		return false
	}
	root, err := decodeObject(raw)
	if err != nil {
		p.out.refuse(configPath, "cannot be read: %v", err)
		return false
	}
	p.root = root
	shape := shapeCheck{out: &p.out}
	shape.object(configPath, root, 1)
	return true
}
