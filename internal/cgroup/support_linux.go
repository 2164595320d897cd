package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/cgroups"
)

// limiting are the controllers that enforce limits.
var limiting = []string{"memory", "cpu", "pids"}

// limitFiles are the files of a group that show that a limit can be set.
var limitFiles = map[string]struct{ v1, v2 string }{
	"memory": {"memory.limit_in_bytes", "memory.max"},
	"cpu":    {"cpu.cfs_quota_us", "cpu.max"},
	"pids":   {"pids.max", "pids.max"},
}

// makeIn makes the group in a hierarchy, and the parent with what is needed for it.
func (g *Group) makeIn(h *hierarchy) error {
	if err := os.MkdirAll(h.parent, 0o755); err != nil {
		return err
	}
	if h.unified {
		h.enable()
	}
	dir := g.dir(h)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// enable lets the groups below the parent have the controllers, as far as is permitted: what they have in the end is looked at, not assumed.
// Only what is not enabled is written, so that nothing is written once all is as it should be.
func (h *hierarchy) enable() {
	for dir := h.mount; ; {
		h.enableIn(dir)
		rest, err := filepath.Rel(dir, h.parent)
		if err != nil || rest == "." {
			return
		}
		next, _, _ := strings.Cut(rest, string(filepath.Separator))
		dir = filepath.Join(dir, next)
	}
}

func (h *hierarchy) enableIn(dir string) {
	there, _ := cgroups.ReadFile(dir, "cgroup.controllers")
	enabled, _ := cgroups.ReadFile(dir, "cgroup.subtree_control")
	for _, name := range limiting {
		if slices.Contains(strings.Fields(there), name) && !slices.Contains(strings.Fields(enabled), name) {
			_ = cgroups.WriteFile(dir, "cgroup.subtree_control", "+"+name)
		}
	}
}

// assign finds out by which hierarchy each limit is enforced, from a group that exists.
func (t *Tree) assign(probe *Group) {
	t.by = map[string]*hierarchy{}
	for _, name := range limiting {
		for _, h := range t.all {
			file := limitFiles[name].v1
			if h.unified {
				file = limitFiles[name].v2
			} else if !h.has(name) {
				continue
			}
			if cgroups.PathExists(filepath.Join(probe.dir(h), file)) {
				t.by[name] = h
			}
		}
	}
	t.support = Support{Memory: t.by["memory"] != nil, CPU: t.by["cpu"] != nil, PIDs: t.by["pids"] != nil}
}

// swaps tells whether a memory limit leaves swap out although the host has some, from a group that exists and the text of /proc/swaps.
func (t *Tree) swaps(probe *Group, text string) bool {
	h := t.by["memory"]
	if h == nil || strings.Count(strings.TrimSpace(text), "\n") == 0 {
		return false
	}
	file := swapFile
	if h.unified {
		file = "memory.swap.max"
	}
	return !cgroups.PathExists(filepath.Join(probe.dir(h), file))
}

// missing says what cannot be enforced.
func (t *Tree) missing() []string {
	var names []string
	for _, name := range limiting {
		if t.by[name] == nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("limits of %s cannot be enforced: %s", strings.Join(names, ", "), t.reason(names))}
}

// reason explains why controllers are not to be had.
func (t *Tree) reason(names []string) string {
	h := t.unified()
	if h == nil {
		return "no hierarchy with the controller is mounted and writable"
	}
	there, err := cgroups.ReadFile(h.mount, "cgroup.controllers")
	if err != nil {
		return err.Error()
	}
	for _, name := range names {
		if slices.Contains(strings.Fields(there), name) {
			return "the kernel did not let them be enabled in cgroup.subtree_control down to " + h.parent +
				", which needs the right to write there and no processes in the groups above"
		}
	}
	return "no hierarchy has the controller"
}
