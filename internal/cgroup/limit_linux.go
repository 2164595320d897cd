package cgroup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
)

// period is the time over which the kernel measures the use of the processors, in microseconds, and leastQuota what it takes for it at least.
const (
	period     = 100_000
	leastQuota = 1_000
)

// oneAtATime is held while the library sets limits: its controllers are package variables, and one of them notes at the first use which files there
// are, without a lock of its own.
var oneAtATime sync.Mutex

// swapFile is the file of a group of version 1 that limits memory and swap together.
const swapFile = "memory.memsw.limit_in_bytes"

// Make makes the group, or takes the one that is there, and sets exactly these limits: what is zero is unlimited from now on. A limit that
// cannot be enforced is an error. A group without processes is thawed.
//
// A memory limit below what the processes use is an error with version 1, and makes the kernel kill them with version 2.
func (g *Group) Make(ctx context.Context, limits Limits) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if beyond := g.tree.support.Beyond(limits); len(beyond) > 0 {
		return fmt.Errorf("cgroup %s: limits of %s cannot be enforced: %s", g.name, strings.Join(beyond, ", "), g.tree.support.Why)
	}
	for _, h := range g.tree.all {
		if err := g.makeIn(h); err != nil {
			return fmt.Errorf("make the cgroup %s: %w", g.name, err)
		}
	}
	populated, err := g.populated(ctx)
	if err == nil && !populated {
		// What joined a frozen group would never run.
		err = g.thaw()
	}
	if err == nil {
		err = g.limit(limits)
	}
	if err != nil {
		return fmt.Errorf("make the cgroup %s: %w", g.name, err)
	}
	return nil
}

// limit sets the limits, in each hierarchy those that it enforces.
func (g *Group) limit(limits Limits) error {
	for _, h := range g.tree.all {
		wanted := g.resources(h, limits)
		if wanted == nil {
			continue
		}
		manager, err := g.manager(h, wanted)
		if err != nil {
			return err
		}
		if err := set(manager, wanted); err != nil {
			return fmt.Errorf("set the limits: %w", err)
		}
	}
	return nil
}

func set(manager cgroups.Manager, wanted *cgroups.Resources) error {
	oneAtATime.Lock()
	defer oneAtATime.Unlock()
	return manager.Set(wanted)
}

// manager writes the files of one hierarchy. It is not given rules for devices, so the group has those of its parent: a server may use the
// devices that the agent may.
func (g *Group) manager(h *hierarchy, wanted *cgroups.Resources) (cgroups.Manager, error) {
	config := &cgroups.Cgroup{Path: g.name, Resources: wanted}
	if h.unified {
		return fs2.NewManager(config, g.dir(h))
	}
	paths := map[string]string{}
	for _, controller := range h.controllers {
		paths[controller] = g.dir(h)
	}
	return fs.NewManager(config, paths)
}

// resources are the limits that a hierarchy enforces, in the library's terms; nil when it enforces none.
func (g *Group) resources(h *hierarchy, limits Limits) *cgroups.Resources {
	wanted := &cgroups.Resources{}
	some := false
	if g.tree.by["memory"] == h {
		some = true
		wanted.Memory = orUnlimited(limits.Memory)
		if h.unified {
			wanted.Unified = g.together(h)
		}
		if h.unified || cgroups.PathExists(filepath.Join(g.dir(h), swapFile)) {
			wanted.MemorySwap = wanted.Memory
		}
	}
	if g.tree.by["cpu"] == h {
		some = true
		wanted.CpuPeriod, wanted.CpuQuota = period, quota(limits.CPU)
	}
	if g.tree.by["pids"] == h {
		some = true
		most := orUnlimited(limits.PIDs)
		wanted.PidsLimit = &most
	}
	if !some {
		return nil
	}
	return wanted
}

// together makes the out-of-memory killer end all of a group or nothing: half a server is of no use.
func (g *Group) together(h *hierarchy) map[string]string {
	const file = "memory.oom.group"
	if _, err := os.Lstat(filepath.Join(g.dir(h), file)); err != nil {
		return nil
	}
	return map[string]string{file: "1"}
}

// orUnlimited is the library's number for a limit.
func orUnlimited(limit int64) int64 {
	if limit <= 0 {
		return -1
	}
	return limit
}

// quota is how much of a period a number of thousandths of a core is.
func quota(thousandths int64) int64 {
	if thousandths <= 0 {
		return -1
	}
	return max(thousandths*period/1000, leastQuota)
}
