//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/launcher"
)

// Modes of directories. What a server with a user of its own must pass through on the way to its files lets others search, and nothing more.
const (
	modePrivate = 0o700
	modePassage = 0o711
)

// make makes the directories of an instance. What a server with a user of its own will own is its working directory and that of its
// configuration; journal, inputs and output are the agent's, and so is the directory above, so that the server can put nothing in their place.
func (h home) make(passage os.FileMode) error {
	if err := makePassage(h.path, passage); err != nil {
		return err
	}
	for _, dir := range []string{h.settings(), h.data(), h.logs()} {
		if err := makeDir(dir, modePrivate); err != nil {
			return err
		}
	}
	return nil
}

// makePassage makes a directory on the way to a server's files. One that lets others through goes on doing so: a server that was started as a
// user of its own may still go that way.
func makePassage(path string, mode os.FileMode) error {
	if found, err := os.Lstat(path); err == nil && found.IsDir() {
		mode |= found.Mode().Perm() & modePassage
	}
	return makeDir(path, mode)
}

// makeDir makes a directory, or gives that which is there the mode. The agent's file mode creation mask does not count.
func makeDir(path string, mode os.FileMode) error {
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	found, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !found.IsDir() {
		return fmt.Errorf("%s is not a directory", path)
	}
	if found.Mode().Perm() == mode {
		return nil
	}
	return os.Chmod(path, mode)
}

// makeFolders makes folders below the data directory, and never beside it, whatever links the server may have left there. They are the
// server's: also one that an agent made which died before it gave it away.
func (h home) makeFolders(folders []string, user *launcher.User) error {
	if len(folders) == 0 {
		return nil
	}
	root, err := os.OpenRoot(h.data())
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for _, folder := range folders {
		if err := makeFolder(root, folder, user); err != nil {
			return err
		}
	}
	return nil
}

// makeFolder makes a folder and those above it.
func makeFolder(root *os.Root, folder string, user *launcher.User) error {
	if above := filepath.Dir(folder); above != "." {
		if err := makeFolder(root, above, user); err != nil {
			return err
		}
	}
	if err := root.Mkdir(folder, modePrivate); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	dir, err := root.OpenFile(folder, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	if user == nil {
		return nil
	}
	var found unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &found); err != nil {
		return fmt.Errorf("look at folder %s: %w", folder, err)
	}
	if found.Uid != agentUser() {
		return nil
	}
	return dir.Chown(int(user.UID), int(user.GID))
}
