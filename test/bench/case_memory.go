//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	kib = 1 << 10
	mb  = 1000 * 1000
)

// reading is a process's memory with so many instances.
type reading struct {
	n int
	memory
	// heap is what the Go runtime tells: live objects, and all that it holds for them.
	heap heap
}

// heap is the Go runtime's own account, in bytes.
type heap struct{ live, inUse, idle, released, stacks, other float64 }

func runMemory(ctx context.Context, w *world) (_ *result, err error) {
	if err := w.startController(ctx); err != nil {
		return nil, err
	}
	h, err := w.startHost(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.end(ctx)) }()
	var readings []reading
	have := 0
	for _, n := range slices.Sorted(slices.Values(w.options.counts)) {
		if n > have {
			if _, err := w.fill(ctx, fmt.Sprintf("memory%d", n), n-have); err != nil {
				return nil, err
			}
			have = n
		}
		r, err := w.settledMemory(ctx, h.part, n)
		if err != nil {
			return nil, err
		}
		readings = append(readings, r)
	}
	found := &result{Case: "memory", Title: fmt.Sprintf("Memory of the agent, its process for bounding output included, %v after the last change.", w.options.settle)}
	tellMemory(found, readings, 25*mb, 64*kib)
	found.note("Object: %s (%d B of JSON with its status).", sample, w.sizeOfAny(ctx))
	return found, nil
}

// tellMemory fits a line through readings and judges it.
func tellMemory(found *result, readings []reading, most, each float64) {
	var x, anonymous, live []float64
	for _, r := range readings {
		x = append(x, float64(r.n))
		anonymous = append(anonymous, float64(r.rssAnon))
		live = append(live, r.heap.live)
	}
	last := readings[len(readings)-1]
	a := fit(x, anonymous)
	found.atMost(fmt.Sprintf("RssAnon with %d instances", last.n), "MB", float64(last.rssAnon)/mb, (most+each*float64(last.n))/mb)
	found.atMost("RssAnon, intercept", "MB", a.Intercept/mb, most/mb)
	if len(readings) > 1 {
		found.atMost("RssAnon, slope", "KiB/instance", a.Slope/kib, each/kib)
		found.value(kindFact, "live heap, slope", "KiB/instance", fit(x, live).Slope/kib)
	}
	for _, r := range readings {
		at := fmt.Sprintf("%d instances: ", r.n)
		found.value(kindFact, at+"RssAnon", "MB", float64(r.rssAnon)/mb)
		found.value(kindFact, at+"RSS (with the executable's pages)", "MB", float64(r.rss)/mb)
		found.value(kindStep, at+"live heap", "MB", r.heap.live/mb)
		found.value(kindStep, at+"heap spans in use", "MB", r.heap.inUse/mb)
		found.value(kindStep, at+"heap spans idle and not given back", "MB", (r.heap.idle-r.heap.released)/mb)
		found.value(kindStep, at+"stacks", "MB", r.heap.stacks/mb)
		found.value(kindStep, at+"the runtime's own", "MB", r.heap.other/mb)
	}
}

// settledMemory leaves a process alone, then reads its memory.
func (w *world) settledMemory(ctx context.Context, p *part, n int) (reading, error) {
	say("  %s with %d instances, left alone for %v", p.name, n, w.options.settle)
	select {
	case <-time.After(w.options.settle):
	case <-ctx.Done():
		return reading{}, ctx.Err()
	}
	m, err := memoryOf(p.process.PID())
	if err != nil {
		return reading{}, err
	}
	metrics, err := p.scrape(ctx)
	if err != nil {
		return reading{}, err
	}
	r := reading{n: n, memory: m, heap: heap{
		live: metrics["go_memstats_heap_alloc_bytes"], inUse: metrics["go_memstats_heap_inuse_bytes"], idle: metrics["go_memstats_heap_idle_bytes"],
		released: metrics["go_memstats_heap_released_bytes"], stacks: metrics["go_memstats_stack_sys_bytes"],
	}}
	for _, name := range []string{"mspan_sys", "mcache_sys", "buck_hash_sys", "gc_sys", "other_sys"} {
		r.heap.other += metrics["go_memstats_"+name+"_bytes"]
	}
	return r, nil
}

// scrape reads the metrics of a part, those without labels.
func (p *part) scrape(ctx context.Context) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.metrics+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("read the metrics of the %s: %w", p.name, err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, fmt.Errorf("read the metrics of the %s: %w", p.name, err)
	}
	return parseMetrics(string(text)), nil
}

// parseMetrics reads Prometheus' text format; a name with labels keeps them.
func parseMetrics(text string) map[string]float64 {
	found := map[string]float64{}
	for entry := range strings.Lines(text) {
		entry = strings.TrimSpace(entry)
		at := strings.LastIndexByte(entry, ' ')
		if at < 0 || strings.HasPrefix(entry, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(entry[at+1:], 64); err == nil {
			found[entry[:at]] = v
		}
	}
	return found
}
