package cgroup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// JoinFiles are the files into which the first, and by then only, thread of a process writes "0" to join the group, one for each hierarchy.
func (g *Group) JoinFiles() []string {
	files := make([]string, 0, len(g.tree.all))
	for _, h := range g.tree.all {
		files = append(files, g.joinFile(h))
	}
	return files
}

// joinFile is the file of one hierarchy. In version 1 it is that for threads: a thread that moves itself needs no lock for which the kernel first
// waits for all processors, some 15 ms. Other threads, as the Go runtime's, end at execve.
func (g *Group) joinFile(h *hierarchy) string {
	if h.unified {
		return filepath.Join(g.dir(h), cgroups.CgroupProcesses)
	}
	return filepath.Join(g.dir(h), "tasks")
}

// CloneInto is for whoever makes the process himself: the directory of the group of version 2 in which it can be born (clone3 with a descriptor
// of it), and the files that it then has to join. That saves the kernel's wait for all processors, 5 to 20 ms, where the files are none. Where
// nothing can be born in a group the directory is empty and the files are JoinFiles.
func (g *Group) CloneInto() (dir string, files []string) {
	for _, h := range g.tree.all {
		if h.unified && g.tree.cloneInto {
			dir = g.dir(h)
		} else {
			files = append(files, g.joinFile(h))
		}
	}
	return dir, files
}

// PIDs are the living processes of the group and its subgroups, in all hierarchies together, in order. Processes that this one cannot see are
// not among them; Populated knows of them.
func (g *Group) PIDs(ctx context.Context) ([]int, error) {
	pids, _, err := g.members(ctx)
	return pids, err
}

// Populated tells whether there are living processes in the group or its subgroups. A group that does not exist has none.
func (g *Group) Populated() (bool, error) { return g.populated(context.Background()) }

func (g *Group) populated(ctx context.Context) (bool, error) {
	pids, foreign, err := g.members(ctx)
	return len(pids) > 0 || foreign, err
}

// members lists the living processes, and tells whether there are others that cannot be named here.
func (g *Group) members(ctx context.Context) (pids []int, foreign bool, err error) {
	for _, h := range g.tree.all {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		listed, err := cgroups.GetAllPids(g.dir(h))
		if err != nil && !gone(err) {
			return nil, false, fmt.Errorf("list the processes of the cgroup %s: %w", g.name, err)
		}
		pids = append(pids, listed...)
		if h.unified {
			foreign = foreign || g.busy(h)
		}
	}
	slices.Sort(pids)
	pids = slices.Compact(pids)
	if len(pids) > 0 && pids[0] == 0 {
		// A process of another process namespace.
		foreign = true
		pids = pids[1:]
	}
	return slices.DeleteFunc(pids, func(pid int) bool { return !alive(pid) }), foreign, nil
}

// busy is what the kernel itself says of a group of version 2.
func (g *Group) busy(h *hierarchy) bool {
	text, err := cgroups.ReadFile(g.dir(h), "cgroup.events")
	return err == nil && slices.Contains(strings.Split(text, "\n"), "populated 1")
}

// gone tells whether an error says that a group does not exist, or not any more.
func gone(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) }

// alive tells whether a process has not ended. A zombie has, unless others of its threads go on without the first.
func alive(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return !gone(err) && !errors.Is(err, unix.ESRCH)
	}
	return living(text)
}

// living reads that from the text of a stat file.
func living(stat []byte) bool {
	// The name, in brackets, can have anything in it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const state, threads = 0, 17
	if len(fields) <= threads {
		return false
	}
	switch string(fields[state]) {
	case "Z", "X", "x":
		n, err := strconv.Atoi(string(fields[threads]))
		return err == nil && n > 1
	default:
		return true
	}
}
