package machine

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// debianSuite is what is installed where apt knows no Debian archive, as on another distribution.
const debianSuite = "bookworm"

// archive is where the packages come from.
type archive struct {
	suite   string
	lines   []string // as of sources.list; none: mmdebstrap knows where Debian is for everybody
	options []string // of apt
}

// readArchive asks apt for its Debian archives, so that mirrors and proxies of this machine's administrator are used.
func readArchive(ctx context.Context) archive {
	// Without apt, or with one that knows no Debian archive, the answer is empty.
	out, _ := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(CODENAME)", "Created-By: Packages").Output()
	a := parseTargets(string(out))
	if len(a.lines) == 0 {
		return archive{suite: debianSuite}
	}
	for _, name := range []string{"Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until", "Acquire::Check-Date"} {
		// A setting that is not there has no value.
		value, _ := exec.CommandContext(ctx, "apt-config", "dump", name, "--format", "%v").Output()
		if text := strings.TrimSpace(string(value)); text != "" {
			a.options = append(a.options, fmt.Sprintf("%s %q", name, text))
		}
	}
	return a
}

// parseTargets reads what `apt-get indextargets` says; the first suite is the one, and those that add to it (updates, security) come with it.
func parseTargets(text string) archive {
	var a archive
	for line := range strings.Lines(text) {
		field := strings.Split(strings.TrimSpace(line), "|")
		if len(field) != 5 || field[0] != "Debian" || field[3] != "main" {
			continue
		}
		if a.suite == "" {
			a.suite = field[4]
		}
		source := fmt.Sprintf("deb %s %s main", strings.TrimSuffix(field[1], "/"), field[2])
		if (field[4] == a.suite || strings.HasPrefix(field[4], a.suite+"-")) && !slices.Contains(a.lines, source) {
			a.lines = append(a.lines, source)
		}
	}
	return a
}
