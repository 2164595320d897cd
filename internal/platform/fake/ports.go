package fake

import (
	"fmt"

	"github.com/draas-io/draas/internal/platform"
)

// stranger owns the ports that are none of ours.
const stranger = "another program"

// ports are the TCP ports of a world. Which address a listener binds does not matter: a port has one owner.
type ports struct {
	first, last, at uint16
	owner           map[uint16]string
}

func newPorts(first, last uint16) ports {
	return ports{first: first, last: last, at: first, owner: map[uint16]string{}}
}

// choose returns a free port for the API of a runtime: the wished one, else the one that it had before, else one of the range.
func (p *ports) choose(desired *platform.Desired, before uint16) (uint16, error) {
	for _, port := range []uint16{desired.APIPort, before} {
		if port != 0 && p.free(port, desired) {
			return port, nil
		}
	}
	for range int(p.last) - int(p.first) + 1 {
		port := p.at
		p.at++
		if p.at > p.last || p.at < p.first {
			p.at = p.first
		}
		if p.free(port, desired) {
			return port, nil
		}
	}
	return 0, &platform.WaitError{
		Code:    platform.CodePortConflict,
		Message: fmt.Sprintf("no port of %d-%d is free for the API", p.first, p.last),
	}
}

// free tells whether port can be the API's of a runtime.
func (p *ports) free(port uint16, desired *platform.Desired) bool {
	for _, listener := range desired.Listeners {
		if listener.Port == port {
			return false
		}
	}
	owner, taken := p.owner[port]
	return !taken || owner == desired.UID
}

// conflict tells of a component's port that is another runtime's.
func (p *ports) conflict(desired *platform.Desired) error {
	for _, listener := range desired.Listeners {
		owner, taken := p.owner[listener.Port]
		if taken && owner != desired.UID && owner != stranger {
			return &platform.WaitError{
				Code:    platform.CodePortConflict,
				Message: fmt.Sprintf("port %d of component %s is in use by %s", listener.Port, listener.Component, owner),
			}
		}
	}
	return nil
}

// claim makes the ports of the inputs the runtime's own, beside those that it has.
func (p *ports) claim(in *inputs) {
	for _, port := range in.ports() {
		if p.owner[port] != stranger {
			p.owner[port] = in.UID
		}
	}
}

// release gives back the ports of old that kept, if any, does not have.
func (p *ports) release(old, kept *inputs) {
	stay := map[uint16]bool{}
	if kept != nil {
		for _, port := range kept.ports() {
			stay[port] = true
		}
	}
	for _, port := range old.ports() {
		if !stay[port] && p.owner[port] == old.UID {
			delete(p.owner, port)
		}
	}
}

// ports are all on which a server with these inputs listens.
func (i *inputs) ports() []uint16 {
	all := make([]uint16, 0, len(i.Listeners)+1)
	all = append(all, i.api.Port())
	for _, listener := range i.Listeners {
		all = append(all, listener.Port)
	}
	return all
}
