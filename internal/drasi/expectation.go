package drasi

import (
	"fmt"
	"net/netip"

	"github.com/draas-io/draas/api/v1alpha1"
)

// Expectation is what a running server must have loaded.
type Expectation struct {
	InstanceID string
	Components []Component
	Listeners  []Listener
}

// Expectation is what a server that runs this plan must have loaded.
func (p *Plan) Expectation() Expectation {
	return Expectation{InstanceID: p.InstanceID, Components: p.Components, Listeners: p.Listeners}
}

// ReadExpectation derives an expectation from a configuration file that a plan has rendered, with the environment and the ports of that time.
// So it is known for what runs, also when the object asks for something else by now.
func ReadExpectation(rendered []byte, env map[string]string, ports []v1alpha1.Port) (Expectation, error) {
	root, err := decodeObject(rendered)
	if err != nil {
		return Expectation{}, fmt.Errorf("read the configuration file: %w", err)
	}
	id := text(root, "id")
	if id == "" {
		return Expectation{}, fmt.Errorf("read the configuration file: it has no id")
	}
	components := readComponents(root)
	address, err := netip.ParseAddr(text(root, "host"))
	if err != nil {
		return Expectation{}, fmt.Errorf("read the configuration file: its host: %w", err)
	}
	listeners := applyPorts(deriveListeners(root, env), ports, components, address)
	return Expectation{InstanceID: id, Components: components, Listeners: listeners}, nil
}
