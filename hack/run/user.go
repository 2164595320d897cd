package main

import (
	"os"
	"path/filepath"
)

// userFlags are the agent's flags for the users that servers run as. As root it gives each a user of its own, which cannot get to what lies below
// a private directory, such as a checkout in root's home.
func (s *system) userFlags() []string {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, path := range []string{s.dir, filepath.Dir(s.drasiServer), s.pluginsDir} {
		if closed := closedAbove(path); closed != "" {
			s.say("servers run as root here, not as users of their own: %s lets no others in", closed)
			return []string{"--uid-range=none"}
		}
	}
	return nil
}

// closedAbove returns the first directory, from path upwards, that others may not search; empty: there is none.
func closedAbove(path string) string {
	for at := path; ; at = filepath.Dir(at) {
		found, err := os.Stat(at)
		if err == nil && found.IsDir() && found.Mode().Perm()&0o001 == 0 {
			return at
		}
		if at == filepath.Dir(at) {
			return ""
		}
	}
}
