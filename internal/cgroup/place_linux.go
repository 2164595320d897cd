package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// place decides where in a hierarchy the groups are. A relative parent is below what the mount shows, and never inside the agent's own group:
// what ends the agent's group must not end the servers. An absolute one is where a person wants it.
func (h *hierarchy) place(parent string) error {
	if err := checkParent(parent); err != nil {
		return err
	}
	below, err := h.placed(parent)
	if err != nil {
		return err
	}
	h.parent = filepath.Join(h.mount, below)
	return nil
}

func (h *hierarchy) placed(parent string) (string, error) {
	wanted := path.Join("/", parent)
	if path.IsAbs(parent) {
		return wanted, nil
	}
	own, ok := h.visible()
	switch {
	case !ok:
		return wanted, nil
	case own == "/" && !h.whole():
		return "", errors.New("the agent sees no group but its own (a cgroup namespace); an absolute parent would be used all the same")
	case own != "/" && below(wanted, own):
		return "", fmt.Errorf("%s would be inside the agent's own group %s; an absolute parent would be used all the same", wanted, own)
	default:
		return wanted, nil
	}
}

func checkParent(parent string) error {
	if strings.Trim(parent, "/") == "" || strings.ContainsAny(parent, "\n\x00") {
		return fmt.Errorf("%q is no parent for cgroups", parent)
	}
	for part := range strings.SplitSeq(parent, "/") {
		if part == ".." || part == "." {
			return fmt.Errorf("%q is no parent for cgroups", parent)
		}
	}
	return nil
}

// whole tells whether the mount shows the hierarchy from its true root, which has, or lacks, a file that no other group does.
func (h *hierarchy) whole() bool {
	if h.unified {
		_, err := os.Lstat(filepath.Join(h.mount, "cgroup.type"))
		return errors.Is(err, os.ErrNotExist)
	}
	_, err := os.Lstat(filepath.Join(h.mount, "release_agent"))
	return err == nil
}

// holdsAgent tells whether the agent is in a group below the parent, or in one of its subgroups.
func (h *hierarchy) holdsAgent(name string) bool {
	own, ok := h.visible()
	return ok && own != "/" && below(filepath.Join(h.mount, own), filepath.Join(h.parent, name))
}
