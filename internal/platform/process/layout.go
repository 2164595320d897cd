//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

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

func (h home) journal() string  { return filepath.Join(h.path, "journal.json") }
func (h home) spec() string     { return filepath.Join(h.path, "launch.json") }
func (h home) data() string     { return filepath.Join(h.path, "data") }
func (h home) logs() string     { return filepath.Join(h.path, "logs") }
func (h home) stdout() string   { return filepath.Join(h.path, "logs", "stdout.log") }
func (h home) stderr() string   { return filepath.Join(h.path, "logs", "stderr.log") }
func (h home) settings() string { return filepath.Join(h.path, "config") }
func (h home) config() string   { return filepath.Join(h.path, "config", "server.json") }

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

// started tells whether a server was ever started in the directory: then there is a journal, or it was lost. A removal takes these files first.
func (h home) started() bool { return there(h.config()) || there(h.stdout()) }

// remove takes the directory away, so that a removal which does not end leaves nothing that looks like a lost journal.
func (h home) remove() error {
	for _, path := range []string{h.settings(), h.logs(), h.path} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// ownName is what there can be in the directory of an instance before its first journal, or after a removal that did not end.
var ownName = regexp.MustCompile(`^(config|data|logs|launch\.json|input-[0-9]+\.json|[a-z0-9.-]+\.tmp)$`)
