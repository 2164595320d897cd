package main

import (
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigaction is the kernel's struct, which is the same on amd64 and arm64.
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

const (
	sigDefault = 0
	lastSignal = 64
)

// A program in Rust catches nothing but memory faults before it asks to; a Go
// program catches all from its first instruction, so init gives the signals
// back and catchInterrupt takes SIGINT again when the real server would
// (contract 1.6).
func init() {
	own := runtimeAction()
	byDefault := sigaction{handler: sigDefault}
	for sig := syscall.Signal(1); sig <= lastSignal; sig++ {
		if runtimeNeeds(sig) {
			continue
		}
		if now := swapAction(sig, nil); now.handler == own.handler {
			swapAction(sig, &byDefault)
		}
	}
	// Rust's runtime ignores SIGPIPE.
	signal.Ignore(syscall.SIGPIPE)
}

// runtimeAction is the Go runtime's own handler: SIGURG always has it,
// whatever was ignored at exec.
func runtimeAction() sigaction { return swapAction(syscall.SIGURG, nil) }

func runtimeNeeds(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGURG, syscall.SIGPROF:
		return true
	}
	// 32 and 33 belong to the C library.
	return sig == 32 || sig == 33
}

func swapAction(sig syscall.Signal, to *sigaction) sigaction {
	var old sigaction
	// The kernel refuses only SIGKILL and SIGSTOP, which stay as they are.
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig),
		uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(&old)), unsafe.Sizeof(old.mask), 0, 0)
	return old
}

// catchInterrupt installs the SIGINT handler. SigCgt shows it from here on.
func catchInterrupt() <-chan os.Signal {
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, syscall.SIGINT)
	action := runtimeAction()
	swapAction(syscall.SIGINT, &action)
	return caught
}
