//go:build linux

package process

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// socket is a listening TCP socket.
type socket struct {
	address netip.AddrPort
	inode   uint64
}

// listeners returns the listening sockets of the network that the process lives in.
func listeners(pid int) ([]socket, error) { return listenersBy(dump, pid) }

// listenersBy takes them from the dump where that is of the process's network, and else from the process's tables.
func listenersBy(dump func() ([]socket, error), pid int) ([]socket, error) {
	shared, err := sharesNetwork(pid)
	if err != nil {
		return nil, err
	}
	if shared {
		if all, err := dump(); !refused(err) {
			return all, err
		}
	}
	return tables(pid)
}

// sharesNetwork tells whether the process lives in the network namespace that the agent does. False may also mean that this cannot be seen.
func sharesNetwork(pid int) (bool, error) {
	// A kernel without network namespaces has no such file for the agent either.
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return false, nil
	}
	other, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/net")
	if errors.Is(goneOr(err), errGone) {
		return false, errGone
	}
	return err == nil && other == own, nil
}

// sockets adds the numbers of the sockets that a process has open.
func sockets(pid int, found map[uint64]bool) error {
	dir, err := os.Open("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return goneOr(err)
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return goneOr(err)
	}
	at := int(dir.Fd())
	// The name of a socket is shorter; what is longer is cut, and none.
	var name [64]byte
	for _, descriptor := range names {
		n, err := unix.Readlinkat(at, descriptor, name[:])
		if err != nil {
			continue
		}
		number, isSocket := strings.CutPrefix(string(name[:n]), "socket:[")
		if !isSocket {
			continue
		}
		if inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64); err == nil {
			found[inode] = true
		}
	}
	return nil
}

// listensOn tells whether the process itself, no other one, listens on the port.
func listensOn(pid int, port uint16) (bool, error) {
	all, err := listeners(pid)
	if err != nil {
		return false, err
	}
	all = slices.DeleteFunc(all, func(s socket) bool { return s.address.Port() != port })
	if len(all) == 0 {
		return false, nil
	}
	own := map[uint64]bool{}
	if err := sockets(pid, own); err != nil {
		return false, err
	}
	return slices.ContainsFunc(all, func(s socket) bool { return own[s.inode] }), nil
}

// listenersOf returns the addresses on which the process and what belongs to it listen; g is its group, nil: it has none.
func listenersOf(pid int, g group) ([]netip.AddrPort, error) {
	all, err := listeners(pid)
	if err != nil {
		return nil, err
	}
	own := map[uint64]bool{}
	if err := sockets(pid, own); err != nil {
		return nil, err
	}
	for _, other := range others(pid, g) {
		// One that has ended meanwhile has no sockets.
		_ = sockets(other, own)
	}
	var found []netip.AddrPort
	for _, s := range all {
		if own[s.inode] {
			found = append(found, s.address)
		}
	}
	slices.SortFunc(found, netip.AddrPort.Compare)
	return slices.Compact(found), nil
}

// handlesInterrupt tells whether the process has a handler for SIGINT (contract 1.6).
func handlesInterrupt(pid int) (bool, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return false, goneOr(err)
	}
	for line := range strings.Lines(string(text)) {
		mask, ok := strings.CutPrefix(line, "SigCgt:")
		if !ok {
			continue
		}
		caught, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
		if err != nil {
			return false, fmt.Errorf("read the signals that process %d catches: %w", pid, err)
		}
		const interrupt = 1 << (2 - 1)
		return caught&interrupt != 0, nil
	}
	return false, fmt.Errorf("read the signals that process %d catches: there is no SigCgt", pid)
}
