package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	anchors := map[string]map[string]bool{}
	for _, p := range all {
		anchors[p.name] = p.anchors()
	}
	for _, p := range all {
		prose := codeSpan.ReplaceAllString(p.prose, "")
		for _, match := range link.FindAllStringSubmatch(prose, -1) {
			checkLink(t, p.name, match[1], anchors)
		}
	}
}

func checkLink(t *testing.T, from, target string, anchors map[string]map[string]bool) {
	t.Helper()
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return
	}
	file, anchor, _ := strings.Cut(target, "#")
	to := from
	if file != "" {
		to = path.Join(path.Dir(from), file)
	}
	if _, err := os.Stat(filepath.Join(root(t), filepath.FromSlash(to))); err != nil {
		t.Errorf("%s: the link %s leads nowhere", from, target)
		return
	}
	if known, isPage := anchors[to]; anchor != "" && isPage && !known[anchor] {
		t.Errorf("%s: the link %s: %s has no such heading", from, target, to)
	}
}

var makefileTarget = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)

func TestMakeTargetsExist(t *testing.T) {
	known := map[string]bool{}
	for _, match := range makefileTarget.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		known[match[1]] = true
	}
	for _, p := range pages(t) {
		commands := p.spans()
		for _, b := range p.blocks {
			commands = append(commands, strings.Split(b.text, "\n")...)
		}
		for _, command := range commands {
			for _, target := range targets(command) {
				if !known[target] {
					t.Errorf("%s: %q: the Makefile has no target %s", p.name, command, target)
				}
			}
		}
	}
}

var targetWord = regexp.MustCompile(`^[a-z][a-z-]*$`)

// targets are those that a command line has make bring about.
func targets(command string) []string {
	words := strings.Fields(command)
	if len(words) == 0 || words[0] != "make" {
		return nil
	}
	var found []string
	for _, word := range words[1:] {
		if !targetWord.MatchString(word) {
			break
		}
		found = append(found, word)
	}
	return found
}

func TestTargetsOfACommandLine(t *testing.T) {
	for command, want := range map[string]string{
		"make run": "run", "make generate manifests": "generate manifests", "make contract DRASI_SERVER=/x PLUGINS_DIR=/y": "contract",
		"make": "", "cmake run": "", "make run   # Ctrl-C ends it": "run", "  make test && echo": "test",
	} {
		if got := strings.Join(targets(command), " "); got != want {
			t.Errorf("%q: got %q, want %q", command, got, want)
		}
	}
}
