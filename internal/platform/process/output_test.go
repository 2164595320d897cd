//go:build linux

package process

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

func TestAFloodOfOutputIsBoundedAndBlocksNothing(t *testing.T) {
	h := newHost(t, func(o *Options) { o.LogLimit = 1 << 20 })
	h.ensure(desired("a", "h", "TS_FLOOD=67108864"))
	h.running("a", "h")
	stdout := h.home("a").stdout()
	until(t, "the output is bounded", func() bool {
		return sizeOf(stdout) <= h.options.LogLimit && sizeOf(stdout+".1") == h.options.LogLimit
	})
	text, err := os.ReadFile(stdout + ".1")
	if err != nil || !bytes.HasSuffix(text, []byte("0123456789abcde\n")) {
		t.Errorf("what was cut off: %d bytes, %v", len(text), err)
	}
}

func TestTailShowsThePresentRunOnly(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h", "TS_STDOUT=first"))
	h.running("a", "h")
	h.ensure(desired("a", "h2", "TS_STDOUT=second"))
	h.running("a", "h2")
	tail := func(limit int) string {
		t.Helper()
		text, err := h.d.Tail(t.Context(), ref("a"), limit)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := tail(100); got != "second\n" {
		t.Errorf("tail %q", got)
	}
	if got := tail(4); got != "ond\n" {
		t.Errorf("tail %q", got)
	}
	h.stop("a", patience)
	h.in("a", platform.StateStopped)
	h.reopen()
	if got := tail(100); got != "second\n" {
		t.Errorf("tail of the last run %q", got)
	}
	if _, err := h.d.Tail(t.Context(), ref("b"), 4); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("tail of nothing: %v", err)
	}
}

func TestLastLines(t *testing.T) {
	long := strings.Repeat("x", 3000) + "\n"
	for name, c := range map[string]struct {
		old, now string
		from     int64
		want     string
	}{
		"all of a short run":               {now: "a\nb\n", want: "a\nb\n"},
		"nothing of runs before":           {now: "old\nnew\n", from: 4, want: "new\n"},
		"whole lines":                      {now: "begin" + long + "end\n" + long, want: "end\n" + long},
		"one endless line":                 {now: strings.Repeat("y", 9000), want: strings.Repeat("y", exitLines)},
		"exactly as much":                  {now: strings.Repeat("z", exitLines-1) + "\n", want: strings.Repeat("z", exitLines-1) + "\n"},
		"cut at the end of a line":         {now: "gone\n" + strings.Repeat("z", exitLines), want: strings.Repeat("z", exitLines)},
		"not UTF-8":                        {now: "a\xff\xfeb\n", want: "a?b\n"},
		"cut meanwhile":                    {old: "before\n", now: "after\n", from: 1000, want: "before\nafter\n"},
		"cut and nothing written since":    {old: "before\n", from: 1000, want: "before\n"},
		"never cut, but there is an older": {old: "another run\n", now: "", from: 0, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := &output{path: filepath.Join(t.TempDir(), "out"), limit: 1 << 20}
			for path, text := range map[string]string{o.previous(): c.old, o.path: c.now} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := lastLines(o, start{from: c.from}); got != c.want {
				t.Errorf("got %d bytes %.40q, want %d bytes %.40q", len(got), got, len(c.want), c.want)
			}
		})
	}
}

func TestAQuietOutputIsLookedAtSeldomAndAGrowingOneOften(t *testing.T) {
	o := &output{path: filepath.Join(t.TempDir(), "out"), limit: 1000}
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	look := func(text string) time.Duration {
		t.Helper()
		file, err := os.OpenFile(o.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		wait, err := o.look(now)
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(wait)
		return wait
	}
	for range 10 {
		look("")
	}
	if wait := look(""); wait != outputLatest {
		t.Errorf("a quiet file is looked at after %s", wait)
	}
	if wait := look(strings.Repeat("x", 900)); wait >= outputLatest/4 {
		t.Errorf("a file that is nearly full is looked at after %s", wait)
	}
	look(strings.Repeat("x", 200))
	if size := sizeOf(o.path); size != 0 {
		t.Errorf("the file still has %d bytes", size)
	}
}
