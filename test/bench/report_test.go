//go:build linux

package main

import (
	"strings"
	"testing"
	"time"
)

// many is a series of n equal values.
func many(n int, v float64) series {
	s := make(series, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func TestGoalsAreJudgedHonestly(t *testing.T) {
	r := &result{}
	r.judged("met", many(100, 5), bound{"p50", 5}, bound{"p99", 10})
	r.judged("missed by the tail", append(many(98, 5), 11, 11), bound{"p50", 5}, bound{"p99", 10})
	r.judged("too few for a p99", many(99, 5), bound{"p99", 10})
	r.judged("of nothing", nil, bound{"p50", 5})
	r.atMost("a value", "MB", 3, 3)
	r.atMost("too much", "MB", 3.1, 3)
	want := []string{"met", "**missed**", "not judged", "not judged", "met", "**missed**"}
	for i, f := range r.Figures {
		if got := verdict(f); got != want[i] {
			t.Errorf("%s: got %q, want %q", f.Name, got, want[i])
		}
	}
	if got := r.Figures[0].Goal; got != "p50 ≤ 5, p99 ≤ 10" {
		t.Errorf("the goal reads %q", got)
	}
	r.value(kindFact, "nothing at all", "", fit(nil, nil).Slope)
	if len(r.Figures) != len(want) || len(r.Notes) != 1 {
		t.Error("a value that could not be measured is told as if it were one")
	}
}

func TestABlockHasTheMachineTheTablesAndTheNotes(t *testing.T) {
	found := &result{Case: "x", Title: "What it is.", Load: "0.10 0.20 0.30", Took: 3 * time.Second}
	found.series(kindBaseline, "a distribution", series{1, 2.5})
	found.value(kindFact, "a value", "MB", 12.34)
	found.note("A note.")
	m := machine{Commit: "abc", Cores: 2, MemoryMB: 4096, Kernel: "6.18", Go: "go1.26", EtcdOn: "ext4, with fsync", StateOn: "ext4", Server: "simulated"}
	text := (&report{Machine: m}).block(found)
	for _, want := range []string{
		"What it is.", "commit abc", "2 cores", "etcd on ext4, with fsync", "load average before: 0.10 0.20 0.30",
		"| a distribution | baseline | ms | 2 | 1 | 2.50 | n < 100 | 2.50 |  |  |", "| a value | fact | 12.3 | MB |  |  |", "- A note.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
}

func TestAPageKeepsWhatIsNotMeasured(t *testing.T) {
	page := "# Title\n<!-- bench a -->\nold\n<!-- end of bench a -->\nbetween\n<!-- bench b -->\nkept\n<!-- end of bench b -->\n"
	got := replaceBlock(page, "a", "new\n")
	if want := strings.Replace(page, "old", "new", 1); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if again := replaceBlock(got, "a", "new\n"); again != got {
		t.Errorf("a second time it differs: %q", again)
	}
	appended := replaceBlock(page, "c", "more\n")
	if !strings.HasPrefix(appended, page) || !strings.HasSuffix(appended, "<!-- bench c -->\nmore\n<!-- end of bench c -->\n") {
		t.Errorf("a case without markers: %q", appended)
	}
}

func TestNumbersHaveThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 3: "3", 10000: "10000", 0.1234: "0.123", 1.234: "1.23", 12.34: "12.3", 123.4: "123", -0.45: "-0.450"} {
		if got := number(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}
