// Package placement gives every DrasiInstance of the platforms Process and Docker a host, and takes the finalizer off once a host has released it.
// Until an instance is placed the controller writes its status; from then on the host's agent does.
package placement

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/instance"
	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/platform"
)

// Reconciler places DrasiInstances. It must run with one worker: two placements at a time could take the same port.
type Reconciler struct {
	client client.Client
	clock  clock.PassiveClock
	writer *status.Writer
	index  *index

	mu      sync.Mutex
	waiting map[types.NamespacedName]bool
	enqueue func(types.NamespacedName)
}

// New returns a Reconciler.
func New(c client.Client, recorder events.EventRecorder, clock clock.PassiveClock) *Reconciler {
	r := &Reconciler{
		client: c, clock: clock, writer: status.NewWriter(c, recorder, clock, v1alpha1.FieldOwnerController),
		waiting: map[types.NamespacedName]bool{}, enqueue: func(types.NamespacedName) {},
	}
	r.index = newIndex(clock, r.wakeWaiting)
	return r
}

// Reconcile makes one pass over one instance.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	object := &v1alpha1.DrasiInstance{}
	if err := r.client.Get(ctx, request.NamespacedName, object); err != nil {
		r.setWaiting(request.NamespacedName, false)
		r.writer.Forget(request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if wait := r.writer.Stale(object); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	switch {
	case !object.DeletionTimestamp.IsZero():
		return again(ctrl.Result{}, r.release(ctx, object))
	case object.Status.Host != "":
		// From here on the agent writes. Of 10,000 instances that are placed nothing is remembered but what the cache and the index have.
		r.setWaiting(request.NamespacedName, false)
		r.writer.Forget(request.NamespacedName)
		return ctrl.Result{}, nil
	}
	return again(r.place(ctx, object))
}

// again turns a conflict into another look: somebody else wrote the object, and what was decided is decided anew.
func again(result ctrl.Result, err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: 100 * time.Millisecond}, nil
	}
	return result, client.IgnoreNotFound(err)
}

// release drops the finalizer once nothing of the instance is left: it never had a host, or the host says so.
func (r *Reconciler) release(ctx context.Context, object *v1alpha1.DrasiInstance) error {
	r.setWaiting(client.ObjectKeyFromObject(object), false)
	if object.Status.Host != "" && !meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionReleased) {
		return nil
	}
	if !controllerutil.ContainsFinalizer(object, v1alpha1.FinalizerRuntime) {
		return nil
	}
	if instance.Paused(object) {
		return r.hold(ctx, object)
	}
	updated := object.DeepCopy()
	controllerutil.RemoveFinalizer(updated, v1alpha1.FinalizerRuntime)
	logf.FromContext(ctx).Info("Letting the deleted instance go")
	if err := r.patch(ctx, object, updated); err != nil {
		return fmt.Errorf("remove the finalizer: %w", err)
	}
	r.writer.Note(updated)
	return nil
}

// hold leaves a deleted instance as it is while it is paused. Of one that has a host the host's agent says so.
func (r *Reconciler) hold(ctx context.Context, object *v1alpha1.DrasiInstance) error {
	if object.Status.Host != "" {
		return nil
	}
	facts := &status.Facts{
		Instance: object, Now: r.clock.Now(), Paused: true, Held: "the deletion",
		Unsupported: instance.Unsupported(object, v1alpha1.PlatformProcess), Plan: instance.PlanOf(object),
	}
	_, err := r.writer.Write(ctx, object, status.Compute(facts))
	return err
}

// place validates an instance that has no host, and gives it one.
func (r *Reconciler) place(ctx context.Context, object *v1alpha1.DrasiInstance) (ctrl.Result, error) {
	facts := &status.Facts{
		Instance: object, Now: r.clock.Now(),
		Paused: instance.Paused(object), Unsupported: instance.Unsupported(object, v1alpha1.PlatformProcess), Plan: instance.PlanOf(object),
	}
	key := client.ObjectKeyFromObject(object)
	if object.Spec.State == v1alpha1.StateStopped || len(facts.Unsupported) > 0 || len(facts.Plan.Findings) > 0 {
		r.setWaiting(key, false)
		return r.writer.Write(ctx, object, status.Compute(facts))
	}
	if facts.Paused {
		r.setWaiting(key, false)
		facts.Held = "the start"
		return r.writer.Write(ctx, object, status.Compute(facts))
	}
	// Before the hosts are looked at: what changes meanwhile must find the instance waiting.
	r.setWaiting(key, true)
	candidates, err := r.candidates(ctx, key)
	if err != nil {
		return ctrl.Result{}, err
	}
	listeners := instance.Listeners(facts.Plan)
	host, problem := Choose(demandOf(object, listeners), candidates)
	if problem != nil {
		facts.Placement = problem
		return r.writer.Write(ctx, object, status.Compute(facts))
	}
	r.setWaiting(key, false)
	facts.Host = host
	return ctrl.Result{}, r.bind(ctx, object, facts, listeners)
}

func demandOf(object *v1alpha1.DrasiInstance, listeners []platform.Listener) *Demand {
	demand := &Demand{
		Key: client.ObjectKeyFromObject(object), Platform: object.Spec.Platform, Version: object.Spec.Version, Listeners: listeners,
		Limited: instance.Limits(&object.Spec) != (platform.Resources{}),
	}
	if object.Spec.Placement != nil {
		demand.Pin = object.Spec.Placement.Host
	}
	return demand
}

// bind adds the finalizer, then writes the host: an instance with a host always has the finalizer. Both writes fail if the object has changed.
func (r *Reconciler) bind(ctx context.Context, object *v1alpha1.DrasiInstance, facts *status.Facts, listeners []platform.Listener) error {
	logf.FromContext(ctx).Info("Placing the instance", "host", facts.Host)
	held := object.DeepCopy()
	if controllerutil.AddFinalizer(held, v1alpha1.FinalizerRuntime) {
		if err := r.patch(ctx, object, held); err != nil {
			return fmt.Errorf("add the finalizer: %w", err)
		}
	}
	placed := held.DeepCopy()
	placed.Status = status.Compute(facts)
	patch := client.MergeFromWithOptions(held, client.MergeFromWithOptimisticLock{})
	if err := r.client.Status().Patch(ctx, placed, patch, client.FieldOwner(v1alpha1.FieldOwnerController)); err != nil {
		return fmt.Errorf("write the host: %w", err)
	}
	r.index.assume(placed, listeners)
	r.writer.Note(placed)
	return nil
}

func (r *Reconciler) patch(ctx context.Context, old, updated *v1alpha1.DrasiInstance) error {
	patch := client.MergeFromWithOptions(old, client.MergeFromWithOptimisticLock{})
	return r.client.Patch(ctx, updated, patch, client.FieldOwner(v1alpha1.FieldOwnerController))
}

// candidates lists every host with what it carries.
func (r *Reconciler) candidates(ctx context.Context, key types.NamespacedName) ([]Candidate, error) {
	var hosts v1alpha1.DrasiHostList
	if err := r.client.List(ctx, &hosts); err != nil {
		return nil, fmt.Errorf("list the hosts: %w", err)
	}
	claims := r.index.claims(key)
	list := make([]Candidate, 0, len(hosts.Items))
	for i := range hosts.Items {
		host := &hosts.Items[i]
		list = append(list, Candidate{
			Host: host, Claims: claims[host.Name],
			Ready: host.DeletionTimestamp.IsZero() && meta.IsStatusConditionTrue(host.Status.Conditions, v1alpha1.ConditionReady),
		})
	}
	return list, nil
}

// Hosts lists the hosts that carry an instance.
func (r *Reconciler) Hosts() []string { return r.index.hosts() }

// On lists the instances that a host carries.
func (r *Reconciler) On(host string) []types.NamespacedName { return r.index.on(host) }

// setWaiting notes whether an instance waits for a host.
func (r *Reconciler) setWaiting(key types.NamespacedName, waits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if waits {
		r.waiting[key] = true
	} else {
		delete(r.waiting, key)
	}
}

// wakeWaiting has every waiting instance looked at again.
func (r *Reconciler) wakeWaiting() {
	r.mu.Lock()
	keys := make([]types.NamespacedName, 0, len(r.waiting))
	for key := range r.waiting {
		keys = append(keys, key)
	}
	enqueue := r.enqueue
	r.mu.Unlock()
	for _, key := range keys {
		enqueue(key)
	}
}
