//go:build linux

package process

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

func TestListenersOfChildrenAreTheServers(t *testing.T) {
	for name, c := range map[string]struct {
		parent, child string
		counts        bool
	}{
		"with a group":                               {child: "TS_CHILDREN=1", counts: true},
		"with a group, outside of its session":       {child: "TS_SETSID_CHILDREN=1", counts: true},
		"without a group":                            {parent: noCgroups, child: "TS_CHILDREN=1", counts: true},
		"without a group, outside of its session":    {parent: noCgroups, child: "TS_SETSID_CHILDREN=1"},
		"moved out of its group":                     {child: "TS_CHILDREN=1", parent: "moved", counts: true},
		"moved out of its group, out of its session": {child: "TS_SETSID_CHILDREN=1", parent: "moved", counts: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, func(o *Options) {
				if c.parent == noCgroups {
					o.CgroupParent = noCgroups
				}
			})
			if c.parent != noCgroups {
				h.needsGroups()
			}
			address := netip.AddrPortFrom(apiAddress(false), freePort())
			h.ensure(desired("a", "h", c.child, "TS_CHILD_LISTEN="+address.String()))
			o := h.running("a", "h")
			child := h.all("a", 1)[0]
			until(t, "the child listens", func() bool {
				listens, err := listensOn(child, address.Port())
				return err == nil && listens
			})
			if c.parent == "moved" {
				h.moveOut("a", o.PID)
			}
			got, err := h.d.Sockets(t.Context(), ref("a"))
			if err != nil || !slices.Contains(got, o.API) || slices.Contains(got, address) != c.counts {
				t.Errorf("sockets %v, %v; the child's is %s", got, err, address)
			}
			if listens, err := listensOn(o.PID, address.Port()); listens || err != nil {
				t.Errorf("the child's socket is the server's own: %v", err)
			}
		})
	}
}

func TestTheSessionTellsOfChildrenWhereTheKernelListsNone(t *testing.T) {
	h := newHost(t, func(o *Options) { o.CgroupParent = noCgroups })
	h.ensure(desired("a", "h", wild...))
	o := h.running("a", "h")
	children := h.all("a", 4)
	want := slices.Sorted(slices.Values(children[:2]))
	for name, found := range map[string][]int{
		"session": companions(o.PID), "lists": descendants(o.PID, o.PID), "both": others(o.PID, nil),
	} {
		slices.Sort(found)
		if !slices.Equal(found, want) {
			t.Errorf("%s: %v, want %v", name, found, want)
		}
	}
}

// moveOut moves a process into the group above its own, as an administrator might.
func (h *host) moveOut(uid string, pid int) {
	h.t.Helper()
	g, err := h.d.groups.at(h.d.groups.placeOf(uid))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, file := range g.JoinFiles() {
		above := filepath.Join(filepath.Dir(filepath.Dir(file)), "cgroup.procs")
		if err := os.WriteFile(above, []byte(strconv.Itoa(pid)), 0); err != nil {
			h.t.Fatal(err)
		}
	}
}

// lostGroup is a group that cannot be listed: it is nowhere, or in no hierarchy.
type lostGroup struct {
	group
	files []string
}

func (l lostGroup) JoinFiles() []string { return l.files }

func TestAGroupThatCannotBeListedHidesNoChild(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h", "TS_CHILDREN=1"))
	o := h.running("a", "h")
	want := h.all("a", 1)
	for _, lost := range []lostGroup{{}, {files: []string{filepath.Join(t.TempDir(), "none", "cgroup.procs")}}} {
		if got := others(o.PID, lost); !slices.Equal(got, want) {
			t.Errorf("%v: %v, want %v", lost.files, got, want)
		}
	}
}

func TestAProcessOfASubgroupBelongsToTheGroup(t *testing.T) {
	h := newHost(t)
	h.needsGroups()
	h.ensure(desired("a", "h", "TS_SETSID_CHILDREN=1"))
	o := h.running("a", "h")
	child := h.all("a", 1)
	g, err := h.d.groups.at(h.d.groups.placeOf("a"))
	if err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(filepath.Dir(g.JoinFiles()[0]), "below", "deeper")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		for _, dir := range []string{filepath.Dir(below), below} {
			if text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file)); err == nil {
				_ = os.WriteFile(filepath.Join(dir, file), text, 0)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(below, "cgroup.procs"), []byte(strconv.Itoa(child[0])), 0); err != nil {
		t.Fatal(err)
	}
	if got := others(o.PID, g); !slices.Equal(got, child) {
		t.Errorf("%v, want %v", got, child)
	}
}
