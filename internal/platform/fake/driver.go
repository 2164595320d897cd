package fake

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// Driver looks after a World until it is killed or the next one is opened.
type Driver struct {
	world  *World
	notify func(platform.Ref)
}

var (
	_ platform.Driver       = (*Driver)(nil)
	_ platform.Notifier     = (*Driver)(nil)
	_ platform.SocketLister = (*Driver)(nil)
)

var errKilled = errors.New("the driver has been killed")

// Kill ends the driver as a SIGKILL of its process would: servers run on, and nobody looks after them.
func (d *Driver) Kill() {
	d.world.mu.Lock()
	defer d.world.unlock()
	if d.world.driver == d {
		d.world.driver = nil
		d.world.settleAll()
	}
}

// Notify registers the function that is told of changes.
func (d *Driver) Notify(notify func(platform.Ref)) {
	d.world.mu.Lock()
	defer d.world.unlock()
	d.notify = notify
}

// Fingerprint tells the installed versions, or that the platform is unavailable.
func (d *Driver) Fingerprint(ctx context.Context) (platform.Fingerprint, error) {
	var found platform.Fingerprint
	err := d.call(ctx, Call{Op: OpFingerprint}, func(w *World) error {
		found = w.fingerprint()
		return nil
	})
	if away, ok := errors.AsType[*platform.UnavailableError](err); ok {
		return platform.Fingerprint{Health: platform.HealthUnhealthy, Message: away.Error()}, nil
	}
	return found, err
}

// List tells of every runtime, in the order of the UIDs.
func (d *Driver) List(ctx context.Context) ([]platform.Observed, error) {
	var all []platform.Observed
	err := d.call(ctx, Call{Op: OpList}, func(w *World) error {
		all = make([]platform.Observed, 0, len(w.runtimes))
		for _, r := range w.runtimes {
			w.settle(r)
			all = append(all, r.observed(w.name))
		}
		return nil
	})
	slices.SortFunc(all, func(a, b platform.Observed) int { return strings.Compare(a.UID, b.UID) })
	return all, err
}

// Inspect tells of one runtime.
func (d *Driver) Inspect(ctx context.Context, ref platform.Ref) (platform.Observed, error) {
	var found platform.Observed
	err := d.call(ctx, Call{Op: OpInspect, Ref: ref}, func(w *World) error {
		r := w.runtimes[ref.UID]
		if r == nil {
			return platform.ErrNotFound
		}
		found = r.observed(w.name)
		return nil
	})
	return found, err
}

// Ensure makes the runtime run with the desired inputs.
func (d *Driver) Ensure(ctx context.Context, desired platform.Desired) error {
	return d.call(ctx, Call{Op: OpEnsure, Ref: desired.Ref, Hash: desired.Hash}, func(w *World) error {
		return w.ensure(&desired)
	})
}

// Stop begins to stop the runtime, or goes on with it.
func (d *Driver) Stop(ctx context.Context, ref platform.Ref, grace time.Duration) error {
	return d.call(ctx, Call{Op: OpStop, Ref: ref}, func(w *World) error {
		r := w.runtimes[ref.UID]
		if r == nil || r.process == nil && r.next == nil {
			return nil
		}
		w.halt(r, grace)
		return nil
	})
}

// Remove takes away what a stopped runtime left behind.
func (d *Driver) Remove(ctx context.Context, ref platform.Ref, keepData bool) error {
	return d.call(ctx, Call{Op: OpRemove, Ref: ref}, func(w *World) error {
		r := w.runtimes[ref.UID]
		if r == nil {
			return nil
		}
		if r.process != nil || r.next != nil {
			return &platform.WaitError{Code: platform.CodeStopping, Message: "the runtime must be stopped before it is removed"}
		}
		w.remove(r, keepData)
		return nil
	})
}

// Sockets lists where the server listens.
func (d *Driver) Sockets(ctx context.Context, ref platform.Ref) ([]netip.AddrPort, error) {
	var found []netip.AddrPort
	err := d.call(ctx, Call{Op: OpSockets, Ref: ref}, func(w *World) error {
		r := w.runtimes[ref.UID]
		if r == nil || r.process == nil {
			return platform.ErrNotFound
		}
		found = w.sockets(r)
		return nil
	})
	return found, err
}

// call runs one method: counted, refused where the driver is dead or the platform away, with the runtime up to date before and after.
func (d *Driver) call(ctx context.Context, call Call, act func(*World) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.world.begin(d, call); err != nil {
		return err
	}
	w := d.world
	w.mu.Lock()
	defer w.unlock()
	if w.driver != d {
		return &platform.UnavailableError{Err: errKilled}
	}
	if w.unavailable != nil {
		return &platform.UnavailableError{Err: w.unavailable}
	}
	if r := w.runtimes[call.UID]; r != nil {
		w.settle(r)
	}
	err := act(w)
	if r := w.runtimes[call.UID]; r != nil {
		w.settle(r)
	}
	if err != nil && !errors.Is(err, platform.ErrNotFound) {
		w.calls.refused++
	}
	return err
}

// fingerprint tells the versions, sorted.
func (w *World) fingerprint() platform.Fingerprint {
	versions := make([]string, 0, len(w.versions))
	for version := range w.versions {
		versions = append(versions, version)
	}
	slices.Sort(versions)
	return platform.Fingerprint{Health: platform.HealthHealthy, Limits: w.limits, Versions: versions}
}

// ensure does Ensure for a runtime that is up to date.
func (w *World) ensure(desired *platform.Desired) error {
	if err := w.refuse(desired); err != nil {
		return err
	}
	r := w.runtimes[desired.UID]
	if r != nil && r.instanceID != desired.InstanceID {
		return &platform.TerminalError{
			Code:    platform.CodeInvalid,
			Message: fmt.Sprintf("the instance id is %q and cannot become %q", r.instanceID, desired.InstanceID),
		}
	}
	switch {
	case r == nil || r.state() == platform.StateStopped:
		return w.begun(r, desired)
	case r.next == nil:
		return &platform.WaitError{Code: platform.CodeStopping, Message: "the runtime is being stopped"}
	case r.next.Hash == desired.Hash:
		r.next = &inputs{Desired: clone(desired), api: r.next.api}
		if r.stop != nil {
			w.ask(r, desired.Grace, w.clock.Now())
		}
		return nil
	case !desired.Replace:
		return &platform.WaitError{Code: platform.CodeReplaceRefused, Message: "other inputs run and may not be replaced"}
	default:
		return w.begun(r, desired)
	}
}

// refuse tells why the inputs cannot be run, before anything is touched.
func (w *World) refuse(desired *platform.Desired) error {
	behaviour, used := w.behaviour(desired)
	if err, ok := take(behaviour.EnsureErrors, &used.ensureErrors); ok {
		return err
	}
	if err := validate(desired); err != nil {
		return err
	}
	if w.foreign[desired.UID] {
		return &platform.TerminalError{Code: platform.CodeForeign, Message: "what has the runtime's name is not ours"}
	}
	return nil
}

// begun tells a runtime to run with new inputs, if all that they need is there.
func (w *World) begun(r *runtime, desired *platform.Desired) error {
	if err := w.prepare(desired); err != nil {
		return err
	}
	api, err := w.apiOf(r, desired)
	if err != nil {
		return err
	}
	if r == nil {
		r = &runtime{ref: desired.Ref, instanceID: desired.InstanceID}
		w.runtimes[desired.UID] = r
	}
	next := &inputs{Desired: clone(desired), api: api}
	if r.next != nil && r.next != r.ran {
		w.ports.release(r.next, r.ran)
	}
	w.ports.claim(next)
	w.tell(r, next, w.clock.Now())
	w.changed = append(w.changed, r.ref)
	return nil
}

// prepare looks for what the inputs need.
func (w *World) prepare(desired *platform.Desired) error {
	if !w.versions[desired.Version] {
		return &platform.WaitError{Code: platform.CodeVersionUnavailable, Message: "drasi-server " + desired.Version + " is not installed"}
	}
	if desired.Resources != (platform.Resources{}) && w.limits == platform.LimitsRefused {
		return &platform.WaitError{Code: platform.CodeLimitsRefused, Message: "nothing enforces limits here"}
	}
	var missing []string
	for _, plugin := range desired.Plugins {
		if w.plugins != nil && !w.plugins[plugin.Category+"/"+plugin.Kind] {
			missing = append(missing, plugin.Reference)
		}
	}
	if len(missing) > 0 {
		return &platform.WaitError{Code: platform.CodePluginsMissing, Message: "missing plugins: " + strings.Join(missing, ", ")}
	}
	return w.ports.conflict(desired)
}

// halt makes that nothing of r shall run.
func (w *World) halt(r *runtime, grace time.Duration) {
	if r.next != nil && r.next != r.ran {
		w.ports.release(r.next, r.ran)
	}
	r.next, r.unasked, r.failures, r.startError = nil, false, 0, nil
	if r.process != nil {
		w.ask(r, grace, w.clock.Now())
	}
	w.changed = append(w.changed, r.ref)
}

// remove forgets a stopped runtime.
func (w *World) remove(r *runtime, keepData bool) {
	if r.cancel != nil {
		r.cancel()
	}
	if r.ran != nil {
		w.ports.release(r.ran, nil)
	}
	delete(w.runtimes, r.ref.UID)
	if keepData {
		w.kept[r.ref.UID] = true
	} else {
		delete(w.kept, r.ref.UID)
	}
	w.changed = append(w.changed, r.ref)
}

// sockets are where the server of r listens.
func (w *World) sockets(r *runtime) []netip.AddrPort {
	behaviour, _ := w.behaviour(&r.process.Desired)
	all := []netip.AddrPort{r.process.api}
	for _, listener := range r.process.Listeners {
		all = append(all, netip.AddrPortFrom(listener.Address, listener.Port))
	}
	return slices.DeleteFunc(all, func(socket netip.AddrPort) bool { return slices.Contains(behaviour.Silent, socket.Port()) })
}
