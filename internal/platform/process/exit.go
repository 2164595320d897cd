//go:build linux

package process

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/launcher"
	"github.com/draas-io/draas/internal/platform"
)

// sweepLimit is how long the start of the next server waits for the end of what the last one left behind.
const sweepLimit = 10 * time.Second

// bury deals with the end of the process: what is left of its session is killed, its exit code taken, and the end written down. It asks to
// be called again as long as something is left.
func (u *unit) bury(now time.Time) (time.Duration, bool) {
	if pause, again := u.sweep(now); again {
		return pause, true
	}
	var how ending
	_ = u.d.hooks.around(PointReap, func() error {
		how = u.p.reap()
		return nil
	})
	u.p.over.Store(true)
	u.p.close()
	next := u.rec
	never := !u.p.executed && u.pending()
	switch {
	case next.Stop != nil || next.Next != nil && next.NextFailures == 0:
		// It was to end: whatever it did, nothing is wrong.
		next.Failures, next.RetryAt = 0, time.Time{}
	case never:
	default:
		u.crashed(&next, how, now)
	}
	u.leaveGroup()
	next.Run, next.Stop = nil, nil
	u.p, u.signalled, u.poll, u.sweeping, u.changed = nil, false, 0, time.Time{}, true
	if next.Want == wantRunning && !next.startsAt().After(now) && u.shallRun() && !u.dirty && !never {
		// The start that follows writes both down at once. Until then the journal tells of a run that is over, which is true as well. Not so where
		// a launcher never became the server: only its launch specification proves that, which the next start takes away.
		u.take(next)
		u.behind = true
		return 0, false
	}
	u.settle(next)
	return 0, false
}

// leaveGroup removes the group of what ended if the next run will have another one: an earlier agent had another parent.
func (u *unit) leaveGroup() {
	had := u.rec.Run.Cgroup
	if now := u.d.groups.placeOf(u.uid); had == nil || now != nil && *now == *had {
		return
	}
	if err := u.d.removeGroup(context.Background(), had); err != nil {
		u.d.log.Error(err, "a cgroup stays behind", "instance", u.rec.label(), "cgroup", had.Name)
	}
}

// sweep kills what the dead server left behind. The server itself is reaped only afterwards, so that its number stays its own.
func (u *unit) sweep(now time.Time) (time.Duration, bool) {
	left, err := u.sweepGroup()
	if !left && (err != nil || !u.confinedForSure()) {
		var more bool
		more, err = u.sweepSession(err)
		left = left || more
	}
	if err == nil && !left {
		return 0, false
	}
	if u.sweeping.IsZero() {
		u.sweeping, u.poll = now, 0
	}
	if err != nil {
		u.d.log.Error(err, "cannot kill what the server left behind", "instance", u.rec.label())
	}
	if now.Sub(u.sweeping) > sweepLimit {
		u.d.log.Info("what the server left behind does not end", "instance", u.rec.label())
		return 0, false
	}
	return u.pause(pollMost), true
}

// sweepGroup kills what is left in the group, and tells whether that is all that there can be.
func (u *unit) sweepGroup() (left bool, err error) {
	g, err := u.ownGroup()
	if g == nil || err != nil {
		return false, err
	}
	left, err = u.killGroup(context.Background(), g)
	if left && err == nil {
		// Kill returns when nothing lives any more.
		left = false
	}
	return left, err
}

// confinedForSure tells whether everything that the server started is in its group: a server that runs as the agent's user, be it without any
// right, may write to the group's files and leave it.
func (u *unit) confinedForSure() bool { return u.rec.Run.Cgroup != nil && u.rec.Run.Own }

// sweepSession kills what is left of the session.
func (u *unit) sweepSession(before error) (left bool, err error) {
	found, err := rest(u.p, u.home)
	if err == nil && len(found) > 0 {
		err = u.d.hooks.around(PointKill, func() error { return killRest(found, u.p.PID) })
	}
	return len(found) > 0, errors.Join(before, err)
}

// crashed notes an end that nobody asked for, and when to start again.
func (u *unit) crashed(next *record, how ending, now time.Time) {
	ran := max(now.Sub(next.Run.StartedAt), 0)
	next.LastExit = &platform.Exit{
		Reason: u.reason(how), Signal: how.signal, FinishedAt: now, Ran: ran, Hash: next.Current.Hash,
		Stdout: lastLines(u.output(u.home.stdout()), next.stdout()), Stderr: lastLines(u.output(u.home.stderr()), next.stderr()),
	}
	if how.known && how.signal == 0 {
		code := how.code
		next.LastExit.Code = &code
	}
	if next.LastExit.Reason == platform.ExitOOMKilled {
		next.LastExit.OwnLimit = u.ownLimit()
	}
	next.Unasked = true
	if ran >= steadyAfter {
		next.Failures, next.RetryAt = 0, now
		return
	}
	next.RetryAt = now.Add(backoff(next.Failures))
	next.Failures++
}

// reason classifies the ending. That the kernel killed for want of memory is known also where it does not tell how the server itself ended.
func (u *unit) reason(how ending) platform.ExitReason {
	if (!how.known || how.signal == int32(unix.SIGKILL)) && u.starved() {
		return platform.ExitOOMKilled
	}
	return how.reason()
}

// reason classifies the ending by itself.
func (e ending) reason() platform.ExitReason {
	switch {
	case !e.known:
		return platform.ExitUnknown
	case e.signal != 0:
		return platform.ExitKilled
	case e.code == 0:
		return platform.ExitCompleted
	default:
		return platform.ExitError
	}
}

func (u *unit) output(path string) *output { return &output{path: path, limit: u.d.logLimit} }

// lastLines are the last lines of a run. An output that cannot be read is no reason to lose the rest.
func lastLines(o *output, s start) string {
	text, err := o.tail(s, exitLines+1)
	if err != nil {
		return ""
	}
	if len(text) <= exitLines {
		return lines(text, true)
	}
	return lines(text[1:], text[0] == '\n')
}

// pending tells whether the launch specification of the run is still there: the launcher removes it before it becomes the server.
func (u *unit) pending() bool {
	text, err := os.ReadFile(u.home.spec())
	if err != nil {
		return false
	}
	var spec launcher.Spec
	return json.Unmarshal(text, &spec) == nil && spec.Incarnation == u.rec.Run.Incarnation
}
