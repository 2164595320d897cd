package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/instance"
	"github.com/draas-io/draas/internal/controller/status"
)

// The watch's rights.
//
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,namespace=draas-agents,verbs=list
// +kubebuilder:rbac:groups=draas.io,resources=drasihosts/status,verbs=patch

// LostAfter is the default of how long a host's Lease may stay unchanged before the host is lost.
const LostAfter = 40 * time.Second

// LeastLostAfter is the least value that is safe: an agent whose Lease is not renewed falls silent after 25 s (silentAfter of package agent), and
// only then may another write the statuses of its instances.
const LeastLostAfter = 30 * time.Second

// Carried knows which hosts carry which instances.
type Carried interface {
	// Hosts lists the hosts that carry an instance.
	Hosts() []string
	// On lists the instances that a host carries.
	On(host string) []types.NamespacedName
}

// Watch looks at the hosts' Leases, as a Runnable of the manager that only the leader runs.
type Watch struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads Leases from the API server itself, so that an answer is also proof that the API is there.
	Live client.Reader
	// Carried knows the instances by host: to list 10,000 of them at each look would cost more memory than all else.
	Carried Carried
	// Recorder writes Events.
	Recorder events.EventRecorder
	// Clock tells the time.
	Clock clock.WithTicker
	// After is how long a Lease may stay unchanged.
	After time.Duration
}

// NeedLeaderElection says that only the leader judges.
func (w *Watch) NeedLeaderElection() bool { return true }

// Start judges until ctx ends.
func (w *Watch) Start(ctx context.Context) error {
	tracker := newTracker(w.After)
	writer := status.NewWriter(w.Client, w.Recorder, w.Clock, v1alpha1.FieldOwnerController)
	period := min(w.After/8, 5*time.Second)
	ticker := w.Clock.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
		if err := w.look(ctx, tracker, writer, period); err != nil && ctx.Err() == nil {
			tracker.reset(w.Clock.Now())
			logf.FromContext(ctx).Error(err, "Looking at the hosts' Leases failed; no host is judged before it has had its time again")
		}
	}
}

// look takes one look. An error means that the API did not answer as it should.
func (w *Watch) look(ctx context.Context, tracker *tracker, writer *status.Writer, period time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, period)
	defer cancel()
	var leases coordinationv1.LeaseList
	if err := w.Live.List(ctx, &leases, client.InNamespace(v1alpha1.NamespaceAgents)); err != nil {
		return fmt.Errorf("list the hosts' Leases: %w", err)
	}
	var hosts v1alpha1.DrasiHostList
	if err := w.Client.List(ctx, &hosts); err != nil {
		return fmt.Errorf("list the hosts: %w", err)
	}
	// A host whose Lease is gone, or whose DrasiHost is, is as silent as one whose Lease does not change.
	versions := make(map[string]string, len(hosts.Items))
	for i := range hosts.Items {
		versions[hosts.Items[i].Name] = ""
	}
	for _, name := range w.Carried.Hosts() {
		versions[name] = ""
	}
	for i := range leases.Items {
		versions[leases.Items[i].Name] = leases.Items[i].ResourceVersion
	}
	for _, host := range tracker.observe(versions, w.Clock.Now()) {
		w.report(ctx, writer, host)
	}
	return nil
}

// reportTimeout bounds the report of one host. What it does not reach is reported at the next look.
const reportTimeout = 30 * time.Second

// report reports a host as lost. A write that fails says nothing about the other hosts.
func (w *Watch) report(ctx context.Context, writer *status.Writer, host string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	defer cancel()
	if err := w.lose(ctx, writer, host); err != nil {
		logf.FromContext(ctx).Error(err, "Reporting a lost host failed; it is tried again", "host", host)
	}
}

// lose reports a host and its instances as lost. Nothing is started elsewhere: what runs there may still run.
func (w *Watch) lose(ctx context.Context, writer *status.Writer, name string) error {
	host := &v1alpha1.DrasiHost{}
	err := w.Client.Get(ctx, client.ObjectKey{Name: name}, host)
	if err == nil {
		err = w.markLost(ctx, host)
	}
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	var failures []error
	for _, key := range w.Carried.On(name) {
		small := &v1alpha1.DrasiInstance{}
		if err := w.Client.Get(ctx, key, small); err != nil {
			failures = append(failures, client.IgnoreNotFound(err))
		} else if small.Status.Host == name && !isLost(small) && writer.Stale(small) == 0 {
			failures = append(failures, w.loseInstance(ctx, writer, small))
		}
	}
	return errors.Join(failures...)
}

// isLost says whether an instance's status already says that its host is lost.
func isLost(object *v1alpha1.DrasiInstance) bool {
	live := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionLive)
	return live != nil && live.Reason == v1alpha1.ReasonHostLost && live.ObservedGeneration == object.Generation
}

// loseInstance reports an instance as one of a lost host. The cache has only what is left of it by package trim, so it is read whole; what has
// changed since it was judged is judged anew. The agent's word that nothing is left of a deleted one stands.
func (w *Watch) loseInstance(ctx context.Context, writer *status.Writer, small *v1alpha1.DrasiInstance) error {
	object := &v1alpha1.DrasiInstance{}
	if err := w.Live.Get(ctx, client.ObjectKeyFromObject(small), object); err != nil {
		return client.IgnoreNotFound(err)
	}
	released := !object.DeletionTimestamp.IsZero() && meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionReleased)
	if object.UID != small.UID || object.ResourceVersion != small.ResourceVersion || released {
		return nil
	}
	name := object.Status.Host
	facts := &status.Facts{
		Instance: object, Now: w.Clock.Now(), Host: name, HostLost: true, Paused: instance.Paused(object),
		Unsupported: instance.Unsupported(object, v1alpha1.PlatformProcess), Plan: instance.PlanOf(object),
	}
	_, err := writer.Write(ctx, object, status.Compute(facts))
	return err
}

// markLost sets the host's Ready to Unknown, unless it is already.
func (w *Watch) markLost(ctx context.Context, host *v1alpha1.DrasiHost) error {
	updated := host.DeepCopy()
	meta.SetStatusCondition(&updated.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonHostLost, ObservedGeneration: host.Generation,
		Message: "the agent has not been heard of; what runs on the host may still run",
	})
	if equality.Semantic.DeepEqual(host.Status, updated.Status) {
		return nil
	}
	logf.FromContext(ctx).Info("Host lost", "host", host.Name)
	patch := client.MergeFromWithOptions(host, client.MergeFromWithOptimisticLock{})
	if err := w.Client.Status().Patch(ctx, updated, patch, client.FieldOwner(v1alpha1.FieldOwnerController)); err != nil {
		return fmt.Errorf("report the host %s as lost: %w", host.Name, err)
	}
	return nil
}
