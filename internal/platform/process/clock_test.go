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

// put has the next driver find the clock moved.
func (h *host) put(clock *fake.Manual, by time.Duration) *fake.Manual {
	h.t.Helper()
	h.close()
	moved := fake.NewManual(clock.Now().Add(by))
	h.options.Clock = moved
	h.open()
	return moved
}

func TestAClockThatJumpsAnHourTouchesNoServer(t *testing.T) {
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Clock = clock })
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	clock.Advance(time.Hour)
	for _, by := range []time.Duration{0, time.Hour, -2 * time.Hour} {
		clock = h.put(clock, by)
		h.ensure(desired("a", "h"))
		if o := h.running("a", "h"); o.PID != before.PID || o.Restarts != 0 || o.LastExit != nil || !o.StartedAt.Equal(before.StartedAt) {
			t.Errorf("after a jump by %s: %+v, before %+v", by, o, before)
		}
	}
	if got := h.lines("a", "starts"); len(got) != 1 {
		t.Errorf("starts %v", got)
	}
}

func TestATimeOfAJournalGoesOnWithTheAgentsOwnClock(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct{ at, want time.Time }{
		"in the past":             {now.Add(-time.Hour), now.Add(-time.Hour)},
		"soon":                    {now.Add(time.Second), now.Add(time.Second)},
		"later than can be meant": {now.Add(time.Hour), now.Add(time.Minute)},
	} {
		got := onClock(c.at.Round(0), now, time.Minute)
		// A time without a reading of the monotonic clock would follow the wall clock.
		if !got.Equal(c.want) || !strings.Contains(got.String(), " m=") {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if got := onClock(time.Time{}, now, time.Minute); !got.IsZero() {
		t.Errorf("no time became %v", got)
	}
}

func TestAServerThatCrashesAfterTheClockWasPutBackIsRestarted(t *testing.T) {
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Clock = clock })
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	clock = h.put(clock, -time.Hour)
	kill(t, before.PID, syscall.SIGKILL)
	if got := h.waiting("a", 0); got != firstBackoff {
		t.Errorf("the pause is %s", got)
	}
	if exit := h.inspect("a").LastExit; exit.Ran != 0 {
		t.Errorf("it is said to have run for %s", exit.Ran)
	}
	clock.Advance(firstBackoff)
	until(t, "a restart", func() bool { return h.inspect("a").Restarts == 1 })
}

func TestAPauseThatTheClockJumpsOverEndsInOneRestart(t *testing.T) {
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Clock = clock })
	h.ensure(desired("a", "h", "TS_EXIT=1"))
	h.waiting("a", 0)
	clock = h.put(clock, time.Hour)
	h.waiting("a", 1)
	if got := h.lines("a", "starts"); len(got) != 2 {
		t.Errorf("starts %v", got)
	}
}

func TestTheClockPutBackDoesNotProlongAGrace(t *testing.T) {
	const grace = 30 * time.Second
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Clock = clock })
	h.ensure(desired("a", "h", "TS_IGNORE_INT=1"))
	h.running("a", "h")
	if err := h.d.Stop(t.Context(), ref("a"), grace); err != nil {
		t.Fatal(err)
	}
	clock = h.put(clock, -time.Hour)
	var passed time.Duration
	until(t, "the end", func() bool {
		if passed < 10*time.Minute {
			clock.Advance(time.Second)
			passed += time.Second
		}
		return h.inspect("a").State == platform.StateStopped
	})
}
