//go:build linux

package process

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/draas-io/draas/internal/platform"
	"github.com/draas-io/draas/internal/rotate"
)

func TestAFloodOfOutputIsBoundedAndBlocksNothing(t *testing.T) {
	h := newHost(t, func(o *Options) { o.LogLimit = 1 << 20 })
	h.ensure(desired("a", "h", "TS_FLOOD=67108864"))
	h.running("a", "h")
	stdout := h.home("a").stdout()
	until(t, "the output is bounded", func() bool {
		return sizeOf(stdout) <= h.options.LogLimit && sizeOf(rotate.Previous(stdout)) > 0
	})
	text, err := os.ReadFile(rotate.Previous(stdout))
	if err != nil || int64(len(text)) > h.options.LogLimit || !bytes.HasSuffix(text, []byte("0123456789abcde\n")) {
		t.Errorf("what was cut off: %d bytes, %v", len(text), err)
	}
}

// rotatorOf is the process that bounds the output of a host, found by its limit; 0: there is none.
func rotatorOf(t *testing.T, h *host) int {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join(rotate.Command(h.options.LogLimit), "\x00") + "\x00"
	for _, line := range lines {
		if text, err := os.ReadFile(line); err == nil && string(text) == want {
			return number(t, filepath.Base(filepath.Dir(line)))
		}
	}
	return 0
}

// awaitRotator waits until there is one.
func awaitRotator(t *testing.T, h *host) int {
	t.Helper()
	found := 0
	until(t, "a rotator", func() bool {
		found = rotatorOf(t, h)
		return found != 0
	})
	return found
}

func TestARotatorThatIsKilledIsReplacedByOneThatKnowsEveryFile(t *testing.T) {
	h := newHost(t, func(o *Options) { o.LogLimit = 1<<20 + 1 })
	h.ensure(desired("a", "h"))
	h.running("a", "h")
	first := awaitRotator(t, h)
	kill(t, first, syscall.SIGKILL)
	file, err := os.OpenFile(h.home("a").stderr(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Write(make([]byte, 2<<20)); err != nil {
		t.Fatal(err)
	}
	until(t, "the output is bounded", func() bool { return sizeOf(file.Name()) == 0 })
	if second := rotatorOf(t, h); second == first || second == 0 {
		t.Errorf("the rotator is process %d, before %d", second, first)
	}
	h.close()
	if left := rotatorOf(t, h); left != 0 {
		t.Errorf("process %d outlives the driver", left)
	}
}

func TestARotatorThatDoesNotListenIsReplaced(t *testing.T) {
	h := newHost(t, func(o *Options) { o.LogLimit = 1<<20 + 2 })
	h.ensure(desired("a", "h"))
	h.running("a", "h")
	first := awaitRotator(t, h)
	kill(t, first, syscall.SIGSTOP)
	// More than a pipe holds.
	units := slices.Repeat([]*unit{h.d.unit("a")}, 1000)
	until(t, "another rotator", func() bool {
		h.d.outputs.add(units...)
		second := rotatorOf(t, h)
		return second != first && second != 0
	})
	if lives(first) {
		t.Errorf("process %d still lives", first)
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
			for path, text := range map[string]string{rotate.Previous(o.path): c.old, o.path: c.now} {
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

func TestTheOutputOfARunIsWholeAfterACutAndRegrowth(t *testing.T) {
	o := &output{path: filepath.Join(t.TempDir(), "out"), limit: 1 << 20}
	write := func(text string) {
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
	}
	write(strings.Repeat("o", 100) + "\n")
	run := o.begin()
	// Cut during the run, and longer again than it was when the run began.
	write("early\n")
	if err := rotate.Cut(o.path, o.limit); err != nil {
		t.Fatal(err)
	}
	write(strings.Repeat("n", 200) + "\n")
	want := "early\n" + strings.Repeat("n", 200) + "\n"
	if got, err := o.tail(run, len(want)); err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestARunBeginsWithRoomInItsOutput(t *testing.T) {
	o := &output{path: filepath.Join(t.TempDir(), "out"), limit: 1 << 20}
	old := bytes.Repeat([]byte("o"), 1<<20-10)
	if err := os.WriteFile(o.path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	run := o.begin()
	if run.from != 0 || sizeOf(o.path) != 0 || sizeOf(rotate.Previous(o.path)) != int64(len(old)) {
		t.Errorf("it begins at %d of %d", run.from, sizeOf(o.path))
	}
	if err := os.WriteFile(o.path, []byte("new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := o.tail(run, 100); err != nil || string(got) != "new\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAGibibyteOfOutputBlocksNobodyAndStaysWithinItsCap(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: this writes 1 GiB")
	}
	const flood = 1 << 30
	h := newSimHost(t)
	h.ensure(sim("loud", "h", "DRASISIM_FLOOD_STDOUT_BYTES="+strconv.Itoa(flood)))
	h.ensure(sim("other", "h"))
	h.simRunning("other", "h")
	stdout, most := h.home("loud").stdout(), int64(0)
	loud := h.simRunning("loud", "h")
	// However slow the machine is, nothing holds it up as long as more is written.
	for done := 0; done < flood; {
		next := min(done+1<<20, flood)
		until(t, "another MiB is written", func() bool {
			most = max(most, sizeOf(stdout)+sizeOf(rotate.Previous(stdout)))
			done = written(t, loud.PID)
			return done >= next
		})
	}
	h.stop("other", patience)
	h.in("other", platform.StateStopped)
	until(t, "the file is cut", func() bool { return sizeOf(stdout) <= h.options.limit() })
	t.Logf("at most %d MiB on disk", most>>20)
	// Twice the limit is what there is while the rotator is given a processor; how soon it is given one is for the machine to say, and for its hypervisor.
	// docs/performance.md has how far it went in many runs.
	if most > flood/2 {
		t.Errorf("there were %d MiB on disk at once: it is not cut while it grows", most>>20)
	}
	if kept := sizeOf(rotate.Previous(stdout)); kept > h.options.limit() {
		t.Errorf("%d bytes are kept of what was cut off", kept)
	}
	if o := h.simRunning("loud", "h"); o.Restarts != 0 || o.PID != loud.PID {
		t.Errorf("%+v", o)
	}
	h.stop("loud", patience)
	h.in("loud", platform.StateStopped)
}

// written is how many bytes a process has written so far.
func written(t *testing.T, pid int) int {
	t.Helper()
	for line := range strings.Lines(kernel(t, pid, "io")) {
		if count, ok := strings.CutPrefix(line, "wchar: "); ok {
			return number(t, strings.TrimSpace(count))
		}
	}
	t.Fatal("the kernel does not count what is written")
	return 0
}

func (o Options) limit() int64 { return o.complete().LogLimit }
