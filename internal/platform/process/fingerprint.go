//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/platform"
)

// Fingerprint tells which executables are there, whether servers can reach their files, and what of their isolation this host cannot give.
func (d *Driver) Fingerprint(ctx context.Context) (platform.Fingerprint, error) {
	end, err := d.begin(ctx)
	if err != nil {
		return platform.Fingerprint{}, err
	}
	defer end()
	d.groups.retry()
	found := platform.Fingerprint{Health: platform.HealthHealthy, Limits: d.groups.fingerprint()}
	notes := d.notes(ctx)
	if found.Versions, err = d.executables.versions(ctx); err == nil {
		err = d.usable()
	}
	if err != nil {
		found.Health, notes = platform.HealthUnhealthy, append([]string{err.Error()}, notes...)
	}
	found.Message = strings.Join(notes, "; ")
	return found, nil
}

// usable tells why no server can be started whatever its inputs are.
func (d *Driver) usable() error {
	if err := unix.Access(d.layout.root, unix.W_OK); err != nil {
		return fmt.Errorf("the state directory %s cannot be written to: %w", d.layout.root, err)
	}
	if d.plugins.from != "" {
		if err := loadable(d.layout.plugins()); err != nil {
			return err
		}
	}
	return d.passable()
}

// loadable tells why no server can load a plugin from a directory: from a file system that is mounted with noexec the kernel maps no code.
func loadable(dir string) error {
	var found unix.Statfs_t
	if err := unix.Statfs(dir, &found); err != nil {
		return &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if found.Flags&unix.ST_NOEXEC != 0 {
		return fmt.Errorf("no plugin can be loaded from %s, whose file system is mounted with noexec: mount it with exec, or give the agent another --state-dir", dir)
	}
	return nil
}

// passable tells why servers with users of their own cannot get to their files.
func (d *Driver) passable() error {
	if d.users.none != nil {
		return nil
	}
	return errors.Join(searchable(d.layout.instances()), searchable(d.layout.plugins()))
}

// notes say in words what this host cannot give.
func (d *Driver) notes(ctx context.Context) []string {
	var notes []string
	if err := d.users.none; err != nil && !errors.Is(err, errNoUsers) {
		notes = append(notes, fmt.Sprintf("servers run as the agent's user: %v", err))
	}
	if note := d.groups.note(); note != "" {
		notes = append(notes, note)
	}
	notes = append(notes, d.permits.notes(ctx, d.layout.instances())...)
	if strays := d.strays(ctx); len(strays) > 0 {
		notes = append(notes, "processes that no journal knows are in cgroups of this state directory, and are left alone: "+strings.Join(strays, ", "))
	}
	return notes
}
