//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

func runIdle(ctx context.Context, w *world) (_ *result, err error) {
	if err := w.startController(ctx); err != nil {
		return nil, err
	}
	h, err := w.startHost(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.end(ctx)) }()
	found := &result{Case: "idle", Title: fmt.Sprintf("Processor time and writes of what is settled, over %v.", w.options.idle)}
	have := 0
	for _, n := range ends(w.options.counts) {
		if n > have {
			if _, err := w.fill(ctx, fmt.Sprintf("idle%d", n), n-have); err != nil {
				return nil, err
			}
			have = n
		}
		if err := w.rest(ctx, h, have, found); err != nil {
			return nil, err
		}
	}
	found.note("Processor time is that of the process itself, an agent's with that of its rotator, in ticks of 10 ms; what it costs the API server is not in it. The controller elects a leader: its Lease every 2 s.")
	return found, nil
}

// ends are the least and the greatest of some numbers.
func ends(counts []int) []int {
	return slices.Compact([]int{slices.Min(counts), slices.Max(counts)})
}

// rest leaves everything alone for a while and notes what it costs.
func (w *world) rest(ctx context.Context, h *host, n int, found *result) error {
	select {
	case <-time.After(quietAfter):
	case <-ctx.Done():
		return ctx.Err()
	}
	parts := []*part{w.controller, h.part}
	var before []time.Duration
	for _, p := range parts {
		used, err := cpuOf(p.process.PID())
		if err != nil {
			return err
		}
		before = append(before, used)
	}
	mark, began := w.audit.mark(), now()
	say("  idle with %d instances for %v", n, w.options.idle)
	select {
	case <-time.After(w.options.idle):
	case <-ctx.Done():
		return ctx.Err()
	}
	took := now().since(began)
	var after []time.Duration
	for _, p := range parts {
		used, err := cpuOf(p.process.PID())
		if err != nil {
			return err
		}
		after = append(after, used)
	}
	writes, err := w.audit.settled(mark)
	if err != nil {
		return err
	}
	for i, name := range []string{"controller", "agent"} {
		used, t := after[i]-before[i], count(writes, name)
		title := fmt.Sprintf("%d instances, %s: ", n, name)
		found.value(kindFact, title+"processor time", "s/600 s", used.Seconds()*600/took.Seconds())
		found.value(kindFact, title+"Lease renewals", "1/600 s", float64(t.leases)*600/took.Seconds())
		found.atMost(title+"other writes", "1/600 s", float64(t.instances+t.events+t.hosts+t.other+t.refused)*600/took.Seconds(), 0)
	}
	return nil
}
