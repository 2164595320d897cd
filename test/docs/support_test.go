// Package docs_test holds the documentation to the code: reasons, fields, flags, targets, links and examples.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the root of the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{root(t)}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// page is a Markdown file.
type page struct {
	// name is the path below the repository's root.
	name string
	// prose is the text without its fenced blocks.
	prose string
	// blocks are the fenced blocks.
	blocks []block
}

// block is a fenced block.
type block struct {
	language, text string
}

var fence = regexp.MustCompile("^ *```([a-z]*)$")

func parsePage(name, text string) page {
	p := page{name: name}
	var prose, inside strings.Builder
	open := false
	language := ""
	for line := range strings.Lines(text) {
		match := fence.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		switch {
		case match == nil && open:
			inside.WriteString(line)
		case match == nil:
			prose.WriteString(line)
		case open:
			p.blocks = append(p.blocks, block{language, inside.String()})
			inside.Reset()
			open = false
		default:
			open, language = true, match[1]
		}
	}
	p.prose = prose.String()
	return p
}

// pages are all Markdown files of the repository, but what is built or kept in hidden folders.
func pages(t *testing.T) []page {
	t.Helper()
	base := root(t)
	var all []page
	err := filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(base, path)
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && name != "." || name == "bin" || name == "dist") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".md" {
			all = append(all, parsePage(filepath.ToSlash(name), read(t, name)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Markdown files")
	}
	return all
}

var codeSpan = regexp.MustCompile("`([^`\n]+)`")

// spans are the code spans of the prose.
func (p page) spans() []string {
	var out []string
	for _, match := range codeSpan.FindAllStringSubmatch(p.prose, -1) {
		out = append(out, match[1])
	}
	return out
}

var heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)

// anchors are the names by which a link can reach the page's headings, as GitHub makes them.
func (p page) anchors() map[string]bool {
	out := map[string]bool{}
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, match := range heading.FindAllStringSubmatch(p.prose, -1) {
		out[strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(match[1]), ""), " ", "-")] = true
	}
	return out
}
