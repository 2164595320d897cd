//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

// lifeRun is a run of the case writes.
type lifeRun struct {
	world    *world
	host     *host
	eyes     *eyes
	events   chan sighting
	instance *v1alpha1.DrasiInstance
}

// lifeStep is one step of a life, with its budget of writes to the instance.
type lifeStep struct {
	name   string
	budget float64
	do     func(context.Context) error
}

func runWrites(ctx context.Context, w *world) (_ *result, err error) {
	if err := w.startController(ctx); err != nil {
		return nil, err
	}
	r := &lifeRun{world: w}
	if r.host, err = w.startHost(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.host.end(ctx)) }()
	if r.eyes, err = w.watch(ctx); err != nil {
		return nil, err
	}
	defer r.eyes.close()
	if r.instance, err = w.newInstance("life"); err != nil {
		return nil, err
	}
	r.events = r.eyes.of(r.instance.Name)
	found := &result{Case: "writes", Title: "Writes of ours to the API server in each step of a life of one instance, as its audit log counts them, by what is written."}
	for _, step := range []lifeStep{
		{"apply → Ready", 3, r.create},
		{"a change of the configuration → Ready", 1, r.change},
		{"a crash after more than 10 s → Ready", 2, r.crash},
		{"the agent is killed and started anew", 0, r.restartAgent},
		{"the controller is killed and started anew", 0, r.restartController},
		{"nothing happens for " + quietAfter.String(), 0, func(context.Context) error { return nil }},
		{"delete → gone", 2, r.remove},
	} {
		mark := w.audit.mark()
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		time.Sleep(quietAfter) // what comes late counts too
		writes, err := w.audit.settled(mark)
		if err != nil {
			return nil, err
		}
		t := count(writes, "")
		found.atMost(step.name+": to the instance", "", float64(t.instances), step.budget)
		found.value(kindFact, step.name+": Events", "", float64(t.events))
		if t.refused+t.other+t.hosts > 0 {
			found.value(kindFact, step.name+": refused, to the DrasiHost, others", "", float64(t.refused+t.other+t.hosts))
		}
	}
	found.note("Lease renewals are left out: the agent's every 10 s, the controller's every 2 s where it elects a leader.")
	return found, nil
}

// await waits until the instance is Ready with another process than before.
func (r *lifeRun) await(ctx context.Context, before int) error {
	seen, err := r.eyes.first(ctx, r.events, func(s sighting) bool { return isReady(s.object) && pidOf(s.object) != before })
	if err == nil {
		r.instance = seen.object
	}
	return err
}

func (r *lifeRun) create(ctx context.Context) error {
	if err := r.world.client.Create(ctx, r.instance.DeepCopy()); err != nil {
		return err
	}
	return r.await(ctx, 0)
}

func (r *lifeRun) change(ctx context.Context) error {
	changed := r.instance.DeepCopy()
	changed.Spec.Config.LogLevel = v1alpha1.TextValue("warn")
	if err := r.world.client.Patch(ctx, changed, client.MergeFrom(r.instance)); err != nil {
		return err
	}
	return r.await(ctx, pidOf(r.instance))
}

func (r *lifeRun) crash(ctx context.Context) error {
	pid, restarts := pidOf(r.instance), ptr.Deref(r.instance.Status.Restarts, 0)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	if err := r.await(ctx, pid); err != nil {
		return err
	}
	if got := ptr.Deref(r.instance.Status.Restarts, 0); got != restarts+1 {
		return fmt.Errorf("the instance tells %d restarts after %d and one kill", got, restarts)
	}
	return nil
}

func (r *lifeRun) restartAgent(context.Context) error {
	return errors.Join(r.host.kill(), r.host.start())
}

func (r *lifeRun) restartController(ctx context.Context) error {
	if err := r.world.controller.kill(); err != nil {
		return err
	}
	return r.world.startController(ctx)
}

func (r *lifeRun) remove(ctx context.Context) error {
	if err := r.world.client.Delete(ctx, r.instance.DeepCopy()); err != nil {
		return err
	}
	_, err := r.eyes.first(ctx, r.events, func(s sighting) bool { return s.deleted })
	return err
}
