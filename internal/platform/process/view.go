//go:build linux

package process

import (
	"bytes"
	"slices"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// view is what calls that only look see, without waiting for anything.
type view struct {
	observed platform.Observed
	// exists says that there is a directory of the instance.
	exists bool
	broken error
	p      *proc
	// place is where the cgroup of p is; nil: it has none.
	place *place
	// stdout is where in the output file the present or last run begins.
	stdout start
}

// state derives the contract's state.
func (u *unit) state() platform.State {
	switch {
	case u.p != nil && u.rec.Stop != nil:
		return platform.StateStopping
	case u.p != nil:
		return platform.StateRunning
	case u.shallRun():
		return platform.StateWaiting
	default:
		return platform.StateStopped
	}
}

// publish renews the view.
func (u *unit) publish() {
	o := platform.Observed{
		Ref: u.rec.ref(), State: u.state(), InstanceID: u.rec.InstanceID, LogDirectory: u.home.logs(), StartError: u.startError,
		Restarts: u.rec.Restarts, LastExit: u.rec.LastExit, Parked: u.parked,
	}
	v := &view{exists: u.present, broken: u.broken, p: u.p, stdout: u.rec.stdout()}
	if ran := u.rec.Current; ran != nil {
		o.Hash, o.Generation, o.Version, o.Config, o.Listeners = ran.Hash, ran.Generation, ran.Version, ran.config, ran.Listeners
		o.API, o.Expose = ran.api(), ran.Expose
	}
	if u.p != nil {
		o.Incarnation, o.PID, o.StartedAt = u.rec.Run.Incarnation, u.p.PID, u.rec.Run.StartedAt
		v.place = u.rec.Run.Cgroup
	}
	if due := u.rec.due(); due != nil && u.shallRun() {
		if due.Hash != o.Hash {
			o.NextHash = due.Hash
		}
		if u.p == nil {
			o.API, o.Expose, o.RetryAt = due.api(), due.Expose, u.rec.startsAt()
		}
	}
	v.observed = o
	u.view.Store(v)
}

// look returns what can be seen now. An end that has not been dealt with yet is seen all the same.
func (v *view) look() (platform.Observed, error) {
	if v.broken != nil {
		return platform.Observed{}, &platform.UnavailableError{Err: v.broken}
	}
	o := v.observed
	o.Config = bytes.Clone(o.Config)
	o.Listeners = slices.Clone(o.Listeners)
	if o.LastExit != nil {
		exit := *o.LastExit
		o.LastExit = &exit
	}
	if v.p != nil && v.p.dead() {
		o.PID, o.Incarnation, o.StartedAt = 0, "", time.Time{}
		if o.State == platform.StateRunning {
			o.State = platform.StateWaiting
		}
	}
	return o, nil
}

// exists tells whether anything of the unit is there.
func (u *unit) exists() bool { return u.view.Load().exists }
