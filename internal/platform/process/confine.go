//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/draas-io/draas/internal/cgroup"
	"github.com/draas-io/draas/internal/launcher"
)

// confined is what the unit knows of its group.
type confined struct {
	// there says that the group may exist.
	there bool
	// limits are those that it was given, by this driver; nil: it was given none yet.
	limits *cgroup.Limits
}

// entry is how the launcher gets into its group: born in the directory of it, "" for none, and by writing itself into the files.
type entry struct {
	born  string
	files []string
}

// ownGroup is the group of what runs, or ran last; nil: it has none.
func (u *unit) ownGroup() (group, error) {
	if u.rec.Run == nil || u.rec.Run.Cgroup == nil {
		return nil, nil
	}
	return u.d.groups.at(u.rec.Run.Cgroup)
}

// confine makes the group of the next run with its limits. One that this driver made and never killed in is taken as it is, unless its memory limit
// was hit: so what is told of that after a run is of this run. It returns how the launcher gets into it, and notes in the run where the group is and
// how often the kernel killed in it so far.
func (u *unit) confine(in *input, run *run) (entry, error) {
	where := u.d.groups.placeOf(u.uid)
	if where == nil {
		return entry{}, nil
	}
	g, err := u.d.groups.at(where)
	if err == nil {
		limits := u.d.groups.limitsOf(in.Resources)
		if u.confined.limits == nil || *u.confined.limits != limits || !joinable(g) || spent(g, limits) {
			err = u.makeGroup(g, limits)
		}
	}
	if err == nil {
		run.OOMKills, err = killsIn(g)
	}
	if err != nil {
		u.confined.limits = nil
		return entry{}, err
	}
	run.Cgroup = where
	if u.d.groups.indirect.Load() {
		return entry{files: g.JoinFiles()}, nil
	}
	dir, files := g.CloneInto()
	return entry{born: dir, files: files}, nil
}

// makeGroup makes the group anew. What is left in an old one, a launcher of a dead agent's, is killed. No old one is taken again: since Linux
// 6.14 a process that is made in a group in which cgroup.kill was once used is killed, too.
func (u *unit) makeGroup(g group, limits cgroup.Limits) error {
	ctx, cancel := context.WithTimeout(context.Background(), groupPatience)
	defer cancel()
	if u.confined.there || anywhere(g) {
		_, err := u.killGroup(ctx, g)
		if err == nil {
			err = u.d.hooks.around(PointRemoveGroup, func() error { return g.Remove(ctx) })
		}
		if err != nil {
			return err
		}
	}
	u.confined.there = true
	if err := u.d.hooks.around(PointMakeGroup, func() error { return g.Make(ctx, limits) }); err != nil {
		return err
	}
	u.confined.limits = &limits
	return nil
}

// joinable tells whether a group is there in every hierarchy.
func joinable(g group) bool {
	for _, file := range g.JoinFiles() {
		if !there(file) {
			return false
		}
	}
	return true
}

// anywhere tells whether a group is there in any hierarchy.
func anywhere(g group) bool { return slices.ContainsFunc(g.JoinFiles(), there) }

// killsIn is how often the kernel killed in a group for want of memory; where it does not count that, never.
func killsIn(g group) (uint64, error) {
	kills, err := g.OOMKills()
	if errors.Is(err, errors.ErrUnsupported) {
		return 0, nil
	}
	return kills, err
}

// spent tells whether the memory limit of a group was hit, or may have been.
func spent(g group, limits cgroup.Limits) bool {
	if limits.Memory == 0 {
		return false
	}
	hit, err := g.LimitHit()
	return err != nil || hit
}

// starved tells whether the kernel has killed in the group of the run for want of memory.
func (u *unit) starved() bool {
	g, err := u.ownGroup()
	if g == nil || err != nil {
		return false
	}
	kills, err := killsIn(g)
	return err == nil && kills > u.rec.Run.OOMKills
}

// ownLimit tells whether the run has hit the memory limit of its instance; nil: that is not known.
func (u *unit) ownLimit() *bool {
	if u.rec.Current.Resources.Memory == 0 {
		return new(false)
	}
	g, err := u.ownGroup()
	if g == nil || err != nil {
		return nil
	}
	hit, err := g.LimitHit()
	if err != nil {
		return nil
	}
	return &hit
}

// killGroup kills everything in the group of what runs or ran, and tells whether there was anything left.
func (u *unit) killGroup(ctx context.Context, g group) (bool, error) {
	populated, err := g.Populated()
	if err != nil || !populated {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, groupPatience)
	defer cancel()
	u.confined.limits = nil
	return true, u.d.hooks.around(PointKillGroup, func() error { return g.Kill(ctx) })
}

// release removes the group of an instance that has no process and shall have none.
func (u *unit) release(ctx context.Context) error {
	if !u.confined.there {
		return nil
	}
	where := u.d.groups.placeOf(u.uid)
	if where == nil {
		return nil
	}
	g, err := u.d.groups.at(where)
	if err == nil {
		_, err = u.killGroup(ctx, g)
	}
	if err == nil {
		err = u.d.removeGroup(ctx, where)
	}
	if err != nil {
		return fmt.Errorf("remove the cgroup of the instance: %w", err)
	}
	u.confined = confined{}
	return nil
}

// runAs is who the server of the instance runs as; nil: who the agent does.
func (u *unit) runAs() *launcher.User {
	if u.d.users.none != nil || u.rec.User == 0 {
		return nil
	}
	return &launcher.User{UID: u.rec.User, GID: u.rec.User}
}

// settleIn gives an instance that has none a user of its own, and makes its files that user's. An instance that an earlier release made, or an
// agent without rights, comes by its user at its next start and not before.
func (u *unit) settleIn() error {
	if u.d.users.none != nil {
		return u.belong(agentUser())
	}
	if u.rec.User == 0 {
		next := u.rec
		var err error
		if next.User, err = u.d.users.choose(u.uid); err != nil {
			return err
		}
		// The journal must tell whose the files are before any of them is.
		if err := u.commit(next); err != nil {
			return err
		}
	}
	return u.belong(u.rec.User)
}

// belong makes what the server owns of its directory the user's, and the output the agent's, whoever the agent was when they were made.
func (u *unit) belong(user uint32) error {
	for dir, user := range map[string]uint32{u.home.data(): user, u.home.settings(): user, u.home.logs(): agentUser()} {
		owner, err := ownerOf(dir)
		if err != nil {
			return err
		}
		if owner == user {
			continue
		}
		if err := u.d.hooks.around(PointOwn, func() error { return give(dir, user) }); err != nil {
			if os.Geteuid() != 0 {
				err = fmt.Errorf("%w: it belongs to user %d, and this agent may not change that", err, owner)
			}
			return err
		}
	}
	return nil
}
