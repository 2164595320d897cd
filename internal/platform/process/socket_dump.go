//go:build linux

package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// The kernel's interface for asking about sockets, sock_diag(7). Its numbers are in the machine's order, but addresses and ports.
const (
	// tcpListen is the state of a listening socket.
	tcpListen = 10
	// requestSize is that of a header and an inet_diag_req_v2.
	requestSize = unix.NLMSG_HDRLEN + 56
	// socketSize is that of an inet_diag_msg.
	socketSize = 72
	// partSize is how much the kernel tells at once at most.
	partSize = 32 << 10
	// dumpTries is how often a list is asked for that changed while the kernel made it.
	dumpTries = 5
	// dumpSeconds is how long the kernel is waited for. It has its answer ready when it takes the question.
	dumpSeconds = 2
)

// errChanged says that what the kernel told is not of one moment.
var errChanged = errors.New("the kernel's list of sockets changed each time it was read")

// refused tells whether the kernel does not let the agent ask about sockets, or cannot answer.
func refused(err error) bool {
	return slices.ContainsFunc([]error{
		unix.ENOENT, unix.EPERM, unix.EACCES, unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT, unix.ESOCKTNOSUPPORT, unix.EOPNOTSUPP, unix.ENOSYS,
	}, func(target error) bool { return errors.Is(err, target) })
}

// dump asks the kernel for the listening TCP sockets of the agent's own network, and for no others: it need not look at connections for that.
func dump() ([]socket, error) {
	all, err := ask4and6()
	if err != nil {
		return nil, fmt.Errorf("ask the kernel for listening sockets: %w", err)
	}
	return all, nil
}

func ask4and6() ([]socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: dumpSeconds}); err != nil {
		return nil, err
	}
	q := inquiry{send: func(message []byte) error {
		return unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}}
	part := make([]byte, partSize)
	q.receive = func() ([]byte, error) { return receive(fd, part) }
	var all []socket
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		found, err := q.whole(family)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// receive returns the next part that the kernel, and nobody else, has sent.
func receive(fd int, part []byte) ([]byte, error) {
	for {
		n, _, flags, from, err := unix.Recvmsg(fd, part, nil, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
			continue
		}
		if flags&unix.MSG_TRUNC != 0 {
			return nil, errors.New("a part is longer than the kernel makes them")
		}
		return part[:n], nil
	}
}

// inquiry is a conversation with the kernel.
type inquiry struct {
	send    func(message []byte) error
	receive func() ([]byte, error)
	number  uint32
}

// whole returns the listening sockets of a family, from a list that did not change while it was made.
func (q *inquiry) whole(family uint8) ([]socket, error) {
	for range dumpTries {
		q.number++
		if err := q.send(request(q.number, family)); err != nil {
			return nil, err
		}
		a := answer{number: q.number, family: family}
		for !a.done {
			part, err := q.receive()
			if err != nil {
				return nil, err
			}
			if err := a.read(part); err != nil {
				return nil, err
			}
		}
		if !a.changed {
			return a.found, nil
		}
	}
	return nil, errChanged
}

// request is the message that asks for the listening TCP sockets of a family.
func request(number uint32, family uint8) []byte {
	message := make([]byte, requestSize)
	order := binary.NativeEndian
	order.PutUint32(message[0:], requestSize)
	order.PutUint16(message[4:], unix.SOCK_DIAG_BY_FAMILY)
	order.PutUint16(message[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	order.PutUint32(message[8:], number)
	body := message[unix.NLMSG_HDRLEN:]
	body[0], body[1] = family, unix.IPPROTO_TCP
	order.PutUint32(body[4:], 1<<tcpListen)
	return message
}

// answer is what the kernel has said to one request so far.
type answer struct {
	number uint32
	family uint8
	found  []socket
	// done says that this is all, and changed that the list was another one meanwhile.
	done, changed bool
}

// read takes the messages of a part.
func (a *answer) read(part []byte) error {
	if len(part) == 0 {
		return errors.New("the kernel sent an empty part")
	}
	for len(part) > 0 {
		if len(part) < unix.NLMSG_HDRLEN {
			return fmt.Errorf("%d bytes are no message", len(part))
		}
		order := binary.NativeEndian
		length := int(order.Uint32(part[0:]))
		if length < unix.NLMSG_HDRLEN || length > len(part) {
			return fmt.Errorf("a message of %d bytes is in a part of %d", length, len(part))
		}
		kind, flags, number := order.Uint16(part[4:]), order.Uint16(part[6:]), order.Uint32(part[8:])
		body := part[unix.NLMSG_HDRLEN:length]
		part = part[min((length+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1), len(part)):]
		// The rest of an answer that was given up.
		if number != a.number {
			continue
		}
		if a.done {
			return errors.New("the kernel says more after the end")
		}
		a.changed = a.changed || flags&unix.NLM_F_DUMP_INTR != 0
		if err := a.message(kind, body); err != nil {
			return err
		}
	}
	return nil
}

// message takes one message.
func (a *answer) message(kind uint16, body []byte) error {
	switch kind {
	case unix.NLMSG_NOOP:
		return nil
	case unix.NLMSG_DONE:
		a.done = true
		return failure(body)
	case unix.NLMSG_ERROR:
		if err := failure(body); err != nil {
			return err
		}
		return errors.New("the kernel acknowledges instead of answering")
	case unix.SOCK_DIAG_BY_FAMILY:
		return a.socket(body)
	default:
		return fmt.Errorf("a message of the unknown kind %d", kind)
	}
}

// failure is the error that a message begins with; nil: success.
func failure(body []byte) error {
	const size = 4
	if len(body) < size {
		return fmt.Errorf("a result of %d bytes", len(body))
	}
	if code := int32(binary.NativeEndian.Uint32(body)); code < 0 {
		return unix.Errno(-code)
	}
	return nil
}

// socket takes a socket.
func (a *answer) socket(body []byte) error {
	if len(body) < socketSize {
		return fmt.Errorf("a socket of %d bytes", len(body))
	}
	if body[0] != a.family {
		return fmt.Errorf("a socket of family %d, not %d", body[0], a.family)
	}
	if body[1] != tcpListen {
		return nil
	}
	const port, address, inode = 4, 8, 68
	ip := netip.AddrFrom4([4]byte(body[address:]))
	if a.family == unix.AF_INET6 {
		ip = netip.AddrFrom16([16]byte(body[address:])).Unmap()
	}
	a.found = append(a.found, socket{
		address: netip.AddrPortFrom(ip, binary.BigEndian.Uint16(body[port:])), inode: uint64(binary.NativeEndian.Uint32(body[inode:])),
	})
	return nil
}
