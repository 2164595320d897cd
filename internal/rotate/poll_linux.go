package rotate

import (
	"syscall"
	"time"
	"unsafe"
)

// pollFD is the kernel's struct pollfd.
type pollFD struct {
	fd              int32
	events, revents int16
}

const pollIn = 1

// poll waits until one of two descriptors can be read or has ended, at most for a time, and tells which. A descriptor of -1 is passed over.
func poll(a, b int, limit time.Duration) (bool, bool) {
	polled := [2]pollFD{{fd: int32(a), events: pollIn}, {fd: int32(b), events: pollIn}}
	until := syscall.NsecToTimespec(limit.Nanoseconds())
	_, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&polled)), uintptr(len(polled)), uintptr(unsafe.Pointer(&until)), 0, 0, 0)
	if errno != 0 {
		return false, false
	}
	return polled[0].revents != 0, polled[1].revents != 0
}
