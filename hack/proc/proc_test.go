//go:build linux

package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T, dir, script string) *Process {
	t.Helper()
	p, err := Start(Spec{Name: "part", Path: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(dir, "logs", "part.log"), PIDFile: filepath.Join(dir, "pids", "part")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Kill() })
	return p
}

func waitLine(t *testing.T, p *Process, want func(line string) bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !slices.ContainsFunc(p.Tail(10), want) {
		select {
		case <-deadline:
			t.Fatalf("the log never had the line: %q", p.Tail(10))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func isUp(line string) bool { return line == "up" }

func TestStopEndsWithinTheGrace(t *testing.T) {
	p := start(t, t.TempDir(), `trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done`)
	waitLine(t, p, isUp)
	if err := p.Stop(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	if p.Exited() == nil {
		t.Error("still running after Stop")
	}
	if err := p.Stop(time.Second); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
}

func TestStopKillsWhatIgnoresIt(t *testing.T) {
	p := start(t, t.TempDir(), `trap '' TERM; echo up; while :; do sleep 0.05; done`)
	waitLine(t, p, isUp)
	if err := p.Stop(200 * time.Millisecond); !errors.Is(err, ErrKilled) {
		t.Errorf("got %v, want ErrKilled", err)
	}
	if p.Exited() == nil {
		t.Error("still running after Stop")
	}
}

func TestPartHasItsOwnSession(t *testing.T) {
	p := start(t, t.TempDir(), `read -r _ _ _ _ _ sid _ </proc/$$/stat; echo "$sid $$"; sleep 60`)
	var session, pid string
	waitLine(t, p, func(line string) bool {
		n, _ := fmt.Sscan(line, &session, &pid)
		return n == 2
	})
	if session != pid {
		t.Errorf("the session is %s, the PID %s: want them equal", session, pid)
	}
}

func TestTailHasOnlyThisRun(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir, `echo old`)
	<-first.Done()
	second := start(t, dir, `echo one; echo two; echo three; exit 3`)
	<-second.Done()
	if got := second.Tail(2); !slices.Equal(got, []string{"two", "three"}) {
		t.Errorf("got %q", got)
	}
	if got := second.Tail(10); len(got) != 3 {
		t.Errorf("an earlier run's lines are in it: %q", got)
	}
	if err := second.Exited(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v, want the exit status", err)
	}
}

func TestLeftoverIsStoppedOnlyWhenItIsTheSameProcess(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, `echo up; sleep 60`)
	waitLine(t, p, isUp)
	file := filepath.Join(dir, "pids", "part")
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(written))
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte(fields[0]+" 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := ReapLeftover(other, time.Second); found || err != nil {
		t.Fatalf("a process of another start time was taken for ours: %v, %v", found, err)
	}
	if p.Exited() != nil {
		t.Fatal("a process of another start time was stopped")
	}
	if found, err := ReapLeftover(file, 20*time.Second); !found || err != nil {
		t.Fatalf("leftover not stopped: %v, %v", found, err)
	}
	<-p.Done()
	if found, err := ReapLeftover(file, time.Second); found || err != nil {
		t.Errorf("a second pass found one: %v, %v", found, err)
	}
}
