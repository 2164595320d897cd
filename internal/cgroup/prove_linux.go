package cgroup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/launcher/trial"
)

// probePrefix begins the names of the groups that are made to see what is possible. No group of an instance has such a name.
const probePrefix = ".probe-"

// reachable tells whether the hierarchy really is where the mount says: another mount may hide it.
func (h *hierarchy) reachable() bool {
	var stat unix.Statfs_t
	if err := unix.Statfs(h.mount, &stat); err != nil {
		return false
	}
	if h.unified {
		return stat.Type == unix.CGROUP2_SUPER_MAGIC
	}
	return stat.Type == unix.CGROUP_SUPER_MAGIC
}

// prove makes a group in each hierarchy, lets a launcher join it, and removes it. Hierarchies in which that is not possible are left out, and
// told of; with none left there is an error.
func (t *Tree) prove(ctx context.Context) (lost []string, err error) {
	tried := slices.Clone(t.all)
	// Beside the number, by which leftovers are told: two may be tried at a time, or in two process namespaces.
	probe := &Group{tree: t, name: fmt.Sprintf("%s%d-%s", probePrefix, os.Getpid(), rand.Text())}
	defer func() { err = errors.Join(err, steady(sweep(ctx, tried, probe.name), probe.name)) }()
	var failures []error
	drop := func(h *hierarchy, err error) {
		err = steady(err, probe.name)
		failures = append(failures, fmt.Errorf("hierarchy %s: %w", h, err))
		lost = append(lost, fmt.Sprintf("the servers stay in the agent's group of hierarchy %s: %v", h, err))
	}
	t.keep(probe.makeIn, drop)
	if len(t.all) > 0 && probe.joinable(ctx, t.all) != nil {
		t.keep(func(h *hierarchy) error { return probe.joinable(ctx, []*hierarchy{h}) }, drop)
	}
	if len(t.all) == 0 {
		return nil, fmt.Errorf("%w (%d hierarchies were tried)", failures[0], len(failures))
	}
	t.assign(probe)
	// A host that does not tell has none.
	if text, err := os.ReadFile("/proc/swaps"); err == nil && t.swaps(probe, string(text)) {
		lost = append(lost, "limits of memory do not cover swap, which the kernel does not account")
	}
	t.cloneInto = probe.clonable(ctx)
	if h := t.unified(); h != nil {
		t.atOnce = cgroups.PathExists(filepath.Join(probe.dir(h), killFile))
	}
	return lost, nil
}

// probeError is an error of a try, with the same text each time: it is told to people again and again, and only what has changed is to be news.
type probeError struct {
	error
	probe string
}

// steady takes the name of the group that was made for the try out of an error's text.
func steady(err error, probe string) error {
	if err == nil {
		return nil
	}
	return &probeError{error: err, probe: probe}
}

// Error names any probe in the place of this one.
func (e *probeError) Error() string {
	return strings.ReplaceAll(e.error.Error(), e.probe, probePrefix+"*")
}

// Unwrap is what it was before.
func (e *probeError) Unwrap() error { return e.error }

// keep keeps the hierarchies with which f succeeds.
func (t *Tree) keep(f func(*hierarchy) error, drop func(*hierarchy, error)) {
	t.all = slices.DeleteFunc(t.all, func(h *hierarchy) bool {
		err := f(h)
		if err != nil {
			drop(h, err)
		}
		return err != nil
	})
}

// joinable lets a launcher join the group, as one will that becomes a server, and sees it there.
func (g *Group) joinable(ctx context.Context, in []*hierarchy) error {
	spec := trial.Spec()
	for _, h := range in {
		spec.CgroupProcs = append(spec.CgroupProcs, []byte(g.joinFile(h)))
	}
	return trial.Waiting(ctx, spec, nil, func(pid int) (bool, error) { return g.lists(pid, in) })
}

// clonable tells whether a launcher can be born in the group of version 2.
func (g *Group) clonable(ctx context.Context) bool {
	h := g.tree.unified()
	if h == nil {
		return false
	}
	dir, err := os.Open(g.dir(h))
	if err != nil {
		return false
	}
	defer func() { _ = dir.Close() }()
	return trial.Waiting(ctx, trial.Spec(), dir, func(pid int) (bool, error) { return g.lists(pid, []*hierarchy{h}) }) == nil
}

func (g *Group) lists(pid int, in []*hierarchy) (bool, error) {
	for _, h := range in {
		pids, err := cgroups.GetPids(g.dir(h))
		if err != nil || !slices.Contains(pids, pid) {
			return false, err
		}
	}
	return true, nil
}

// sweep removes the group that was made to see what is possible, and those of agents that died meanwhile.
func sweep(ctx context.Context, all []*hierarchy, own string) error {
	var failed error
	for _, h := range all {
		entries, err := os.ReadDir(h.parent)
		failed = errors.Join(failed, ignoreGone(err))
		for _, entry := range entries {
			if name := entry.Name(); entry.IsDir() && (name == own || abandoned(name)) {
				failed = errors.Join(failed, remove(ctx, filepath.Join(h.parent, entry.Name())))
			}
		}
	}
	return failed
}

// abandoned tells whether a group was made to see what is possible, by a process that has ended.
func abandoned(name string) bool {
	made, isProbe := strings.CutPrefix(name, probePrefix)
	number, _, _ := strings.Cut(made, "-")
	pid, err := strconv.Atoi(number)
	return isProbe && err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}
