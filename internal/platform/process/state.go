//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// stateFormat is the version of the state directory's form.
const stateFormat = "1"

// claim makes the state directory this driver's until the returned file is closed. A disk that is full or cannot be written keeps no agent from
// the servers that run.
func (l layout) claim(mode os.FileMode) (*os.File, error) {
	file, err := os.OpenFile(l.lock(), os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, unix.EROFS) {
		file, err = os.OpenFile(l.lock(), os.O_RDONLY, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the state directory: %w", err)
	}
	if err := lock(file); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(file, 32))
		_ = file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("the state directory %s belongs to another agent that runs (process %s)", l.root, strings.TrimSpace(string(holder)))
		}
		return nil, fmt.Errorf("lock the state directory: %w", err)
	}
	if err := l.furnish(mode); err != nil {
		_ = file.Close()
		return nil, err
	}
	// Who holds the lock is only for people to read: a full disk must not keep an agent from its servers.
	_ = file.Truncate(0)
	_ = writeAt(file, strconv.Itoa(os.Getpid())+"\n")
	return file, nil
}

// furnish makes the directories below the root. It is done under the lock: what another agent's servers go through is not touched.
func (l layout) furnish(mode os.FileMode) error {
	for _, dir := range []string{l.root, l.instances(), l.plugins()} {
		if err := makePassage(dir, mode); err != nil && !unwritable(err) {
			return fmt.Errorf("make the state directory: %w", err)
		}
	}
	if err := makeDir(l.retained(), modePrivate); err != nil && !unwritable(err) {
		return fmt.Errorf("make the state directory: %w", err)
	}
	return nil
}

// lockPatience is how long a lock may still be held by a process that a dead agent had just made, and that has not executed anything yet: on a machine
// that has much to do it waits for its turn.
const (
	lockPatience = 5 * time.Second
	lockInterval = 5 * time.Millisecond
)

// lock locks a file for as long as it is open.
func lock(file *os.File) error {
	var err error
	poll(lockPatience, lockInterval, func() bool {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		return !errors.Is(err, unix.EWOULDBLOCK)
	})
	return err
}

// unlock gives the lock up, also where a process that is just being made shares the file.
func unlock(file *os.File) error { return unix.Flock(int(file.Fd()), unix.LOCK_UN) }

func writeAt(file *os.File, text string) error {
	_, err := file.WriteAt([]byte(text), 0)
	return err
}

// checkVersion refuses a state directory whose form is not ours: what is in it cannot be understood.
func (l layout) checkVersion() error {
	text, err := os.ReadFile(l.version())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the version of the state directory: %w", err)
	}
	if len(text) == 0 { // new, or made by an earlier release while the machine lost power
		// Whole or not at all, and no effect on an instance.
		err := writer{}.write(PointJournal, l.version(), []byte(stateFormat+"\n"), 0o600)
		if err == nil {
			err = syncDir(l.root)
		}
		if err != nil {
			return fmt.Errorf("write the version of the state directory: %w", err)
		}
		return nil
	}
	if found := strings.TrimSpace(string(text)); found != stateFormat {
		return fmt.Errorf("the state directory %s has form %q and this program knows only %q", l.root, found, stateFormat)
	}
	return nil
}

// absolute returns the state directory's path as the servers will be given it.
func absolute(ctx context.Context, dir string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if dir == "" {
		return "", errors.New("no state directory is given")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("make the state directory: %w", err)
	}
	if err := os.Mkdir(dir, modePrivate); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("make the state directory: %w", err)
	}
	// Processes are recognised by their directories, of which the kernel tells no links.
	return filepath.EvalSymlinks(dir)
}
