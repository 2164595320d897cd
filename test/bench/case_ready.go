//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

const ms = "ms"

// readyRun is a run of the cases bare and ready.
type readyRun struct {
	world   *world
	host    *host
	eyes    *eyes
	effects *watcher
	bare    *bare
	// final is an object as it is when it is Ready.
	final *v1alpha1.DrasiInstance

	own, toReady, toGone series
	steps, ends          steps
}

func runBare(ctx context.Context, w *world) (_ *result, err error) {
	r, err := newReadyRun(ctx, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.end(ctx)) }()
	for i := range max(w.options.n, leastBare) {
		if err := r.bareOnce(ctx); err != nil {
			return nil, err
		}
		every(i, 100, "bare start")
	}
	found := &result{Case: "bare", Title: "The server's own start: fork to the first 200 of /health, polled every millisecond (S is its median)."}
	found.series(kindBaseline, "bare start", r.own)
	return found, nil
}

// leastBare is how many bare starts S needs.
const leastBare = 50

func runReady(ctx context.Context, w *world) (_ *result, err error) {
	r, err := newReadyRun(ctx, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.end(ctx)) }()
	for i := range w.options.n {
		if err := r.bareOnce(ctx); err != nil {
			return nil, err
		}
		if err := r.once(ctx, fmt.Sprintf("ready-%d", i)); err != nil {
			return nil, err
		}
		every(i, 50, "apply to Ready")
	}
	for range max(0, leastBare-w.options.n) {
		if err := r.bareOnce(ctx); err != nil {
			return nil, err
		}
	}
	blind, hop, err := r.blind(ctx)
	if err != nil {
		return nil, err
	}
	found := &result{Case: "ready", Title: "Apply to Ready, one at a time: from just before the POST to the arrival, on a watch of the harness, of the first object " +
		"with Ready=True and observedGeneration equal to generation."}
	s := r.own.summarise().P50
	found.judged("above S: apply to Ready minus the median bare start", r.toReady.above(s), bound{"p50", 25}, bound{"p99", 100})
	found.series(kindFact, "apply to Ready", r.toReady)
	found.series(kindBaseline, "bare start (S is the p50)", r.own)
	found.series(kindBaseline, "blind: POST, three PATCHes and the watch hop, by the harness alone", blind)
	found.series(kindBaseline, "blind: the watch hop of the last PATCH", hop)
	r.steps.into(found)
	found.series(kindFact, "delete to gone", r.toGone)
	r.ends.into(found)
	found.value(kindFact, "size of a Ready object as JSON", "B", float64(sizeOf(r.final)))
	found.note("One further instance runs throughout, so that the set of plugins is there; an agent's first instance of a kind waits for its set as well.")
	found.note("Bare starts and applies alternate. The steps follow each other; their medians do not add up exactly.")
	return found, nil
}

func newReadyRun(ctx context.Context, w *world) (_ *readyRun, err error) {
	r := &readyRun{world: w}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.end(ctx))
		}
	}()
	if err := w.startController(ctx); err != nil {
		return nil, err
	}
	if r.host, err = w.startHost(ctx); err != nil {
		return nil, err
	}
	warm, err := w.fill(ctx, "warm", 1)
	if err != nil {
		return nil, err
	}
	r.final = warm["warm-0"]
	if r.bare, err = w.bareLike(r.final); err != nil {
		return nil, err
	}
	if r.eyes, err = w.watch(ctx); err != nil {
		return nil, err
	}
	r.effects, err = watchEffects(r.host.instances(), w.manager, w.server)
	return r, err
}

func (r *readyRun) end(ctx context.Context) error {
	if r.effects != nil {
		r.effects.close()
	}
	if r.eyes != nil {
		r.eyes.close()
	}
	return r.host.end(ctx)
}

func (r *readyRun) bareOnce(ctx context.Context) error {
	took, err := r.bare.once(ctx)
	r.own.add(took)
	r.effects.take()
	return err
}

// once applies an instance, waits until it is Ready, and deletes it.
func (r *readyRun) once(ctx context.Context, name string) error {
	w := r.world
	instance, err := w.newInstance(name)
	if err != nil {
		return err
	}
	events := r.eyes.of(name)
	defer r.eyes.forget(name)
	mark := w.audit.mark()
	sent := now()
	if err := w.client.Create(ctx, instance); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	acknowledged := now()
	ready, err := r.eyes.first(ctx, events, func(s sighting) bool { return isReady(s.object) })
	if err != nil {
		return fmt.Errorf("wait until %s is Ready: %w", name, err)
	}
	r.toReady.add(ready.at.since(sent))
	if err := r.trace(mark, ready, sent, acknowledged); err != nil {
		return err
	}
	return r.remove(ctx, ready.object, events)
}

// remove deletes the instance and waits until it is gone.
func (r *readyRun) remove(ctx context.Context, object *v1alpha1.DrasiInstance, events chan sighting) error {
	mark, asked := r.world.audit.mark(), now()
	if err := r.world.client.Delete(ctx, object.DeepCopy()); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	acknowledged := now()
	gone, err := r.eyes.first(ctx, events, func(s sighting) bool { return s.deleted })
	if err != nil {
		return fmt.Errorf("wait until %s is gone: %w", object.Name, err)
	}
	r.toGone.add(gone.at.since(asked))
	time.Sleep(20 * time.Millisecond) // the last PATCH is logged a little after its answer
	writes, err := r.world.audit.since(mark)
	if err != nil {
		return err
	}
	starts, err := r.world.record.fresh()
	if err != nil {
		return err
	}
	ended := endOf(starts, pidOf(object))
	released, let := firstWrite(writes, "agent", "drasiinstances/status", object.Name), firstWrite(writes, "controller", "drasiinstances", object.Name)
	r.ends.add("DELETE sent → acknowledged", asked, acknowledged)
	r.ends.add("DELETE acknowledged → the server has stopped (watch hop, SIGINT, the server's own stop)", acknowledged, ended)
	r.ends.add("→ PATCH of Released received (burial, removal of files)", ended, released.Received)
	r.ends.add("PATCH of Released", released.Received, released.Completed)
	r.ends.add("→ finalizer PATCH received", released.Completed, let.Received)
	r.ends.add("finalizer PATCH, and the watch event at the harness", let.Received, gone.at)
	r.effects.take()
	return nil
}

// firstWrite finds the first write of a part to an instance that succeeded.
func firstWrite(writes []write, part, resource, name string) write {
	for _, w := range writes {
		if w.part() == part && w.Resource == resource && w.Name == name && w.good() {
			return w
		}
	}
	return write{}
}

// trace puts together when each step of a start was seen, from four witnesses: the harness, the API server's audit log, the agent's files, and
// the server's own record and output.
func (r *readyRun) trace(mark int64, ready sighting, sent, acknowledged instant) error {
	// The last PATCH is logged a little after its answer.
	time.Sleep(20 * time.Millisecond)
	writes, err := r.world.audit.since(mark)
	if err != nil {
		return err
	}
	starts, err := r.world.record.fresh()
	if err != nil {
		return err
	}
	name := ready.object.Name
	finalizer, placed := firstWrite(writes, "controller", "drasiinstances", name), firstWrite(writes, "controller", "drasiinstances/status", name)
	reported := firstWrite(writes, "agent", "drasiinstances/status", name)
	effects, uid := r.effects.take(), string(ready.object.UID)
	r.steps.add("POST sent → acknowledged", sent, acknowledged)
	r.steps.add("POST acknowledged → finalizer PATCH received (watch hop, validation, choice of a host)", acknowledged, finalizer.Received)
	r.steps.add("finalizer PATCH", finalizer.Received, finalizer.Completed)
	r.steps.add("→ host PATCH received", finalizer.Completed, placed.Received)
	r.steps.add("host PATCH", placed.Received, placed.Completed)
	input := effects.next(uid + "/input-1.json")
	intent := effects.next(uid + "/journal.json")
	spec := effects.next(uid + "/launch.json")
	cloned := effects.next(r.world.manager)
	recorded := effects.next(uid + "/journal.json")
	executed := effects.next(r.world.server)
	began := startOf(starts, pidOf(ready.object))
	bound := boundAt(filepath.Join(r.host.instances(), uid, "logs", "stdout.log"))
	r.steps.add("→ inputs on disk (watch hop, plan, checks, mkdir, fsync)", placed.Completed, input)
	r.steps.add("→ intent in the journal (fsync)", input, intent)
	r.steps.add("→ configuration and launch specification written", intent, spec)
	r.steps.add("→ launcher executed (clone)", spec, cloned)
	r.steps.add("→ process recorded in the journal (fsync)", cloned, recorded)
	r.steps.add("→ server executed", recorded, executed)
	r.steps.add("→ server's main (part of S)", executed, began)
	r.steps.add("→ server's API bound (part of S)", began, bound)
	r.steps.add("→ status PATCH received (probe, status computed)", bound, reported.Received)
	r.steps.add("status PATCH", reported.Received, reported.Completed)
	r.steps.add("→ watch event at the harness", reported.Completed, ready.at)
	return nil
}

// boundWords are what a server prints when its API is up.
const boundWords = "Drasi Server started successfully"

// boundAt is when a server printed that its API is up.
func boundAt(stdout string) instant {
	text, err := os.ReadFile(stdout)
	if err != nil {
		return 0
	}
	return boundIn(string(text), fromWall)
}

func boundIn(text string, toInstant func(time.Time) instant) instant {
	for entry := range strings.Lines(text) {
		stamp, _, _ := strings.Cut(entry, " ")
		if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil && strings.Contains(entry, boundWords) {
			return toInstant(at)
		}
	}
	return 0
}

// steps are the parts of a figure, in the order in which they were first seen.
type steps struct {
	names  []string
	values map[string]*series
}

// add notes a step. One of which an end was not seen is left out.
func (s *steps) add(name string, from, to instant) {
	if s.values == nil {
		s.values = map[string]*series{}
	}
	if s.values[name] == nil {
		s.names = append(s.names, name)
		s.values[name] = &series{}
	}
	if from > 0 && to > 0 {
		s.values[name].add(to.since(from))
	}
}

func (s *steps) into(r *result) {
	for _, name := range s.names {
		r.series(kindStep, name, *s.values[name])
	}
}

// blind has the harness alone make the writes of a start, while controller and agent are away: what the API server costs.
func (r *readyRun) blind(ctx context.Context) (whole, hop series, err error) {
	if err := errors.Join(r.world.controller.stop(), r.host.stop()); err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, r.world.startController(ctx)) }()
	for i := range max(r.world.options.n, leastBare) {
		if err := r.blindOnce(ctx, fmt.Sprintf("blind-%d", i), &whole, &hop); err != nil {
			return nil, nil, err
		}
		every(i, 250, "blind apply")
	}
	return whole, hop, nil
}

func (r *readyRun) blindOnce(ctx context.Context, name string, whole, hop *series) error {
	c := r.world.client
	object, err := r.world.newInstance(name)
	if err != nil {
		return err
	}
	events := r.eyes.of(name)
	defer r.eyes.forget(name)
	sent := now()
	if err := c.Create(ctx, object); err != nil {
		return fmt.Errorf("blind POST: %w", err)
	}
	held := object.DeepCopy()
	held.Finalizers = []string{v1alpha1.FinalizerRuntime}
	if err := c.Patch(ctx, held, client.MergeFromWithOptions(object, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("blind PATCH of the finalizer: %w", err)
	}
	placed := held.DeepCopy()
	placed.Status.Host = r.final.Status.Host
	if err := c.Status().Patch(ctx, placed, client.MergeFromWithOptions(held, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("blind PATCH of the host: %w", err)
	}
	ready := placed.DeepCopy()
	r.final.Status.DeepCopyInto(&ready.Status)
	if err := c.Status().Patch(ctx, ready, client.MergeFromWithOptions(placed, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("blind PATCH of the status: %w", err)
	}
	answered := now()
	seen, err := r.eyes.first(ctx, events, func(s sighting) bool { return isReady(s.object) })
	if err != nil {
		return fmt.Errorf("wait for the blind object: %w", err)
	}
	whole.add(seen.at.since(sent))
	hop.add(seen.at.since(answered))
	free := ready.DeepCopy()
	free.Finalizers = nil
	return errors.Join(c.Patch(ctx, free, client.MergeFrom(ready)), c.Delete(ctx, free))
}

// every tells a person about every so many.
func every(i, n int, what string) {
	if i > 0 && i%n == 0 {
		say("  %s %d", what, i)
	}
}
