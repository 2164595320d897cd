package cgroup

import (
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
	"github.com/opencontainers/cgroups/fscommon"
)

// largestCharge is how far below its limit a group can be when the kernel kills for it: it does so for at most 2^3 pages at once
// (PAGE_ALLOC_COSTLY_ORDER).
var largestCharge = uint64(8 * os.Getpagesize())

// OOMKills is how many processes of the group and its subgroups the kernel has killed for want of memory since the group was made, be it by
// the group's limit, by that of a group above, or because the host had none left. Where that is not counted the error is errors.ErrUnsupported.
func (g *Group) OOMKills() (uint64, error) {
	h := g.tree.by["memory"]
	if h == nil {
		return 0, fmt.Errorf("count what the kernel killed for want of memory: %w", errors.ErrUnsupported)
	}
	total, err := uint64(0), error(nil)
	if h.unified {
		total, err = fs2.OOMKillCount(g.dir(h))
	} else {
		// Version 1 counts each group by itself.
		err = walk(g.dir(h), func(dir string) error {
			n, err := fs.OOMKillCount(dir)
			total += n
			return ignoreGone(err)
		})
	}
	if err := ignoreGone(err); err != nil {
		return 0, fmt.Errorf("count what the kernel killed for want of memory: %w", err)
	}
	return total, nil
}

// LimitHit tells whether the group's own memory limit has been hit since the group was made, which is why the kernel has killed in it if it has. It is
// not where the group has no limit, or ran into one above its own or into the end of the host's memory.
func (g *Group) LimitHit() (bool, error) {
	h := g.tree.by["memory"]
	if h == nil {
		return false, nil
	}
	ask := usedUp
	if h.unified {
		ask = outOfMemory
	}
	hit, err := ask(g.dir(h))
	if err := ignoreGone(err); err != nil {
		return false, fmt.Errorf("see whether the memory limit was hit: %w", err)
	}
	return hit, nil
}

// outOfMemory reads that of a group of version 2. The kernel counts as oom how often usage was at the limit and an allocation about to fail, in the
// group with that limit and in those above; memory.events.local leaves out what came from groups below (Documentation/admin-guide/cgroup-v2.rst).
// Before Linux 5.2 there was no such file, and memory.events itself was that.
func outOfMemory(dir string) (bool, error) {
	n, err := fscommon.GetValueByKey(dir, "memory.events.local", "oom")
	if gone(err) {
		n, err = fscommon.GetValueByKey(dir, "memory.events", "oom")
	}
	return n > 0, err
}

// usedUp reads that of a group of version 1 as far as it tells, which is only that all of the limit was once in use, be it by what could be reclaimed.
// Nothing there counts kills by limit: oom_kill of memory.oom_control is of any kill. memory.failcnt counts hits of the limit, but newer
// kernels count none where memory and swap have the same one (seen with 6.18). So it is the most that was ever used, memory.max_usage_in_bytes and
// memory.memsw.max_usage_in_bytes (Documentation/admin-guide/cgroup-v1/memory.rst), which is at the limit whenever the kernel kills for that.
func usedUp(dir string) (bool, error) {
	for _, of := range []string{"memory.memsw", "memory"} {
		limit, err := fscommon.GetCgroupParamUint(dir, of+".limit_in_bytes")
		if gone(err) {
			// No swap is accounted, or there is no such group.
			continue
		}
		if err != nil {
			return false, err
		}
		most, err := fscommon.GetCgroupParamUint(dir, of+".max_usage_in_bytes")
		if err != nil || most+largestCharge >= limit {
			return err == nil, err
		}
	}
	return false, nil
}
