//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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
	permits     permits
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
	_ platform.Resumer      = (*Driver)(nil)
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
	return nil
}

// recover finds what there is.
func (d *Driver) recover(ctx context.Context) error {
	if err := d.layout.checkVersion(); err != nil {
		return err
	}
	if err := d.groups.begin(d.layout.instances()); err != nil {
		return err
	}
	d.users.survivors = d.groups.lost() != nil
	entries, err := os.ReadDir(d.layout.instances())
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !uidForm.MatchString(entry.Name()) {
			continue
		}
		u := newUnit(d, entry.Name())
		if err := u.home.inspect(); errors.Is(err, errForeign) && !u.home.started() {
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
