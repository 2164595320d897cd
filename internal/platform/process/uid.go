package process

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// UIDRange is a range of users of the host. The zero value is none.
type UIDRange struct {
	First, Last uint32
}

// DefaultUIDs is the range that an administrator need not choose. Nobody has these numbers by default: systemd gives 61184-65519 to services
// with DynamicUser and takes 524288 and up for containers (systemd-nspawn), and calls those between 65536 and 524287 unused
// (https://systemd.io/UIDS-GIDS/); useradd gives subordinate ids from 100000 on (SUB_UID_MIN of login.defs); SSSD maps a directory's users
// from 200000 on (ldap_idmap_range_min). Two agents on one host need ranges of their own.
var DefaultUIDs = UIDRange{First: 70000, Last: 99999}

// noUIDs is how "none" is written.
const noUIDs = "none"

// lowestUID is above everything that is a person's or a service's.
const lowestUID = 65536

// ParseUIDRange reads a range in the form 70000-99999, or none.
func ParseUIDRange(text string) (UIDRange, error) {
	if text == noUIDs {
		return UIDRange{}, nil
	}
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		return UIDRange{}, fmt.Errorf("user range %q is neither of the form FIRST-LAST nor %q", text, noUIDs)
	}
	from, err := strconv.ParseUint(first, 10, 32)
	if err != nil {
		return UIDRange{}, fmt.Errorf("user range %q: %w", text, err)
	}
	to, err := strconv.ParseUint(last, 10, 32)
	if err != nil {
		return UIDRange{}, fmt.Errorf("user range %q: %w", text, err)
	}
	parsed := UIDRange{First: uint32(from), Last: uint32(to)}
	if parsed == (UIDRange{}) {
		return parsed, fmt.Errorf("user range %q holds root", text)
	}
	return parsed, parsed.validate()
}

// String returns the form that ParseUIDRange reads.
func (r UIDRange) String() string {
	if r == (UIDRange{}) {
		return noUIDs
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// validate refuses a range that holds users which may be somebody's. None is fine.
func (r UIDRange) validate() error {
	const unchanged = ^uint32(0)
	switch {
	case r == (UIDRange{}):
		return nil
	case r.Last < r.First:
		return fmt.Errorf("user range %s is empty", r)
	case r.First < lowestUID:
		return fmt.Errorf("user range %s begins below %d, where people and services are", r, lowestUID)
	case r.Last == unchanged:
		return errors.New("no user can have the last number of all")
	}
	return nil
}

func (r UIDRange) holds(uid uint32) bool { return r != (UIDRange{}) && uid >= r.First && uid <= r.Last }
