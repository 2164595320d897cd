//go:build linux

package process

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/platform"
)

// portRetry is when another try is worth while after no port was free.
const portRetry = 5 * time.Second

// ports knows which ports the instances of this driver have.
type ports struct {
	within PortRange
	// taken tells whether another program listens on the address.
	taken func(netip.AddrPort) bool

	mu     sync.Mutex
	claims map[string]claim
	// at is where the search in the range goes on, so that a port that was given up is not another instance's at once.
	at uint16
}

// claim is what one instance has: for what runs, and for what shall run.
type claim struct {
	label string
	uses  []use
}

// use is what one input of an instance takes.
type use struct {
	api       uint16
	listeners []platform.Listener
}

func newPorts(within PortRange) *ports {
	return &ports{within: within, taken: listening, claims: map[string]claim{}, at: within.First}
}

// set says what an instance has from now on; no uses means nothing.
func (p *ports) set(uid, label string, uses ...use) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(uses) == 0 {
		delete(p.claims, uid)
		return
	}
	p.claims[uid] = claim{label: label, uses: uses}
}

// reserve chooses a port for the input and adds what the input takes to what the instance has. Ports that the instance's own process listens
// on at present count as free.
func (p *ports) reserve(uid, label string, in *input, before uint16, own []uint16) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.conflict(uid, in.Listeners); err != nil {
		return err
	}
	port, err := p.choose(uid, in, own, in.Wish, before)
	if err != nil {
		return err
	}
	in.Port = port
	had := p.claims[uid]
	p.claims[uid] = claim{label: label, uses: append(slices.Clone(had.uses), in.use())}
	return nil
}

// vacant tells of a listener whose port another instance has.
func (p *ports) vacant(uid string, listeners []platform.Listener) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conflict(uid, listeners)
}

// again gives an instance back what it had, unless another one has some of its listeners' ports by now.
func (p *ports) again(uid, label string, uses []use) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, had := range uses {
		if err := p.conflict(uid, had.listeners); err != nil {
			return err
		}
	}
	p.claims[uid] = claim{label: label, uses: uses}
	return nil
}

// verify returns a port that is free right before a start: the input's own, unless another program has taken it meanwhile.
func (p *ports) verify(uid string, in *input) (uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	port, err := p.choose(uid, in, nil, in.Port, 0)
	if err != nil {
		return 0, err
	}
	if has := p.claims[uid]; port != in.Port {
		p.claims[uid] = claim{label: has.label, uses: append(slices.Clone(has.uses), use{api: port})}
	}
	return port, nil
}

// choose returns the first free port of the preferred ones, else one of the range.
func (p *ports) choose(uid string, in *input, own []uint16, preferred ...uint16) (uint16, error) {
	for _, port := range preferred {
		if port != 0 && p.free(uid, in, port, own) {
			return port, nil
		}
	}
	for range int(p.within.Last) - int(p.within.First) + 1 {
		port := p.at
		if p.at++; p.at > p.within.Last || p.at < p.within.First {
			p.at = p.within.First
		}
		if p.free(uid, in, port, own) {
			return port, nil
		}
	}
	return 0, &platform.WaitError{
		Code: platform.CodePortConflict, Message: fmt.Sprintf("no port of the range %s is free for the API", p.within), After: portRetry,
	}
}

// free tells whether the API of the instance can listen on the port.
func (p *ports) free(uid string, in *input, port uint16, own []uint16) bool {
	for _, listener := range in.Listeners {
		if listener.Port == port {
			return false
		}
	}
	for other, has := range p.claims {
		if other != uid && has.holds(port) {
			return false
		}
	}
	return slices.Contains(own, port) || !p.taken(netip.AddrPortFrom(apiAddress(in.Expose), port))
}

// holds tells whether the instance has the port in any way. The address does not matter: an API port must not be mistaken for another.
func (c claim) holds(port uint16) bool {
	for _, has := range c.uses {
		if has.api == port {
			return true
		}
		for _, listener := range has.listeners {
			if listener.Port == port {
				return true
			}
		}
	}
	return false
}

// conflict tells of a component whose listener another instance has.
func (p *ports) conflict(uid string, listeners []platform.Listener) error {
	for _, listener := range listeners {
		for other, has := range p.claims {
			if other == uid {
				continue
			}
			if owner := has.owner(listener); owner != "" {
				return &platform.TerminalError{
					Code:    platform.CodePortConflict,
					Message: fmt.Sprintf("component %s listens on port %d, which is taken by %s", listener.Component, listener.Port, owner),
				}
			}
		}
	}
	return nil
}

// owner names what of the instance has the listener's port on an address that overlaps; "": nothing.
func (c claim) owner(listener platform.Listener) string {
	for _, has := range c.uses {
		if has.api == listener.Port {
			return "the API of instance " + c.label
		}
		for _, other := range has.listeners {
			if other.Port == listener.Port && overlap(other.Address, listener.Address) {
				return fmt.Sprintf("component %s of instance %s", other.Component, c.label)
			}
		}
	}
	return ""
}

// overlap tells whether one port cannot be bound on both addresses. The IPv6 wildcard covers IPv4 too.
func overlap(a, b netip.Addr) bool {
	a, b = a.Unmap(), b.Unmap()
	switch {
	case !a.IsValid() || !b.IsValid(): // a host name may stand for any address
		return true
	case a == b:
		return true
	case a.IsUnspecified() && b.IsUnspecified():
		return true
	case a.IsUnspecified():
		return a.Is6() || b.Is4()
	case b.IsUnspecified():
		return b.Is6() || a.Is4()
	default:
		return false
	}
}

// apiAddress is the address on which the API listens.
func apiAddress(expose bool) netip.Addr {
	if expose {
		return netip.IPv4Unspecified()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// listening asks the kernel whether another program listens on the IPv4 address: by binding as the server does, without listening, so
// that nobody can connect to us by mistake.
func listening(address netip.AddrPort) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return true
	}
	return unix.Bind(fd, &unix.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}) != nil
}

// checkRange refuses a range of which the kernel takes ports for outgoing connections.
func checkRange(within PortRange) error {
	if err := within.validate(); err != nil {
		return err
	}
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the range of ephemeral ports: %w", err)
	}
	var first, last uint16
	if _, err := fmt.Sscan(string(text), &first, &last); err != nil {
		return fmt.Errorf("read the range of ephemeral ports: %w", err)
	}
	if within.First <= last && first <= within.Last {
		return fmt.Errorf("the port range %s overlaps the range %d-%d of which the kernel takes ports for outgoing connections", within, first, last)
	}
	return nil
}
