//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// others are the processes besides the server whose sockets are the server's: all others of its group, wherever they went, and without a group
// its descendants in its session.
func others(server int, g group) []int {
	var found []int
	if g != nil {
		pids, err := grouped(g)
		if err == nil && slices.Contains(pids, server) {
			return slices.DeleteFunc(pids, func(pid int) bool { return pid == server })
		}
		// Somebody has moved the server out of its group, perhaps with others.
		found = pids
	}
	if there("/proc/thread-self/children") {
		return append(found, descendants(server, server)...)
	}
	// The kernel was built without lists of children.
	return append(found, companions(server)...)
}

// grouped are the processes of a group. One hierarchy is enough, while Group.PIDs looks into each of up to ten: what is born in a group is born in
// all, and a server cannot leave one alone. Whoever can move the server is the administrator.
func grouped(g group) ([]int, error) {
	files := g.JoinFiles()
	if len(files) == 0 {
		return nil, errors.New("the group is in no hierarchy")
	}
	return listed(filepath.Dir(files[0]))
}

// listed are the processes that the kernel lists in a directory of a hierarchy and below it.
func listed(dir string) ([]int, error) {
	text, err := os.ReadFile(dir + "/cgroup.procs")
	if err != nil {
		return nil, err
	}
	var pids []int
	for field := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("list the processes of %s: %w", dir, err)
		}
		// 0 is a process that cannot be seen from here.
		if pid != 0 {
			pids = append(pids, pid)
		}
	}
	var found unix.Stat_t
	if err := unix.Stat(dir, &found); err != nil {
		return nil, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	// The kernel counts the directory itself, its entry above, and those below.
	if found.Nlink <= 2 {
		return pids, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		below, err := listed(filepath.Join(dir, entry.Name()))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		pids = append(pids, below...)
	}
	return pids, nil
}

// companions are the other processes of the session that the server leads.
func companions(server int) []int {
	found, err := members(server)
	if err != nil {
		return nil
	}
	pids := make([]int, 0, len(found))
	for _, id := range found {
		pids = append(pids, id.PID)
	}
	return pids
}

// descendants returns the descendants of a process that are in the session, by the kernel's lists of children.
func descendants(pid, session int) []int {
	threads, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return nil
	}
	var found []int
	for _, thread := range threads {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + thread.Name() + "/children")
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				continue
			}
			if now, err := readStat(child); err == nil && now.session == session && now.alive() {
				found = append(found, child)
				found = append(found, descendants(child, session)...)
			}
		}
	}
	return found
}
