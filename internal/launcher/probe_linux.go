package launcher

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Rights are what this process may choose for what it launches. A launcher started by it has the same.
type Rights struct {
	// SetUser is nil when a launcher may run servers as other users and this process may look after them, else what stands against it.
	SetUser error

	uids, gids []idRange
}

// Probe finds out what this process may choose, without starting anything.
func Probe() (Rights, error) {
	held, err := capabilities()
	if err != nil {
		return Rights{}, fmt.Errorf("read the capabilities: %w", err)
	}
	texts := map[string]string{}
	for _, name := range []string{"setgroups", "uid_map", "gid_map"} {
		text, err := os.ReadFile("/proc/self/" + name)
		// A kernel without user namespaces has none of these, and no limits either.
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return Rights{}, fmt.Errorf("read what the user namespace permits: %w", err)
		}
		texts[name] = string(text)
	}
	return rights(held, texts), nil
}

// rights concludes from the capabilities and from the files of the user namespace.
func rights(held capabilitySets, texts map[string]string) Rights {
	found := Rights{uids: parseIDs(texts["uid_map"]), gids: parseIDs(texts["gid_map"])}
	for _, needed := range lookAfter {
		if !held.has(needed.capability) {
			found.SetUser = fmt.Errorf("the agent has not the capability %s", needed.name)
			return found
		}
	}
	if strings.TrimSpace(texts["setgroups"]) == "deny" {
		found.SetUser = errors.New("the agent's user namespace lets nobody give up groups")
	}
	return found
}

// lookAfter are the capabilities without which servers must not have users of their own: to become one, to give and take their files, to signal
// them, and to see on which sockets they listen, without which no stop would be graceful and none would be Ready.
var lookAfter = []struct {
	capability int
	name       string
}{
	{capSetUID, "CAP_SETUID"},
	{capSetGID, "CAP_SETGID"},
	{capChown, "CAP_CHOWN"},
	{capDACOverride, "CAP_DAC_OVERRIDE"},
	{capFowner, "CAP_FOWNER"},
	{capKill, "CAP_KILL"},
	{capSysPtrace, "CAP_SYS_PTRACE"},
}

// MayBecome tells whether a launcher could become the user, and if not, why.
func (r Rights) MayBecome(user User) error {
	switch {
	case r.SetUser != nil:
		return r.SetUser
	case user.UID == unchanged || !within(r.uids, user.UID):
		return fmt.Errorf("the agent's user namespace has no user %d", user.UID)
	case user.GID == unchanged || !within(r.gids, user.GID):
		return fmt.Errorf("the agent's user namespace has no group %d", user.GID)
	default:
		return nil
	}
}

// idRange is a line of a map of ids: those from first on exist.
type idRange struct {
	first, count uint64
}

func parseIDs(text string) []idRange {
	var all []idRange
	for line := range strings.Lines(text) {
		var found idRange
		var outside uint64
		if n, err := fmt.Sscan(line, &found.first, &outside, &found.count); err == nil && n == 3 {
			all = append(all, found)
		}
	}
	return all
}

// within tells whether an id exists. Without a map every one does.
func within(ranges []idRange, id uint32) bool {
	for _, r := range ranges {
		if uint64(id) >= r.first && uint64(id)-r.first < r.count {
			return true
		}
	}
	return len(ranges) == 0
}
