//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/cgroup"
	"github.com/draas-io/draas/internal/platform"
)

// there tells whether a path exists.
func there(path string) bool { return unix.Access(path, unix.F_OK) == nil }

// noCgroups is the parent that stands for no cgroups at all.
const noCgroups = "none"

// groupPatience is how long one pass waits for the kernel to kill or to remove a group. The next pass goes on.
const groupPatience = 2 * time.Second

// group is what the driver needs of a cgroup.
type group interface {
	Make(ctx context.Context, limits cgroup.Limits) error
	JoinFiles() []string
	CloneInto() (dir string, files []string)
	Populated() (bool, error)
	Kill(ctx context.Context) error
	OOMKills() (uint64, error)
	LimitHit() (bool, error)
	Remove(ctx context.Context) error
}

// tree is where groups are.
type tree interface {
	limits() cgroup.Support
	names() ([]string, error)
	group(name string) (group, error)
}

// kernelTree are the kernel's groups below a parent.
type kernelTree struct{ *cgroup.Tree }

func (t kernelTree) limits() cgroup.Support           { return t.Limits() }
func (t kernelTree) names() ([]string, error)         { return t.Groups() }
func (t kernelTree) group(name string) (group, error) { return t.Group(name) }

func openTree(parent string) (tree, error) {
	opened, err := cgroup.Open(parent)
	if err != nil {
		return nil, err
	}
	return kernelTree{opened}, nil
}

// place names a cgroup for as long as the host does not start anew.
type place struct {
	// Parent is the group below which it is, and Name its own name there.
	Parent string `json:"parent"`
	Name   string `json:"name"`
}

// groups are the cgroups of the instances of a state directory.
type groups struct {
	// parent is the one of new groups, and prefix what their names begin with: that of no other state directory.
	parent, prefix string
	// unenforced says that instances whose limits nothing enforces are taken.
	unenforced bool
	open       func(parent string) (tree, error)
	// indirect says that the kernel makes no process in a group.
	indirect atomic.Bool

	mu    sync.Mutex
	trees map[string]tree
	// why is why no group can be made; nil: they can.
	why error
}

func newGroups(o Options) *groups {
	return &groups{parent: o.CgroupParent, unenforced: o.AllowUnenforcedLimits, open: openTree, trees: map[string]tree{}}
}

// begin finds out whether groups can be made. The instances' directory tells state directories apart: no other one on the host has its number.
func (g *groups) begin(instances string) error {
	var found unix.Stat_t
	if err := unix.Stat(instances, &found); err != nil {
		return &os.PathError{Op: "stat", Path: instances, Err: err}
	}
	g.prefix = fmt.Sprintf("%x.%x-", found.Dev, found.Ino)
	g.retry()
	return nil
}

// retry finds out whether groups can be made by now. Once they could they are not given up again: what is wrong then shows where one is made.
func (g *groups) retry() {
	err := errors.New("the administrator wants none")
	if g.parent != noCgroups {
		_, err = g.tree(g.parent)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.why = err
}

// lost is why no group can be made; nil: they can.
func (g *groups) lost() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.why
}

// tree opens what is below a parent, also one of an earlier agent.
func (g *groups) tree(parent string) (tree, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if known := g.trees[parent]; known != nil {
		return known, nil
	}
	opened, err := g.open(parent)
	if err != nil {
		return nil, err
	}
	g.trees[parent] = opened
	return opened, nil
}

// placeOf is where the group of an instance is; nil: it shall have none.
func (g *groups) placeOf(uid string) *place {
	if g.lost() != nil {
		return nil
	}
	return &place{Parent: g.parent, Name: g.prefix + uid}
}

// at returns the group of a place.
func (g *groups) at(p *place) (group, error) {
	t, err := g.tree(p.Parent)
	if err != nil {
		return nil, err
	}
	return t.group(p.Name)
}

// support tells which limits can be enforced.
func (g *groups) support() cgroup.Support {
	if lost := g.lost(); lost != nil {
		return cgroup.Support{Why: lost.Error()}
	}
	t, err := g.tree(g.parent)
	if err != nil {
		return cgroup.Support{Why: err.Error()}
	}
	return t.limits()
}

// limitsOf are the kernel's limits for an instance, as far as they can be enforced.
func (g *groups) limitsOf(r platform.Resources) cgroup.Limits {
	return g.support().Within(cgroup.Limits{Memory: r.Memory, CPU: r.CPU})
}

// refuse tells of limits that nothing would enforce, unless the administrator takes them all the same.
func (g *groups) refuse(r platform.Resources) error {
	support := g.support()
	beyond := support.Beyond(cgroup.Limits{Memory: r.Memory, CPU: r.CPU})
	if len(beyond) == 0 || g.unenforced {
		return nil
	}
	for i, name := range beyond {
		beyond[i] = "spec.resources.limits." + name
	}
	return &platform.TerminalError{Code: platform.CodeLimitsRefused, Message: fmt.Sprintf(
		"%s cannot be enforced on this host: %s; take the limit away, let the agent make cgroups, or start it with --allow-unenforced-limits",
		strings.Join(beyond, " and "), support.Why)}
}

// fingerprint tells what becomes of limits.
func (g *groups) fingerprint() platform.Limits {
	switch support := g.support(); {
	case support.Memory && support.CPU:
		return platform.LimitsEnforced
	case g.unenforced:
		return platform.LimitsUnenforced
	default:
		return platform.LimitsRefused
	}
}

// note says in words what cannot be had; "": everything can.
func (g *groups) note() string {
	if lost := g.lost(); lost != nil {
		return fmt.Sprintf("servers have no cgroups, so a child that leaves a server's session can outlive it, and no limit is enforced: %v", lost)
	}
	return g.support().Why
}

// named are the instances whose groups there are, also of instances that are not known.
func (g *groups) named() ([]string, error) {
	if g.lost() != nil {
		return nil, nil
	}
	t, err := g.tree(g.parent)
	if err != nil {
		return nil, err
	}
	names, err := t.names()
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, g.prefix) })
	for i, name := range names {
		names[i] = strings.TrimPrefix(name, g.prefix)
	}
	return names, nil
}

// strays removes the groups of this state directory that are no instance's, and names those that have processes: nothing proves that these are
// ours to end, since a server always has a journal.
func (d *Driver) strays(ctx context.Context) []string {
	names, err := d.groups.named()
	if err != nil {
		d.log.Error(err, "cannot look for cgroups of unknown instances")
		return nil
	}
	var populated []string
	for _, uid := range names {
		if d.unit(uid) != nil {
			continue
		}
		where := d.groups.placeOf(uid)
		err := d.removeGroup(ctx, where)
		if errors.Is(err, cgroup.ErrPopulated) {
			populated = append(populated, where.Parent+"/"+where.Name)
			continue
		}
		if err != nil {
			d.log.Error(err, "the cgroup of an unknown instance stays", "cgroup", where.Name)
		}
	}
	return populated
}

// removeGroup removes an empty group.
func (d *Driver) removeGroup(ctx context.Context, where *place) error {
	ctx, cancel := context.WithTimeout(ctx, groupPatience)
	defer cancel()
	g, err := d.groups.at(where)
	if err != nil {
		return err
	}
	return d.hooks.around(PointRemoveGroup, func() error { return g.Remove(ctx) })
}
