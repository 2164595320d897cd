//go:build linux

package process

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/draas-io/draas/internal/platform"
)

// firstJournal has the journal of a server that runs be one that the first release wrote.
func (h *host) firstJournal(uid string) {
	h.t.Helper()
	read, err := loadJournal(h.home(uid), uid)
	if err != nil {
		h.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "journal", "1.0.json"))
	if err != nil {
		h.t.Fatal(err)
	}
	started, err := read.Run.StartedAt.MarshalText()
	if err != nil {
		h.t.Fatal(err)
	}
	for old, now := range map[string]string{
		`"63b46c6b-a1b7-40dd-921f-90c9bc533e35"`: strconv.Quote(read.BootID), `"pid": 12409`: `"pid": ` + strconv.Itoa(read.Run.PID),
		`"startTime": 1161477`: `"startTime": ` + strconv.FormatUint(read.Run.StartTime, 10), `: 30880`: ": " + strconv.Itoa(int(read.Run.Port)),
		"55a527486b912bf7fa16748110d87518": read.Current.PluginKey, `"2026-11-22T17:11:37.9586183Z"`: strconv.Quote(string(started)),
	} {
		if !bytes.Contains(text, []byte(old)) {
			h.t.Fatalf("the journal has no %s", old)
		}
		text = bytes.ReplaceAll(text, []byte(old), []byte(now))
	}
	if err := os.WriteFile(h.home(uid).journal(), text, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func TestAJournalOfTheFirstReleaseIsAdopted(t *testing.T) {
	h := newHost(t, func(o *Options) { o.UIDs, o.CgroupParent = UIDRange{}, noCgroups })
	h.ready(map[string]string{"libdrasi_source_mock.so": "m"})
	h.ensure(with(desired("a", "h"), "source", "mock"))
	before := h.running("a", "h")
	h.close()
	h.firstJournal("a")
	h.options.UIDs, h.options.CgroupParent = ownUsers(), ""
	h.open()
	o := h.running("a", "h")
	if o.PID != before.PID || o.Restarts != 1 || o.LastExit == nil || o.LastExit.Signal != 9 || o.LastExit.Stderr != "bye\n" || o.API != before.API {
		t.Errorf("%+v", o)
	}
	if len(o.Listeners) != 1 || o.Listeners[0].Component != "c" {
		t.Errorf("listeners %+v", o.Listeners)
	}
	h.reopen()
	if again := h.running("a", "h"); again.PID != before.PID {
		t.Errorf("%+v", again)
	}
	kill(t, before.PID, syscall.SIGKILL)
	until(t, "another run", func() bool { return len(h.lines("a", "starts")) == 2 })
	if after := h.running("a", "h"); after.Restarts != 2 {
		t.Errorf("%+v", after)
	}
	h.stop("a", patience)
	h.in("a", platform.StateStopped)
}

// witness starts a process that is none of ours and writes down each signal that it gets.
func witness(t *testing.T) (id identity, signals func() string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "signals")
	script := `for s in HUP INT QUIT USR1 USR2 TERM CONT; do trap "echo $s >> '` + log + `'" $s; done; echo ready > '` + log + `.ready'; while :; do sleep 0.05; done`
	command := exec.Command("sh", "-c", script)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		t.Skipf("SKIPPED: this host has no shell: %v", err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		_ = command.Wait()
	})
	until(t, "the witness is ready", func() bool { return there(log + ".ready") })
	now, err := readStat(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return identity{PID: command.Process.Pid, StartTime: now.startTime}, func() string {
		text, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if !lives(command.Process.Pid) {
			return string(text) + "KILL"
		}
		return string(text)
	}
}

func TestAForgedJournalHasNoSignalSentToAnybody(t *testing.T) {
	for name, c := range map[string]struct {
		forge   func(r *record, other identity)
		unknown bool
	}{
		"a process that looks like nothing of ours": {func(r *record, other identity) { r.Run.identity = other }, true},
		"the same while it is to be stopped": {func(r *record, other identity) {
			r.Run.identity, r.Want, r.Stop = other, wantStopped, &stopping{Since: r.Run.StartedAt}
		}, true},
		"another start time": {func(r *record, other identity) {
			r.Run.identity = other
			r.Run.StartTime++
		}, false},
		"a cgroup of others": {func(r *record, other identity) {
			r.Run.identity, r.Run.Cgroup = other, &place{Parent: "/user.slice", Name: "user-1000.slice"}
			r.Run.StartTime++
		}, true},
		"another start of the host": {func(r *record, other identity) { r.Run.identity, r.BootID = other, "another" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.diedAway("a")
			other, signals := witness(t)
			h.rewrite("a", func(r *record) { c.forge(r, other) })
			h.open()
			if c.unknown {
				h.unknown("a")
				_, err := h.d.Inspect(t.Context(), ref("a"))
				if err == nil || !strings.Contains(err.Error(), "move "+h.home("a").path+" away") {
					t.Errorf("the remedy is not told: %v", err)
				}
			} else {
				h.ensure(desired("a", "h"))
				h.running("a", "h")
				h.stop("a", 0)
				h.in("a", platform.StateStopped)
			}
			h.reopen()
			if got := signals(); got != "" {
				t.Errorf("the foreign process was signalled: %s", got)
			}
		})
	}
}

func TestADirectoryThatIsGoneIsNotTakenForOneWithoutAJournal(t *testing.T) {
	there := home{path: t.TempDir()}
	if read, err := loadJournal(there, "a"); err != nil || read.Want != wantStopped {
		t.Errorf("without a journal: %+v, %v", read, err)
	}
	gone := home{path: filepath.Join(there.path, "gone")}
	if read, err := loadJournal(gone, "a"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory: %+v, %v", read, err)
	}
}

func TestAnInstanceThatIsUnknownCanBeGivenUp(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	o := h.running("a", "h")
	h.close()
	if err := os.WriteFile(h.home("a").journal(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.open()
	h.unknown("a")
	h.d.users.mu.Lock()
	user := h.d.users.of["a"]
	h.d.users.mu.Unlock()
	if want := ownUsers() != (UIDRange{}); (user != 0) != want {
		t.Errorf("the user of an unknown instance is %d: it must be another's no more", user)
	}
	kill(t, o.PID, syscall.SIGKILL)
	if err := os.Rename(h.home("a").path, filepath.Join(t.TempDir(), "a")); err != nil {
		t.Fatal(err)
	}
	until(t, "it is given up", func() bool {
		_, err := h.d.Inspect(t.Context(), ref("a"))
		return errors.Is(err, platform.ErrNotFound)
	})
	h.ensure(desired("a", "h"))
	h.running("a", "h")
}
