package cgroup

import (
	"errors"
	"fmt"

	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
)

// OOMKills is how many processes of the group and its subgroups the kernel has killed for want of memory since the group was made, be it by
// the group's limit or because the host had none left. Where that is not counted the error is errors.ErrUnsupported.
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
