//go:build linux

package process

import (
	"testing"

	"github.com/draas-io/draas/internal/platform"
)

// rebooted makes it so as if the host had been restarted since the driver was closed.
func (h *host) rebooted(uid string) {
	h.t.Helper()
	h.rewrite(uid, func(r *record) { r.BootID = "another boot" })
}

func TestWhatRanBeforeAReboot(t *testing.T) {
	lacking := with(desired("a", "other"), "source", "nobody-has-it")
	for name, c := range map[string]struct {
		tell func(h *host) error
		hash string
		errs bool
	}{
		"runs again when it is resumed":                         {func(h *host) error { return h.d.Resume(h.t.Context(), ref("a")) }, "h", false},
		"runs again when what is desired cannot be prepared":    {func(h *host) error { return h.d.Ensure(h.t.Context(), lacking) }, "h", true},
		"is followed by what is desired where that can be made": {func(h *host) error { return h.d.Ensure(h.t.Context(), desired("a", "other")) }, "other", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.diedAway("a")
			h.rebooted("a")
			h.open()
			if o := h.inspect("a"); o.State != platform.StateStopped || !o.Parked {
				t.Errorf("%+v", o)
			}
			if err := c.tell(h); (err != nil) != c.errs {
				t.Errorf("told: %v", err)
			}
			if o := h.running("a", c.hash); o.Parked || o.Restarts != 0 {
				t.Errorf("%+v", o)
			}
			if starts := h.lines("a", "starts"); len(starts) != 2 {
				t.Errorf("starts %v", starts)
			}
		})
	}
}

func TestAStoppedInstanceIsNotResumed(t *testing.T) {
	h := newHost(t)
	h.diedAway("a")
	h.rebooted("a")
	h.open()
	h.stop("a", 0)
	if err := h.d.Resume(t.Context(), ref("a")); err != nil {
		t.Fatal(err)
	}
	if o := h.inspect("a"); o.State != platform.StateStopped || o.Parked {
		t.Errorf("%+v", o)
	}
}

func TestAReplacementThatCannotBeMadeAfterARebootHasWhatRanRunAgain(t *testing.T) {
	h := newHost(t)
	h.diedAway("a")
	file, err := loadInput(h.home("a"), 1)
	if err == nil {
		err = writer{}.saveInput(h.home("a"), 2, file)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.rebooted("a")
	h.rewrite("a", func(r *record) {
		next := *r.Current
		next.Seq, next.Hash, next.Plugins = 2, "other", with(desired("a", "other"), "source", "nobody-has-it").Plugins
		r.LastSeq, r.Next, r.Replacing, r.Run = 2, &next, true, nil
	})
	h.open()
	if err := h.d.Resume(t.Context(), ref("a")); err != nil {
		t.Fatal(err)
	}
	if o := h.running("a", "h"); o.NextHash != "other" || o.StartError == nil || len(h.lines("a", "starts")) != 2 {
		t.Errorf("%+v", o)
	}
}
