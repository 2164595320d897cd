package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Remove removes the group with its subgroups from all hierarchies. One that is not there is a success. One with processes is ErrPopulated at
// once; one whose last process is only just ending is tried until ctx ends.
func (g *Group) Remove(ctx context.Context) error {
	populated, err := g.populated(ctx)
	if err == nil && populated {
		err = ErrPopulated
	}
	if err != nil {
		return fmt.Errorf("remove the cgroup %s: %w", g.name, err)
	}
	for _, h := range g.tree.all {
		if err := remove(ctx, g.dir(h)); err != nil {
			return fmt.Errorf("remove the cgroup %s: %w", g.name, err)
		}
	}
	return nil
}

// remove removes a group's directory with those of its subgroups. The files in them are the kernel's and go with them.
func remove(ctx context.Context, dir string) error {
	for pause := lookFirst; ; pause = min(2*pause, lookMost) {
		err := removeOnce(dir)
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		if ended := wait(ctx, pause); ended != nil {
			return errors.Join(err, ended)
		}
	}
}

func removeOnce(dir string) error {
	err := unix.Rmdir(dir)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	entries, listed := os.ReadDir(dir)
	if listed != nil {
		// A read-only hierarchy refuses also what is not there.
		return ignoreGone(listed)
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if err := removeOnce(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return &os.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}
