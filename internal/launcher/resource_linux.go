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
		if err := wanted.set(); err != nil {
			return fmt.Errorf("limit %d: %w", wanted.Resource, err)
		}
	}
	return nil
}

func (l Limit) set() error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(l.Resource, &now); err != nil {
		return err
	}
	whole := syscall.Rlimit{Cur: l.Soft, Max: max(l.Soft, now.Max)}
	if l.Cap {
		whole.Max = l.Soft
	}
	err := syscall.Setrlimit(l.Resource, &whole)
	if err == nil || l.Required {
		return err
	}
	most := min(l.Soft, now.Max)
	return syscall.Setrlimit(l.Resource, &syscall.Rlimit{Cur: most, Max: now.Max})
}

// setOOMScore sets the score as far as is permitted: a lower one than the agent's is not.
func (l *launcher) setOOMScore() error {
	err := write("/proc/self/oom_score_adj", strconv.Itoa(l.spec.OOMScoreAdj))
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		return nil
	}
	return err
}
