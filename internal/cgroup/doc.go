// Package cgroup keeps each instance in a group of the kernel's own: everything that a server starts is in it, whatever it does, and can be
// counted, limited and killed as one.
//
// It works with cgroup v1, with v2, and with both beside each other. All groups are below one parent, in every hierarchy that is of use.
//
// A server is started in this order: Make with its limits, then the launcher, which is born in the group (CloneInto) and joins the rest of it
// before it waits for the word. It is ended in this order: Kill, which also ends what nobody knows of, then Remove. Whoever dies in between
// leaves an empty group, or one with a launcher that ends by itself, or with a server; each is found again by Groups, and none of it needs a
// record of its own, since a group has its instance's name.
package cgroup

import (
	"errors"
	"strings"
)

// ErrNotPermitted is wrapped by Open where no groups can be made. The error says why.
var ErrNotPermitted = errors.New("no cgroups can be made")

// ErrPopulated is wrapped by Remove while processes are in the group.
var ErrPopulated = errors.New("the cgroup has processes")

// Limits are what the processes of a group may use together. Zero is no limit.
type Limits struct {
	// Memory is in bytes, and includes swap where the kernel accounts it.
	Memory int64
	// CPU is in thousandths of a core. The kernel's least is 10; less is taken as that.
	CPU int64
	// PIDs is how many processes and threads there may be.
	PIDs int64
}

// Support is which limits can be enforced.
type Support struct {
	Memory, CPU, PIDs bool
	// Why says for people what cannot be enforced, and why. It is empty when there is nothing to say.
	Why string
}

// Beyond names the limits that are wanted and cannot be enforced.
func (s Support) Beyond(wanted Limits) []string {
	var names []string
	for _, c := range []struct {
		name string
		lost bool
	}{
		{"memory", wanted.Memory != 0 && !s.Memory}, {"cpu", wanted.CPU != 0 && !s.CPU}, {"pids", wanted.PIDs != 0 && !s.PIDs},
	} {
		if c.lost {
			names = append(names, c.name)
		}
	}
	return names
}

// Within are the wanted limits without those that cannot be enforced.
func (s Support) Within(wanted Limits) Limits {
	if !s.Memory {
		wanted.Memory = 0
	}
	if !s.CPU {
		wanted.CPU = 0
	}
	if !s.PIDs {
		wanted.PIDs = 0
	}
	return wanted
}

// checkName refuses what is no name of one group below the parent.
func checkName(name string) error {
	if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\n\x00") {
		return errors.New("a cgroup cannot have this name")
	}
	return nil
}
