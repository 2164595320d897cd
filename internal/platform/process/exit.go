//go:build linux

package process

import (
	"encoding/json"
	"os"
	"time"

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
	switch {
	case next.Stop != nil || next.Next != nil:
		// It was to end: whatever it did, nothing is wrong.
		next.Failures, next.RetryAt = 0, time.Time{}
	case !u.p.executed && u.pending():
		// It never became the server.
	default:
		u.crashed(&next, how, now)
	}
	next.Run, next.Stop = nil, nil
	u.p, u.signalled, u.poll, u.sweeping, u.changed = nil, false, 0, time.Time{}, true
	u.settle(next)
	return 0, false
}

// sweep kills what the dead server left behind. The server itself is reaped only afterwards, so that its number stays its own.
func (u *unit) sweep(now time.Time) (time.Duration, bool) {
	found, err := rest(u.p, u.home)
	if err == nil && len(found) == 0 {
		return 0, false
	}
	if u.sweeping.IsZero() {
		u.sweeping, u.poll = now, 0
	}
	if err == nil {
		err = u.d.hooks.around(PointKill, func() error { return killRest(found, u.p.PID) })
	}
	if err != nil {
		u.d.log.Error(err, "cannot kill what the server left behind", "instance", u.rec.label())
	}
	if now.Sub(u.sweeping) > sweepLimit {
		u.d.log.Info("what the server left behind does not end", "instance", u.rec.label(), "processes", len(found))
		return 0, false
	}
	return u.pause(pollMost), true
}

// crashed notes an end that nobody asked for, and when to start again.
func (u *unit) crashed(next *record, how ending, now time.Time) {
	ran := max(now.Sub(next.Run.StartedAt), 0)
	next.LastExit = &platform.Exit{
		Reason: how.reason(), Signal: how.signal, FinishedAt: now, Ran: ran, Hash: next.Current.Hash,
		Stdout: lastLines(u.output(u.home.stdout()), next.StdoutFrom), Stderr: lastLines(u.output(u.home.stderr()), next.StderrFrom),
	}
	if how.known && how.signal == 0 {
		code := how.code
		next.LastExit.Code = &code
	}
	next.Unasked = true
	if ran >= steadyAfter {
		next.Failures, next.RetryAt = 0, now
		return
	}
	next.RetryAt = now.Add(backoff(next.Failures))
	next.Failures++
}

// reason classifies the ending.
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
func lastLines(o *output, from int64) string {
	text, err := o.tail(from, exitLines+1)
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
