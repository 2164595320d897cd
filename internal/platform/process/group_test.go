//go:build linux

package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/cgroup"
	"github.com/draas-io/draas/internal/platform"
)

// all are the processes that belong to an instance with so many children.
func (h *host) all(uid string, children int) []int {
	h.t.Helper()
	var pids []int
	until(h.t, "the children are there", func() bool { return len(h.lines(uid, "children")) == children })
	for _, line := range h.lines(uid, "children") {
		pid := number(h.t, line)
		if !lives(pid) {
			h.t.Fatalf("child %d does not live", pid)
		}
		pids = append(pids, pid)
	}
	return pids
}

func (h *host) dead(pids []int) {
	h.t.Helper()
	for _, pid := range pids {
		if lives(pid) {
			h.t.Errorf("process %d still lives: %s", pid, kernel(h.t.(*testing.T), pid, "cgroup"))
		}
	}
}

// wild is what no signal but one ends, in its own session and outside.
var wild = []string{"TS_CHILDREN=2", "TS_SETSID_CHILDREN=2", "TS_IGNORE_INT=1"}

func TestNothingOfAServerSurvivesItWhereverItWent(t *testing.T) {
	for name, end := range map[string]func(h *host, o platform.Observed){
		"a crash": func(h *host, o platform.Observed) {
			kill(h.t, o.PID, syscall.SIGKILL)
			until(h.t, "another run", func() bool { return len(h.lines("a", "starts")) == 2 })
		},
		"a stop": func(h *host, _ platform.Observed) {
			h.stop("a", 0)
			h.in("a", platform.StateStopped)
		},
		"a replacement": func(h *host, _ platform.Observed) {
			d := desired("a", "h2")
			h.ensure(d)
			h.stop("a", 0)
			h.in("a", platform.StateStopped)
		},
		"a crash while nobody looked": func(h *host, o platform.Observed) {
			h.close()
			kill(h.t, o.PID, syscall.SIGKILL)
			h.open()
			until(h.t, "another run", func() bool { return len(h.lines("a", "starts")) == 2 })
		},
		"a stop by the next agent": func(h *host, _ platform.Observed) {
			h.reopen()
			h.stop("a", 0)
			h.in("a", platform.StateStopped)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.needsGroups()
			h.ensure(desired("a", "h", wild...))
			o := h.running("a", "h")
			children := h.all("a", 4)
			for _, pid := range append(children, o.PID) {
				h.confinedIn(pid, "a")
			}
			end(h, o)
			h.dead(append(children, o.PID))
		})
	}
}

func TestAGroupGoesWithItsInstance(t *testing.T) {
	h := newHost(t)
	h.needsGroups()
	h.ensure(desired("a", "h"))
	h.running("a", "h")
	named := func() []string {
		t.Helper()
		names, err := h.d.groups.named()
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if got := named(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("groups of %v", got)
	}
	h.stop("a", patience)
	h.in("a", platform.StateStopped)
	if got := named(); len(got) != 0 {
		t.Errorf("after the stop: groups of %v", got)
	}
	h.ensure(desired("a", "h"))
	h.running("a", "h")
	h.stop("a", patience)
	h.in("a", platform.StateStopped)
	if err := h.d.Remove(t.Context(), ref("a"), false); err != nil {
		t.Fatal(err)
	}
	if got := named(); len(got) != 0 {
		t.Errorf("after the removal: groups of %v", got)
	}
}

// plantGroup makes a group of an instance that there is not, with a process in it or without.
func (h *host) plantGroup(uid string, populated bool) group {
	h.t.Helper()
	g, err := h.d.groups.at(h.d.groups.placeOf(uid))
	if err == nil {
		err = g.Make(context.Background(), cgroup.Limits{})
	}
	if err != nil {
		h.t.Fatal(err)
	}
	if populated {
		other := stranger(h.t.(*testing.T), true)
		for _, file := range g.JoinFiles() {
			if err := os.WriteFile(file, []byte(strconv.Itoa(other.PID)), 0); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	return g
}

func TestAGroupOfAnUnknownInstanceIsRemovedOnlyWhenNothingLivesInIt(t *testing.T) {
	h := newHost(t)
	h.needsGroups()
	h.plantGroup("empty", false)
	h.plantGroup("busy", true)
	h.reopen()
	names, err := h.d.groups.named()
	if err != nil || !slices.Equal(names, []string{"busy"}) {
		t.Errorf("groups of %v, %v", names, err)
	}
	g, err := h.d.groups.at(h.d.groups.placeOf("busy"))
	if err != nil {
		t.Fatal(err)
	}
	if populated, err := g.Populated(); err != nil || !populated {
		t.Errorf("what nobody proved to be ours was killed: %v", err)
	}
	if found := h.fingerprint(); found.Health != platform.HealthHealthy || !strings.Contains(found.Message, "-busy") {
		t.Errorf("%+v", found)
	}
}

func TestWhatKeptGroupsFromBeingMadeMayPass(t *testing.T) {
	g := newGroups(Options{CgroupParent: "draas"})
	refusal := errors.New("not now")
	g.open = func(string) (tree, error) {
		if refusal != nil {
			return nil, refusal
		}
		return kernelTree{}, nil
	}
	if err := g.begin(t.TempDir()); err != nil || !errors.Is(g.lost(), refusal) || g.placeOf("a") != nil {
		t.Fatalf("%v, lost for %v", err, g.lost())
	}
	refusal = nil
	g.retry()
	if g.lost() != nil || g.placeOf("a") == nil {
		t.Errorf("lost for %v", g.lost())
	}
}

func TestTwoAgentsDoNotSeeEachOthersGroups(t *testing.T) {
	a, b := newHost(t), newHost(t)
	a.needsGroups()
	a.ensure(desired("a", "h"))
	o := a.running("a", "h")
	b.reopen()
	if names, err := b.d.groups.named(); err != nil || len(names) != 0 {
		t.Errorf("groups of %v, %v", names, err)
	}
	if !lives(o.PID) {
		t.Error("the other agent's server is dead")
	}
}

func TestWithoutCgroupsAServerIsStoppedByItsSession(t *testing.T) {
	h := newHost(t, func(o *Options) { o.CgroupParent = noCgroups })
	h.ensure(desired("a", "h", "TS_CHILDREN=2"))
	o := h.running("a", "h")
	children := h.all("a", 2)
	kill(t, o.PID, syscall.SIGKILL)
	until(t, "another run", func() bool { return len(h.lines("a", "starts")) == 2 })
	h.dead(children)
	found := h.fingerprint()
	if found.Health != platform.HealthHealthy || !strings.Contains(found.Message, "a child that leaves a server's session can outlive it") {
		t.Errorf("%+v", found)
	}
}

func TestAServerOfAnotherParentIsAdoptedWithItsGroup(t *testing.T) {
	h := newHost(t)
	h.needsGroups()
	h.ensure(desired("a", "h", wild...))
	o := h.running("a", "h")
	children := h.all("a", 4)
	old := h.d.groups.placeOf("a")
	h.close()
	h.options.CgroupParent = noCgroups
	h.open()
	if again := h.running("a", "h"); again.PID != o.PID {
		t.Fatal("it was not adopted")
	}
	h.stop("a", 0)
	h.in("a", platform.StateStopped)
	h.dead(append(children, o.PID))
	g, err := h.d.groups.at(old)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range g.JoinFiles() {
		if there(file) {
			t.Errorf("%s is still there", filepath.Dir(file))
		}
	}
}

// brokenTree is a tree of which making groups fails.
type brokenTree struct {
	tree
	err error
}

type brokenGroup struct {
	group
	of *brokenTree
}

func (b *brokenTree) group(name string) (group, error) {
	g, err := b.tree.group(name)
	return &brokenGroup{group: g, of: b}, err
}

func (b *brokenGroup) Make(ctx context.Context, limits cgroup.Limits) error {
	if b.of.err != nil {
		return b.of.err
	}
	return b.group.Make(ctx, limits)
}

func TestCgroupsThatFailLaterStopNothingAndAreTriedAgain(t *testing.T) {
	h := newHost(t)
	h.needsGroups()
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	whole, err := h.d.groups.tree(h.d.groups.parent)
	if err != nil {
		t.Fatal(err)
	}
	broken := &brokenTree{tree: whole, err: unix.EROFS}
	set := func(to tree) {
		h.d.groups.mu.Lock()
		defer h.d.groups.mu.Unlock()
		h.d.groups.trees[h.d.groups.parent] = to
	}
	set(broken)
	h.ensure(desired("b", "h"))
	until(t, "the failure is told", func() bool {
		o := h.inspect("b")
		return o.StartError != nil && errors.Is(o.StartError, unix.EROFS) && strings.Contains(o.StartError.Error(), "confine the server")
	})
	if o := h.running("a", "h"); o.PID != before.PID {
		t.Error("a running server was touched")
	}
	set(whole)
	if o := h.running("b", "h"); o.StartError != nil {
		t.Errorf("%+v", o)
	}
}

func TestAGroupThatSomebodyRemovedIsMadeAgain(t *testing.T) {
	h := newHost(t)
	h.needsGroups()
	h.ensure(desired("a", "h", "TS_STOP_DELAY=1ms"))
	before := h.running("a", "h")
	g, err := h.d.groups.at(h.d.groups.placeOf("a"))
	if err != nil {
		t.Fatal(err)
	}
	// Whoever removes a group has moved its processes away before: to the root, since a group of version 2 with groups below it takes none.
	for _, file := range g.JoinFiles() {
		root := filepath.Dir(file)
		for there(filepath.Join(filepath.Dir(root), "cgroup.procs")) {
			root = filepath.Dir(root)
		}
		if err := os.WriteFile(filepath.Join(root, "cgroup.procs"), []byte(strconv.Itoa(before.PID)), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	kill(t, before.PID, syscall.SIGKILL)
	until(t, "another run", func() bool { return len(h.lines("a", "starts")) == 2 })
	h.confinedIn(h.running("a", "h").PID, "a")
}
