package launcher

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"
)

// What package syscall does not know, from the kernel's linux/prctl.h and linux/capability.h.
const (
	prSetKeepCaps      = 8
	prCapBSetDrop      = 24
	prSetNoNewPrivs    = 38
	prCapAmbient       = 47
	prAmbientClearAll  = 4
	capChown           = 0
	capDACOverride     = 1
	capFowner          = 3
	capKill            = 5
	capSetGID          = 6
	capSetUID          = 7
	capSetPCap         = 8
	capSysPtrace       = 19
	capabilityVersion3 = 0x20080522
)

func prctl(option, argument uintptr) error {
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, option, argument, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// Everything here asks the kernel for this thread alone. It is the thread that executes the server, since a package's init runs on the main
// thread and stays there, and what it is at exec is what the server is; the runtime's other threads end there.

// unchanged is the id that means "leave it", and is nobody's.
const unchanged = ^uint32(0)

// bound gives up what exec could hand on or give back: the bounding set, the ambient set, and any gain of rights by exec. Without the
// capability to do so the bounding set stays, which is harmless: after no-new-privileges nothing can be gained from it.
func (l *launcher) bound() error {
	if err := prctl(prSetNoNewPrivs, 1); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	if err := prctl(prSetKeepCaps, 0); err != nil {
		return fmt.Errorf("keep no capabilities: %w", err)
	}
	if err := clearAmbient(); err != nil {
		return fmt.Errorf("ambient capabilities: %w", err)
	}
	held, err := capabilities()
	if err != nil {
		return fmt.Errorf("read the capabilities: %w", err)
	}
	if !held.has(capSetPCap) {
		return nil
	}
	return dropBounding()
}

// clearAmbient clears the ambient set. A kernel that does not know it has none.
func clearAmbient() error {
	err := prctl(prCapAmbient, prAmbientClearAll)
	if errors.Is(err, syscall.EINVAL) {
		return nil
	}
	return err
}

// dropBounding drops every capability that the kernel knows from the bounding set.
func dropBounding() error {
	for number := range capabilitiesMost {
		err := prctl(prCapBSetDrop, uintptr(number))
		if errors.Is(err, syscall.EINVAL) && number > 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("bounding capability %d: %w", number, err)
		}
	}
	return nil
}

// changeUser becomes the server's user. The groups go first, and the uid last: it takes the right to change the others.
func (l *launcher) changeUser() error {
	user := l.spec.User
	if user == nil {
		return nil
	}
	if user.UID == unchanged || user.GID == unchanged {
		return fmt.Errorf("user %d, group %d: %w", user.UID, user.GID, syscall.EINVAL)
	}
	uid, gid := uintptr(user.UID), uintptr(user.GID)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
		return fmt.Errorf("supplementary groups: %w", errno)
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return fmt.Errorf("group %d: %w", user.GID, errno)
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return fmt.Errorf("user %d: %w", user.UID, errno)
	}
	return nil
}

// clearCapabilities gives up all capabilities, which is always permitted.
func (l *launcher) clearCapabilities() error {
	return setCapabilities(capabilitySets{})
}

// capabilitiesMost is how many capabilities fit into the kernel's sets.
const capabilitiesMost = 64

// capabilitySets are the effective, permitted and inheritable capabilities of a thread, in the two halves that the kernel takes them in.
type capabilitySets [2]struct {
	effective, permitted, inheritable uint32
}

// capabilityHeader says of which thread, here this one, and in which form.
type capabilityHeader struct {
	version uint32
	pid     int32
}

func (s *capabilitySets) has(number int) bool {
	return s[number/32].effective&(1<<(number%32)) != 0
}

// capabilities are those of this thread.
func capabilities() (capabilitySets, error) {
	var sets capabilitySets
	header := capabilityHeader{version: capabilityVersion3}
	_, _, errno := syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets)), 0)
	if errno != 0 {
		return capabilitySets{}, errno
	}
	return sets, nil
}

func setCapabilities(sets capabilitySets) error {
	header := capabilityHeader{version: capabilityVersion3}
	_, _, errno := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
