//go:build linux

package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// identity names a process for as long as the host does not start anew: a process id alone may be another process's by now.
type identity struct {
	PID int `json:"pid"`
	// StartTime is field 22 of /proc/PID/stat, in clock ticks since the host started.
	StartTime uint64 `json:"startTime"`
}

// errGone says that a process is not there any more.
var errGone = errors.New("no such process")

// stat is what the driver needs of /proc/PID/stat.
type stat struct {
	state     byte
	ppid      int
	session   int
	startTime uint64
}

// alive tells whether the process can still do anything: a zombie cannot.
func (s stat) alive() bool { return s.state != 'Z' && s.state != 'X' && s.state != 'x' }

// readStat reads /proc/PID/stat. The error is errGone where there is no such process.
func readStat(pid int) (stat, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, goneOr(err)
	}
	return parseStat(text)
}

// goneOr turns what /proc says of a process that has ended into errGone.
func goneOr(err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return errGone
	}
	return err
}

// parseStat takes the fields apart. The command's name is in brackets and may hold any character, so fields are counted from the last one.
func parseStat(text []byte) (stat, error) {
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return stat{}, fmt.Errorf("stat of a process without a name: %q", text)
	}
	const firstField, startTimeField = 3, 22
	fields := bytes.Fields(text[end+1:])
	if len(fields) <= startTimeField-firstField {
		return stat{}, fmt.Errorf("stat of a process with too few fields: %q", text)
	}
	var found stat
	var err error
	number := func(field int) uint64 {
		n, failed := strconv.ParseUint(string(fields[field-firstField]), 10, 64)
		err = errors.Join(err, failed)
		return n
	}
	found.state = fields[0][0]
	found.ppid = int(number(4))
	found.session = int(number(6))
	found.startTime = number(startTimeField)
	return found, err
}

// readBootID returns what tells this run of the host from all others.
func readBootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// find opens a process by its identity. The error is errGone where the process id is nobody's, or another process's.
//
// The descriptor comes first: then the start time that is read afterwards is that of the descriptor's process, or of a later one.
func find(id identity) (*proc, error) {
	fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) {
		return nil, errGone
	}
	if err != nil {
		// The number may be that of another process's thread by now: kernels differ in what they say then.
		if now, gone := readStat(id.PID); errors.Is(gone, errGone) || gone == nil && now.startTime != id.StartTime {
			return nil, errGone
		}
		return nil, fmt.Errorf("open process %d: %w", id.PID, err)
	}
	now, err := readStat(id.PID)
	if err == nil && now.startTime != id.StartTime {
		err = errGone
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return newProc(id, fd), nil
}
