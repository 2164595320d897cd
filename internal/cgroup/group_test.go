//go:build linux

package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestOpenLeavesNothingButTheParent(t *testing.T) {
	in := tree(t)
	for _, h := range in.all {
		entries, err := os.ReadDir(h.parent)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if entry.IsDir() {
				t.Errorf("hierarchy %s: %s is left", h, entry.Name())
			}
		}
	}
}

func TestAMemberIsInEveryHierarchyAndSoAreItsChildren(t *testing.T) {
	in := tree(t)
	g := made(t, in, Limits{})
	_, said := join(t, g.JoinFiles(), "setsid")
	pid, err := strconv.Atoi(said)
	if err != nil {
		t.Fatal(said)
	}
	eventually(t, "only the grandchild lives", func() bool {
		pids, err := g.PIDs(soon(t))
		return err == nil && slices.Equal(pids, []int{pid})
	})
	text, err := os.ReadFile("/proc/" + said + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "/"+g.Name()+"\n"); n != len(in.all) {
		t.Errorf("it is in %d of %d groups: %s", n, len(in.all), text)
	}
	if populated, err := g.Populated(); err != nil || !populated {
		t.Errorf("populated %t, %v", populated, err)
	}
}

func TestAMemberMayUseTheDevices(t *testing.T) {
	ready(t, made(t, tree(t), Limits{}), "devices")
}

func TestWhatDoesNotExistIsEmptyAndRemoved(t *testing.T) {
	g := group(t, tree(t), "never-made")
	pids, err := g.PIDs(soon(t))
	populated, failed := g.Populated()
	if err := errors.Join(err, failed, g.Kill(soon(t)), g.Remove(soon(t))); err != nil || len(pids) > 0 || populated {
		t.Errorf("%v, %v, %t", err, pids, populated)
	}
}

func TestGroupsAreListedByName(t *testing.T) {
	in := tree(t)
	first, second := made(t, in, Limits{}), made(t, in, Limits{})
	want := []string{first.Name(), second.Name()}
	slices.Sort(want)
	got, err := in.Groups()
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if err := first.Remove(soon(t)); err != nil {
		t.Fatal(err)
	}
	if got, err := in.Groups(); err != nil || !slices.Equal(got, []string{second.Name()}) {
		t.Errorf("%v, %v after the removal of %s", got, err, first.Name())
	}
}

func TestAGroupWithProcessesIsNotRemoved(t *testing.T) {
	g := made(t, tree(t), Limits{})
	ready(t, g, "wait")
	if err := g.Remove(soon(t)); !errors.Is(err, ErrPopulated) {
		t.Errorf("error is %v", err)
	}
}

func TestSubgroupsAreKilledAndRemovedWithTheGroup(t *testing.T) {
	in := tree(t)
	g := made(t, in, Limits{})
	var files []string
	for _, h := range in.all {
		inner := filepath.Join(g.dir(h), "a", "b")
		if err := os.MkdirAll(inner, 0o755); err != nil {
			t.Fatal(err)
		}
		files = append(files, filepath.Join(inner, "cgroup.procs"))
	}
	command, said := join(t, files, "wait")
	if said != "ready" {
		t.Fatal(said)
	}
	if pids, err := g.PIDs(soon(t)); err != nil || !slices.Equal(pids, []int{command.Process.Pid}) {
		t.Fatalf("%v, %v, want %d", pids, err, command.Process.Pid)
	}
	if err := errors.Join(g.Kill(soon(t)), g.Remove(soon(t)), g.Remove(soon(t))); err != nil {
		t.Fatal(err)
	}
	for _, h := range in.all {
		if _, err := os.Lstat(g.dir(h)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("hierarchy %s: %v", h, err)
		}
	}
}
