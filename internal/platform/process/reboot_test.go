//go:build linux

package process

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// rebooted makes it so as if the host had been restarted since the driver was closed.
func (h *host) rebooted(uid string) {
	h.t.Helper()
	h.rewrite(uid, func(r *record) { r.BootID = "another boot" })
}

func TestWhatRanBeforeAReboot(t *testing.T) {
	lacking := with(desired("a", "other"), "source", "nobody-has-it")
	another := desired("a", "other")
	another.InstanceID = "another"
	long := desired("a", "other", "LONG="+strings.Repeat("x", mostVariable))
	for name, c := range map[string]struct {
		tell func(h *host) error
		hash string
		errs bool
	}{
		"runs again when it is resumed":                         {func(h *host) error { return h.d.Resume(h.t.Context(), ref("a")) }, "h", false},
		"runs again when what is desired cannot be prepared":    {func(h *host) error { return h.d.Ensure(h.t.Context(), lacking) }, "h", true},
		"runs again when what is desired can never be started":  {func(h *host) error { return h.d.Ensure(h.t.Context(), long) }, "h", true},
		"runs again when what is desired has another id":        {func(h *host) error { return h.d.Ensure(h.t.Context(), another) }, "h", true},
		"is followed by what is desired where that can be made": {func(h *host) error { return h.d.Ensure(h.t.Context(), desired("a", "other")) }, "other", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.diedAway("a")
			h.rebooted("a")
			h.rewrite("a", func(r *record) { r.LastExit = &platform.Exit{Reason: platform.ExitKilled} })
			h.open()
			if o := h.inspect("a"); o.State != platform.StateStopped || !o.Parked {
				t.Errorf("%+v", o)
			}
			if err := c.tell(h); (err != nil) != c.errs {
				t.Errorf("told: %v", err)
			}
			if o := h.running("a", c.hash); o.Parked || o.Restarts != 0 || o.LastExit != nil {
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
	h.reopen()
	if err := h.d.Resume(t.Context(), ref("a")); err != nil {
		t.Fatal(err)
	}
	if o := h.inspect("a"); o.State != platform.StateStopped || o.Parked || len(h.lines("a", "starts")) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestAStoppedInstanceStaysStoppedOverEveryRestartOfTheHost(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	h.running("a", "h")
	h.stop("a", 0)
	h.in("a", platform.StateStopped)
	for range 2 {
		h.close()
		h.rebooted("a")
		h.open()
		if err := h.d.Resume(t.Context(), ref("a")); err != nil {
			t.Fatal(err)
		}
		h.reopen()
	}
	if o := h.inspect("a"); o.State != platform.StateStopped || o.Parked || len(h.lines("a", "starts")) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestAPassThatWasGivenUpStartsNothingAfterAReboot(t *testing.T) {
	h := newHost(t)
	h.diedAway("a")
	h.rebooted("a")
	h.open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = h.d.unit("a").ensure(ctx, new(with(desired("a", "other"), "source", "nobody-has-it")))
	if o := h.inspect("a"); o.State != platform.StateStopped || !o.Parked {
		t.Errorf("%+v", o)
	}
}

func TestAPortThatAnotherInstanceHasGotSinceARebootIsNotTakenBack(t *testing.T) {
	h := newHost(t)
	listens := func(uid string) platform.Desired {
		d := desired(uid, "h")
		d.Listeners = []platform.Listener{{Component: "source " + uid, Port: h.options.Ports.Last + 1}}
		return d
	}
	h.ensure(listens("a"))
	before := h.running("a", "h")
	h.close()
	kill(t, before.PID, 9)
	until(t, "it is dead", func() bool { return !lives(before.PID) })
	h.rebooted("a")
	h.open()
	h.ensure(listens("b"))
	h.running("b", "h")
	if err := h.d.Resume(t.Context(), ref("a")); platform.CodeOf(err) != platform.CodePortConflict {
		t.Errorf("Resume: %v", err)
	}
	if o := h.inspect("a"); o.State != platform.StateStopped || !o.Parked {
		t.Errorf("%+v", o)
	}
	other := desired("a", "other")
	h.ensure(other)
	h.running("a", "other")
	h.ensure(func() platform.Desired { d := listens("b"); d.Hash = "h2"; return d }())
	h.running("b", "h2")
}

func TestWhatRanBeforeARebootHasItsPortsAgainWhenTheyAreFree(t *testing.T) {
	h := newHost(t)
	d := desired("a", "h")
	d.Listeners = []platform.Listener{{Component: "source s", Port: h.options.Ports.Last + 1}}
	h.ensure(d)
	h.running("a", "h")
	h.close()
	h.rebooted("a")
	h.open()
	if err := h.d.Resume(t.Context(), ref("a")); err != nil {
		t.Errorf("Resume: %v", err)
	}
	d.UID, d.Name, d.InstanceID = "b", "b", "id-of-b"
	if err := h.d.Ensure(t.Context(), d); platform.CodeOf(err) != platform.CodePortConflict {
		t.Errorf("Ensure: %v", err)
	}
}

func TestNoPauseOfBeforeARebootIsKept(t *testing.T) {
	later := time.Now().Add(time.Hour)
	read := &record{BootID: "another", Want: wantRunning, Failures: 1, RetryAt: later, NextFailures: 1, NextRetryAt: later}
	if err := (&unit{d: &Driver{bootID: "this"}}).find(read); err != nil {
		t.Fatal(err)
	}
	if read.Failures != 0 || !read.RetryAt.IsZero() || read.NextFailures != 0 || !read.NextRetryAt.IsZero() {
		t.Errorf("%+v", read)
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
