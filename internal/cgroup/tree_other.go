//go:build !linux

package cgroup

import (
	"context"
	"errors"
	"fmt"
)

// Tree is where the groups of all instances are. Only Linux has any.
type Tree struct{}

// Group is one group.
type Group struct{}

// Open fails: there are cgroups on Linux only.
func Open(string) (*Tree, error) {
	return nil, fmt.Errorf("%w: %w", ErrNotPermitted, errors.ErrUnsupported)
}

// Limits tells which limits can be enforced.
func (*Tree) Limits() Support { return Support{} }

// Group is the group of a name.
func (*Tree) Group(string) (*Group, error) { return nil, errors.ErrUnsupported }

// Groups are the names of those that exist.
func (*Tree) Groups() ([]string, error) { return nil, errors.ErrUnsupported }

// Name is the group's name.
func (*Group) Name() string { return "" }

// Make makes the group and sets its limits.
func (*Group) Make(context.Context, Limits) error { return errors.ErrUnsupported }

// JoinFiles are the files by which a process joins the group.
func (*Group) JoinFiles() []string { return nil }

// CloneInto is where a process can be born in the group, and the files that it then has to join.
func (*Group) CloneInto() (dir string, files []string) { return "", nil }

// PIDs are the living processes of the group.
func (*Group) PIDs(context.Context) ([]int, error) { return nil, errors.ErrUnsupported }

// Populated tells whether there are living processes in the group.
func (*Group) Populated() (bool, error) { return false, errors.ErrUnsupported }

// Kill kills everything in the group.
func (*Group) Kill(context.Context) error { return errors.ErrUnsupported }

// OOMKills is how many processes the kernel has killed for want of memory.
func (*Group) OOMKills() (uint64, error) { return 0, errors.ErrUnsupported }

// LimitHit tells whether the group's own memory limit has been hit.
func (*Group) LimitHit() (bool, error) { return false, errors.ErrUnsupported }

// Remove removes the group.
func (*Group) Remove(context.Context) error { return errors.ErrUnsupported }
