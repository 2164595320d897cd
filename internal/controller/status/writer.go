package status

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

const (
	// quiet is how long a change may be under way before its progress is worth a write: most are over by then.
	quiet = time.Second
	// progressEvery is the shortest time between two writes of progress.
	progressEvery = 5 * time.Second
	// staleWait is how long to wait for the cache to show a write of ours.
	staleWait = 10 * time.Millisecond
	// staleMost is how long at most: resource versions go back when etcd is restored.
	staleMost = 10 * time.Second
	// conflictWait is how long to wait for the cache to show somebody else's write.
	conflictWait = 100 * time.Millisecond
)

// Writer writes statuses: not when nothing would change, at most once a pass, and progress only now and then.
type Writer struct {
	client   client.Client
	recorder events.EventRecorder
	clock    clock.PassiveClock
	owner    string

	mu      sync.Mutex
	records map[types.NamespacedName]*record
}

// record is what is remembered of an instance's writes. It only saves requests: without it the next pass writes the same.
type record struct {
	// uid is that of the object: another one of the same name starts anew.
	uid types.UID
	// version is the resource version of our last write, written its time.
	version uint64
	written time.Time
	// progressSince is when the change that is under way was first seen; zero: none is.
	progressSince time.Time
	// progressWritten is when progress was last written.
	progressWritten time.Time
}

// NewWriter returns a Writer that writes as the field manager owner.
func NewWriter(c client.Client, recorder events.EventRecorder, clock clock.PassiveClock, owner string) *Writer {
	return &Writer{client: c, recorder: recorder, clock: clock, owner: owner, records: map[types.NamespacedName]*record{}}
}

// of returns the record of an instance.
func (w *Writer) of(instance *v1alpha1.DrasiInstance) *record {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := client.ObjectKeyFromObject(instance)
	if rec := w.records[key]; rec == nil || rec.uid != instance.UID {
		w.records[key] = &record{uid: instance.UID}
	}
	return w.records[key]
}

// peek returns the record of an instance, nil where nothing was written of late.
func (w *Writer) peek(instance *v1alpha1.DrasiInstance) *record {
	w.mu.Lock()
	defer w.mu.Unlock()
	if rec := w.records[client.ObjectKeyFromObject(instance)]; rec != nil && rec.uid == instance.UID {
		return rec
	}
	return nil
}

// Forget drops the record of an instance that is gone.
func (w *Writer) Forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.records, key)
}

// Stale says how long to wait for a cache that does not show our own last write yet; 0: it does. Resource versions can be compared (KEP-5504).
func (w *Writer) Stale(instance *v1alpha1.DrasiInstance) time.Duration {
	version, err := strconv.ParseUint(instance.ResourceVersion, 10, 64)
	rec := w.peek(instance)
	if err == nil && rec != nil && version < rec.version && w.clock.Since(rec.written) < staleMost {
		return staleWait
	}
	return 0
}

// Relist is how often a settled instance is looked at without a reason: a lost notification costs that much at most.
const Relist = 5 * time.Minute

// Note takes over the resource version that a write of ours gave the object, for Stale.
func (w *Writer) Note(written *v1alpha1.DrasiInstance) {
	if version, err := strconv.ParseUint(written.ResourceVersion, 10, 64); err == nil {
		rec := w.of(written)
		rec.version, rec.written = version, w.clock.Now()
	}
}

// Write brings the object's status to what was computed, and says when to look again. Passes over one object never overlap.
func (w *Writer) Write(ctx context.Context, instance *v1alpha1.DrasiInstance, next v1alpha1.DrasiInstanceStatus) (ctrl.Result, error) {
	rec := w.of(instance)
	now := w.clock.Now()
	if equality.Semantic.DeepEqual(instance.Status, next) {
		rec.progressSince = time.Time{}
		return ctrl.Result{RequeueAfter: Relist}, nil
	}
	if inProgress(&next) {
		if rec.progressSince.IsZero() {
			rec.progressSince = now
		}
		if wait := rec.wait(now); wait > 0 && !worse(&instance.Status, &next) {
			return ctrl.Result{RequeueAfter: wait}, nil
		}
		rec.progressWritten = now
	} else {
		rec.progressSince = time.Time{}
	}

	updated := instance.DeepCopy()
	updated.Status = next
	patch := client.MergeFromWithOptions(instance, client.MergeFromWithOptimisticLock{})
	if err := w.client.Status().Patch(ctx, updated, patch, client.FieldOwner(w.owner)); err != nil {
		if apierrors.IsNotFound(err) {
			return ctrl.Result{}, nil
		}
		if apierrors.IsConflict(err) {
			return ctrl.Result{RequeueAfter: conflictWait}, nil
		}
		return ctrl.Result{}, fmt.Errorf("write the status: %w", err)
	}
	w.Note(updated)
	w.announce(instance, &next)
	return ctrl.Result{RequeueAfter: Relist}, nil
}

// wait says for how long progress is not to be written yet.
func (r *record) wait(now time.Time) time.Duration {
	due := r.progressSince.Add(quiet)
	if next := r.progressWritten.Add(progressEvery); next.After(due) {
		due = next
	}
	return due.Sub(now)
}

// inProgress says whether a status only tells that something is on its way. That nothing is left is an end, for which somebody waits.
func inProgress(s *v1alpha1.DrasiInstanceStatus) bool {
	if meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReleased) {
		return false
	}
	ready := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady)
	switch ready.Reason {
	case v1alpha1.ReasonStarting, v1alpha1.ReasonStopping, v1alpha1.ReasonPending:
		return true
	}
	return false
}

// worse says whether the object still claims more than is true: that a server is Ready for this generation which is not, or that one lives
// which has ended by itself. That is told at once.
func worse(old, next *v1alpha1.DrasiInstanceStatus) bool {
	if old.ObservedGeneration == next.ObservedGeneration && meta.IsStatusConditionTrue(old.Conditions, v1alpha1.ConditionReady) {
		return true
	}
	return meta.IsStatusConditionTrue(old.Conditions, v1alpha1.ConditionLive) && !meta.IsStatusConditionTrue(next.Conditions, v1alpha1.ConditionLive) &&
		!equality.Semantic.DeepEqual(old.LastTermination, next.LastTermination)
}

// announce writes an Event where the summary changed.
func (w *Writer) announce(instance *v1alpha1.DrasiInstance, next *v1alpha1.DrasiInstanceStatus) {
	before := meta.FindStatusCondition(instance.Status.Conditions, v1alpha1.ConditionReady)
	after := meta.FindStatusCondition(next.Conditions, v1alpha1.ConditionReady)
	if before != nil && before.Reason == after.Reason && before.Status == after.Status && before.Message == after.Message {
		return
	}
	kind := corev1.EventTypeNormal
	if after.Status != metav1.ConditionTrue && !inProgress(next) && after.Reason != v1alpha1.ReasonPaused {
		kind = corev1.EventTypeWarning
	}
	note := after.Message
	if note == "" {
		note = fmt.Sprintf("Ready is %s", after.Status)
	}
	w.recorder.Eventf(instance, nil, kind, after.Reason, "Reconcile", "%s", Bounded(note, maxEventNote))
}

// maxEventNote is the API's bound of an Event's note, in bytes.
const maxEventNote = 1000
