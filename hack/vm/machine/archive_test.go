package machine

import (
	"slices"
	"testing"
)

func TestDebianIsTakenFromWhatAptKnows(t *testing.T) {
	const targets = `Google|http://packages.example.com/apt/|sdk|main|sdk
Debian|http://mirror.example.com/debian/|trixie|main|trixie
Debian|http://mirror.example.com/debian/|trixie|contrib|trixie
Debian|http://mirror.example.com/debian/|trixie|main|trixie
Debian|http://mirror.example.com/debian/|trixie-updates|main|trixie-updates
Debian|http://mirror.example.com/security/|trixie-security|main|trixie-security
Debian|http://mirror.example.com/debian/|sid|main|sid
`
	got := parseTargets(targets)
	want := []string{
		"deb http://mirror.example.com/debian trixie main",
		"deb http://mirror.example.com/debian trixie-updates main",
		"deb http://mirror.example.com/security trixie-security main",
	}
	if got.suite != "trixie" || !slices.Equal(got.lines, want) {
		t.Errorf("got suite %q and %q, want trixie and %q", got.suite, got.lines, want)
	}
}

func TestWhereAptKnowsNoDebianThereIsNone(t *testing.T) {
	if got := parseTargets("Ubuntu|http://mirror.example.com/ubuntu/|noble|main|noble\n"); got.suite != "" || len(got.lines) != 0 {
		t.Errorf("got %+v", got)
	}
}
