package contract

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// faulty is a simulator with switches set.
func faulty(t *testing.T, switches map[string]string) *fixture {
	t.Helper()
	simulatedOnly(t)
	t.Parallel()
	f := newFull(t)
	for name, val := range switches {
		f.env["DRASISIM_"+name] = val
	}
	return f
}

// stays wants something to hold for a while.
func stays(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < within; <-time.After(poll) {
		if !holds() {
			t.Fatalf("no longer: %s", what)
		}
	}
}

func TestFaultSlowStart(t *testing.T) {
	f := faulty(t, map[string]string{"SLOW_START_MS": "500"})
	begun := time.Now()
	f.run().answering()
	if waited := time.Since(begun); waited < 500*time.Millisecond {
		t.Errorf("the API answered after %v", waited)
	}
}

func TestFaultHang(t *testing.T) {
	f := faulty(t, map[string]string{"HANG": "1"}).run()
	// Until its init a Go program catches every signal.
	eventually(t, settle, "the components are started", func() bool {
		return strings.Contains(f.proc.output("stdout"), "drasi-lib started successfully")
	})
	stays(t, "it hangs", func() bool { return f.proc.alive() && !healthy(t, f.port) && !f.proc.catches() })
}

func TestFaultHandlerDelay(t *testing.T) {
	f := faulty(t, map[string]string{"HANDLER_DELAY_MS": "30000"}).run().answering()
	stays(t, "nothing catches SIGINT", func() bool { return !f.proc.catches() })
	f.proc.signal(syscall.SIGINT)
	f.ends(outcome{Code: -1, Signal: "SIGINT"})
}

func TestFaultExit(t *testing.T) {
	f := faulty(t, map[string]string{"EXIT_AFTER_MS": "100", "EXIT_CODE": "7", "EXIT_STDERR": "told to"}).run()
	f.ends(outcome{Code: 7})
	if text := f.proc.output("stderr"); text != "told to" {
		t.Errorf("stderr: %q", text)
	}
}

func TestFaultCrashUntilMended(t *testing.T) {
	f := faulty(t, map[string]string{"CRASH_STDERR": "Error: broken\n", "CRASH_CODE": "3"})
	f.env["DRASISIM_CRASH_FILE"] = f.path("broken")
	f.write("broken", "")
	f.run().ends(outcome{Code: 3})
	if text := f.proc.output("stderr"); text != "Error: broken\n" {
		t.Errorf("stderr: %q", text)
	}
	if err := os.Remove(f.path("broken")); err != nil {
		t.Fatalf("mend: %v", err)
	}
	f.up()
}

func TestFaultSourceError(t *testing.T) {
	f := faulty(t, map[string]string{"SOURCE_ERROR": "other,m"}).up()
	if item := f.status("/api/v1/instances/t/sources/m", "Error"); item["error_message"] != "simulated fault" {
		t.Errorf("item: %v", item)
	}
}

func TestFaultIgnoreInterrupt(t *testing.T) {
	f := faulty(t, map[string]string{"IGNORE_SIGINT": "1"}).up()
	f.proc.signal(syscall.SIGINT)
	stays(t, "it runs", f.proc.alive)
}

func TestFaultSlowStop(t *testing.T) {
	f := faulty(t, map[string]string{"STOP_MS": "3000"}).up()
	f.proc.signal(syscall.SIGINT)
	stays(t, "it is still stopping", f.proc.alive)
	f.ends(outcome{Code: 0})
}

func TestFaultFlood(t *testing.T) {
	f := faulty(t, map[string]string{"FLOOD_STDOUT_BYTES": "3000000"}).up()
	eventually(t, settle, "three million bytes are there", func() bool {
		return len(f.proc.output("stdout")) >= 3000000
	})
}

func TestFaultChildrenOutliveTheServer(t *testing.T) {
	f := faulty(t, map[string]string{"CHILDREN": "2", "SETSID_CHILDREN": "1"}).up()
	server := f.proc.cmd.Process.Pid
	children := childrenOf(t, server)
	if len(children) != 3 {
		t.Fatalf("children: %v", children)
	}
	t.Cleanup(func() {
		for _, pid := range children {
			// One that is gone already is as good.
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	own := 0
	for _, pid := range children {
		eventually(t, settle, "the child ignores SIGTERM", func() bool { return ignores(pid, syscall.SIGTERM) })
		if field(t, pid, sessionField) != server {
			own++
		}
	}
	if own != 1 {
		t.Errorf("%d children have a session of their own", own)
	}
	f.stop()
	for _, pid := range children {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Errorf("child %d: %v", pid, err)
		}
	}
	stays(t, "the children live", func() bool { return field(t, children[0], parentField) >= 0 })
}

func TestFaultRecordCountsAndFindsOverlaps(t *testing.T) {
	f := faulty(t, nil)
	record := filepath.Join(openDir(t), "record")
	f.env["DRASISIM_RECORD"] = record
	f.up()
	f.stop()
	f.up()
	first := f.proc
	f.args = []string{"--port", itoa(freePort(t))}
	f.runWithoutFile()
	config := f.path("server.yaml")
	var words []string
	eventually(t, settle, "four lines are there", func() bool {
		text, err := os.ReadFile(record)
		if err != nil {
			t.Fatalf("read record: %v", err)
		}
		words = nil
		for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			parts := strings.Fields(line)
			if len(parts) < 4 || parts[3] != config {
				t.Fatalf("line %q", line)
			}
			words = append(words, parts[0])
		}
		return len(words) >= 5
	})
	if got := strings.Join(words, " "); got != "start stop start overlap start" {
		t.Errorf("record: %s", got)
	}
	if !first.alive() {
		t.Error("the twin ended the first one")
	}
}

// Fields of /proc/PID/stat after the name.
const (
	parentField  = 1
	sessionField = 3
)

// field is -1 for a process that is gone.
func field(t *testing.T, pid, index int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return -1
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	val, err := strconv.Atoi(strings.Fields(rest)[index])
	if err != nil {
		t.Fatalf("stat of %d: %v", pid, err)
	}
	return val
}

func childrenOf(t *testing.T, parent int) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatalf("list processes: %v", err)
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err == nil && field(t, pid, parentField) == parent {
			found = append(found, pid)
		}
	}
	return found
}

func ignores(pid int, sig syscall.Signal) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(text), "\n") {
		if mask, ok := strings.CutPrefix(line, "SigIgn:"); ok {
			bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return err == nil && bits&(1<<(uint(sig)-1)) != 0
		}
	}
	return false
}
