//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

const perSecond = "1/s"

func runBurst(ctx context.Context, w *world) (_ *result, err error) {
	if err := w.startController(ctx); err != nil {
		return nil, err
	}
	h, err := w.startHost(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.end(ctx)) }()
	n := w.options.burst
	mark := w.audit.mark()
	each, whole, ready, err := w.burst(ctx, n)
	if err != nil {
		return nil, err
	}
	writes, err := w.audit.settled(mark)
	if err != nil {
		return nil, err
	}
	b, err := w.bareLike(ready)
	if err != nil {
		return nil, err
	}
	// What runs must not take processor time from the baselines.
	if err := w.deleteAll(ctx); err != nil {
		return nil, err
	}
	if err := errors.Join(w.controller.stop(), h.stop()); err != nil {
		return nil, err
	}
	say("  %d bare servers at once", n)
	bareWhole, err := b.many(ctx, n)
	if err != nil {
		return nil, err
	}
	say("  blind PATCHes")
	ceiling, err := w.ceiling(ctx, ready)
	if err = errors.Join(err, w.startController(ctx)); err != nil {
		return nil, err
	}
	t := count(writes, "")
	per := float64(t.instances+t.events) / float64(n)
	found := &result{Case: "burst", Title: fmt.Sprintf("%d instances applied at once, %d requests at a time, to one host.", n, creators)}
	found.value(kindFact, fmt.Sprintf("instances that become Ready, of %d", n), perSecond, float64(n)/whole.Seconds())
	found.value(kindFact, "from the first POST to the last Ready", "s", whole.Seconds())
	found.series(kindFact, "apply to Ready of each", each)
	found.value(kindBaseline, "the API server's own ceiling: blind PATCHes of the status of an object of the same size", perSecond, ceiling)
	found.value(kindFact, "our writes for each instance: to the instance", "", float64(t.instances)/float64(n))
	found.value(kindFact, "our writes for each instance: Events", "", float64(t.events)/float64(n))
	found.value(kindBaseline, "instances for which that ceiling is enough (ceiling ÷ (our writes + the user's POST))", perSecond, ceiling/(per+1))
	found.value(kindBaseline, "bare servers started at once, until the last is healthy", perSecond, float64(n)/bareWhole.Seconds())
	found.value(kindFact, "our writes that were refused (409, 429)", "", float64(t.refused))
	return found, nil
}

// burst applies instances at once and waits until all are Ready.
func (w *world) burst(ctx context.Context, n int) (each series, whole time.Duration, last *v1alpha1.DrasiInstance, err error) {
	eyes, err := w.watch(ctx)
	if err != nil {
		return nil, 0, nil, err
	}
	defer eyes.close()
	arrivals := eyes.all()
	objects, sent := make([]*v1alpha1.DrasiInstance, n), make([]instant, n)
	numbers := map[string]int{}
	for i := range n {
		if objects[i], err = w.newInstance(fmt.Sprintf("burst-%d", i)); err != nil {
			return nil, 0, nil, err
		}
		numbers[objects[i].Name] = i
	}
	applied := make(chan error, 1)
	began := now()
	go func() {
		applied <- parallel(n, creators, func(i int) error {
			sent[i] = now()
			return w.client.Create(ctx, objects[i])
		})
	}()
	arrived := map[string]instant{}
	var end instant
	for len(arrived) < n {
		seen, err := eyes.next(ctx, arrivals)
		if err != nil {
			return nil, 0, nil, fmt.Errorf("wait until all are Ready, %d are: %w", len(arrived), err)
		}
		if isReady(seen.object) && arrived[seen.object.Name] == 0 {
			arrived[seen.object.Name], end, last = seen.at, seen.at, seen.object
		}
	}
	if err := <-applied; err != nil {
		return nil, 0, nil, fmt.Errorf("apply: %w", err)
	}
	for name, at := range arrived {
		each.add(at.since(sent[numbers[name]]))
	}
	return each, end.since(began), last, nil
}

// ceilingFor is how long the blind PATCHes last.
const ceilingFor = 5 * time.Second

// ceiling is how many PATCHes of a status a second the API server takes from the harness, of objects of the product's size.
func (w *world) ceiling(ctx context.Context, like *v1alpha1.DrasiInstance) (float64, error) {
	for i := range creators {
		object := &v1alpha1.DrasiInstance{ObjectMeta: metav1.ObjectMeta{Namespace: like.Namespace, Name: fmt.Sprintf("blind-%d", i)}, Spec: like.Spec}
		if err := w.client.Create(ctx, object); err != nil {
			return 0, fmt.Errorf("make objects for blind PATCHes: %w", err)
		}
	}
	began, done := now(), make([]int, creators)
	err := parallel(creators, creators, func(i int) error {
		object := &v1alpha1.DrasiInstance{ObjectMeta: metav1.ObjectMeta{Namespace: like.Namespace, Name: fmt.Sprintf("blind-%d", i)}}
		for now().since(began) < ceilingFor {
			status := like.Status.DeepCopy()
			count := int32(done[i] + 1)
			status.Restarts = &count // each must change something, else nothing is written
			body, err := json.Marshal(map[string]any{"status": status})
			if err != nil {
				return err
			}
			if err := w.client.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, body)); err != nil {
				return err
			}
			done[i]++
		}
		return nil
	})
	took, total := now().since(began), 0
	for _, n := range done {
		total += n
	}
	return float64(total) / took.Seconds(), errors.Join(err, w.deleteAll(ctx))
}
