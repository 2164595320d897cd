package asset

import (
	"fmt"
	"os"
	"path/filepath"
)

// install puts a filled directory in place by rename, so that nobody ever sees half of it. The caller holds the lock.
func (v versions) install(filled, cache string) (string, error) {
	if missing := incomplete(filled); missing != "" {
		return "", fmt.Errorf("install control plane binaries: %s was not made", missing)
	}
	if err := os.WriteFile(filepath.Join(filled, stampFile), []byte(v.stamp+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("stamp control plane binaries: %w", err)
	}
	dir := v.dir(cache)
	old := filled + ".old"
	if err := os.Rename(dir, old); err != nil && !os.IsNotExist(err) {
		return "", fmt.Errorf("move the previous control plane binaries away: %w", err)
	}
	if err := os.Rename(filled, dir); err != nil {
		return "", fmt.Errorf("install control plane binaries: %w", err)
	}
	if err := os.RemoveAll(old); err != nil {
		return "", fmt.Errorf("remove the previous control plane binaries: %w", err)
	}
	return dir, nil
}

// scratch makes a directory beside the final one, on the same file system, and returns what removes it.
func scratch(cache string) (string, func(), error) {
	dir, err := os.MkdirTemp(cache, ".new-")
	if err != nil {
		return "", nil, fmt.Errorf("make a scratch directory for control plane binaries: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}
