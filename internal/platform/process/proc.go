//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// proc is a process that cannot be mistaken for another: everything goes through its descriptor.
type proc struct {
	identity
	file *os.File
	// executed says that it is the server, no longer the launcher.
	executed bool
	// seen says that its end is noticed when it happens, so that its session's number cannot be somebody else's by then.
	seen bool
	// over says that its end has been dealt with: its number may be another process's by now.
	over atomic.Bool
}

// newProc takes the descriptor over. It must not block, so that the runtime's poller waits for it and no thread does.
func newProc(id identity, fd int) *proc {
	return &proc{identity: id, file: os.NewFile(uintptr(fd), fmt.Sprintf("process %d", id.PID))}
}

// newGone stands for a process that had ended before it could be opened.
func newGone(id identity) *proc { return &proc{identity: id} }

// close lets the process be.
func (p *proc) close() {
	if p.file != nil {
		_ = p.file.Close()
	}
}

// ended tells whether the descriptor of a process says that it has ended; a zombie has.
func ended(fd uintptr) bool {
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(polled, 0)
		if !errors.Is(err, unix.EINTR) {
			return err == nil && n == 1 && polled[0].Revents&unix.POLLIN != 0
		}
	}
}

// dead tells whether the process has ended. A closed descriptor proves nothing.
func (p *proc) dead() bool {
	if p.file == nil || p.over.Load() {
		return true
	}
	dead := false
	_ = p.control(func(fd uintptr) error {
		dead = ended(fd)
		return nil
	})
	return dead
}

// control runs f on the descriptor, which stays open meanwhile.
func (p *proc) control(f func(fd uintptr) error) error {
	if p.file == nil {
		return nil
	}
	raw, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = f(fd) }); err != nil {
		return err
	}
	return failed
}

// watch calls f when the process has ended, unless the descriptor is closed before.
func (p *proc) watch(f func()) {
	if p.file == nil {
		return
	}
	raw, err := p.file.SyscallConn()
	if err == nil {
		err = raw.Read(ended)
	}
	if err == nil {
		f()
	}
}

// signal sends a signal to the process. One that has ended is no error.
func (p *proc) signal(sig unix.Signal) error {
	err := p.control(func(fd uintptr) error { return unix.PidfdSendSignal(int(fd), sig, nil, 0) })
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// childInfo is the kernel's siginfo for SIGCHLD on 64-bit machines.
type childInfo struct {
	signo, errno, code int32
	_                  int32
	pid                int32
	uid                uint32
	status             int32
	_                  [100]byte
}

// What code in childInfo says.
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

// ending is how a process ended, as far as the kernel tells.
type ending struct {
	known  bool
	code   int32
	signal int32
}

// adoptedWait is how long the parent of an adopted process is given to reap it: the kernel tells the code only after that.
const adoptedWait = 100 * time.Millisecond

// reap takes the exit code of the ended process: of a child by waiting for it, of another by asking the kernel, which may not know.
func (p *proc) reap() ending {
	var found ending
	_ = p.control(func(fd uintptr) error {
		var isChild bool
		if found, isChild = wait(fd); !isChild {
			found = ask(fd)
		}
		return nil
	})
	return found
}

// wait reaps a child that has ended.
func wait(fd uintptr) (found ending, isChild bool) {
	var info childInfo
	for {
		_, _, errno := unix.Syscall6(unix.SYS_WAITID, unix.P_PIDFD, fd, uintptr(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOHANG, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 || info.pid == 0 {
			return ending{}, false
		}
		break
	}
	switch info.code {
	case cldExited:
		return ending{known: true, code: info.status}, true
	case cldKilled, cldDumped:
		return ending{known: true, signal: info.status}, true
	default:
		return ending{}, true
	}
}

// ask asks the kernel for the exit code of a process that is not a child. Kernels before 6.15 do not know it.
func ask(fd uintptr) ending {
	var found ending
	poll(adoptedWait, time.Millisecond, func() bool {
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		if err := unix.IoctlPidfdInfo(int(fd), &info); err != nil {
			return true
		}
		if info.Mask&unix.PIDFD_INFO_EXIT == 0 {
			return false
		}
		found = ending{known: true}
		if status := unix.WaitStatus(info.Exit_code); status.Signaled() {
			found.signal = int32(status.Signal())
		} else {
			found.code = int32(status.ExitStatus())
		}
		return true
	})
	return found
}

// poll asks until the answer is true, at most for the limit.
func poll(limit, interval time.Duration, f func() bool) {
	if f() {
		return
	}
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-deadline.C:
			return
		case <-tick.C:
			if f() {
				return
			}
		}
	}
}
