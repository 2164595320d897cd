//go:build linux

package process

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// stateFormat is the version of the state directory's form.
const stateFormat = "1"

// uidForm is what can be the name of an instance's directory.
var uidForm = regexp.MustCompile(`^[0-9a-zA-Z-]{1,64}$`)

// layout is where things are below the state directory.
type layout struct {
	root string
}

func (l layout) lock() string      { return filepath.Join(l.root, "lock") }
func (l layout) version() string   { return filepath.Join(l.root, "version") }
func (l layout) instances() string { return filepath.Join(l.root, "instances") }
func (l layout) plugins() string   { return filepath.Join(l.root, "plugins") }
func (l layout) retained() string  { return filepath.Join(l.root, "retained") }

// instance is the directory of one instance.
func (l layout) instance(uid string) home { return home{path: filepath.Join(l.instances(), uid)} }

// home is the directory of an instance.
type home struct {
	path string
}

func (h home) journal() string { return filepath.Join(h.path, "journal.json") }
func (h home) spec() string    { return filepath.Join(h.path, "launch.json") }
func (h home) data() string    { return filepath.Join(h.path, "data") }
func (h home) logs() string    { return filepath.Join(h.path, "logs") }
func (h home) stdout() string  { return filepath.Join(h.path, "logs", "stdout.log") }
func (h home) stderr() string  { return filepath.Join(h.path, "logs", "stderr.log") }
func (h home) config() string  { return filepath.Join(h.path, "config", "server.json") }

// dotenv is a file that the server would read into its environment (contract 1.3).
func (h home) dotenv() string { return filepath.Join(h.path, "config", ".env") }

func (h home) input(seq uint64) string {
	return filepath.Join(h.path, fmt.Sprintf("input-%d.json", seq))
}

// errForeign says that something that is not ours is where the directory of an instance would be.
var errForeign = errors.New("what is there was not made by this driver")

// inspect returns errForeign where something that is not ours has the name of the instance's directory.
func (h home) inspect() error {
	found, err := os.Lstat(h.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !found.IsDir() {
		return errForeign
	}
	entries, err := os.ReadDir(h.path)
	if err != nil {
		return err
	}
	own := true
	for _, entry := range entries {
		if entry.Name() == filepath.Base(h.journal()) {
			return nil
		}
		own = own && ownName.MatchString(entry.Name())
	}
	if !own {
		return errForeign
	}
	return nil
}

// ownName is what there can be in the directory of an instance before its first journal, or after a removal that did not end.
var ownName = regexp.MustCompile(`^(config|data|logs|launch\.json|input-[0-9]+\.json|[a-z0-9.-]+\.tmp)$`)

// make makes the directories of an instance.
func (h home) make() error {
	for _, dir := range []string{h.path, filepath.Dir(h.config()), h.data(), h.logs()} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// makeFolders makes folders below the data directory, and never beside it, whatever links the server may have left there.
func (h home) makeFolders(folders []string) error {
	if len(folders) == 0 {
		return nil
	}
	root, err := os.OpenRoot(h.data())
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for _, folder := range folders {
		if err := root.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// claim makes the state directory this driver's until the returned file is closed.
func (l layout) claim() (*os.File, error) {
	for _, dir := range []string{l.root, l.instances(), l.plugins(), l.retained()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the state directory: %w", err)
		}
	}
	file, err := os.OpenFile(l.lock(), os.O_RDWR|os.O_CREATE, 0o600)
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
	// Who holds the lock is only for people to read: a full disk must not keep an agent from its servers.
	_ = file.Truncate(0)
	_ = writeAt(file, strconv.Itoa(os.Getpid())+"\n")
	if err := l.checkVersion(); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// lockPatience is how long a lock may still be held by a process that a dead agent had just made, and that has not executed anything yet.
const (
	lockPatience = 300 * time.Millisecond
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
	if len(text) == 0 { // new, or the machine lost power while it was
		return os.WriteFile(l.version(), []byte(stateFormat+"\n"), 0o600)
	}
	if found := strings.TrimSpace(string(text)); found != stateFormat {
		return fmt.Errorf("the state directory %s has form %q and this program knows only %q", l.root, found, stateFormat)
	}
	return nil
}

// writer puts files in place so that after any crash either the old or the new one is there, whole.
type writer struct {
	hooks *Hooks
}

// write replaces the file at path, durably.
func (w writer) write(point Point, path string, text []byte, mode os.FileMode) error {
	return w.replace(point, path, text, mode, func(file *os.File) error { return w.hooks.around(PointSync, file.Sync) })
}

// writeFresh replaces the file at path. It is for what is written anew before every start: a crash of the host makes it worthless.
func (w writer) writeFresh(point Point, path string, text []byte, mode os.FileMode) error {
	return w.replace(point, path, text, mode, func(*os.File) error { return nil })
}

func (w writer) replace(point Point, path string, text []byte, mode os.FileMode, sync func(*os.File) error) error {
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
		err = sync(file)
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
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the state directory: %w", err)
	}
	// Processes are recognised by their directories, of which the kernel tells no links.
	return filepath.EvalSymlinks(dir)
}
