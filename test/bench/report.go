//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// report is everything that a run found.
type report struct {
	Machine machine   `json:"machine"`
	Results []*result `json:"results"`
}

// save writes JSON and Markdown where they are asked for. Without a file the last result goes to standard output.
func (r *report) save(o options) error {
	if len(r.Results) == 0 {
		return nil
	}
	if o.json != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return fmt.Errorf("encode the figures: %w", err)
		}
		if err := os.WriteFile(o.json, append(text, '\n'), 0o644); err != nil {
			return fmt.Errorf("write the figures: %w", err)
		}
	}
	if o.out == "" {
		fmt.Println(r.block(r.Results[len(r.Results)-1]))
		return nil
	}
	page, err := os.ReadFile(o.out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the page: %w", err)
	}
	text := string(page)
	for _, found := range r.Results {
		text = replaceBlock(text, found.Case, r.block(found))
	}
	if err := os.WriteFile(o.out, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// markers enclose the block of a case in a page.
func markers(name string) (begin, end string) {
	return "<!-- bench " + name + " -->", "<!-- end of bench " + name + " -->"
}

// replaceBlock puts a block between the markers of its case, or with them at the page's end.
func replaceBlock(page, name, block string) string {
	begin, end := markers(name)
	before, rest, found := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		if page != "" && !strings.HasSuffix(page, "\n") {
			page += "\n"
		}
		return page + "\n" + begin + "\n" + block + end + "\n"
	}
	return before + begin + "\n" + block + end + after
}

// block is the Markdown of one case: where it was measured, distributions, values, notes.
func (r *report) block(found *result) string {
	m := r.Machine
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nMeasured at commit %s on %s: %d cores (%s), %d MiB, Linux %s, %s; etcd on %s, state on %s; server: %s; load average before: %s; took %v.\n",
		found.Title, m.Commit, m.Date.Format("2006-01-02 15:04 MST"), m.Cores, m.CPU, m.MemoryMB, m.Kernel, m.Go, m.EtcdOn, m.StateOn, m.Server, found.Load, found.Took)
	b.WriteString(distributions(found.Figures))
	b.WriteString(values(found.Figures))
	if len(found.Notes) > 0 {
		b.WriteString("\n")
		for _, note := range found.Notes {
			fmt.Fprintf(&b, "- %s\n", note)
		}
	}
	return b.String()
}

func distributions(figures []figure) string {
	var b strings.Builder
	for _, f := range figures {
		if f.Series == nil {
			continue
		}
		if b.Len() == 0 {
			b.WriteString("\n| figure | | unit | n | p50 | p90 | p99 | max | goal | |\n|---|---|---|--:|--:|--:|--:|--:|---|---|\n")
		}
		s := f.Series
		p99 := number(s.P99)
		if s.N < 100 {
			p99 = "n < 100" // of so few values it would be the greatest
		}
		if s.N == 0 {
			fmt.Fprintf(&b, "| %s | %s | %s | 0 | | | | | %s | |\n", f.Name, f.Kind, f.Unit, f.Goal)
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %s | %s | %s | %s | %s | %s |\n",
			f.Name, f.Kind, f.Unit, s.N, number(s.P50), number(s.P90), p99, number(s.Max), f.Goal, verdict(f))
	}
	return b.String()
}

func values(figures []figure) string {
	var b strings.Builder
	for _, f := range figures {
		if f.Series != nil {
			continue
		}
		if b.Len() == 0 {
			b.WriteString("\n| figure | | value | unit | goal | |\n|---|---|--:|---|---|---|\n")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", f.Name, f.Kind, number(f.Value), f.Unit, f.Goal, verdict(f))
	}
	return b.String()
}

// verdict says whether a goal was met.
func verdict(f figure) string {
	switch {
	case f.Goal == "":
		return ""
	case f.Met == nil:
		return "not judged"
	case *f.Met:
		return "met"
	}
	return "**missed**"
}
