package cgroup

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// hierarchy is a mounted tree of groups.
type hierarchy struct {
	// unified says that it is the one of version 2.
	unified bool
	// controllers are what is bound to a hierarchy of version 1, also its name as name=….
	controllers []string
	// mount is where it is, and root which of its groups that shows.
	mount, root string
	// own is this process's group in it, as the kernel names it; empty when that is unknown.
	own string
	// parent is the directory below which groups are made.
	parent string
}

// useful are the hierarchies of version 1 that are joined: those that limit, and those that list, freeze, or are what systemd kills by.
var useful = []string{"memory", "cpu", "pids", "freezer", "devices", "name=systemd"}

// parseMounts finds the hierarchies in a mountinfo file. Of several mounts of one hierarchy it takes the one that shows most.
func parseMounts(mountinfo string) []*hierarchy {
	var all []*hierarchy
	for line := range strings.Lines(mountinfo) {
		found := parseMount(strings.TrimSuffix(line, "\n"))
		if found == nil {
			continue
		}
		at := slices.IndexFunc(all, found.same)
		switch {
		case at < 0:
			all = append(all, found)
		case len(found.root) < len(all[at].root):
			all[at] = found
		}
	}
	return all
}

func parseMount(line string) *hierarchy {
	before, after, ok := strings.Cut(line, " - ")
	mounted, kind := strings.Fields(before), strings.Fields(after)
	if !ok || len(mounted) < 5 || len(kind) < 3 {
		return nil
	}
	found := &hierarchy{root: unescape(mounted[3]), mount: unescape(mounted[4])}
	switch kind[0] {
	case "cgroup2":
		found.unified = true
		return found
	case "cgroup":
		for option := range strings.SplitSeq(kind[2], ",") {
			if slices.Contains(useful, option) {
				found.controllers = append(found.controllers, option)
			}
		}
		if len(found.controllers) > 0 {
			return found
		}
	}
	return nil
}

// same tells whether two mounts show the same hierarchy.
func (h *hierarchy) same(other *hierarchy) bool {
	return h.unified == other.unified && slices.Equal(h.controllers, other.controllers)
}

// unescape undoes what mountinfo does to blanks and the like: a backslash and three octal digits.
func unescape(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

// locate finds this process's group in each hierarchy from its cgroup file.
func locate(all []*hierarchy, membership string) {
	for line := range strings.Lines(membership) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for _, h := range all {
			if h.is(parts[1]) {
				h.own = parts[2]
			}
		}
	}
}

// is tells whether a line of a cgroup file with these controllers is about the hierarchy.
func (h *hierarchy) is(controllers string) bool {
	if h.unified {
		return controllers == ""
	}
	return slices.Contains(strings.Split(controllers, ","), h.controllers[0])
}

// has tells whether a controller is bound to a hierarchy of version 1.
func (h *hierarchy) has(controller string) bool { return slices.Contains(h.controllers, controller) }

// String names it for people.
func (h *hierarchy) String() string {
	if h.unified {
		return "cgroup2"
	}
	return strings.Join(h.controllers, ",")
}

// visible is this process's group as a path below the mount, if the mount shows it.
func (h *hierarchy) visible() (string, bool) {
	switch {
	case h.own == "" || strings.HasPrefix(h.own, "/.."):
		return "", false
	case h.root == "/" || h.own == h.root:
		return path.Join("/", strings.TrimPrefix(h.own, strings.TrimSuffix(h.root, "/"))), true
	case strings.HasPrefix(h.own, h.root+"/"):
		return strings.TrimPrefix(h.own, h.root), true
	default:
		return "", false
	}
}

// below tells whether a path is a group or in it.
func below(group, in string) bool {
	return in == "/" || group == in || strings.HasPrefix(group, in+"/")
}
