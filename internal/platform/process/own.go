//go:build linux

package process

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// deepest is how deep below a directory of a server files are given away: each level holds a descriptor.
const deepest = 256

// agentUser is who the agent runs as.
func agentUser() uint32 { return uint32(os.Geteuid()) }

// give makes a directory of an instance, with all that is in it, the user's. The directory itself comes last: as long as it is not the user's,
// something in it may not be either. Only what belonged to its owner is given away, since a server can plant names of other users' files; and
// no link is ever followed. It must not be called while the server lives.
func give(path string, to uint32) error {
	dir, found, err := openDir(path)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	if found.Uid == to && found.Gid == to {
		return nil
	}
	if err := giveBelow(dir, found, found.Uid, to, 0); err != nil {
		return fmt.Errorf("give %s to user %d: %w", path, to, err)
	}
	return dir.Chown(int(to), int(to))
}

// takeBack makes a directory of an instance, with all that is in it, the agent's. The directory itself comes first: a start that finds it so
// gives all of it to its user again.
func takeBack(path string, from uint32) error {
	dir, found, err := openDir(path)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	own := agentUser()
	if from == own {
		return nil
	}
	if err := dir.Chown(int(own), os.Getegid()); err != nil {
		return err
	}
	if err := giveBelow(dir, found, from, own, 0); err != nil {
		return fmt.Errorf("take %s from user %d: %w", path, from, err)
	}
	return dir.Chmod(modePrivate)
}

// ownerOf is who owns a directory.
func ownerOf(path string) (uint32, error) {
	dir, found, err := openDir(path)
	if err != nil {
		return 0, err
	}
	return found.Uid, dir.Close()
}

// openDir opens a directory, never by a link.
func openDir(path string) (*os.File, *unix.Stat_t, error) {
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, err
	}
	found := &unix.Stat_t{}
	if err := unix.Fstat(int(dir.Fd()), found); err != nil {
		_ = dir.Close()
		return nil, nil, fmt.Errorf("look at %s: %w", path, err)
	}
	return dir, found, nil
}

// giveBelow gives away what is below a directory on the same file system.
func giveBelow(dir *os.File, at *unix.Stat_t, from, to uint32, depth int) error {
	if depth > deepest {
		return fmt.Errorf("it is more than %d levels deep", deepest)
	}
	for {
		names, err := dir.Readdirnames(256)
		for _, name := range names {
			if err := giveOne(dir, at, name, from, to, depth); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// giveOne gives away one name: what was looked at is what is given, whatever has the name by then.
func giveOne(dir *os.File, at *unix.Stat_t, name string, from, to uint32, depth int) error {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %q: %w", name, err)
	}
	defer func() { _ = unix.Close(fd) }()
	var found unix.Stat_t
	if err := unix.Fstat(fd, &found); err != nil {
		return fmt.Errorf("look at %q: %w", name, err)
	}
	if found.Dev != at.Dev {
		return nil
	}
	if found.Mode&unix.S_IFMT == unix.S_IFDIR {
		if err := giveDir(fd, &found, name, from, to, depth+1); err != nil {
			return err
		}
	}
	if found.Uid != from {
		return nil
	}
	if err := unix.Fchownat(fd, "", int(to), int(to), unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("change the owner of %q: %w", name, err)
	}
	return nil
}

func giveDir(fd int, at *unix.Stat_t, name string, from, to uint32, depth int) error {
	below, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %q: %w", name, err)
	}
	dir := os.NewFile(uintptr(below), name)
	defer func() { _ = dir.Close() }()
	return giveBelow(dir, at, from, to, depth)
}
