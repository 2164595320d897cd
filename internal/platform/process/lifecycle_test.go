//go:build linux

package process

import (
	"errors"
	"testing"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

func TestAServerIsStartedAdoptedReplacedStoppedAndRemoved(t *testing.T) {
	h := newHost(t)
	if _, err := h.d.Inspect(t.Context(), ref("a")); !errors.Is(err, platform.ErrNotFound) {
		t.Fatalf("before Ensure: %v", err)
	}
	h.ensure(desired("a", "h1"))
	first := h.running("a", "h1")
	if first.Incarnation == "" || first.PID == 0 || first.StartedAt.IsZero() || first.InstanceID != "id-of-a" || first.NextHash != "" {
		t.Errorf("observed %+v", first)
	}
	if got := h.seen("a"); got.Port != int(first.API.Port()) || first.API.Addr().String() != "127.0.0.1" {
		t.Errorf("port %d, told %s", got.Port, first.API)
	}

	h.ensure(desired("a", "h1"))
	h.reopen()
	h.ensure(desired("a", "h1"))
	if again := h.running("a", "h1"); again.PID != first.PID || again.Incarnation != first.Incarnation || again.Restarts != 0 {
		t.Errorf("not adopted: %+v", again)
	}

	h.ensure(desired("a", "h2"))
	second := h.running("a", "h2")
	if second.PID == first.PID || second.Incarnation == first.Incarnation || second.Restarts != 0 || second.LastExit != nil {
		t.Errorf("not replaced: %+v", second)
	}
	if marks := h.lines("a", "marks"); len(marks) < 3 || marks[2] != "graceful" { // the second may not have left its mark yet
		t.Errorf("not stopped in order: %v", marks)
	}

	h.stop("a", time.Minute)
	stopped := h.in("a", platform.StateStopped)
	if stopped.PID != 0 || stopped.Incarnation != "" || stopped.Hash != "h2" || stopped.LastExit != nil {
		t.Errorf("stopped: %+v", stopped)
	}
	if err := h.d.Remove(t.Context(), ref("a"), false); err != nil {
		t.Fatal(err)
	}
	if _, err := h.d.Inspect(t.Context(), ref("a")); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("after Remove: %v", err)
	}
}
