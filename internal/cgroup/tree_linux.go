package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// openDeadline is how long the proof of Open may take.
const openDeadline = 10 * time.Second

// Tree is where the groups of all instances are.
type Tree struct {
	all     []*hierarchy
	by      map[string]*hierarchy
	support Support
	// cloneInto says that a process can be born in a group of version 2.
	cloneInto bool
	// atOnce says that the kernel can kill a group of version 2 at once.
	atOnce bool
}

// Open finds the hierarchies and proves by trying that groups can be made, joined and removed below the parent, which it makes. A relative
// parent is below the root and never inside the agent's own group; an absolute one is used as it is. What Open returns wraps ErrNotPermitted
// where no group can be made.
func Open(parent string) (*Tree, error) {
	ctx, cancel := context.WithTimeout(context.Background(), openDeadline)
	defer cancel()
	tree, err := open(ctx, parent)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotPermitted, err)
	}
	return tree, nil
}

func open(ctx context.Context, parent string) (*Tree, error) {
	all, err := mounted()
	if err != nil {
		return nil, err
	}
	for _, h := range all {
		if err := h.place(parent); err != nil {
			return nil, fmt.Errorf("hierarchy %s: %w", h, err)
		}
	}
	tree := &Tree{all: all}
	lost, err := tree.prove(ctx)
	if err != nil {
		return nil, err
	}
	tree.support.Why = strings.Join(append(tree.missing(), lost...), "; ")
	return tree, nil
}

// mounted are the hierarchies of this host as this process sees them.
func mounted() ([]*hierarchy, error) {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("find the mounted hierarchies: %w", err)
	}
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("find the agent's own group: %w", err)
	}
	all := slices.DeleteFunc(parseMounts(string(mountinfo)), func(h *hierarchy) bool { return !h.reachable() })
	if len(all) == 0 {
		return nil, errors.New("no cgroup hierarchy is mounted")
	}
	locate(all, string(membership))
	return all, nil
}

// Limits tells which limits can be enforced.
func (t *Tree) Limits() Support { return t.support }

// Group is the group of a name. It need not exist.
func (t *Tree) Group(name string) (*Group, error) {
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("cgroup %q: %w", name, err)
	}
	for _, h := range t.all {
		if h.holdsAgent(name) {
			return nil, fmt.Errorf("cgroup %q: the agent itself is in it", name)
		}
	}
	return &Group{tree: t, name: name}, nil
}

// Groups are the names of those that exist in any hierarchy, in order. A group in which the agent itself is does not count.
func (t *Tree) Groups() ([]string, error) {
	var names []string
	for _, h := range t.all {
		entries, err := os.ReadDir(h.parent)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("list the cgroups: %w", err)
		}
		for _, entry := range entries {
			if entry.IsDir() && checkName(entry.Name()) == nil && !h.holdsAgent(entry.Name()) {
				names = append(names, entry.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Group is one group in every hierarchy.
type Group struct {
	tree *Tree
	name string
}

// Name is the group's name.
func (g *Group) Name() string { return g.name }

// dir is the group's directory in a hierarchy.
func (g *Group) dir(h *hierarchy) string { return filepath.Join(h.parent, g.name) }

// unified is the hierarchy of version 2, if there is one.
func (t *Tree) unified() *hierarchy {
	for _, h := range t.all {
		if h.unified {
			return h
		}
	}
	return nil
}
