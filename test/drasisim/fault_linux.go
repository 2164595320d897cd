package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// childLife ends a stubborn child that a test forgot.
const childLife = 10 * time.Minute

// roleVariable makes the executable run as a stubborn child.
const roleVariable = "DRASISIM_ROLE"

// monotonic is CLOCK_MONOTONIC in nanoseconds.
func monotonic() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0
	}
	return now.Nano()
}

// tryLock takes a lock that dies with the process.
func tryLock(path string) (file *os.File, free bool, err error) {
	file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, false, fmt.Errorf("open lock: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return file, false, nil
	}
	return file, err == nil, err
}

// spawnChildren starts children that ignore every signal they can, in this
// session and in sessions of their own.
func (f *faults) spawnChildren() error {
	for i := 0; i < f.children+f.setsidChildren; i++ {
		child := exec.CommandContext(context.Background(), "/proc/self/exe")
		child.Env = []string{roleVariable + "=child"}
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: i >= f.children}
		if err := child.Start(); err != nil {
			return fmt.Errorf("start child: %w", err)
		}
	}
	return nil
}

// beStubborn is the life of such a child.
func beStubborn() {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	time.Sleep(childLife)
}
