//go:build linux

package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/platform"
)

func TestServersOutliveAKilledAgent(t *testing.T) {
	h := newHost(t)
	h.close()
	a := h.startAgent(script{Ensure: []platform.Desired{desired("a", "h"), desired("b", "h")}})
	a.done()
	until(t, "both run", func() bool { return handles(h.seen("a").PID) && handles(h.seen("b").PID) })
	first, second := h.seen("a").PID, h.seen("b").PID
	a.kill()
	h.open()
	for uid, pid := range map[string]int{"a": first, "b": second} {
		o := h.running(uid, "h")
		if o.PID != pid || o.Restarts != 0 || o.LastExit != nil || len(h.lines(uid, "starts")) != 1 {
			t.Errorf("%s was not adopted: %+v, before PID %d", uid, o, pid)
		}
	}
	for _, entry := range h.seen("a").Env {
		if strings.HasPrefix(string(entry), "CANARY") {
			t.Error("the agent's environment reached the server")
		}
	}
	h.stop("a", patience)
	h.in("a", platform.StateStopped)
	if marks := h.lines("a", "marks"); marks[len(marks)-1] != "graceful" {
		t.Errorf("an adopted server was not stopped in order: %v", marks)
	}
}

func TestAServerThatDiedWhileNobodyLookedIsRestartedOnce(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h", "TS_CHILDREN=2"))
	before := h.running("a", "h")
	h.close()
	kill(t, before.PID, syscall.SIGKILL)
	until(t, "it is dead", func() bool { return !lives(before.PID) })
	h.open()
	until(t, "it runs again", func() bool { return len(h.lines("a", "starts")) == 2 })
	after := h.running("a", "h")
	if after.Restarts != 1 || after.LastExit == nil || after.Incarnation == before.Incarnation {
		t.Errorf("%+v", after)
	}
	for _, child := range h.lines("a", "children")[:2] {
		if lives(number(t, child)) {
			t.Errorf("child %s of the dead server still lives", child)
		}
	}
	h.reopen()
	if again := h.running("a", "h"); again.PID != after.PID || again.Restarts != 1 {
		t.Errorf("%+v", again)
	}
}

func TestStoppedStaysStopped(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	h.running("a", "h")
	h.stop("a", patience)
	h.in("a", platform.StateStopped)
	for range 2 {
		h.reopen()
		if o := h.inspect("a"); o.State != platform.StateStopped {
			t.Fatalf("state %s", o.State)
		}
	}
	if starts := h.lines("a", "starts"); len(starts) != 1 {
		t.Errorf("starts %v", starts)
	}
}

func TestAStopGoesOnUnderTheNextAgent(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h", "TS_HANDLER_DELAY=400ms"))
	h.in("a", platform.StateRunning)
	h.stop("a", patience)
	h.reopen()
	h.in("a", platform.StateStopped)
	if marks := h.lines("a", "marks"); len(marks) != 3 || marks[2] != "graceful" {
		t.Errorf("marks %v", marks)
	}
}

// stranger starts a process that is none of ours.
func stranger(t *testing.T, session bool) identity {
	t.Helper()
	command := exec.Command("sleep", "1000")
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: session}
	if err := command.Start(); err != nil {
		t.Skipf("this host has no sleep: %v", err)
	}
	t.Cleanup(func() { _, _ = command.Process.Kill(), command.Wait() })
	now, err := readStat(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return identity{PID: command.Process.Pid, StartTime: now.startTime}
}

// rewrite changes the journal of an instance whose driver is closed.
func (h *host) rewrite(uid string, change func(*record)) {
	h.t.Helper()
	read, err := loadJournal(h.home(uid), uid)
	if err != nil {
		h.t.Fatal(err)
	}
	change(read)
	text, err := json.Marshal(read)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(h.home(uid).journal(), text, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// diedAway has a server run and die while there is no driver.
func (h *host) diedAway(uid string) {
	h.t.Helper()
	h.ensure(desired(uid, "h"))
	o := h.running(uid, "h")
	h.close()
	kill(h.t, o.PID, syscall.SIGKILL)
	until(h.t, "it is dead", func() bool { return !lives(o.PID) })
}

func TestAProcessIDThatIsAnothersByNowIsNeverSignalled(t *testing.T) {
	for name, session := range map[string]bool{"any process": false, "the leader of a session": true} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.diedAway("a")
			other := stranger(t, session)
			h.rewrite("a", func(r *record) {
				r.Run.PID, r.Run.StartTime = other.PID, other.StartTime-1
			})
			h.open()
			until(t, "it runs again", func() bool { return len(h.lines("a", "starts")) == 2 })
			h.running("a", "h")
			h.stop("a", 0)
			h.in("a", platform.StateStopped)
			if !lives(other.PID) {
				t.Error("the stranger is dead")
			}
		})
	}
}

func TestAForgedJournalWithALiveProcessTouchesNothing(t *testing.T) {
	h := newHost(t)
	h.diedAway("a")
	other := stranger(t, true)
	h.rewrite("a", func(r *record) { r.Run.identity = other })
	h.open()
	h.unknown("a")
	if !lives(other.PID) {
		t.Error("the stranger is dead")
	}
	if starts := h.lines("a", "starts"); len(starts) != 1 {
		t.Errorf("starts %v", starts)
	}
}

func TestAfterARestartOfTheHostNothingIsStartedUntilTold(t *testing.T) {
	h := newHost(t)
	h.diedAway("a")
	other := stranger(t, true)
	h.rewrite("a", func(r *record) {
		r.BootID = "another boot"
		r.Run.identity = other
	})
	h.open()
	o := h.inspect("a")
	if o.State != platform.StateStopped || o.PID != 0 || o.Hash != "h" {
		t.Errorf("%+v", o)
	}
	h.ensure(desired("a", "h"))
	if o := h.running("a", "h"); o.Restarts != 0 {
		t.Errorf("%+v", o)
	}
	if starts := h.lines("a", "starts"); len(starts) != 2 {
		t.Errorf("starts %v", starts)
	}
	if !lives(other.PID) {
		t.Error("the stranger is dead")
	}
}

// unknown checks that nothing is concluded about the instance, whatever is asked.
func (h *host) unknown(uid string) {
	h.t.Helper()
	_, inspected := h.d.Inspect(h.t.Context(), ref(uid))
	for what, err := range map[string]error{
		"Inspect": inspected,
		"Ensure":  h.d.Ensure(h.t.Context(), desired(uid, "other")),
		"Stop":    h.d.Stop(h.t.Context(), ref(uid), 0),
		"Remove":  h.d.Remove(h.t.Context(), ref(uid), false),
	} {
		if !isUnavailable(err) {
			h.t.Errorf("%s: %v, want an UnavailableError", what, err)
		}
	}
	list, err := h.d.List(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, o := range list {
		if o.UID == uid {
			if !isUnavailable(o.StartError) || o.State != "" {
				h.t.Errorf("listed as %+v", o)
			}
			return
		}
	}
	h.t.Errorf("%s is not listed", uid)
}

func TestAJournalThatCannotBeUnderstoodTouchesNothing(t *testing.T) {
	cases := map[string]func(text []byte) []byte{
		"empty":         func([]byte) []byte { return nil },
		"truncated":     func(text []byte) []byte { return text[:len(text)/2] },
		"no JSON":       func([]byte) []byte { return []byte("\x00\x00\x00\x00") },
		"another type":  func([]byte) []byte { return []byte("[]") },
		"later form":    replacing(`"formatVersion": 1`, `"formatVersion": 2`),
		"another UID":   replacing(`"uid": "a"`, `"uid": "b"`),
		"no wish":       replacing(`"want": "Running"`, `"want": ""`),
		"no process id": replacing(`"pid": `, `"pid": -`),
		"process one":   replacing(`"pid": `, `"pid": 1, "was": `),
		"no start time": replacing(`"startTime": `, `"was": `),
		"no boot":       replacing(`"bootID": "`, `"was": "`),
		"no inputs":     replacing(`"current": `, `"was": `),
		"no hash":       replacing(`"hash": `, `"was": `),
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.ensure(desired("a", "h"))
			h.ensure(desired("other", "h"))
			o, other := h.running("a", "h"), h.running("other", "h")
			t.Cleanup(func() { kill(t, o.PID, syscall.SIGKILL) })
			h.close()
			text, err := os.ReadFile(h.home("a").journal())
			if err != nil {
				t.Fatal(err)
			}
			spoiled := spoil(text)
			if bytes.Equal(spoiled, text) {
				t.Fatal("the journal was not spoiled")
			}
			if err := os.WriteFile(h.home("a").journal(), spoiled, 0o600); err != nil {
				t.Fatal(err)
			}
			h.open()
			h.unknown("a")
			if !lives(o.PID) || len(h.lines("a", "starts")) != 1 {
				t.Error("the server was touched")
			}
			if after, err := os.ReadFile(h.home("a").journal()); err != nil || !bytes.Equal(after, spoiled) {
				t.Errorf("the journal was touched: %v", err)
			}
			if again := h.running("other", "h"); again.PID != other.PID {
				t.Error("another instance was touched")
			}
		})
	}
}

func replacing(old, now string) func([]byte) []byte {
	return func(text []byte) []byte { return []byte(strings.Replace(string(text), old, now, 1)) }
}

func TestTheJournalHoldsNoSecret(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h", "PASSWORD=canary-value"))
	h.running("a", "h")
	err := filepath.Walk(h.home("a").path, func(path string, found os.FileInfo, err error) error {
		if err != nil || found.IsDir() || filepath.Base(path) == "seen.json" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// The file of the inputs has values in base64.
		if strings.Contains(string(text), "canary-value") || strings.Contains(string(text), "Y2FuYXJ5LXZhbHVl") {
			if found.Mode().Perm() != 0o400 {
				t.Errorf("%s has a secret and mode %v", path, found.Mode())
			}
		}
		if found.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, found.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestASecondAgentOnTheSameStateDirectoryIsRefused(t *testing.T) {
	h := newHost(t)
	before := h.modes()
	other := h.options
	other.UIDs = UIDRange{} // it would close the ways of servers that have users of their own
	_, err := Open(t.Context(), other)
	if err == nil || !strings.Contains(err.Error(), "belongs to another agent that runs") {
		t.Errorf("Open: %v", err)
	}
	if after := h.modes(); after != before {
		t.Errorf("modes were %v and are %v", before, after)
	}
}

func TestAnAgentWithoutUsersClosesNoWayOfServersThatHaveThem(t *testing.T) {
	h := newHost(t)
	before := h.modes()
	h.close()
	h.options.UIDs = UIDRange{}
	h.open()
	if after := h.modes(); after != before {
		t.Errorf("modes were %v and are %v", before, after)
	}
}

// modes are those of the directories on the way to the instances' own.
func (h *host) modes() (modes [3]os.FileMode) {
	h.t.Helper()
	l := layout{root: h.options.StateDir}
	for i, dir := range []string{l.root, l.instances(), l.plugins()} {
		found, err := os.Stat(dir)
		if err != nil {
			h.t.Fatal(err)
		}
		modes[i] = found.Mode().Perm()
	}
	return modes
}

func TestAStateDirectoryOfAnotherFormIsRefused(t *testing.T) {
	h := newHost(t)
	h.close()
	path := layout{root: h.options.StateDir}.version()
	if err := os.WriteFile(path, []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), h.options); err == nil || !strings.Contains(err.Error(), `has form "2"`) {
		t.Errorf("Open: %v", err)
	}
	if err := os.WriteFile(path, []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.open()
}

func TestAnInstanceIsKnownAgainOnceItsJournalIsMended(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	o := h.running("a", "h")
	h.close()
	text, err := os.ReadFile(h.home("a").journal())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.home("a").journal(), text[:len(text)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	h.open()
	h.unknown("a")
	if err := os.WriteFile(h.home("a").journal(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "the instance is known again", func() bool {
		again, err := h.d.Inspect(t.Context(), o.Ref)
		return err == nil && again.PID == o.PID && again.State == platform.StateRunning
	})
	kill(t, o.PID, syscall.SIGKILL)
	until(t, "it is supervised again", func() bool { return len(h.lines("a", "starts")) == 2 })
}

func TestAThreadWithTheNumberOfADeadServerIsNotTheServer(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tid := unix.Gettid()
	if tid == os.Getpid() { // the main thread's number is the process's own
		tid = anotherThread(t)
	}
	if _, err := find(identity{PID: tid, StartTime: 1}); !errors.Is(err, errGone) {
		t.Errorf("find says %v", err)
	}
}

// anotherThread is the number of a thread of this process that is not its first.
func anotherThread(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if number, err := strconv.Atoi(entry.Name()); err == nil && number != os.Getpid() {
			return number
		}
	}
	t.Fatal("this process has one thread only")
	return 0
}
