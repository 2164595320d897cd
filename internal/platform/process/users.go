//go:build linux

package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/launcher"
)

// users knows which users of the host are the instances' own.
type users struct {
	within UIDRange
	// none is why servers run as the agent's user; nil: they do not.
	none error
	// survivors says that processes can outlive their instance, so that its user is not free.
	survivors bool

	mu sync.Mutex
	// of are the users that instances have, by UID; owners the other way round.
	of     map[string]uint32
	owners map[uint32]string
	// at is where the search goes on, so that a user that was given up is not another instance's at once.
	at uint32
}

// errNoUsers says that servers shall run as the agent's user.
var errNoUsers = errors.New("no range of users is given")

// newUsers finds out whether the agent may start servers as users of the range. The search begins anywhere, so that agents which share a range
// by mistake hardly meet.
func newUsers(within UIDRange, random io.Reader) (*users, error) {
	s := &users{within: within, of: map[string]uint32{}, owners: map[uint32]string{}}
	if err := within.validate(); err != nil {
		return nil, err
	}
	if within == (UIDRange{}) {
		s.none = errNoUsers
		return s, nil
	}
	rights, err := launcher.Probe()
	if err != nil {
		return nil, err
	}
	for _, uid := range []uint32{within.First, within.Last} {
		if s.none = rights.MayBecome(launcher.User{UID: uid, GID: uid}); s.none != nil {
			return s, nil
		}
	}
	var bits [4]byte
	if _, err := io.ReadFull(random, bits[:]); err != nil {
		return nil, fmt.Errorf("get random bits: %w", err)
	}
	s.at = within.First + uint32(uint64(binary.LittleEndian.Uint32(bits[:]))%(uint64(within.Last-within.First)+1))
	return s, nil
}

// passage is the mode of a directory that leads to a server's files.
func (s *users) passage() os.FileMode {
	if s.none != nil {
		return modePrivate
	}
	return modePassage
}

// set says which user an instance has from now on; 0: none. It returns the instance that has it already.
func (s *users) set(instance string, uid uint32) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other, taken := s.owners[uid]; taken && other != instance && uid != 0 {
		return other
	}
	if had := s.of[instance]; had != 0 && had != uid {
		delete(s.owners, had)
	}
	if uid == 0 {
		delete(s.of, instance)
		return ""
	}
	s.of[instance], s.owners[uid] = uid, instance
	return ""
}

// choose returns the instance's user, or else one that nobody has, which is its own from then on.
func (s *users) choose(instance string) (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if had := s.of[instance]; had != 0 {
		return had, nil
	}
	var busy map[uint32]bool
	if s.survivors {
		var err error
		if busy, err = usersOfProcesses(); err != nil {
			return 0, fmt.Errorf("find a user for the server: %w", err)
		}
	}
	for range uint64(s.within.Last-s.within.First) + 1 {
		uid := s.at
		if s.at++; s.at > s.within.Last || s.at < s.within.First {
			s.at = s.within.First
		}
		if s.owners[uid] == "" && !busy[uid] {
			s.of[instance], s.owners[uid] = uid, instance
			return uid, nil
		}
	}
	return 0, fmt.Errorf("find a user for the server: none of %s is free", s.within)
}

// usersOfProcesses are the users of which there are processes.
func usersOfProcesses() (map[uint32]bool, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	found := map[uint32]bool{}
	for _, name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		var process unix.Stat_t
		if unix.Fstatat(int(dir.Fd()), name, &process, 0) == nil {
			found[process.Uid] = true
		}
	}
	return found, nil
}
