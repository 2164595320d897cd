//go:build linux

package process

import (
	"os"
	"testing"

	"github.com/draas-io/draas/internal/platform"
)

func TestALostJournalTouchesNothing(t *testing.T) {
	for name, to := range map[string]string{"moved away": "", "renamed beside": "journal.json.bad"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.ensure(desired("a", "h"))
			before := h.running("a", "h")
			h.close()
			away := h.home("a").path + "/" + to
			if to == "" {
				away = h.options.StateDir + "/journal.json"
			}
			if err := os.Rename(h.home("a").journal(), away); err != nil {
				t.Fatal(err)
			}
			h.open()
			h.unknown("a")
			h.reopen()
			h.unknown("a")
			if !lives(before.PID) {
				t.Fatal("the server was killed")
			}
			if err := os.Rename(away, h.home("a").journal()); err != nil {
				t.Fatal(err)
			}
			until(t, "it is known again", func() bool {
				_, err := h.d.Inspect(t.Context(), ref("a"))
				return err == nil
			})
			h.ensure(desired("a", "h"))
			if o := h.running("a", "h"); o.PID != before.PID || o.Restarts != 0 || len(h.lines("a", "starts")) != 1 {
				t.Errorf("%+v, before %+v", o, before)
			}
		})
	}
}

func TestARemovalThatDidNotEndGoesOn(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	h.running("a", "h")
	h.stop("a", patience)
	h.in("a", platform.StateStopped)
	h.close()
	// What the removal takes first is gone, and the journal by chance as well.
	for _, path := range []string{h.home("a").settings(), h.home("a").logs(), h.home("a").journal()} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	h.open()
	if err := h.d.Remove(t.Context(), ref("a"), false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(h.home("a").path); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestTheInputsOfAServerThatWaitsAreWrittenAnewWhereTheyWereLost(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	if err := os.Remove(h.home("a").input(1)); err != nil {
		t.Fatal(err)
	}
	kill(t, before.PID, 9)
	until(t, "the start fails", func() bool { return h.inspect("a").StartError != nil })
	h.ensure(desired("a", "h"))
	if o := h.running("a", "h"); o.PID == before.PID || o.StartError != nil {
		t.Errorf("%+v", o)
	}
}

func TestTheInputsOfAReplacementAreWrittenAnewWhereTheyWereLost(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	h.close()
	h.rewrite("a", func(r *record) {
		next := *r.Current
		next.Seq, next.Hash = 2, "h2"
		r.LastSeq, r.Next, r.Replacing = 2, &next, true
	})
	h.open()
	until(t, "the replacement fails", func() bool { return h.inspect("a").StartError != nil })
	if o := h.running("a", "h"); o.PID != before.PID {
		t.Errorf("%+v", o)
	}
	h.ensure(desired("a", "h2"))
	if o := h.running("a", "h2"); o.PID == before.PID || o.StartError != nil {
		t.Errorf("%+v", o)
	}
}
