package launcher

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"unsafe"
)

// launcher is a launch on its way.
type launcher struct {
	spec *Spec
	path string
}

// step is one thing to do between fork and exec.
type step struct {
	name string
	code int
	do   func(*launcher) error
}

// steps are done in this order. What is done before the word to go on can be undone by dying.
//
// The groups are joined early, with the agent's rights, which their files ask for, and before the word: what becomes a server, and whatever
// that starts, is in them from its first instruction. Limits and score come before rights are given away, since raising the one and lowering
// the other need them. The specification is the agent's, so it is removed before the user changes. The bounding set needs a capability to be
// dropped, so that comes before the user changes, which takes the capabilities away. Capabilities come after the user, since changing the user
// needs them, and are cleared also where root stays root. Then the working directory is entered once more: it must be one that the server may
// enter, while the first time tells of a missing one before anything was given away. Exec comes last.
var steps = []step{
	{"keep the agent's pipes out of the server", ExitStep, (*launcher).markPipes},
	{"close what was inherited", ExitStep, (*launcher).closeInherited},
	{"reset the signals", ExitStep, (*launcher).resetSignals},
	{"set the file mode creation mask", ExitStep, (*launcher).setUmask},
	{"join the cgroup", ExitStep, (*launcher).join},
	{"set the limits", ExitStep, (*launcher).setLimits},
	{"set the score for the out-of-memory killer", ExitStep, (*launcher).setOOMScore},
	{"enter the working directory", ExitStep, (*launcher).enter},
	{"wait for the agent", ExitNoGo, (*launcher).wait},
	{"remove the launch specification", ExitStep, (*launcher).consume},
	{"give up what could be gained", ExitStep, (*launcher).bound},
	{"become the server's user", ExitStep, (*launcher).changeUser},
	{"give up the capabilities", ExitStep, (*launcher).clearCapabilities},
	{"enter the working directory as the server's user", ExitStep, (*launcher).enter},
	{"execute the server", ExitExec, (*launcher).exec},
}

// What package syscall does not know; the number is the same on every architecture.
const (
	sysCloseRange     = 436
	closeRangeCloexec = 1 << 2
	lastFD            = 1<<31 - 1
)

func (l *launcher) markPipes() error {
	for _, fd := range []int{GoFD, StatusFD} {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFD, syscall.FD_CLOEXEC); errno != 0 {
			return fmt.Errorf("descriptor %d: %w", fd, errno)
		}
	}
	return nil
}

// closeInherited keeps from the server what the agent itself had inherited from its own parent; what the agent opened is closed by exec. The
// descriptors are marked, not closed, where the kernel can: some are this runtime's own.
func (l *launcher) closeInherited() error {
	_, _, errno := syscall.RawSyscall(sysCloseRange, StatusFD+1, lastFD, closeRangeCloexec)
	if errno == syscall.EINVAL {
		_, _, errno = syscall.RawSyscall(sysCloseRange, StatusFD+1, lastFD, 0)
	}
	if errno != 0 {
		return fmt.Errorf("close_range: %w", errno)
	}
	return nil
}

// sigaction is the kernel's struct, on amd64 and arm64 alike. Its zero value is the default disposition.
type sigaction struct {
	handler, flags, restorer, mask uint64
}

// signals is how many there are.
const signals = 64

// resetSignals undoes what the agent, or its parent, ignored or blocked: exec would hand it on.
func (l *launcher) resetSignals() error {
	byDefault := sigaction{}
	for sig := 1; sig <= signals; sig++ {
		if sig == int(syscall.SIGKILL) || sig == int(syscall.SIGSTOP) {
			continue
		}
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&byDefault)), 0, signals/8, 0, 0)
		if errno != 0 {
			return fmt.Errorf("signal %d: %w", sig, errno)
		}
	}
	const sigSetmask = 2
	none := uint64(0)
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetmask, uintptr(unsafe.Pointer(&none)), 0, signals/8, 0, 0)
	if errno != 0 {
		return fmt.Errorf("signal mask: %w", errno)
	}
	return nil
}

func (l *launcher) setUmask() error {
	syscall.Umask(l.spec.Umask)
	return nil
}

func (l *launcher) enter() error { return syscall.Chdir(string(l.spec.Dir)) }

// wait returns when the agent has recorded this process. Without its word there must be no server: nobody would know of it.
func (l *launcher) wait() error {
	var word [1]byte
	for {
		n, err := syscall.Read(GoFD, word[:])
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		default:
			return nil
		}
	}
}

func (l *launcher) consume() error { return syscall.Unlink(l.path) }

// exec becomes the server. syscall.Exec takes strings, which hold any bytes but NUL.
func (l *launcher) exec() error {
	err := syscall.Exec(string(l.spec.Executable), texts(l.spec.Args), texts(l.spec.Env))
	return fmt.Errorf("%s: %w", l.spec.Executable, err)
}

func texts(list [][]byte) []string {
	all := make([]string, len(list))
	for i, item := range list {
		all[i] = string(item)
	}
	return all
}
