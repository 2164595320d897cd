//go:build linux

package process

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// needsDump skips what needs the kernel's answer.
func needsDump(t testing.TB) {
	t.Helper()
	if _, err := dump(); refused(err) {
		t.Skipf("SKIPPED: the kernel does not tell of sockets here: %v", err)
	}
}

// inodeOf is the number of the socket of a connection or listener.
func inodeOf(t testing.TB, of syscall.Conn) uint64 {
	t.Helper()
	raw, err := of.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var found unix.Stat_t
	var failed error
	if err := errors.Join(raw.Control(func(fd uintptr) { failed = unix.Fstat(int(fd), &found) }), failed); err != nil {
		t.Fatal(err)
	}
	return found.Ino
}

// listenRaw listens on an IPv6 socket that takes IPv4 connections too, which package net makes of wildcards only.
func listenRaw(t *testing.T, address netip.Addr) (socket, *os.File) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("SKIPPED: there is no IPv6 here: %v", err)
	}
	file := os.NewFile(uintptr(fd), "listener")
	t.Cleanup(func() { _ = file.Close() })
	err = errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0),
		unix.Bind(fd, &unix.SockaddrInet6{Addr: address.As16()}), unix.Listen(fd, 1))
	if err != nil {
		t.Skipf("SKIPPED: nothing can listen on %s here: %v", address, err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return socket{address: netip.AddrPortFrom(address.Unmap(), uint16(name.(*unix.SockaddrInet6).Port)), inode: inodeOf(t, file)}, file
}

// listen4 listens on any port of the IPv4 loopback.
func listen4(t testing.TB) (socket, *net.TCPListener) {
	t.Helper()
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return socket{address: netip.MustParseAddrPort(listener.Addr().String()), inode: inodeOf(t, listener)}, listener
}

// connect makes a connection to a listener, and returns both ends.
func connect(t testing.TB, to *net.TCPListener) (here, there *net.TCPConn) {
	t.Helper()
	here, err := net.DialTCP("tcp4", nil, to.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = here.Close() })
	there, err = to.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = there.Close() })
	return here, there
}

func TestListenersAreFoundAndNothingElse(t *testing.T) {
	v4, listener := listen4(t)
	v6, _ := listenRaw(t, netip.IPv6Loopback())
	wildcard, _ := listenRaw(t, netip.IPv6Unspecified())
	mapped, _ := listenRaw(t, netip.MustParseAddr("::ffff:127.0.0.1"))
	here, there := connect(t, listener)
	closed, ended := listen4(t)
	if err := ended.Close(); err != nil {
		t.Fatal(err)
	}
	ways := map[string]func() ([]socket, error){"tables": func() ([]socket, error) { return tables(os.Getpid()) }}
	if _, err := dump(); refused(err) {
		t.Logf("the kernel does not tell of sockets here: %v", err)
	} else {
		ways["dump"] = dump
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			all, err := way()
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []socket{v4, v6, wildcard, mapped} {
				if !slices.Contains(all, want) {
					t.Errorf("%+v is not found", want)
				}
			}
			not := []uint64{inodeOf(t, here), inodeOf(t, there)}
			for _, s := range all {
				if slices.Contains(not, s.inode) || s == closed {
					t.Errorf("%+v does not listen", s)
				}
			}
		})
	}
}

func TestTheDumpTellsWhatTheTablesTell(t *testing.T) {
	needsDump(t)
	own := map[uint64]bool{}
	// More than fit into one part.
	for range 600 {
		s, _ := listen4(t)
		own[s.inode] = true
	}
	for range 5 {
		s, _ := listenRaw(t, netip.IPv6Loopback())
		own[s.inode] = true
	}
	ofTest := func(all []socket, err error) []socket {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		all = slices.DeleteFunc(all, func(s socket) bool { return !own[s.inode] })
		slices.SortFunc(all, func(a, b socket) int { return int(int64(a.inode) - int64(b.inode)) })
		return all
	}
	quick, slow := ofTest(dump()), ofTest(tables(os.Getpid()))
	if len(quick) != len(own) || !slices.Equal(quick, slow) {
		t.Errorf("%d sockets: the dump tells of %d, the tables of %d", len(own), len(quick), len(slow))
	}
}

func TestWithoutPermissionTheTablesAreRead(t *testing.T) {
	want, _ := listen4(t)
	for _, errno := range []error{unix.ENOENT, unix.EPERM, unix.EACCES, unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT, unix.ENOSYS} {
		all, err := listenersBy(func() ([]socket, error) { return nil, fmt.Errorf("ask: %w", errno) }, os.Getpid())
		if err != nil || !slices.Contains(all, want) {
			t.Errorf("%v: %v, without %+v", errno, err, want)
		}
	}
	for _, failed := range []error{unix.EAGAIN, unix.ENOBUFS, errChanged} {
		if all, err := listenersBy(func() ([]socket, error) { return nil, failed }, os.Getpid()); !errors.Is(err, failed) {
			t.Errorf("%v is not told: %d sockets, %v", failed, len(all), err)
		}
	}
	if _, err := listeners(1 << 30); !errors.Is(err, errGone) {
		t.Errorf("listeners of nothing: %v", err)
	}
}

// aside starts a server's child that listens, as a process of its own with the attributes, and returns once it says that it does.
func aside(t *testing.T, address string, attributes *syscall.SysProcAttr) int {
	t.Helper()
	child := exec.Command(serverPath)
	child.Env = []string{"TS_ROLE=stubborn", "TS_CHILD_LISTEN=" + address}
	child.SysProcAttr = attributes
	output, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) {
		t.Skipf("SKIPPED: no process with a network of its own can be made here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	if line, err := bufio.NewReader(output).ReadString('\n'); err != nil || line != "listening\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	return child.Process.Pid
}

func TestAProcessOfAnotherNetworkIsSeenInItsOwn(t *testing.T) {
	needsRoot(t)
	port := freePort()
	pid := aside(t, "0.0.0.0:"+strconv.Itoa(int(port)), &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET})
	if shared, err := sharesNetwork(pid); shared || err != nil {
		t.Errorf("it shares the network: %v, %v", shared, err)
	}
	if listens, err := listensOn(pid, port); !listens || err != nil {
		t.Errorf("it listens: %v, %v", listens, err)
	}
	got, err := listenersOf(pid, nil)
	if want := netip.AddrPortFrom(apiAddress(true), port); err != nil || !slices.Equal(got, []netip.AddrPort{want}) {
		t.Errorf("it listens on %v, %v", got, err)
	}
	if shared, err := sharesNetwork(os.Getpid()); !shared || err != nil {
		t.Errorf("the test does not share its own network: %v", err)
	}
}
