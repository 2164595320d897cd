//go:build linux

package process

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// When the server is started again after it has ended by itself.
const (
	// steadyAfter is how long a run must have been for the next start to be immediate.
	steadyAfter  = 10 * time.Second
	firstBackoff = 100 * time.Millisecond
	mostBackoff  = time.Minute
)

// backoff is the pause after so many short runs in a row.
func backoff(before int) time.Duration {
	const beyond = 10
	if before >= beyond {
		return mostBackoff
	}
	return min(firstBackoff<<before, mostBackoff)
}

// unit is one instance. Its goroutine alone starts and stops the process; calls change what shall be, and wake it.
type unit struct {
	d    *Driver
	uid  string
	home home
	wake chan struct{}
	// quit ends the goroutine when the instance is removed.
	quit chan struct{}
	view atomic.Pointer[view]

	mu  sync.Mutex
	rec record
	// dirty says that the journal on disk is older than rec, since it could not be written.
	dirty bool
	// behind says that it is older since a start follows at once, which will write it.
	behind bool
	// named says that the journal's name is durable.
	named bool
	// broken is why nothing is known of the instance; then nothing is done about it either.
	broken error
	// present says that the instance has a directory.
	present bool
	// gone says that the instance has been removed.
	gone bool
	// parked says that the host was restarted: what shall run is started only when told again, since it may be elsewhere by now.
	parked bool
	// p is the process; nil: none.
	p *proc
	// startError is why the last start could not be tried.
	startError error
	// signalled says that SIGINT was sent; poll is the pause between two looks during a stop.
	signalled bool
	poll      time.Duration
	// sweeping is since when what the server left behind is being killed.
	sweeping time.Time
	confined confined
	changed  bool
}

func newUnit(d *Driver, uid string) *unit {
	u := &unit{d: d, uid: uid, home: d.layout.instance(uid), wake: make(chan struct{}, 1), quit: make(chan struct{})}
	u.rec = record{FormatVersion: journalFormat, UID: uid, Want: wantStopped}
	u.publish()
	return u
}

// poke has the goroutine look again.
func (u *unit) poke() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// loop is the goroutine.
func (u *unit) loop() {
	var next alarm
	defer next.clear()
	for {
		select {
		case <-u.d.done:
			return
		case <-u.quit:
			return
		case <-u.wake:
		}
		next.clear()
		began := u.d.clock.Now()
		pause, again := u.pass()
		if !again {
			continue
		}
		// What is due is due counted from when the pass looked at the clock.
		if pause -= u.d.clock.Now().Sub(began); pause <= 0 {
			u.poke()
			continue
		}
		next.cancel = u.d.clock.AfterFunc(pause, u.poke)
	}
}

// alarm is a call that will come; the zero value is none.
type alarm struct {
	cancel func()
}

func (a *alarm) clear() {
	if a.cancel != nil {
		a.cancel()
		a.cancel = nil
	}
}

// finish ends a change: what can be seen is renewed, the lock given back, and who listens is told.
func (u *unit) finish() {
	u.publish()
	changed, ref := u.changed, u.rec.ref()
	u.changed = false
	u.mu.Unlock()
	if changed {
		u.d.tell(ref)
	}
}

// pass does the next thing that must be done, and says after which pause to look again.
func (u *unit) pass() (time.Duration, bool) {
	u.mu.Lock()
	defer u.finish()
	if u.gone {
		return 0, false
	}
	if u.broken != nil {
		return u.relearn()
	}
	now := u.d.clock.Now()
	if u.p != nil && u.p.dead() {
		if pause, again := u.bury(now); again {
			return pause, true
		}
	}
	if u.p != nil {
		return u.tend(now)
	}
	if !u.shallRun() {
		return u.idle()
	}
	if pause := u.rec.startsAt().Sub(now); pause > 0 {
		return pause, true
	}
	return u.start(now)
}

// idle writes down what could not be written before, and takes away what an instance without a process does not need.
func (u *unit) idle() (time.Duration, bool) {
	if u.dirty {
		// A journal that is older tells the next agent of a server that shall run, which would start again.
		if u.settle(u.rec); u.dirty {
			return unwritableMost, true
		}
	}
	if err := u.release(context.Background()); err != nil {
		u.d.log.Error(err, "the cgroup of a stopped instance stays for now", "instance", u.rec.label())
		return releaseEvery, true
	}
	return 0, false
}

// releaseEvery is the pause between two tries to remove the cgroup of a stopped instance.
const releaseEvery = 5 * time.Second

// shallRun tells whether a process shall be there.
func (u *unit) shallRun() bool {
	return u.rec.Want == wantRunning && !u.parked && u.d.halted.Load() == nil
}

// commit makes a changed record durable and then the unit's own. Without it nothing has changed.
func (u *unit) commit(next record) error {
	next.FormatVersion, next.UID, next.BootID = journalFormat, u.uid, u.d.bootID
	if err := u.d.files.save(u.home, &next, u.named); err != nil {
		return err
	}
	u.take(next)
	u.dirty, u.behind, u.named = false, false, true
	return nil
}

// settle is commit for what has happened anyway, whether or not it can be written down. The next start waits until it could.
func (u *unit) settle(next record) {
	if err := u.commit(next); err != nil {
		u.d.log.Error(err, "cannot remember what has happened", "instance", u.rec.label())
		u.take(next)
		u.dirty, u.behind = true, false
	}
}

// take makes a record the unit's own, with the ports and plugins that it takes.
func (u *unit) take(next record) {
	u.rec = next
	u.claimPorts()
	u.keepPlugins()
	u.d.users.set(u.uid, u.rec.User)
}

// claimPorts tells which ports the instance has: those of what runs and of what shall run. After a restart of the host an instance keeps
// its API's port, but not its components': it may live elsewhere by now.
func (u *unit) claimPorts() {
	uses := u.rec.uses(u.p != nil)
	if u.parked {
		for i := range uses {
			uses[i].listeners = nil
		}
	}
	u.d.ports.set(u.uid, u.rec.label(), uses...)
}

// uses are what the inputs take of which one runs or shall run.
func (r *record) uses(alive bool) []use {
	var uses []use
	if r.Current != nil && (alive || r.Want == wantRunning && (r.Next == nil || r.Replacing)) {
		uses = append(uses, r.Current.use())
	}
	if r.Next != nil {
		uses = append(uses, r.Next.use())
	}
	return uses
}

// keepPlugins keeps the sets of plugins that the instance needs; one that is gone needs none.
func (u *unit) keepPlugins() {
	if u.gone {
		u.d.plugins.keep(u.uid)
		return
	}
	u.d.plugins.keep(u.uid, u.rec.pluginKeys()...)
}

// pluginKeys are the plugin sets of what runs and of what shall run.
func (r *record) pluginKeys() []string {
	var keys []string
	for _, in := range []*input{r.Current, r.Next} {
		if in != nil {
			keys = append(keys, in.PluginKey)
		}
	}
	return keys
}
