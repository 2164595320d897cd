//go:build linux

package process

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// message is a message of the kernel's.
func message(kind, flags uint16, number uint32, body ...byte) []byte {
	text := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(body))
	order := binary.NativeEndian
	order.PutUint32(text[0:], uint32(unix.NLMSG_HDRLEN+len(body)))
	order.PutUint16(text[4:], kind)
	order.PutUint16(text[6:], flags)
	order.PutUint32(text[8:], number)
	return append(text, body...)
}

// result is the body of an end or an error.
func result(code int32) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(code)) }

// told is the body that tells of a socket, with attributes after it.
func told(family, state uint8, address string, inode uint32) []byte {
	at := netip.MustParseAddrPort(address)
	body := make([]byte, socketSize, socketSize+8)
	body[0], body[1] = family, state
	binary.BigEndian.PutUint16(body[4:], at.Port())
	copy(body[8:], at.Addr().AsSlice())
	binary.NativeEndian.PutUint32(body[68:], inode)
	return append(body, 5, 0, 8, 0, 0, 0, 0, 0)
}

func join(messages ...[]byte) []byte { return slices.Concat(messages...) }

func TestAnAnswerIsReadInParts(t *testing.T) {
	a := answer{number: 7, family: unix.AF_INET6}
	for _, part := range [][]byte{
		join(message(unix.SOCK_DIAG_BY_FAMILY, unix.NLM_F_MULTI, 7, told(unix.AF_INET6, tcpListen, "[2001:db8::1]:80", 11)...),
			message(unix.NLMSG_NOOP, 0, 7),
			message(unix.SOCK_DIAG_BY_FAMILY, unix.NLM_F_MULTI, 7, told(unix.AF_INET6, 1, "[2001:db8::1]:81", 12)...)),
		join(message(unix.SOCK_DIAG_BY_FAMILY, unix.NLM_F_MULTI, 6, told(unix.AF_INET6, tcpListen, "[2001:db8::1]:82", 13)...),
			message(unix.SOCK_DIAG_BY_FAMILY, unix.NLM_F_MULTI, 7, told(unix.AF_INET6, tcpListen, "[::ffff:10.1.2.3]:65535", 1<<32-1)...)),
	} {
		if err := a.read(part); err != nil || a.done {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	if err := a.read(message(unix.NLMSG_DONE, unix.NLM_F_MULTI, 7, result(0)...)); err != nil {
		t.Fatal(err)
	}
	want := []socket{{netip.MustParseAddrPort("[2001:db8::1]:80"), 11}, {netip.MustParseAddrPort("10.1.2.3:65535"), 1<<32 - 1}}
	if !a.done || a.changed || !slices.Equal(a.found, want) {
		t.Errorf("%+v, want %v", a, want)
	}
	four := answer{number: 7, family: unix.AF_INET}
	err := four.read(message(unix.SOCK_DIAG_BY_FAMILY, 0, 7, told(unix.AF_INET, tcpListen, "192.0.2.1:8080", 9)...))
	if want := []socket{{netip.MustParseAddrPort("192.0.2.1:8080"), 9}}; err != nil || !slices.Equal(four.found, want) {
		t.Errorf("%v, %v, want %v", four.found, err, want)
	}
}

func TestAMalformedAnswerIsAnError(t *testing.T) {
	good := message(unix.SOCK_DIAG_BY_FAMILY, 0, 7, told(unix.AF_INET, tcpListen, "127.0.0.1:80", 11)...)
	sized := func(length uint32) []byte {
		text := slices.Clone(good)
		binary.NativeEndian.PutUint32(text, length)
		return text
	}
	for name, c := range map[string]struct {
		part []byte
		says string
	}{
		"nothing":             {nil, "empty"},
		"half a header":       {good[:10], "10 bytes are no message"},
		"a cut message":       {good[:len(good)-1], "in a part of"},
		"a length of nothing": {sized(0), "a message of 0 bytes"},
		"too small a length":  {sized(15), "a message of 15 bytes"},
		"too great a length":  {sized(uint32(len(good)) + 1), "in a part of"},
		"an enormous length":  {sized(1<<32 - 1), "in a part of"},
		"a rest":              {join(good, []byte{1, 2, 3, 4}), "4 bytes are no message"},
		"a short socket":      {message(unix.SOCK_DIAG_BY_FAMILY, 0, 7, told(unix.AF_INET, tcpListen, "127.0.0.1:80", 1)[:71]...), "a socket of 71 bytes"},
		"no socket":           {message(unix.SOCK_DIAG_BY_FAMILY, 0, 7), "a socket of 0 bytes"},
		"another family":      {message(unix.SOCK_DIAG_BY_FAMILY, 0, 7, told(unix.AF_INET6, tcpListen, "[::1]:80", 1)...), "family 10"},
		"a short end":         {message(unix.NLMSG_DONE, 0, 7, 0, 0, 0), "a result of 3 bytes"},
		"a short error":       {message(unix.NLMSG_ERROR, 0, 7), "a result of 0 bytes"},
		"an acknowledgement":  {message(unix.NLMSG_ERROR, 0, 7, result(0)...), "acknowledges"},
		"a lost message":      {message(unix.NLMSG_OVERRUN, 0, 7), "unknown kind 4"},
		"an unknown kind":     {message(99, 0, 7), "unknown kind 99"},
		"more after the end":  {join(message(unix.NLMSG_DONE, 0, 7, result(0)...), good), "after the end"},
	} {
		a := answer{number: 7, family: unix.AF_INET}
		if err := a.read(c.part); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	for name, part := range map[string][]byte{
		"error": message(unix.NLMSG_ERROR, 0, 7, join(result(-int32(unix.ENOENT)), make([]byte, unix.NLMSG_HDRLEN))...),
		"end":   message(unix.NLMSG_DONE, 0, 7, result(-int32(unix.ENOENT))...),
	} {
		a := answer{number: 7, family: unix.AF_INET}
		if err := a.read(part); !errors.Is(err, unix.ENOENT) || !refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// kernelSays is a conversation in which every request has the next answer, and how many there were.
func kernelSays(t *testing.T, answers ...func(number uint32) []byte) (q *inquiry, asked *int) {
	t.Helper()
	asked = new(int)
	var last uint32
	return &inquiry{
		send: func(message []byte) error {
			if len(message) != requestSize || binary.NativeEndian.Uint32(message) != requestSize {
				t.Errorf("a request of %d bytes", len(message))
			}
			// Any other state has the kernel walk through all connections.
			if body := message[unix.NLMSG_HDRLEN:]; body[0] != unix.AF_INET || body[1] != unix.IPPROTO_TCP || binary.NativeEndian.Uint32(body[4:]) != 1<<tcpListen {
				t.Errorf("a request for %v", body)
			}
			last = binary.NativeEndian.Uint32(message[8:])
			*asked++
			return nil
		},
		receive: func() ([]byte, error) {
			if *asked > len(answers) {
				return nil, unix.EAGAIN
			}
			return answers[*asked-1](last), nil
		},
	}, asked
}

func TestAListThatChangedIsAskedForAgain(t *testing.T) {
	says := func(flags uint16, inode uint32) func(uint32) []byte {
		return func(number uint32) []byte {
			return join(message(unix.SOCK_DIAG_BY_FAMILY, flags, number, told(unix.AF_INET, tcpListen, "127.0.0.1:80", inode)...),
				message(unix.NLMSG_DONE, 0, number, result(0)...))
		}
	}
	q, asked := kernelSays(t, says(unix.NLM_F_DUMP_INTR, 1), says(unix.NLM_F_DUMP_INTR, 2), says(0, 3))
	if got, err := q.whole(unix.AF_INET); err != nil || len(got) != 1 || got[0].inode != 3 || *asked != 3 {
		t.Errorf("%v, %v after %d requests", got, err, *asked)
	}
	changed := slices.Repeat([]func(uint32) []byte{says(unix.NLM_F_DUMP_INTR, 1)}, dumpTries+1)
	q, asked = kernelSays(t, changed...)
	if got, err := q.whole(unix.AF_INET); !errors.Is(err, errChanged) || *asked != dumpTries {
		t.Errorf("%v, %v after %d requests", got, err, *asked)
	}
	q, _ = kernelSays(t)
	if got, err := q.whole(unix.AF_INET); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("of a kernel that says nothing: %v, %v", got, err)
	}
}
