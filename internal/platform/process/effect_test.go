//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/draas-io/draas/internal/platform"
)

// crashes are agents that die at an effect.
func crashes() map[string]script {
	all := map[string]script{}
	for _, point := range Points() {
		for _, nth := range []int32{1, 2} {
			all[fmt.Sprintf("before %s %d", point, nth)] = script{DieBefore: point, Nth: nth}
			all[fmt.Sprintf("after %s %d", point, nth)] = script{DieAfter: point, Nth: nth}
		}
	}
	return all
}

// ran plays the script; it ends by the agent's death at the effect, or, where that never happens, by the test's hand once done is true.
func (h *host) ran(s script, done func() bool) {
	h.t.Helper()
	a := h.startAgent(s)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = a.output.ReadString(0)
	}()
	until(h.t, "the agent has done its work or is dead", func() bool {
		select {
		case <-ended:
			return true
		default:
			return done()
		}
	})
	a.kill()
	<-ended
}

// ledger is where the servers of a test write themselves down, whatever becomes of their directories.
func ledger(t *testing.T, d platform.Desired) (platform.Desired, func() []string) {
	path := filepath.Join(openDirectory(t), "ledger")
	d.Env = append(d.Env, platform.EnvVar{Name: "TS_LEDGER", Value: path})
	return d, func() []string {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
}

func TestACrashAtAnyEffectOfAStartChangesNothingInTheEnd(t *testing.T) {
	for name, s := range crashes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.ready(map[string]string{"libdrasi_source_mock.so": "m"})
			d, starts := ledger(t, with(desired("a", "h"), "source", "mock"))
			h.close()
			s.Ensure = []platform.Desired{d}
			h.ran(s, func() bool { return handles(h.seen("a").PID) })
			h.open()
			h.ensure(d)
			o := h.running("a", "h")
			if o.Restarts != 0 || o.LastExit != nil {
				t.Errorf("%d restarts, last exit %+v", o.Restarts, o.LastExit)
			}
			if got := starts(); len(got) != 1 {
				t.Errorf("starts %v", got)
			}
			if live, err := serversOf(h.home("a")); err != nil || len(live) != 1 {
				t.Errorf("servers %v, %v", live, err)
			}
			h.settled("a")
		})
	}
}

func TestACrashAtAnyEffectOfAReplacementChangesNothingInTheEnd(t *testing.T) {
	for name, s := range crashes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.ready(map[string]string{"libdrasi_source_mock.so": "m"})
			old, starts := ledger(t, desired("a", "h", h.children()...))
			h.ensure(old)
			h.running("a", "h")
			children := h.lines("a", "children")
			h.close()
			next := with(old, "source", "mock")
			next.Hash, next.Env = "h2", append(next.Env[:0:0], next.Env...)
			next.Env[0].Value = "h2"
			s.Ensure = []platform.Desired{next}
			h.ran(s, func() bool { return len(starts()) == 2 && handles(h.seen("a").PID) })
			h.open()
			h.ensure(next)
			o := h.running("a", "h2")
			if o.Restarts != 0 || o.LastExit != nil {
				t.Errorf("%d restarts, last exit %+v", o.Restarts, o.LastExit)
			}
			if got := starts(); len(got) != 2 {
				t.Errorf("starts %v", got)
			}
			for _, child := range children {
				if lives(number(t, child)) {
					t.Errorf("child %s of the replaced server still lives", child)
				}
			}
			h.settled("a")
		})
	}
}

func TestACrashAtAnyEffectOfAnEndLeavesNothing(t *testing.T) {
	for name, s := range crashes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			d, starts := ledger(t, desired("a", "h", h.children()...))
			h.ensure(d)
			h.running("a", "h")
			children := h.lines("a", "children")
			h.close()
			s.Stop, s.Remove = []platform.Ref{ref("a")}, []platform.Ref{ref("a")}
			h.ran(s, func() bool {
				_, err := os.Stat(h.home("a").path)
				return errors.Is(err, os.ErrNotExist)
			})
			h.open()
			until(t, "nothing is left", func() bool {
				h.stop("a", patience)
				err := h.d.Remove(t.Context(), ref("a"), false)
				if _, wait := errors.AsType[*platform.WaitError](err); err != nil && !wait {
					t.Fatal(err)
				}
				_, err = h.d.Inspect(t.Context(), ref("a"))
				return errors.Is(err, platform.ErrNotFound)
			})
			if entries, err := os.ReadDir(layout{root: h.options.StateDir}.instances()); err != nil || len(entries) != 0 {
				t.Errorf("left behind %v, %v", entries, err)
			}
			if names, err := h.d.groups.named(); err != nil || len(names) != 0 {
				t.Errorf("left behind the cgroups of %v, %v", names, err)
			}
			for _, child := range children {
				if lives(number(t, child)) {
					t.Errorf("child %s still lives", child)
				}
			}
			if got := starts(); len(got) != 1 {
				t.Errorf("starts %v", got)
			}
		})
	}
}

// children are those of a server, one of them in a session of its own where a cgroup holds it.
func (h *host) children() []string {
	env := []string{"TS_CHILDREN=1"}
	if h.d.groups.lost() == nil {
		env = append(env, "TS_SETSID_CHILDREN=1")
	}
	return env
}

func TestACrashAtAnyEffectOfARestartChangesNothingInTheEnd(t *testing.T) {
	for name, s := range crashes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			d, starts := ledger(t, desired("a", "h", h.children()...))
			h.ensure(d)
			before := h.running("a", "h")
			children := h.lines("a", "children")
			h.close()
			kill(t, before.PID, syscall.SIGKILL)
			// The agent finds the server dead, and dies itself on the way to the next one.
			h.ran(s, func() bool { return len(starts()) == 2 && handles(h.seen("a").PID) })
			h.open()
			until(t, "it runs again", func() bool { return len(starts()) == 2 })
			o := h.running("a", "h")
			if o.Restarts != 1 || o.LastExit == nil {
				t.Errorf("%d restarts, last exit %+v", o.Restarts, o.LastExit)
			}
			if got := starts(); len(got) != 2 {
				t.Errorf("starts %v", got)
			}
			for _, child := range children {
				if lives(number(t, child)) {
					t.Errorf("child %s of the dead server still lives", child)
				}
			}
			h.settled("a")
		})
	}
}

// settled checks that nothing of what came before is left in the instance's directory.
func (h *host) settled(uid string) {
	h.t.Helper()
	entries, err := os.ReadDir(h.home(uid).path)
	if err != nil {
		h.t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if len(names) != 5 {
		h.t.Errorf("the instance's directory holds %v, want config, data, logs, one input and the journal", names)
	}
}

func TestAStartThatAgentsDiedInIsNoRestart(t *testing.T) {
	h := newHost(t)
	d, starts := ledger(t, desired("a", "h"))
	h.close()
	never := func() bool { return len(starts()) > 0 }
	// The first leaves a launcher that never became the server, the second has made everything ready for another.
	h.ran(script{Ensure: []platform.Desired{d}, DieAfter: PointRecord, Nth: 1}, never)
	h.ran(script{Ensure: []platform.Desired{d}, DieBefore: PointRecord, Nth: 1}, never)
	h.open()
	h.ensure(d)
	o := h.running("a", "h")
	if o.Restarts != 0 || o.LastExit != nil || len(starts()) != 1 {
		t.Errorf("%d restarts, last exit %+v, starts %v", o.Restarts, o.LastExit, starts())
	}
}

func TestThatALauncherNeverBecameTheServerIsWrittenDownBeforeTheProofIsGone(t *testing.T) {
	h := newHost(t)
	h.close()
	d, starts := ledger(t, desired("a", "h"))
	h.ran(script{Ensure: []platform.Desired{d}, DieAfter: PointRecord, Nth: 1}, func() bool { return false })
	// Where another instance has made everything ready, the next start of this one needs nothing that takes long, and follows at once.
	journal := h.home("a").journal()
	if err := os.Rename(journal, journal+".away"); err != nil {
		t.Fatal(err)
	}
	read := make(chan *record, 1)
	h.options.Hooks = &Hooks{Before: func(point Point) {
		if point != PointRecord {
			return
		}
		if found, err := loadJournal(h.home("a"), "a"); err == nil {
			read <- found
		}
	}}
	h.open()
	h.ensure(desired("b", "h"))
	h.running("b", "h")
	if err := os.Rename(journal+".away", journal); err != nil {
		t.Fatal(err)
	}
	if found := <-read; found.Run != nil {
		t.Errorf("the journal still tells of a run: %+v", found.Run)
	}
	if o := h.running("a", "h"); o.Restarts != 0 || len(starts()) != 1 {
		t.Errorf("%d restarts, starts %v", o.Restarts, starts())
	}
}
