package fake

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// runtime is all that there is of one UID in a world: its server, its files and its journal.
type runtime struct {
	ref        platform.Ref
	instanceID string

	// process is the server: alive, or dead with nobody having noticed. nil: none.
	process *process
	// ran is what ran last, nil: nothing ever did.
	ran *inputs
	// next is what shall run, nil: nothing shall. It is the process's own unless that is to be replaced.
	next *inputs
	// stop is set while the process shall end.
	stop *stop
	// startAt is when next is due, where no process is there.
	startAt time.Time
	// unasked says that the next start is one that nobody asked for.
	unasked bool

	apiPort    uint16
	failures   int
	restarts   int32
	lastExit   *platform.Exit
	startError error
	cancel     func()
}

// inputs are those of a run, and where its API listens.
type inputs struct {
	platform.Desired
	api netip.AddrPort
}

// process is a run of the server.
type process struct {
	*inputs
	incarnation string
	pid         int
	startedAt   time.Time
	// ends says that it ends by itself at endsAt, in the way of ending.
	ends   bool
	endsAt time.Time
	ending Ending
	// dead says that it has ended; unseen, that no driver was there then.
	dead   bool
	unseen bool
}

// stop is a request to end.
type stop struct {
	since time.Time
	grace time.Duration
}

// state derives the contract's state.
func (r *runtime) state() platform.State {
	switch {
	case r.process != nil && r.stop != nil:
		return platform.StateStopping
	case r.process != nil:
		return platform.StateRunning
	case r.next != nil:
		return platform.StateWaiting
	default:
		return platform.StateStopped
	}
}

// due is when something happens next to r by itself.
func (w *World) due(r *runtime) (time.Time, bool) {
	p := r.process
	switch {
	case p == nil:
		return r.startAt, r.next != nil && w.supervised()
	case p.dead:
		return p.endsAt, w.supervised()
	case r.stop != nil && w.supervised():
		force := r.stop.since.Add(r.stop.grace)
		if p.ends && p.endsAt.Before(force) {
			return p.endsAt, true
		}
		return force, true
	default:
		return p.endsAt, p.ends
	}
}

// step does the next thing that is due, if one is.
func (w *World) step(r *runtime, now time.Time) bool {
	due, ok := w.due(r)
	if !ok || due.After(now) {
		return false
	}
	switch {
	case r.process == nil:
		w.start(r, now)
	case r.process.dead:
		w.notice(r, now)
	default:
		w.end(r.process, due)
	}
	return true
}

// tell makes r run with the inputs: at once, or when what runs has been stopped.
func (w *World) tell(r *runtime, next *inputs, now time.Time) {
	r.next, r.apiPort = next, next.api.Port()
	r.unasked, r.failures, r.lastExit, r.startError = false, 0, nil, nil
	if r.process != nil {
		w.ask(r, next.Grace, now)
		return
	}
	r.startAt = w.ready(next, now)
}

// ready is when a server can be there that is asked for now.
func (w *World) ready(next *inputs, now time.Time) time.Time {
	behaviour, _ := w.behaviour(&next.Desired)
	return now.Add(behaviour.StartDelay)
}

// ask asks the process of r to end, or shortens the grace that it was given.
func (w *World) ask(r *runtime, grace time.Duration, now time.Time) {
	grace = max(grace, 0)
	if r.stop != nil {
		r.stop.grace = min(r.stop.grace, grace)
		return
	}
	r.stop = &stop{since: now, grace: grace}
	behaviour, _ := w.behaviour(&r.process.Desired)
	if end := now.Add(behaviour.StopDelay); !behaviour.IgnoresStop && !(r.process.ends && r.process.endsAt.Before(end)) {
		r.process.ends, r.process.endsAt, r.process.ending = true, end, Ending{}
	}
}

// start starts a server with the next inputs, or notes why that cannot be tried.
func (w *World) start(r *runtime, now time.Time) {
	behaviour, used := w.behaviour(&r.next.Desired)
	if err, ok := take(behaviour.StartErrors, &used.startErrors); ok {
		r.startError = err
		w.delay(r, now)
		return
	}
	w.pids++
	run := w.ledger.start(r.ref.UID, w.name)
	r.process = &process{inputs: r.next, incarnation: fmt.Sprintf("%s-%d", w.name, run), pid: w.pids, startedAt: now}
	if ending, ok := take(behaviour.Endings, &used.endings); ok {
		r.process.ends, r.process.endsAt, r.process.ending = true, now.Add(ending.After), ending
	}
	if r.ran != nil && r.ran != r.next {
		w.ports.release(r.ran, r.next)
	}
	r.ran, r.startError = r.next, nil
	if r.unasked {
		r.restarts++
	}
	r.unasked = false
}

// end is the end of a server, whether or not anybody looks.
func (w *World) end(p *process, at time.Time) {
	p.dead, p.endsAt, p.unseen = true, at, w.driver == nil
	w.ledger.end(p.UID)
}

// notice is the driver's part of an end: what was asked for is done, anything else is restarted.
func (w *World) notice(r *runtime, now time.Time) {
	p, asked := r.process, r.stop != nil
	r.process, r.stop = nil, nil
	if asked && r.next != nil {
		r.startAt = w.ready(r.next, now)
	}
	if asked {
		return
	}
	r.lastExit = p.exit(now)
	r.unasked = true
	if p.endsAt.Sub(p.startedAt) >= w.steady {
		r.failures, r.startAt = 0, now
		return
	}
	w.delay(r, now)
}

// delay puts the next start off, longer each time.
func (w *World) delay(r *runtime, now time.Time) {
	r.startAt = now.Add(w.backoff(r.failures))
	r.failures++
}

// exit tells how p ended, as far as that was seen.
func (p *process) exit(now time.Time) *platform.Exit {
	exit := &platform.Exit{
		Reason: p.ending.reason(), Signal: p.ending.Signal, FinishedAt: now, Ran: p.endsAt.Sub(p.startedAt),
		Stderr: p.ending.Stderr, Stdout: p.ending.Stdout, Hash: p.Hash,
	}
	switch {
	case p.unseen:
		exit.Reason, exit.Signal = platform.ExitUnknown, 0
	case exit.Reason == platform.ExitOOMKilled:
		exit.OwnLimit = new(true)
	case exit.Reason == platform.ExitCompleted || exit.Reason == platform.ExitError:
		code := p.ending.Code
		exit.Code = &code
	}
	return exit
}

// observed is what the driver tells of r.
func (r *runtime) observed(world string) platform.Observed {
	o := platform.Observed{
		Ref: r.ref, State: r.state(), InstanceID: r.instanceID, LogDirectory: "/fake/" + world + "/" + r.ref.UID + "/logs",
		StartError: r.startError, Restarts: r.restarts,
	}
	if r.lastExit != nil {
		exit := *r.lastExit
		o.LastExit = &exit
	}
	if r.ran != nil {
		o.Hash, o.Generation, o.Version = r.ran.Hash, r.ran.Generation, r.ran.Version
		o.Config, o.Listeners = bytes.Clone(r.ran.Config), slices.Clone(r.ran.Listeners)
		o.API, o.Expose = r.ran.api, r.ran.Expose
	}
	if p := r.process; p != nil {
		o.Incarnation, o.PID, o.StartedAt = p.incarnation, p.pid, p.startedAt
	}
	if r.next != nil && r.next.Hash != o.Hash {
		o.NextHash = r.next.Hash
	}
	if r.next != nil && r.process == nil {
		o.API, o.Expose, o.RetryAt = r.next.api, r.next.Expose, r.startAt
	}
	return o
}
