//go:build linux

package rotate

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// bytesIn is how big a file is; one that is not there has no size.
func bytesIn(path string) int64 {
	size, err := sizeOf(path)
	if err != nil {
		return 0
	}
	return size
}

func TestAFileIsCutBeforeItIsTooBigAndKeepsLessTheFasterItGrows(t *testing.T) {
	const limit = 1 << 20
	for name, c := range map[string]struct {
		before, now int
		passed      time.Duration
		fast, cut   bool
		kept        int64
	}{
		"below the limit":                    {before: limit - 10, now: limit - 5, passed: time.Second},
		"at the limit, and quiet":            {before: limit, now: limit, passed: time.Second},
		"above the limit, slowly":            {before: limit, now: limit + 1000, passed: time.Second, cut: true, kept: limit - 10},
		"above the limit, and quiet":         {before: limit + 1, now: limit + 1, passed: time.Second, cut: true, kept: limit},
		"in a flood, long before the limit":  {before: 0, now: limit / 4, passed: pause},
		"in a flood, shortly before it":      {before: limit / 4, now: limit/2 + 1, passed: pause, fast: true, cut: true, kept: limit / leastKept},
		"when a flood may begin":             {before: limit / 4, now: limit/2 + 1, passed: pause},
		"above the limit, by a burst":        {before: limit - limit/100, now: limit + limit/100, passed: pause, cut: true, kept: limit - 10*(2*(limit/100))},
		"a burst, seen twice within no time": {before: limit / 2, now: limit/2 + limit/20, passed: time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			f := &file{path: filepath.Join(t.TempDir(), "out"), limit: limit}
			now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
			if err := os.WriteFile(f.path, bytes.Repeat([]byte("x"), c.now), 0o600); err != nil {
				t.Fatal(err)
			}
			f.size, f.seen, f.fast = int64(c.before), now, c.fast
			if err := f.look(now.Add(c.passed)); err != nil {
				t.Error(err)
			}
			left := int64(c.now)
			if c.cut {
				left = 0
			}
			if size := bytesIn(f.path); size != left || f.size != left {
				t.Errorf("%d bytes are left of %d, and %d are noted", size, c.now, f.size)
			}
			if kept := bytesIn(Previous(f.path)); kept != c.kept {
				t.Errorf("%d bytes are kept, want %d", kept, c.kept)
			}
		})
	}
}

func TestACutKeepsTheLastPart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(Previous(path), bytes.Repeat([]byte("older"), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("first last"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Cut(path, 4); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(Previous(path)); err != nil || string(text) != "last" {
		t.Errorf("kept %q, %v", text, err)
	}
	if size := bytesIn(path); size != 0 {
		t.Errorf("%d bytes are left", size)
	}
}

func TestAFileThatSomethingElseLeadsToIsNotTouched(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	linked, named := filepath.Join(dir, "linked"), filepath.Join(dir, "named")
	if err := os.Symlink(precious, linked); err != nil {
		t.Fatal(err)
	}
	if err := Cut(linked, 1); err == nil {
		t.Error("it was cut through a symbolic link")
	}
	if err := os.Link(precious, named); err != nil {
		t.Fatal(err)
	}
	if err := Cut(named, 1); err == nil {
		t.Error("it was cut by another of its names")
	}
	if text, err := os.ReadFile(precious); err != nil || string(text) != "precious" {
		t.Errorf("it has %q now, %v", text, err)
	}
}
