//go:build linux

package cgroup

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/cgroups"
)

const mebi = 1 << 20

// limited is a tree that can enforce a limit.
func limited(t *testing.T, controller string) *Tree {
	t.Helper()
	in := tree(t)
	if in.by[controller] == nil {
		t.Skipf("SKIPPED: %s", in.support.Why)
	}
	return in
}

func TestLimitsAreSetRaisedLoweredAndLifted(t *testing.T) {
	in := tree(t)
	g := group(t, in, "limits")
	steps := []struct {
		name           string
		wanted         Limits
		memory         int64
		cpu1, cpu2, of string
	}{
		{"set", Limits{Memory: 64 * mebi, CPU: 500, PIDs: 40}, 64 * mebi, "50000", "50000 100000", "40"},
		{"raised", Limits{Memory: 256 * mebi, CPU: 2000, PIDs: 400}, 256 * mebi, "200000", "200000 100000", "400"},
		{"lowered", Limits{Memory: 32 * mebi, CPU: 100, PIDs: 20}, 32 * mebi, "10000", "10000 100000", "20"},
		{"the least", Limits{Memory: 32 * mebi, CPU: 1, PIDs: 1}, 32 * mebi, "1000", "1000 100000", "1"},
		{"lifted", Limits{}, 0, "-1", "max 100000", "max"},
		{"set again", Limits{Memory: 64 * mebi}, 64 * mebi, "-1", "max 100000", "max"},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			if err := g.Make(soon(t), in.Limits().Within(step.wanted)); err != nil {
				t.Fatal(err)
			}
			checkMemory(t, g, step.memory)
			if h := in.by["cpu"]; h == nil {
				t.Logf("SKIPPED: cpu: %s", in.support.Why)
			} else if want := map[bool]string{false: step.cpu1, true: step.cpu2}[h.unified]; read(t, g, "cpu", "cpu.cfs_quota_us", "cpu.max") != want {
				t.Errorf("cpu is not %q", want)
			}
			if in.by["pids"] == nil {
				t.Logf("SKIPPED: pids: %s", in.support.Why)
			} else if got := read(t, g, "pids", "pids.max", "pids.max"); got != step.of {
				t.Errorf("pids is %q, want %q", got, step.of)
			}
		})
	}
}

// checkMemory checks the limit of memory, and that swap does not get around it.
func checkMemory(t *testing.T, g *Group, want int64) {
	t.Helper()
	h := g.tree.by["memory"]
	if h == nil {
		t.Logf("SKIPPED: memory: %s", g.tree.support.Why)
		return
	}
	unlimited := func(text string) bool {
		n, err := strconv.ParseUint(text, 10, 64)
		return text == "max" || err == nil && n > 1<<60
	}
	got := read(t, g, "memory", "memory.limit_in_bytes", "memory.max")
	if want == 0 && !unlimited(got) || want != 0 && got != strconv.FormatInt(want, 10) {
		t.Errorf("memory is %q, want %d", got, want)
	}
	file := "memory.memsw.limit_in_bytes"
	if h.unified {
		file = "memory.swap.max"
		if oom := read(t, g, "memory", "", "memory.oom.group"); oom != "1" {
			t.Errorf("memory.oom.group is %q", oom)
		}
	}
	if !cgroups.PathExists(filepath.Join(g.dir(h), file)) {
		t.Logf("SKIPPED: this kernel accounts no swap: no %s", file)
		return
	}
	swap := read(t, g, "memory", file, file)
	switch {
	case want == 0 && !unlimited(swap), want != 0 && h.unified && swap != "0", want != 0 && !h.unified && swap != got:
		t.Errorf("%s is %q with memory %q", file, swap, got)
	}
}

func TestMoreMemoryThanTheLimitIsAnOOMKillThatIsCounted(t *testing.T) {
	g := made(t, limited(t, "memory"), Limits{Memory: 48 * mebi})
	if n, err := g.OOMKills(); err != nil || n != 0 {
		t.Fatalf("%d, %v before anything ran", n, err)
	}
	if hit, err := g.LimitHit(); err != nil || hit {
		t.Fatalf("the limit was hit %t, %v before anything ran", hit, err)
	}
	starve(t, g)
	if hit, err := g.LimitHit(); err != nil || !hit {
		t.Errorf("the limit was hit: %t, %v", hit, err)
	}
}

// starve has the kernel kill a process of the group for want of memory.
func starve(t *testing.T, g *Group) {
	t.Helper()
	hungry := ready(t, g, "eat")
	err := hungry.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); !exited {
		t.Fatalf("it ended with %v", err)
	}
	if status, ok := hungry.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v", hungry.ProcessState)
	}
	if n, err := g.OOMKills(); err != nil || n == 0 {
		t.Errorf("%d OOM kills, %v", n, err)
	}
}

func TestALimitAboveIsNotTheGroupsOwn(t *testing.T) {
	in := limited(t, "memory")
	// For two groups the parent is one more group with a limit.
	above := &Group{tree: &Tree{all: in.all, by: map[string]*hierarchy{"memory": in.by["memory"]}, support: in.support}, name: "."}
	if err := above.limit(Limits{Memory: 48 * mebi}); err != nil {
		t.Fatal(err)
	}
	for name, own := range map[string]Limits{"without a limit": {}, "with a limit": {Memory: 512 * mebi}} {
		t.Run(name, func(t *testing.T) {
			g := made(t, in, own)
			starve(t, g)
			if hit, err := g.LimitHit(); err != nil || hit {
				t.Errorf("the limit was hit: %t, %v", hit, err)
			}
		})
	}
}

func TestAKillIsNoOOMKill(t *testing.T) {
	g := made(t, limited(t, "memory"), Limits{Memory: 256 * mebi})
	ready(t, g, "wait")
	if err := g.Kill(soon(t)); err != nil {
		t.Fatal(err)
	}
	if n, err := g.OOMKills(); err != nil || n != 0 {
		t.Errorf("%d OOM kills, %v", n, err)
	}
}

func TestNoMoreProcessesThanTheLimit(t *testing.T) {
	g := made(t, limited(t, "pids"), Limits{PIDs: 30})
	files := g.JoinFiles()
	// A shell needs no thread beside its own, so that what fails is the fork.
	script := `for f in "$@"; do echo 0 > "$f" || exit 9; done; echo joined; i=0; while [ $i -lt 40 ]; do sleep 60 >/dev/null 2>&1 & i=$((i+1)); done`
	output, err := exec.Command("sh", append([]string{"-c", script, "sh"}, files...)...).CombinedOutput()
	t.Cleanup(func() {
		if err := g.Kill(soon(t)); err != nil {
			t.Error(err)
		}
	})
	if !strings.HasPrefix(string(output), "joined\n") || err == nil {
		t.Errorf("forty children were started: %v, %s", err, output)
	}
	if pids, err := g.PIDs(soon(t)); err != nil || len(pids) > 30 {
		t.Errorf("%d processes, %v", len(pids), err)
	}
}

func TestLessProcessorThanWantedIsThrottled(t *testing.T) {
	g := made(t, limited(t, "cpu"), Limits{CPU: 100})
	script := `for f in "$@"; do echo 0 > "$f" || exit 9; done; echo ready; while :; do :; done`
	busy := exec.Command("sh", append([]string{"-c", script, "sh"}, g.JoinFiles()...)...)
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = busy.Process.Kill()
		_ = busy.Wait()
	})
	eventually(t, "the kernel has throttled the group", func() bool {
		for line := range strings.Lines(read(t, g, "cpu", "cpu.stat", "cpu.stat")) {
			if n, ok := strings.CutPrefix(strings.TrimSpace(line), "nr_throttled "); ok && n != "0" {
				return true
			}
		}
		return false
	})
}

func TestALimitThatCannotBeEnforcedIsAnError(t *testing.T) {
	in := tree(t)
	in.by, in.support = map[string]*hierarchy{}, Support{Why: "for a reason"}
	g := group(t, in, "unenforced")
	err := g.Make(soon(t), Limits{Memory: mebi, PIDs: 1})
	if err == nil || !strings.Contains(err.Error(), "memory, pids cannot be enforced: for a reason") {
		t.Errorf("error is %v", err)
	}
	if err := g.Make(soon(t), in.Limits().Within(Limits{Memory: mebi, PIDs: 1})); err != nil {
		t.Error(err)
	}
	if _, err := g.OOMKills(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error is %v", err)
	}
	if hit, err := g.LimitHit(); err != nil || hit {
		t.Errorf("the limit was hit: %t, %v", hit, err)
	}
}
