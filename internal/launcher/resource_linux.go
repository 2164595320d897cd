package launcher

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"
)

// join makes this process, with all its threads, a member of the groups: zero means the one that writes. What it starts is born in them.
func (l *launcher) join() error {
	for _, path := range l.spec.CgroupProcs {
		if err := write(string(path), "0"); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// write writes an existing file of the kernel's in one call.
func write(path, text string) error {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_, err = syscall.Write(fd, []byte(text))
	if closed := syscall.Close(fd); err == nil {
		err = closed
	}
	return err
}

// setLimits sets the limits, each as far as is permitted unless it is required.
func (l *launcher) setLimits() error {
	for _, wanted := range l.spec.Limits {
		if err := wanted.set(syscall.Getrlimit, syscall.Setrlimit); err != nil {
			return fmt.Errorf("limit %d: %w", wanted.Resource, err)
		}
	}
	return nil
}

// rlimit reads or sets a limit of this process's.
type rlimit func(resource int, limit *syscall.Rlimit) error

func (l Limit) set(get, set rlimit) error {
	var now syscall.Rlimit
	if err := get(l.Resource, &now); err != nil {
		return err
	}
	whole := syscall.Rlimit{Cur: l.Soft, Max: max(l.Soft, now.Max)}
	if l.Cap {
		whole.Max = l.Soft
	}
	err := set(l.Resource, &whole)
	if l.Required {
		return err
	}
	most := min(l.Soft, now.Max)
	// The kernel takes no hard limit of open files above fs.nr_open, not even the one that this process has had since before that was lowered.
	for _, hard := range []uint64{now.Max, most} {
		if errors.Is(err, syscall.EPERM) {
			err = set(l.Resource, &syscall.Rlimit{Cur: most, Max: hard})
		}
	}
	if errors.Is(err, syscall.EPERM) {
		return nil
	}
	return err
}

// setOOMScore sets the score as far as is permitted: a lower one than the agent's is not.
func (l *launcher) setOOMScore() error {
	err := write("/proc/self/oom_score_adj", strconv.Itoa(l.spec.OOMScoreAdj))
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		return nil
	}
	return err
}
