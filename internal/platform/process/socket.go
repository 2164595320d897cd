//go:build linux

package process

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// socket is a listening TCP socket.
type socket struct {
	address netip.AddrPort
	inode   uint64
}

// stateListen is a listening socket's state in /proc/net/tcp.
const stateListen = "0A"

// listeners reads the listening sockets of the network that the process lives in.
func listeners(pid int) ([]socket, error) {
	var all []socket
	for _, table := range []string{"tcp", "tcp6"} {
		found, err := readTable("/proc/" + strconv.Itoa(pid) + "/net/" + table)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// readTable reads the listening sockets of a table. The kernel lists them before all others, which can be very many.
func readTable(path string) ([]socket, error) {
	file, err := os.Open(path)
	if os.IsNotExist(err) && strings.HasSuffix(path, "6") {
		return nil, nil
	}
	if err != nil {
		return nil, goneOr(err)
	}
	defer func() { _ = file.Close() }()
	var found []socket
	lines := bufio.NewScanner(file)
	for first := true; lines.Scan(); first = false {
		if first {
			continue
		}
		fields := strings.Fields(lines.Text())
		const local, state, inode = 1, 3, 9
		if len(fields) <= inode {
			return nil, fmt.Errorf("read %s: a line has too few fields", path)
		}
		if fields[state] != stateListen {
			break
		}
		address, err := parseAddress(fields[local])
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		number, err := strconv.ParseUint(fields[inode], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		found = append(found, socket{address: address, inode: number})
	}
	if err := lines.Err(); err != nil {
		return nil, goneOr(err)
	}
	return found, nil
}

// parseAddress reads an address in the kernel's form: words of four bytes in the machine's order, which is little-endian here, and the port.
func parseAddress(text string) (netip.AddrPort, error) {
	words, port, ok := strings.Cut(text, ":")
	raw, err := hex.DecodeString(words)
	if !ok || err != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", text)
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", text)
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	address, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(address.Unmap(), uint16(number)), nil
}

// sockets returns the numbers of the sockets that a process has open.
func sockets(pid int) (map[uint64]bool, error) {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	opened, err := os.Open(dir)
	if err != nil {
		return nil, goneOr(err)
	}
	names, err := opened.Readdirnames(-1)
	_ = opened.Close()
	if err != nil {
		return nil, goneOr(err)
	}
	found := map[uint64]bool{}
	for _, name := range names {
		target, err := os.Readlink(dir + "/" + name)
		if err != nil {
			continue
		}
		number, isSocket := strings.CutPrefix(target, "socket:[")
		if !isSocket {
			continue
		}
		if inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64); err == nil {
			found[inode] = true
		}
	}
	return found, nil
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
	own, err := sockets(pid)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(all, func(s socket) bool { return own[s.inode] }), nil
}

// listenersOf returns the addresses on which the process and its descendants in its session listen.
func listenersOf(pid int) ([]netip.AddrPort, error) {
	all, err := listeners(pid)
	if err != nil {
		return nil, err
	}
	own, err := sockets(pid)
	if err != nil {
		return nil, err
	}
	for _, child := range descendants(pid, pid) {
		more, err := sockets(child)
		if err != nil {
			continue
		}
		for inode := range more {
			own[inode] = true
		}
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

// descendants returns the descendants of a process that are in the session, by the kernel's lists of children.
func descendants(pid, session int) []int {
	threads, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return nil
	}
	var found []int
	for _, thread := range threads {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + thread.Name() + "/children")
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				continue
			}
			if now, err := readStat(child); err == nil && now.session == session && now.alive() {
				found = append(found, child)
				found = append(found, descendants(child, session)...)
			}
		}
	}
	return found
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
