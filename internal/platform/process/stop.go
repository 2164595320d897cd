//go:build linux

package process

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// How often a stop looks whether the server can be told, and how often it kills.
const (
	pollFirst = 5 * time.Millisecond
	pollMost  = 100 * time.Millisecond
)

// relookEvery is how often a server that runs is looked at without a reason: the news of an end may be lost, where the kernel has no watch to give.
const relookEvery = 30 * time.Second

// tend looks after a living process: it stays, or it is stopped because it, or its inputs, are not desired any more.
func (u *unit) tend(now time.Time) (time.Duration, bool) {
	u.recognise()
	if u.rec.Stop != nil {
		return u.stopStep(now)
	}
	if halt := u.d.halted.Load(); halt != nil {
		return u.beginStop(now, halt.Grace)
	}
	if u.rec.Next == nil && u.p.executed {
		return relookEvery, true
	}
	if u.rec.Next == nil {
		return pollFirst, true
	}
	if pause := u.rec.NextRetryAt.Sub(now); pause > 0 {
		return min(pause, relookEvery), true
	}
	_, err := u.ready(u.rec.Next)
	switch {
	case errors.Is(err, errOther) || err == nil && (u.rec.Stop != nil || u.rec.Next == nil):
		return 0, true
	case err != nil:
		u.failed(now, u.rec.Next, err)
		return max(u.rec.NextRetryAt.Sub(now), 0), true
	default:
		return u.beginReplacement(now)
	}
}

// recognise notices that an adopted launcher has become the server.
func (u *unit) recognise() {
	if u.p.executed {
		return
	}
	server, _, err := ours(u.p.PID, u.home)
	u.p.executed = err == nil && server && !u.p.dead()
}

// beginStop begins to stop what runs although something shall run.
func (u *unit) beginStop(now time.Time, grace time.Duration) (time.Duration, bool) {
	u.startError, u.changed = nil, true
	u.settle(u.rec.ending(now, grace))
	return 0, true
}

// beginReplacement begins to stop what runs for what shall run instead, if that can be written down: else the next start could not be either.
func (u *unit) beginReplacement(now time.Time) (time.Duration, bool) {
	if err := u.commit(u.rec.ending(now, u.rec.Next.Grace)); err != nil {
		u.failed(now, u.rec.Next, err)
		return max(u.rec.NextRetryAt.Sub(now), 0), true
	}
	u.startError, u.changed = nil, true
	return 0, true
}

// ending is the record with a request that the process end.
func (r *record) ending(now time.Time, grace time.Duration) record {
	next := *r
	next.Stop = &stopping{Since: now, Grace: grace}
	next.Failures, next.RetryAt = 0, time.Time{}
	return next
}

// stopStep goes on with a stop: SIGINT as soon as the server would notice it, and when the grace is over, force.
func (u *unit) stopStep(now time.Time) (time.Duration, bool) {
	left := u.rec.Stop.left(now)
	if halt := u.d.halted.Load(); halt != nil {
		left = min(left, halt.left(now))
	}
	if left <= 0 {
		if err := u.killAll(); err != nil {
			u.d.log.Error(err, "cannot kill the server", "instance", u.rec.label())
		}
		return u.pause(pollMost), true
	}
	if u.signalled {
		return min(left, relookEvery), true
	}
	if !u.listens() {
		return u.pause(left), true
	}
	if err := u.d.hooks.around(PointSignal, func() error { return u.p.signal(unix.SIGINT) }); err != nil {
		u.d.log.Error(err, "cannot interrupt the server", "instance", u.rec.label())
		return u.pause(left), true
	}
	u.signalled, u.poll = true, 0
	return min(left, relookEvery), true
}

// killAll kills the server and all that it started. What is in no group of ours is found by session and process group.
func (u *unit) killAll() error {
	g, err := u.ownGroup()
	if g != nil {
		_, err = u.killGroup(context.Background(), g)
	}
	return errors.Join(err, u.d.hooks.around(PointKill, func() error { return killAll(u.p) }))
}

// left is how much of the grace is left. A clock that was put back does not make it longer.
func (s *stopping) left(now time.Time) time.Duration {
	return min(s.Since.Add(s.Grace).Sub(now), s.Grace)
}

// pause is the pause before the next look, which grows.
func (u *unit) pause(most time.Duration) time.Duration {
	u.poll = min(max(2*u.poll, pollFirst), pollMost)
	return min(u.poll, most)
}

// listens tells whether the server would end in order at SIGINT: its handler is there, and the handler is its own, since the process itself
// listens on the API's port (contract 1.6).
func (u *unit) listens() bool {
	if !u.p.executed {
		return false
	}
	handles, err := handlesInterrupt(u.p.PID)
	if err == nil && handles {
		handles, err = listensOn(u.p.PID, u.rec.Run.Port)
	}
	if err != nil && !errors.Is(err, errGone) {
		u.d.log.Error(err, "cannot see whether the server can be interrupted", "instance", u.rec.label())
	}
	return err == nil && handles
}
