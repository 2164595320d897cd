package instance

import (
	"fmt"
	"net/netip"

	"github.com/draas-io/draas/internal/controller/probe"
	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/drasi"
)

// watchServer has the prober ask the server that runs. What the server must have loaded comes from the file it was started with, not from the
// object: an invalid generation may stand over a good server.
func (r *Reconciler) watchServer(facts *status.Facts) error {
	observed := facts.Runtime
	if last := r.Prober.Last(observed.UID); last != nil && last.Incarnation == observed.Incarnation {
		return nil
	}
	expectation, err := drasi.ReadExpectation(observed.Config, nil, nil)
	if err != nil {
		return fmt.Errorf("read the configuration of what runs: %w", err)
	}
	// Ports may hang on the environment of that time, which only the driver's own record of the run knows.
	expectation.Listeners = nil
	for _, l := range observed.Listeners {
		expectation.Listeners = append(expectation.Listeners, drasi.Listener{
			Name: l.Name, Component: l.Component, Address: l.Address, Port: l.Port, Scheme: l.Scheme, Path: l.Path, AutoStart: true,
		})
	}
	r.Prober.Watch(r.Lifetime, probe.Target{
		Ref: observed.Ref, Incarnation: observed.Incarnation, API: dialable(observed.API), Expectation: expectation,
	})
	return nil
}

// dialable turns "every address" into one that can be connected to.
func dialable(api netip.AddrPort) netip.AddrPort {
	if api.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), api.Port())
	}
	return api
}
