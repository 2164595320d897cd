//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// List tells of every runtime. One whose state is unknown has no State, and StartError says why.
func (d *Driver) List(ctx context.Context) ([]platform.Observed, error) {
	end, err := d.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	units := d.all()
	list := make([]platform.Observed, 0, len(units))
	for _, u := range units {
		v := u.view.Load()
		observed, err := v.look()
		switch {
		case err != nil:
			observed = platform.Observed{Ref: v.observed.Ref, LogDirectory: u.home.logs(), StartError: err}
		case !u.exists():
			continue
		}
		list = append(list, observed)
	}
	return list, nil
}

// Inspect tells of one runtime.
func (d *Driver) Inspect(ctx context.Context, ref platform.Ref) (platform.Observed, error) {
	end, err := d.begin(ctx)
	if err != nil {
		return platform.Observed{}, err
	}
	defer end()
	u := d.unit(ref.UID)
	if u == nil || !u.exists() {
		return platform.Observed{}, platform.ErrNotFound
	}
	return u.view.Load().look()
}

// Ensure makes the runtime run with the desired inputs.
func (d *Driver) Ensure(ctx context.Context, desired platform.Desired) error {
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := validateUID(desired.UID); err != nil {
		return err
	}
	if validate(&desired) == nil {
		// The answer is kept. To wait for it here keeps nobody from the instance, whose server may end meanwhile.
		_, _ = d.executables.find(ctx, desired.Version)
	}
	for {
		err := d.unitFor(desired.UID).ensure(ctx, &desired)
		if !errors.Is(err, errRemoved) {
			return err
		}
	}
}

// Resume starts again what ran before the host was restarted.
func (d *Driver) Resume(ctx context.Context, ref platform.Ref) error {
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	u := d.unit(ref.UID)
	if u == nil || !u.exists() {
		return platform.ErrNotFound
	}
	return u.resume()
}

// Stop begins to stop the runtime, or goes on with it.
func (d *Driver) Stop(ctx context.Context, ref platform.Ref, grace time.Duration) error {
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	u := d.unit(ref.UID)
	if u == nil {
		return nil
	}
	return u.stop(grace)
}

// Remove takes away what a stopped runtime left behind.
func (d *Driver) Remove(ctx context.Context, ref platform.Ref, keepData bool) error {
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	u := d.unit(ref.UID)
	if u == nil {
		return nil
	}
	if err := u.remove(ctx, ref, keepData); err != nil {
		return err
	}
	if err := d.plugins.sweep(); err != nil {
		d.log.Error(err, "unused plugins stay")
	}
	return nil
}

// forget takes a removed unit off the list.
func (d *Driver) forget(u *unit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.units[u.uid] == u {
		delete(d.units, u.uid)
	}
}

// Sockets lists the addresses on which the server and what belongs to it listen: what is in its cgroup, or without one its descendants.
func (d *Driver) Sockets(ctx context.Context, ref platform.Ref) ([]netip.AddrPort, error) {
	end, err := d.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	u := d.unit(ref.UID)
	if u == nil {
		return nil, platform.ErrNotFound
	}
	v := u.view.Load()
	if v.broken != nil {
		return nil, &platform.UnavailableError{Err: v.broken}
	}
	if v.p == nil || v.p.dead() {
		return nil, platform.ErrNotFound
	}
	found, err := listenersOf(v.p.PID, d.groupOf(v))
	// Only if it lives still, what was read was its own.
	if errors.Is(err, errGone) || v.p.dead() {
		return nil, platform.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("list the sockets of process %d: %w", v.p.PID, err)
	}
	return found, nil
}

// groupOf is the group of what runs; nil: it has none that can be looked at.
func (d *Driver) groupOf(v *view) group {
	if v.place == nil {
		return nil
	}
	g, err := d.groups.at(v.place)
	if err != nil {
		return nil
	}
	return g
}

// Tail returns the last bytes that the present or last run printed on standard output.
func (d *Driver) Tail(ctx context.Context, ref platform.Ref, limit int) ([]byte, error) {
	end, err := d.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	u := d.unit(ref.UID)
	if u == nil || !u.exists() {
		return nil, platform.ErrNotFound
	}
	text, err := u.output(u.home.stdout()).tail(u.view.Load().stdout, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("read the output of the server: %w", err)
	}
	return text, nil
}
