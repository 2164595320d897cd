//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// quietAfter is how long after a start of the agent its writes are counted: longer than the prober's pause.
const quietAfter = 12 * time.Second

func runAdopt(ctx context.Context, w *world) (_ *result, err error) {
	if err := w.startController(ctx); err != nil {
		return nil, err
	}
	h, err := w.startHost(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.end(ctx)) }()
	n := w.options.adopt
	if _, err := w.record.fresh(); err != nil { // what other cases left
		return nil, err
	}
	objects, err := w.fill(ctx, "adopt", n)
	if err != nil {
		return nil, err
	}
	servers := map[int]bool{}
	for _, object := range objects {
		servers[pidOf(object)] = true
	}
	var supervised, connected series
	total := tally{}
	for i := range w.options.rounds {
		// What the last run of the agent had still to write must not be counted with this one.
		if _, err := w.audit.settled(w.audit.mark()); err != nil {
			return nil, err
		}
		if err := h.kill(); err != nil {
			return nil, err
		}
		mark := w.audit.mark()
		if err := h.start(); err != nil {
			return nil, err
		}
		at, err := h.adopted(ctx, servers)
		if err != nil {
			return nil, err
		}
		supervised.add(at.since(h.began))
		if err := until(ctx, "the agent to work with the API server", func() (bool, error) { return h.said("Starting workers"), h.process.Exited() }); err != nil {
			return nil, err
		}
		connected.add(now().since(h.began))
		time.Sleep(quietAfter)
		writes, err := w.audit.settled(mark)
		if err != nil {
			return nil, err
		}
		t := count(writes, "")
		total.instances, total.events = total.instances+t.instances, total.events+t.events
		total.leases, total.hosts, total.refused = total.leases+t.leases, total.hosts+t.hosts, total.refused+t.refused
		every(i, 5, "adoption")
	}
	starts, err := w.record.fresh()
	if err != nil {
		return nil, err
	}
	found := &result{Case: "adopt", Title: fmt.Sprintf("An agent with %d running servers is killed and started anew: from just before its fork until it holds a descriptor "+
		"(pidfd) of every one of them, as /proc shows.", n)}
	found.judged("fork of the agent to all adopted", supervised, bound{"p90", 500})
	found.series(kindFact, "fork of the agent to its workers on the API server", connected)
	found.atMost(fmt.Sprintf("writes to instances in %d starts, each watched for %v", w.options.rounds, quietAfter), "", float64(total.instances), 0)
	found.atMost("Events", "", float64(total.events), 0)
	found.value(kindFact, "writes to the DrasiHost", "", float64(total.hosts))
	found.value(kindFact, "Lease renewals", "", float64(total.leases))
	found.value(kindFact, "writes that were refused", "", float64(total.refused))
	found.atMost("servers started beside the first of each instance", "", float64(len(onlyStarts(starts))-n), 0)
	found.note("Every goal is for each start, so the greatest value counts as well; of fewer than 100 starts no p99 is told.")
	return found, nil
}

// adopted waits until the agent holds a descriptor of every server.
func (h *host) adopted(ctx context.Context, servers map[int]bool) (instant, error) {
	var at instant
	err := until(ctx, "the agent to adopt its servers", func() (bool, error) {
		held := heldBy(h.process.PID())
		at = now()
		for pid := range servers {
			if !held[pid] {
				return false, h.process.Exited()
			}
		}
		return true, nil
	})
	return at, err
}

// heldBy are the processes of which a process holds descriptors.
func heldBy(pid int) map[int]bool {
	held := map[int]bool{}
	dir := "/proc/" + strconv.Itoa(pid)
	entries, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return held
	}
	for _, entry := range entries {
		if target, err := os.Readlink(dir + "/fd/" + entry.Name()); err != nil || !strings.Contains(target, "pidfd") {
			continue
		}
		text, err := os.ReadFile(dir + "/fdinfo/" + entry.Name())
		if err != nil {
			continue
		}
		if of := pidIn(string(text)); of > 0 {
			held[of] = true
		}
	}
	return held
}

// pidIn is the process that the kernel's text about a pidfd names; 0: none.
func pidIn(fdinfo string) int {
	for entry := range strings.Lines(fdinfo) {
		if value, found := strings.CutPrefix(entry, "Pid:"); found {
			pid, err := strconv.Atoi(strings.TrimSpace(value))
			if err == nil {
				return pid
			}
		}
	}
	return 0
}
