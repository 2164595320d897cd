package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// How often a kill looks whether it is done.
const (
	lookFirst = 500 * time.Microsecond
	lookMost  = 20 * time.Millisecond
)

// killFile is the file of a group of version 2, of kernel 5.14 and later, by which it is killed.
const killFile = "cgroup.kill"

// Kill kills everything in the group and its subgroups, and returns when nothing lives in it any more, or when ctx ends. Nothing escapes by
// forking meanwhile, by ignoring signals, or by having been frozen.
func (g *Group) Kill(ctx context.Context) error {
	for pause := lookFirst; ; pause = min(2*pause, lookMost) {
		populated, err := g.populated(context.WithoutCancel(ctx))
		if err == nil && !populated {
			return nil
		}
		// Where the kernel can kill all at once it does; what that does not reach is found one by one.
		direct := g.killAtOnce()
		if err == nil && (!direct || pause >= lookMost) {
			err = g.killEach(ctx)
		}
		if err = errors.Join(err, g.thaw()); err != nil {
			return fmt.Errorf("kill the cgroup %s: %w", g.name, err)
		}
		if err := wait(ctx, pause); err != nil {
			pids, _ := g.PIDs(context.WithoutCancel(ctx))
			return fmt.Errorf("kill the cgroup %s: processes %v still live: %w", g.name, pids, err)
		}
	}
}

// killAtOnce kills the group of version 2 with one write, which also reaches what is being forked, and tells whether it could.
func (g *Group) killAtOnce() bool {
	return g.tree.atOnce && cgroups.WriteFile(g.dir(g.tree.unified()), killFile, "1") == nil
}

// killEach freezes the group, so that nothing is forked meanwhile, and kills what is in it. The caller thaws it. Where it cannot be frozen,
// what escapes by forking is found the next time.
func (g *Group) killEach(ctx context.Context) error {
	g.freeze()
	pids, err := g.PIDs(ctx)
	if err != nil {
		return err
	}
	open := map[int]int{}
	defer func() {
		for _, fd := range open {
			_ = unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			open[pid] = fd
		}
	}
	// A number may have become another process's before it was opened, but not if it still is listed now.
	still, err := g.PIDs(ctx)
	if err != nil {
		return err
	}
	for pid, fd := range open {
		if !slices.Contains(still, pid) || pid == os.Getpid() {
			continue
		}
		if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("process %d: %w", pid, err)
		}
	}
	return nil
}

// freeze stops everything in the group where that can be done.
func (g *Group) freeze() {
	for _, h := range g.tree.all {
		if !h.unified && !h.has("freezer") {
			continue
		}
		manager, err := g.manager(h, &cgroups.Resources{})
		if err == nil {
			err = manager.Freeze(cgroups.Frozen)
		}
		if err == nil {
			return
		}
	}
}

// thaw lets the group and its subgroups go on, whoever froze them: what is frozen does not die with version 1.
func (g *Group) thaw() error {
	for _, h := range g.tree.all {
		file, frozen, thawed := "freezer.self_freezing", "1", string(cgroups.Thawed)
		into := "freezer.state"
		if h.unified {
			file, into, thawed = "cgroup.freeze", "cgroup.freeze", "0"
		} else if !h.has("freezer") {
			continue
		}
		err := walk(g.dir(h), func(dir string) error {
			now, err := cgroups.ReadFile(dir, file)
			if err != nil || strings.TrimSpace(now) != frozen {
				return ignoreGone(err)
			}
			return ignoreGone(cgroups.WriteFile(dir, into, thawed))
		})
		if err != nil {
			return fmt.Errorf("thaw: %w", err)
		}
	}
	return nil
}

func ignoreGone(err error) error {
	if gone(err) {
		return nil
	}
	return err
}

// walk calls f with a group's directory and those of its subgroups, the outer first. What vanishes meanwhile does not matter.
func walk(dir string, f func(dir string) error) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return ignoreGone(err)
		case entry.IsDir():
			return f(path)
		default:
			return nil
		}
	})
}

// wait waits for the pause or for the end of ctx.
func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
