//go:build linux

package process

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

func TestSIGINTIsNotSentBeforeTheServersOwnHandlerIsThere(t *testing.T) {
	for name, env := range map[string]string{
		"the API answers before the handler is there": "TS_HANDLER_DELAY=600ms",
		"the API is bound late":                       "TS_BIND_DELAY=600ms",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.ensure(desired("a", "h", env))
			h.in("a", platform.StateRunning)
			h.stop("a", patience)
			o := h.in("a", platform.StateStopped)
			if marks := h.lines("a", "marks"); !slices.Equal(marks, []string{"handler", "interrupted", "graceful"}) {
				t.Errorf("marks %v", marks)
			}
			if o.LastExit != nil || o.Restarts != 0 {
				t.Errorf("the stop is told as a crash: %+v", o)
			}
		})
	}
}

func TestAServerThatIgnoresSIGINTIsKilledWithItsSessionAfterTheGrace(t *testing.T) {
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Clock = clock })
	h.ensure(desired("a", "h", "TS_IGNORE_INT=1", "TS_CHILDREN=4"))
	o := h.running("a", "h")
	children := h.lines("a", "children")
	if len(children) != 4 {
		t.Fatalf("children %v", children)
	}
	const grace = 30 * time.Second
	h.stop("a", grace)
	until(t, "it is interrupted", func() bool {
		clock.Advance(time.Millisecond)
		return slices.Contains(h.lines("a", "marks"), "interrupted")
	})
	clock.Advance(20 * time.Second)
	if got := h.inspect("a"); got.State != platform.StateStopping || !lives(o.PID) {
		t.Fatalf("within the grace: %+v", got)
	}
	clock.Advance(10 * time.Second)
	until(t, "it is stopped", func() bool {
		clock.Advance(time.Millisecond)
		return h.inspect("a").State == platform.StateStopped
	})
	for _, child := range children {
		if lives(number(t, child)) {
			t.Errorf("child %s still lives", child)
		}
	}
	if got := h.inspect("a"); got.LastExit != nil {
		t.Errorf("the end by force is told as a crash: %+v", got.LastExit)
	}
}

func TestAfterAGracefulEndTheRestOfTheSessionIsKilled(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h", "TS_CHILDREN=2"))
	h.running("a", "h")
	h.stop("a", patience)
	h.in("a", platform.StateStopped)
	for _, child := range h.lines("a", "children") {
		if lives(number(t, child)) {
			t.Errorf("child %s still lives", child)
		}
	}
}

func TestAShorterGraceCountsAndALongerDoesNot(t *testing.T) {
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Clock = clock })
	h.ensure(desired("a", "h", "TS_IGNORE_INT=1"))
	o := h.running("a", "h")
	h.stop("a", time.Hour)
	h.stop("a", time.Minute)
	h.stop("a", 2*time.Hour)
	clock.Advance(59 * time.Second)
	if !lives(o.PID) {
		t.Fatal("killed within the grace")
	}
	until(t, "it is stopped", func() bool {
		clock.Advance(100 * time.Millisecond)
		return h.inspect("a").State == platform.StateStopped
	})
	if passed := clock.Now().Sub(o.StartedAt); passed > 10*time.Minute {
		t.Errorf("it took %s", passed)
	}
}

func TestStopOfTheNeverStartedIsSuccess(t *testing.T) {
	h := newHost(t)
	h.stop("nobody", time.Minute)
	if err := h.d.Remove(t.Context(), ref("nobody"), false); err != nil {
		t.Error(err)
	}
	if list, err := h.d.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestStopAllStopsForNowAndTheNextAgentStartsAgain(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	h.ensure(desired("b", "h"))
	h.ensure(desired("c", "h"))
	first, second := h.running("a", "h"), h.running("b", "h")
	h.running("c", "h")
	h.stop("c", patience)
	h.in("c", platform.StateStopped)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := h.d.StopAll(ctx, patience); err != nil {
		t.Fatal(err)
	}
	if lives(first.PID) || lives(second.PID) {
		t.Error("a server still lives")
	}
	if marks := h.lines("a", "marks"); marks[len(marks)-1] != "graceful" {
		t.Errorf("marks %v", marks)
	}
	if err := h.d.Ensure(ctx, desired("d", "h")); platform.CodeOf(err) != platform.CodeStopping {
		t.Errorf("Ensure afterwards: %v", err)
	}
	h.reopen()
	for _, uid := range []string{"a", "b"} {
		until(t, uid+" is started", func() bool { return len(h.lines(uid, "starts")) == 2 })
		if o := h.running(uid, "h"); o.Restarts != 0 || o.LastExit != nil {
			t.Errorf("%+v", o)
		}
	}
	if o := h.inspect("c"); o.State != platform.StateStopped {
		t.Errorf("what was stopped is %s", o.State)
	}
}

func TestOfManyChangesTheLastOneRuns(t *testing.T) {
	h := newHost(t)
	// The first server does not end before the last change has come: whatever the machine's speed, nothing in between is started.
	hold := filepath.Join(openDirectory(t), "hold")
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Nor is it killed before: a hundred changes may take a slow disk longer than the usual grace.
	change := func(hash string, env ...string) {
		d := desired("a", hash, env...)
		d.Grace = time.Hour
		h.ensure(d)
	}
	change("h-first", "TS_STOP_HOLD="+hold)
	first := h.running("a", "h-first")
	for n := range 100 {
		change("h-" + string(rune('A'+n%26)) + string(rune('a'+n/26)))
	}
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	last := "h-" + string(rune('A'+99%26)) + string(rune('a'+99/26))
	h.running("a", last)
	if starts := h.lines("a", "starts"); len(starts) != 2 {
		t.Errorf("%d starts for a burst of changes: %v", len(starts), starts)
	}
	if o := h.inspect("a"); o.Restarts != 0 || o.LastExit != nil || lives(first.PID) {
		t.Errorf("%+v", o)
	}
}
