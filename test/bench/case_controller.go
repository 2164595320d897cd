//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// perHost is how many instances a simulated host carries.
	perHost = 500
	// placedMetric counts the passes of the controller's placement that went well.
	placedMetric = `controller_runtime_reconcile_total{controller="placement",result="success"}`
)

func runController(ctx context.Context, w *world) (_ *result, err error) {
	if err := w.startController(ctx); err != nil {
		return nil, err
	}
	n := w.options.objects
	farm, err := w.newFarm(ctx, (n+perHost-1)/perHost)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, farm.end()) }()
	found := &result{Case: "controller", Title: fmt.Sprintf("The controller with up to %d instances on %d hosts whose agents run the product's pipeline on the fake driver, "+
		"within the harness; its memory %v after the last change.", n, len(farm.hosts), w.options.settle)}
	var readings []reading
	have := 0
	for _, target := range slices.Compact(slices.Sorted(slices.Values([]int{0, min(n, n/10), n}))) {
		if target > have {
			began := now()
			if err := w.placeMany(ctx, farm, have, target); err != nil {
				return nil, err
			}
			took := now().since(began)
			found.value(kindFact, fmt.Sprintf("instances %d to %d applied, placed and Ready", have, target), perSecond, float64(target-have)/took.Seconds())
			have = target
		}
		r, err := w.settledMemory(ctx, w.controller, have)
		if err != nil {
			return nil, err
		}
		readings = append(readings, r)
	}
	tellMemory(found, readings, 60*mb, 6*kib)
	if err := w.coldStart(ctx, n, found); err != nil {
		return nil, err
	}
	found.note("Object: %s (%d B of JSON with its status).", sample, w.sizeOfAny(ctx))
	return found, nil
}

// placeMany applies instances and waits until all are Ready.
func (w *world) placeMany(ctx context.Context, farm *farm, from, to int) error {
	say("  applying instances %d to %d", from, to)
	failed := make(chan error, 1)
	go func() {
		failed <- parallel(to-from, creators, func(i int) error {
			instance, err := w.newInstance(fmt.Sprintf("many-%d", from+i))
			if err != nil {
				return err
			}
			instance.Spec.Env = nil // no server is there to record anything
			return w.client.Create(ctx, instance)
		})
	}()
	last, lastChange := 0, time.Now()
	for {
		ready := farm.ready(ctx)
		if ready >= to {
			break
		}
		if ready != last {
			last, lastChange = ready, time.Now()
		}
		if time.Since(lastChange) > patience {
			return fmt.Errorf("%d of %d instances are Ready, and no further one for %v", ready, to, patience)
		}
		select {
		case <-time.After(2 * time.Second):
			say("  %d of %d are Ready", ready, to)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return <-failed
}

// coldStart starts the controller anew while all instances are there.
func (w *world) coldStart(ctx context.Context, n int, found *result) error {
	if _, err := w.audit.settled(w.audit.mark()); err != nil {
		return err
	}
	if err := w.controller.stop(); err != nil {
		return err
	}
	mark := w.audit.mark()
	if err := w.startController(ctx); err != nil {
		return err
	}
	synced := now()
	used, err := cpuOf(w.controller.process.PID())
	if err != nil {
		return err
	}
	err = until(ctx, "the controller to have looked at every instance", func() (bool, error) {
		metrics, err := w.controller.scrape(ctx)
		return err == nil && metrics[placedMetric] >= float64(n), w.controller.process.Exited()
	})
	if err != nil {
		return err
	}
	looked := now()
	r, err := w.settledMemory(ctx, w.controller, n)
	if err != nil {
		return err
	}
	writes, err := w.audit.settled(mark)
	if err != nil {
		return err
	}
	t := count(writes, "controller")
	found.value(kindFact, fmt.Sprintf("cold start with %d: fork to leading and synced", n), ms, float64(synced.since(w.controller.began))/1e6)
	found.value(kindFact, fmt.Sprintf("cold start with %d: fork to every instance looked at", n), ms, float64(looked.since(w.controller.began))/1e6)
	found.value(kindFact, fmt.Sprintf("cold start with %d: processor time until synced", n), "s", used.Seconds())
	found.atMost(fmt.Sprintf("cold start with %d: writes beside the Lease", n), "", float64(t.instances+t.events+t.hosts+t.other+t.refused), 0)
	found.value(kindFact, fmt.Sprintf("cold start with %d: RssAnon %v later", n, w.options.settle), "MB", float64(r.rssAnon)/mb)
	return nil
}
