//go:build linux

package process

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/launcher"
)

// writer puts files in place so that after any crash either the old or the new one is there, whole.
type writer struct {
	hooks *Hooks
}

// write replaces the file at path. Its content is durable before it has its name.
func (w writer) write(point Point, path string, text []byte, mode os.FileMode) error {
	temporary := path + ".tmp"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	err = w.hooks.around(point, func() error {
		_, err := file.Write(text)
		return err
	})
	if err == nil {
		err = w.hooks.around(PointSync, func() error { return unix.Fdatasync(int(file.Fd())) })
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = w.hooks.around(PointRename, func() error { return os.Rename(temporary, path) })
	}
	if err != nil {
		_ = os.Remove(temporary)
	}
	return err
}

// writeFresh writes a file anew that is only read by the start which follows: whatever has the name, perhaps put there by a server, is taken away
// first, and a crash of the agent or of the host makes what was written worthless. A file system has less to do for that than for a file that
// takes the place of another. The file becomes the user's.
func (w writer) writeFresh(point Point, path string, text []byte, mode os.FileMode, user *launcher.User) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	err = w.hooks.around(point, func() error {
		_, err := file.Write(text)
		return err
	})
	if err == nil && user != nil {
		err = file.Chown(int(user.UID), int(user.GID))
	}
	return errors.Join(err, file.Close())
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	err = dir.Sync()
	if closed := dir.Close(); err == nil {
		err = closed
	}
	return err
}

// unique returns a name that nothing else has.
func unique(random io.Reader) (string, error) {
	var bits [16]byte
	if _, err := io.ReadFull(random, bits[:]); err != nil {
		return "", fmt.Errorf("get random bits: %w", err)
	}
	return hex.EncodeToString(bits[:]), nil
}

// unwritable tells whether an error says that nothing can be written for now.
func unwritable(err error) bool {
	return errors.Is(err, unix.EROFS) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}
