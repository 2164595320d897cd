//go:build linux

package process

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/draas-io/draas/internal/platform"
	"github.com/draas-io/draas/internal/platform/fake"
)

// waiting waits until the instance waits for its nth restart, and returns how long it will wait.
func (h *host) waiting(uid string, restarts int32) time.Duration {
	h.t.Helper()
	var o platform.Observed
	until(h.t, uid+" waits", func() bool {
		o = h.inspect(uid)
		return o.State == platform.StateWaiting && o.Restarts == restarts && o.LastExit != nil && !o.RetryAt.IsZero()
	})
	return o.RetryAt.Sub(h.options.Clock.Now())
}

func newManual() *fake.Manual { return fake.NewManual(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)) }

func TestAKilledServerIsRestartedAtOnceAfterASteadyRun(t *testing.T) {
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Clock = clock })
	h.ensure(desired("a", "h", "TS_STDERR=last words\n"))
	before := h.running("a", "h")
	clock.Advance(steadyAfter)
	kill(t, before.PID, syscall.SIGKILL)
	var after platform.Observed
	until(t, "another run", func() bool {
		after = h.running("a", "h")
		return after.PID != before.PID
	})
	exit := after.LastExit
	if after.Restarts != 1 || exit == nil || exit.Reason != platform.ExitKilled || exit.Signal != 9 || exit.Code != nil {
		t.Fatalf("restarts %d, exit %+v", after.Restarts, exit)
	}
	if exit.Ran != steadyAfter || exit.Hash != "h" || exit.Stderr != "last words\n" {
		t.Errorf("exit %+v", exit)
	}
	if after.API != before.API {
		t.Errorf("the API moved from %s to %s", before.API, after.API)
	}
}

func TestShortRunsAreRestartedWithGrowingPauses(t *testing.T) {
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Clock = clock })
	h.ensure(desired("a", "h", "TS_EXIT=1", "TS_STDERR=Error: no\n"))
	pause := 100 * time.Millisecond
	for restarts := range int32(12) {
		if got := h.waiting("a", restarts); got != pause {
			t.Fatalf("the pause before restart %d is %s, want %s", restarts+1, got, pause)
		}
		h.ensure(desired("a", "h", "TS_EXIT=1", "TS_STDERR=Error: no\n"))
		if got := h.waiting("a", restarts); got != pause {
			t.Fatalf("Ensure with the same hash has changed the pause to %s", got)
		}
		clock.Advance(pause)
		pause = min(2*pause, time.Minute)
	}
	h.waiting("a", 12)
	o := h.inspect("a")
	if o.LastExit.Reason != platform.ExitError || *o.LastExit.Code != 1 || o.LastExit.Stderr != "Error: no\n" {
		t.Errorf("exit %+v: the words must be those of the last run only", o.LastExit)
	}

	h.ensure(desired("a", "mended"))
	mended := h.running("a", "mended")
	if mended.LastExit != nil || mended.Restarts != 12 {
		t.Errorf("with other inputs it must start at once and be no restart: %+v", mended)
	}
	kill(t, mended.PID, syscall.SIGKILL)
	if got := h.waiting("a", 12); got != 100*time.Millisecond {
		t.Errorf("after other inputs the pause is %s", got)
	}
}

func TestAnUnaskedEndWithCodeZeroIsACrash(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h", "TS_EXIT=0"))
	until(t, "a restart", func() bool { return h.inspect("a").Restarts >= 1 })
	if exit := h.inspect("a").LastExit; exit.Reason != platform.ExitCompleted || exit.Code == nil || *exit.Code != 0 {
		t.Errorf("exit %+v", exit)
	}
}

func TestAPauseOutlivesTheAgent(t *testing.T) {
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Clock = clock })
	h.ensure(desired("a", "h", "TS_EXIT=1"))
	for restarts := range int32(4) {
		clock.Advance(h.waiting("a", restarts))
	}
	before := h.waiting("a", 4)
	h.reopen()
	if got := h.waiting("a", 4); got != before {
		t.Errorf("the pause is %s, before %s", got, before)
	}
}

func TestTheClockPutBackDoesNotDelayARestart(t *testing.T) {
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Clock = clock })
	h.ensure(desired("a", "h", "TS_EXIT=1"))
	clock.Advance(h.waiting("a", 0))
	h.waiting("a", 1)
	h.close()
	behind := fake.NewManual(clock.Now().Add(-time.Hour))
	h.options.Clock = behind
	h.open()
	behind.Advance(mostBackoff)
	until(t, "a restart", func() bool { return h.inspect("a").Restarts == 2 })
}

func TestWhatADeadServerLeftBehindIsKilledBeforeTheNextStart(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h", "TS_CHILDREN=3"))
	before := h.running("a", "h")
	children := h.lines("a", "children")
	kill(t, before.PID, syscall.SIGKILL)
	until(t, "another run", func() bool { return len(h.lines("a", "starts")) == 2 })
	for _, child := range children {
		if lives(number(t, child)) {
			t.Errorf("child %s still lives", child)
		}
	}
}

func TestTheExitCodeOfAnAdoptedServerIsTrueOrAbsent(t *testing.T) {
	h := newHost(t)
	h.close()
	a := h.startAgent(script{Ensure: []platform.Desired{desired("a", "h", "TS_EXIT=7", "TS_EXIT_AFTER=1500ms", "TS_STDERR=why\n")}})
	a.done()
	until(t, "the server is started", func() bool { return len(h.lines("a", "starts")) == 1 })
	a.kill()
	h.open()
	until(t, "the end", func() bool { return h.inspect("a").LastExit != nil })
	exit := h.inspect("a").LastExit
	switch {
	case exit.Reason == platform.ExitError && exit.Code != nil && *exit.Code == 7:
	case exit.Reason == platform.ExitUnknown && exit.Code == nil && exit.Signal == 0:
		t.Log("the kernel does not tell the exit codes of processes that are not children")
	default:
		t.Errorf("exit %+v", exit)
	}
	if !strings.HasPrefix(exit.Stderr, "why") {
		t.Errorf("last words %q", exit.Stderr)
	}
}
