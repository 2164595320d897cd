//go:build linux

package process

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// entry is how a new process gets into a group in every hierarchy.
//
// A process that writes itself into cgroup.procs waits for all forks of the host to end, which takes the kernel 10 ms and more. Two ways do not:
// to be made in the group, which version 2 can, and to move one thread by writing it into the file tasks, which version 1 can. The one thread
// is the launcher's first, and the only one that becomes the server.
type entry struct {
	// born is the directory of the group in which the launcher is made; "": there is none.
	born string
	// files are those into which the launcher writes itself.
	files []string
}

// enter chooses for each file of a group that a process would write itself into. Without direct, nothing is made in a group.
func enter(files []string, direct bool) entry {
	var way entry
	for _, file := range files {
		dir := filepath.Dir(file)
		tasks := filepath.Join(dir, "tasks")
		switch {
		case there(filepath.Join(dir, "cgroup.type")):
			if direct {
				way.born = dir
			} else {
				way.files = append(way.files, file)
			}
		case there(tasks):
			way.files = append(way.files, tasks)
		default:
			way.files = append(way.files, file)
		}
	}
	return way
}

func there(path string) bool { return unix.Access(path, unix.F_OK) == nil }
