//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/draas-io/draas/internal/platform"
)

// Driver looks after the servers of a state directory until it is closed.
type Driver struct {
	layout      layout
	files       writer
	executables *executables
	plugins     *plugins
	ports       *ports
	users       *users
	groups      *groups
	outputs     *outputs
	launcher    string
	logLimit    int64
	clock       Clock
	random      io.Reader
	log         logr.Logger
	hooks       *Hooks
	bootID      string
	lock        *os.File

	notify atomic.Pointer[func(platform.Ref)]
	// halted is the request that every server end; nil: there is none.
	halted atomic.Pointer[stopping]
	// done ends the goroutines.
	done chan struct{}
	// loops are the goroutines of the units and of the outputs, watches those that wait for an end.
	loops, watches sync.WaitGroup

	// calls is held by each call, so that none is under way when the state directory is given up.
	calls  sync.RWMutex
	closed bool

	mu    sync.Mutex
	units map[string]*unit
}

var (
	_ platform.Driver       = (*Driver)(nil)
	_ platform.Notifier     = (*Driver)(nil)
	_ platform.SocketLister = (*Driver)(nil)
	_ platform.Tailer       = (*Driver)(nil)
)

// errClosed says that the driver has been closed.
var errClosed = errors.New("the driver is closed")

// Open takes the state directory, finds what runs, and from then on restarts what ends.
func Open(ctx context.Context, options Options) (*Driver, error) {
	o := options.complete()
	root, err := absolute(ctx, o.StateDir)
	if err != nil {
		return nil, fmt.Errorf("open the Process platform: %w", err)
	}
	for _, path := range []*string{&o.Executable, &o.PluginsDir} {
		if *path == "" {
			continue
		}
		// Servers have another working directory.
		if *path, err = filepath.Abs(*path); err != nil {
			return nil, fmt.Errorf("open the Process platform: %w", err)
		}
	}
	owners, err := newUsers(o.UIDs, o.Random)
	if err != nil {
		return nil, fmt.Errorf("open the Process platform: %w", err)
	}
	d := &Driver{
		users: owners, groups: newGroups(o), layout: layout{root: root}, files: writer{hooks: o.Hooks}, executables: newExecutables(o.Executable, o.Clock, owners.none == nil), ports: newPorts(o.Ports),
		launcher: o.Launcher, logLimit: o.LogLimit, clock: o.Clock, random: o.Random, log: o.Log, hooks: o.Hooks,
		done: make(chan struct{}), units: map[string]*unit{},
	}
	d.plugins = newPlugins(o, d.layout.plugins())
	d.outputs = newOutputs(d)
	if err := d.open(ctx); err != nil {
		return nil, fmt.Errorf("open the Process platform: %w", err)
	}
	return d, nil
}

func (d *Driver) open(ctx context.Context) error {
	err := checkRange(d.ports.within)
	if err != nil {
		return err
	}
	if d.bootID, err = readBootID(); err != nil {
		return err
	}
	if d.lock, err = d.layout.claim(d.users.passage()); err != nil {
		return err
	}
	if err := d.recover(ctx); err != nil {
		return errors.Join(err, d.lock.Close())
	}
	for _, u := range d.units {
		if u.p != nil {
			d.watch(u, u.p)
		}
		d.loops.Go(u.loop)
		u.poke()
	}
	d.loops.Go(d.outputs.run)
	d.loops.Go(d.outputs.read)
	return nil
}

// recover finds what there is.
func (d *Driver) recover(ctx context.Context) error {
	if err := d.layout.checkVersion(d.files); err != nil {
		return err
	}
	if err := d.groups.begin(d.layout.instances()); err != nil {
		return err
	}
	d.users.survivors = d.groups.lost != nil
	entries, err := os.ReadDir(d.layout.instances())
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !uidForm.MatchString(entry.Name()) {
			continue
		}
		u := newUnit(d, entry.Name())
		if err := u.home.inspect(); errors.Is(err, errForeign) {
			d.log.Info("this is left alone: it was not made by this driver", "path", u.home.path)
			continue
		}
		u.load()
		d.units[u.uid] = u
	}
	d.recoverGroups(ctx)
	if err := d.plugins.sweep(); err != nil {
		d.log.Error(err, "unused plugins stay")
	}
	return nil
}

// recoverGroups finds the cgroups that there are.
func (d *Driver) recoverGroups(ctx context.Context) {
	names, err := d.groups.named()
	if err != nil {
		d.log.Error(err, "cannot look for cgroups")
	}
	for _, uid := range names {
		if u := d.units[uid]; u != nil {
			u.confined.there = true
		}
	}
	if note := d.groups.note(); note != "" {
		d.log.Info("isolation is not complete", "why", note)
	}
	for _, stray := range d.strays(ctx) {
		d.log.Info("processes are in a cgroup of an instance that is not known; they are left alone", "cgroup", stray)
	}
}

// watch wakes the unit when the process has ended.
func (d *Driver) watch(u *unit, p *proc) {
	d.watches.Go(func() { p.watch(u.poke) })
}

// Close stops looking after the servers. They run on.
func (d *Driver) Close() error {
	d.calls.Lock()
	defer d.calls.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	close(d.done)
	d.loops.Wait()
	for _, u := range d.units {
		if u.p != nil {
			u.p.close()
		}
	}
	d.watches.Wait()
	return errors.Join(unlock(d.lock), d.lock.Close())
}

// begin begins a call; the returned function ends it.
func (d *Driver) begin(ctx context.Context) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.calls.RLock()
	if d.closed {
		d.calls.RUnlock()
		return nil, &platform.UnavailableError{Err: errClosed}
	}
	return d.calls.RUnlock, nil
}

// unit returns what there is of a UID; nil: nothing.
func (d *Driver) unit(uid string) *unit {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.units[uid]
}

// unitFor returns what there is of a UID, or begins it.
func (d *Driver) unitFor(uid string) *unit {
	d.mu.Lock()
	defer d.mu.Unlock()
	u := d.units[uid]
	if u == nil {
		u = newUnit(d, uid)
		d.units[uid] = u
		d.loops.Go(u.loop)
	}
	return u
}

// all returns the units in the order of their UIDs.
func (d *Driver) all() []*unit {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*unit, 0, len(d.units))
	for _, u := range d.units {
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b *unit) int { return strings.Compare(a.uid, b.uid) })
	return all
}

// Notify registers the function that is told of changes.
func (d *Driver) Notify(f func(platform.Ref)) { d.notify.Store(&f) }

// tell tells of a change.
func (d *Driver) tell(ref platform.Ref) {
	if f := d.notify.Load(); f != nil && *f != nil {
		(*f)(ref)
	}
}

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
	if err := validate(&desired); err != nil {
		return err
	}
	for {
		err := d.unitFor(desired.UID).ensure(ctx, &desired)
		if !errors.Is(err, errRemoved) {
			return err
		}
	}
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

// Sockets lists the addresses on which the server and its descendants listen.
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
	found, err := listenersOf(v.p.PID)
	// Only if it lives still, what was read was its own.
	if errors.Is(err, errGone) || v.p.dead() {
		return nil, platform.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("list the sockets of process %d: %w", v.p.PID, err)
	}
	return found, nil
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
