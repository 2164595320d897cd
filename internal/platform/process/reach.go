//go:build linux

package process

import (
	"fmt"
	"os"
	"path/filepath"
)

// searchable tells why a user who owns nothing of it cannot get into a directory: it and each one above must let others search.
func searchable(dir string) error {
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	for _, way := range []string{dir, resolved} {
		for at := way; ; at = filepath.Dir(at) {
			found, err := os.Stat(at)
			if err != nil {
				return err
			}
			if found.Mode().Perm()&0o001 == 0 {
				return &unreachableError{dir: dir, at: at}
			}
			if at == filepath.Dir(at) {
				break
			}
		}
	}
	return nil
}

// unreachableError says where the way to a directory ends for others.
type unreachableError struct {
	dir, at string
}

// Error tells the remedy as well.
func (e *unreachableError) Error() string {
	return fmt.Sprintf("servers run as users of their own, which cannot get to %s, since %s lets no others in: chmod o+x %s, or choose another place, "+
		"or --uid-range=none", e.dir, e.at, e.at)
}

// runnable tells why such a user cannot execute a file.
func runnable(path string) error {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for _, name := range []string{path, resolved} {
		if err := searchable(filepath.Dir(name)); err != nil {
			return err
		}
	}
	found, err := os.Stat(path)
	if err != nil {
		return err
	}
	if found.Mode().Perm()&0o001 == 0 {
		return fmt.Errorf("servers run as users of their own, which may not execute %s: chmod o+rx %s, or --uid-range=none", path, path)
	}
	return nil
}
