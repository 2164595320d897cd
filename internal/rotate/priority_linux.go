package rotate

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// What a rotator asks for: the least priority of real time, which is before everything that has none, or else the most of what others have.
const (
	roundRobin = 2
	realTime   = 1
	mostNice   = -20
)

// prefer has all threads of this process run before others, as far as that is permitted. Threads that come later have it from those that make
// them.
func prefer() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("find the threads: %w", err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			continue
		}
		if err := preferThread(id); err != nil {
			return err
		}
	}
	return nil
}

func preferThread(id int) error {
	priority := int32(realTime)
	_, _, errno := syscall.Syscall(syscall.SYS_SCHED_SETSCHEDULER, uintptr(id), roundRobin, uintptr(unsafe.Pointer(&priority)))
	if errno == 0 {
		return nil
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, id, mostNice); err != nil {
		return fmt.Errorf("raise the priority: %w", errors.Join(os.NewSyscallError("sched_setscheduler", errno), os.NewSyscallError("setpriority", err)))
	}
	return nil
}
