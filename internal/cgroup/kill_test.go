//go:build linux

package cgroup

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/opencontainers/cgroups"
)

// bothWays runs a test where the kernel kills a group at once, and where each process is frozen, killed and thawed.
func bothWays(t *testing.T, f func(t *testing.T, in *Tree)) {
	t.Helper()
	t.Run("at once", func(t *testing.T) {
		in := tree(t)
		if !in.atOnce {
			t.Skip("SKIPPED: this host has no cgroup.kill")
		}
		f(t, in)
	})
	t.Run("each", func(t *testing.T) {
		in := tree(t)
		in.atOnce = false
		f(t, in)
	})
	t.Run("without version 2", func(t *testing.T) {
		in := tree(t)
		if in.unified() == nil || len(in.all) == 1 {
			t.Skip("SKIPPED: this host has not both versions")
		}
		all := in.all
		in.all, in.atOnce, in.cloneInto = slices.DeleteFunc(slices.Clone(all), func(h *hierarchy) bool { return h.unified }), false, false
		t.Cleanup(func() { in.all = all })
		f(t, in)
	})
}

// checkKilled kills the group, and checks that nothing of it lives.
func checkKilled(t *testing.T, g *Group, pids ...int) {
	t.Helper()
	if err := g.Kill(soon(t)); err != nil {
		t.Fatal(err)
	}
	if left, err := g.PIDs(soon(t)); err != nil || len(left) > 0 {
		t.Errorf("%v live, %v", left, err)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d lives", pid)
		}
	}
	if err := g.Remove(soon(t)); err != nil {
		t.Error(err)
	}
}

func TestKillReachesWhatIgnoresSignals(t *testing.T) {
	bothWays(t, func(t *testing.T, in *Tree) {
		g := made(t, in, Limits{})
		first, second := ready(t, g, "ignore"), ready(t, g, "ignore")
		checkKilled(t, g, first.Process.Pid, second.Process.Pid)
	})
}

func TestKillReachesWhatLeftTheSession(t *testing.T) {
	bothWays(t, func(t *testing.T, in *Tree) {
		g := made(t, in, Limits{})
		_, said := join(t, g.JoinFiles(), "setsid")
		pid, err := strconv.Atoi(said)
		if err != nil {
			t.Fatal(said)
		}
		checkKilled(t, g, pid)
	})
}

func TestKillReachesAStoppedProcess(t *testing.T) {
	bothWays(t, func(t *testing.T, in *Tree) {
		g := made(t, in, Limits{})
		command := ready(t, g, "wait")
		if err := command.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		checkKilled(t, g, command.Process.Pid)
	})
}

func TestKillReachesWhatForksMeanwhile(t *testing.T) {
	bothWays(t, func(t *testing.T, in *Tree) {
		if in.by["pids"] == nil {
			t.Skipf("SKIPPED: nothing would bound the forks: %s", in.support.Why)
		}
		g := made(t, in, Limits{PIDs: 300})
		breeder := ready(t, g, "breed")
		eventually(t, "many forks", func() bool {
			pids, err := g.PIDs(soon(t))
			return err == nil && len(pids) > 20
		})
		checkKilled(t, g, breeder.Process.Pid)
	})
}

func TestKillReachesAFrozenGroup(t *testing.T) {
	bothWays(t, func(t *testing.T, in *Tree) {
		g := made(t, in, Limits{})
		command := ready(t, g, "wait")
		frozen := frozenAt(t, g)
		if len(frozen) == 0 {
			t.Skip("SKIPPED: this host cannot freeze a group")
		}
		checkKilled(t, g, command.Process.Pid)
	})
}

func TestAnEmptyFrozenGroupIsThawedBeforeItIsUsed(t *testing.T) {
	bothWays(t, func(t *testing.T, in *Tree) {
		g := made(t, in, Limits{})
		if len(frozenAt(t, g)) == 0 {
			t.Skip("SKIPPED: this host cannot freeze a group")
		}
		if err := g.Make(soon(t), Limits{}); err != nil {
			t.Fatal(err)
		}
		// In a frozen group it would never say so.
		ready(t, g, "wait")
	})
}

func TestAGroupThatSomebodyFrozeIsNotThawedByNewLimits(t *testing.T) {
	in := tree(t)
	g := made(t, in, Limits{})
	ready(t, g, "wait")
	frozen := frozenAt(t, g)
	if len(frozen) == 0 {
		t.Skip("SKIPPED: this host cannot freeze a group")
	}
	if err := g.Make(soon(t), in.Limits().Within(Limits{Memory: 256 * mebi})); err != nil {
		t.Fatal(err)
	}
	for _, h := range frozen {
		manager, err := g.manager(h, &cgroups.Resources{})
		if err != nil {
			t.Fatal(err)
		}
		if state, err := manager.GetFreezerState(); err != nil || state != cgroups.Frozen {
			t.Errorf("hierarchy %s: %s, %v", h, state, err)
		}
	}
	// Frozen it would not end, and be waited for in vain.
	checkKilled(t, g)
}

// frozenAt freezes the group in each hierarchy that can, and returns them.
func frozenAt(t *testing.T, g *Group) []*hierarchy {
	t.Helper()
	var frozen []*hierarchy
	for _, h := range g.tree.all {
		if !h.unified && !h.has("freezer") {
			continue
		}
		manager, err := g.manager(h, &cgroups.Resources{})
		if err != nil {
			t.Fatal(err)
		}
		if err := manager.Freeze(cgroups.Frozen); err != nil {
			t.Logf("hierarchy %s cannot freeze: %v", h, err)
			continue
		}
		frozen = append(frozen, h)
		// Frozen in one hierarchy it would not notice the other.
		break
	}
	return frozen
}

func TestKillReachesWhatLeftTheGroupOfOneVersion(t *testing.T) {
	in := tree(t)
	if len(in.all) == 1 {
		t.Skip("SKIPPED: this host has one hierarchy only")
	}
	g := made(t, in, Limits{})
	for _, h := range in.all {
		command := ready(t, g, "ignore")
		pid := strconv.Itoa(command.Process.Pid)
		if err := os.WriteFile(h.mount+"/cgroup.procs", []byte(pid), 0); err != nil {
			t.Fatal(err)
		}
		if err := g.Kill(soon(t)); err != nil {
			t.Fatal(err)
		}
		if alive(command.Process.Pid) {
			t.Errorf("it left the group of hierarchy %s and lives", h)
		}
	}
}

func TestKillThatMayNotGoOnSaysWhatLives(t *testing.T) {
	g := made(t, tree(t), Limits{})
	g.tree.atOnce = false
	command := ready(t, g, "wait")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := g.Kill(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if !alive(command.Process.Pid) {
		t.Error("it killed although it had no time left")
	}
}

func TestAZombieIsDead(t *testing.T) {
	g := made(t, tree(t), Limits{})
	command := ready(t, g, "wait")
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// Nobody waits for it before the end of the test.
	eventually(t, "the group is empty", func() bool {
		populated, err := g.Populated()
		return err == nil && !populated
	})
	if alive(command.Process.Pid) {
		t.Error("the zombie counts as alive")
	}
	if err := g.Remove(soon(t)); err != nil {
		t.Error(err)
	}
}
