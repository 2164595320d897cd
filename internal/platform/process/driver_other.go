//go:build !linux

package process

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// Driver cannot be had on this system.
type Driver struct {
	platform.Driver
}

// Open says that the platform needs Linux.
func Open(context.Context, Options) (*Driver, error) {
	return nil, errors.New("the Process platform needs Linux")
}

// Close has nothing to close.
func (d *Driver) Close() error { return nil }

// StopAll has nothing to stop.
func (d *Driver) StopAll(context.Context, time.Duration) error { return nil }

// Notify has nothing to tell.
func (d *Driver) Notify(func(platform.Ref)) {}

// Sockets has nothing to list.
func (d *Driver) Sockets(context.Context, platform.Ref) ([]netip.AddrPort, error) {
	return nil, platform.ErrNotFound
}

// Tail has nothing to show.
func (d *Driver) Tail(context.Context, platform.Ref, int) ([]byte, error) {
	return nil, platform.ErrNotFound
}
