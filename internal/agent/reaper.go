package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/platform"
)

const (
	// reapEvery is how often the host's runtimes are compared with its instances without a reason.
	reapEvery = time.Minute
	// reapSoon is the pause after an instance has gone: others may go with it, and they must be counted together.
	reapSoon = time.Second
	// reapAgain is the pause before the next look while orphans are being stopped.
	reapAgain = time.Second
	// reapHeld is the pause before the next look while orphans are held: a person may have given leave.
	reapHeld = 5 * time.Second
	// reapTimeout bounds one look.
	reapTimeout = 2 * time.Minute
	// atOnce is for how long orphans that were stopped count together with the next ones.
	atOnce = 30 * time.Second
	// orphanGrace is how long an orphan's graceful stop may take.
	orphanGrace = time.Minute
)

// reaper stops the servers whose DrasiInstance is gone, as a Runnable of the manager. It concludes nothing from the cache: the API server is asked
// about each of them, and only after it has proven to be the right cluster's. It deletes no data, and does nothing big without a person's leave.
type reaper struct {
	cached client.Reader
	live   client.Reader
	driver platform.Driver
	clock  clock.WithTicker
	host   string
	// retained is where the data of orphans goes, for people.
	retained string
	recorder events.EventRecorder
	// synced says that the cache has every instance of the host.
	synced cache.InformerSynced
	// confirm asks the API server whose it is.
	confirm func(context.Context) error
	silent  func() bool
	// hold tells whoever writes the DrasiHost what is held; nil: nothing is.
	hold func(*metav1.Condition)
	wake chan struct{}
	// forget ends the asking of a server that is gone.
	forget func(uid string)

	// latch remembers what is held.
	latch *latch
	// stopping are the orphans that may be stopped, by UID.
	stopping map[string]orphan
	// begun are the times at which stops began that nobody had given leave for.
	begun []time.Time
	// held are the orphans that wait for leave, judged at heldAt among the suspects of then.
	held         []orphan
	heldAt       time.Time
	heldSuspects []string
}

// poke has the reaper look soon. It never blocks.
func (r *reaper) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Start looks until ctx ends.
func (r *reaper) Start(ctx context.Context) error {
	if !cache.WaitForCacheSync(ctx.Done(), r.synced) {
		return nil
	}
	pause := time.Duration(0)
	for {
		timer := r.clock.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C():
		case <-r.wake:
			timer.Stop()
			pause = reapSoon
			continue
		}
		var err error
		if pause, err = r.look(ctx); err != nil && ctx.Err() == nil {
			logf.FromContext(ctx).Error(err, "Looking for orphans failed; nothing is concluded", "host", r.host)
		}
	}
}

// look compares the host's runtimes with its instances once, and says when to look again.
func (r *reaper) look(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, reapTimeout)
	defer cancel()
	if r.silent() {
		return reapHeld, nil // neither the host's name nor its instances are surely ours
	}
	runtimes, suspects, err := r.suspects(ctx)
	if err != nil {
		return retryMost, err
	}
	if len(suspects) == 0 {
		return reapEvery, r.release()
	}
	if r.unchanged(uidsOf(suspects)) {
		if leave, err := r.leave(ctx); err != nil || leave != numberOf(r.held) {
			return reapHeld, err
		}
	}
	if err := r.confirm(ctx); err != nil {
		return retryMost, err
	}
	fresh, err := r.ask(ctx, suspects)
	if err != nil {
		return retryMost, err
	}
	if err := r.judge(ctx, fresh, others(runtimes, suspects)); err != nil {
		return retryMost, err
	}
	r.heldAt, r.heldSuspects = r.clock.Now(), uidsOf(suspects)
	if err := r.stop(ctx, runtimes); err != nil {
		return retryMost, err
	}
	switch {
	case len(r.stopping) > 0:
		return reapAgain, nil
	case len(r.held) > 0:
		return reapHeld, nil
	}
	return reapEvery, nil
}

// suspects lists the host's runtimes, and those of them that the cache has no instance for. What has come back is no orphan any more.
func (r *reaper) suspects(ctx context.Context) (runtimes, suspects []platform.Observed, err error) {
	if runtimes, err = r.driver.List(ctx); err != nil {
		return nil, nil, fmt.Errorf("list the host's runtimes: %w", err)
	}
	var instances v1alpha1.DrasiInstanceList
	if err := r.cached.List(ctx, &instances, client.UnsafeDisableDeepCopy); err != nil {
		return nil, nil, fmt.Errorf("list the host's instances: %w", err)
	}
	ours := make(map[string]bool, len(instances.Items))
	for i := range instances.Items {
		ours[string(instances.Items[i].UID)] = true
	}
	there := make(map[string]bool, len(runtimes))
	for i := range runtimes {
		there[runtimes[i].UID] = true
		if !ours[runtimes[i].UID] && runtimes[i].State != "" {
			suspects = append(suspects, runtimes[i])
		}
	}
	for uid := range r.stopping {
		if ours[uid] || !there[uid] {
			delete(r.stopping, uid)
		}
	}
	return runtimes, suspects, nil
}

// others counts the servers of the host whose instances are there.
func others(runtimes, suspects []platform.Observed) int {
	count := 0
	for i := range runtimes {
		if runs(&runtimes[i]) {
			count++
		}
	}
	for i := range suspects {
		if runs(&suspects[i]) {
			count--
		}
	}
	return count
}

// uidsOf are the UIDs of runtimes, in their order.
func uidsOf(runtimes []platform.Observed) []string {
	uids := make([]string, 0, len(runtimes))
	for i := range runtimes {
		uids = append(uids, runtimes[i].UID)
	}
	slices.Sort(uids)
	return uids
}

// unchanged says whether the suspects are those of when orphans were held. Then only a person's leave can change anything, and nobody is asked
// about each of them again for a while.
func (r *reaper) unchanged(suspects []string) bool {
	return len(r.held) > 0 && len(r.stopping) == 0 && r.clock.Since(r.heldAt) < reapEvery && slices.Equal(suspects, r.heldSuspects)
}

// ask asks the API server about the suspects that are not being stopped yet, and returns the orphans among them.
func (r *reaper) ask(ctx context.Context, suspects []platform.Observed) ([]orphan, error) {
	var fresh []orphan
	for i := range suspects {
		if _, known := r.stopping[suspects[i].UID]; known {
			continue
		}
		found, err := identify(ctx, r.live, r.host, &suspects[i])
		if err != nil {
			return nil, err
		}
		if found != nil {
			fresh = append(fresh, *found)
		}
	}
	return fresh, nil
}

// judge lets orphans be stopped, or holds them until a person gives leave. What was held stays held, whatever else runs by then.
func (r *reaper) judge(ctx context.Context, fresh []orphan, others int) error {
	now := r.clock.Now()
	r.begun = slices.DeleteFunc(r.begun, func(at time.Time) bool { return now.Sub(at) >= atOnce })
	reason := brake(running(fresh), len(r.begun), others)
	if reason == "" {
		reason = r.latch.reason(fresh)
	}
	if reason != "" {
		leave, err := r.leave(ctx)
		if err != nil {
			return err
		}
		if leave != numberOf(fresh) {
			return r.keep(ctx, fresh, others, reason)
		}
		logf.FromContext(ctx).Info("Orphans are stopped, as the annotation says", "count", len(fresh))
	}
	if err := r.release(); err != nil {
		return err
	}
	for _, o := range fresh {
		r.stopping[o.UID] = o
		if reason == "" && o.runs {
			r.begun = append(r.begun, now)
		}
	}
	return nil
}

// keep holds orphans.
func (r *reaper) keep(ctx context.Context, orphans []orphan, others int, reason string) error {
	message := heldMessage(r.host, orphans, others)
	if r.latch.lost != nil {
		message = fmt.Sprintf("it is not known which orphans were held before (%v), so all are: %s", r.latch.lost, message)
	}
	if len(r.held) == 0 {
		logf.FromContext(ctx).Info("Orphans are held", "reason", reason, "message", message)
	}
	r.held = orphans
	r.hold(&metav1.Condition{Type: v1alpha1.ConditionOrphansHeld, Status: metav1.ConditionTrue, Reason: reason, Message: message})
	return r.latch.set(reason, orphans)
}

// release ends the hold, if there is one.
func (r *reaper) release() error {
	r.held = nil
	r.hold(nil)
	return r.latch.set("", nil)
}

// leave returns the number that a person has written onto the DrasiHost; 0: none.
func (r *reaper) leave(ctx context.Context) (int64, error) {
	host := &v1alpha1.DrasiHost{}
	if err := r.live.Get(ctx, client.ObjectKey{Name: r.host}, host); client.IgnoreNotFound(err) != nil {
		return 0, fmt.Errorf("get the DrasiHost: %w", err)
	}
	number, err := strconv.ParseInt(host.Annotations[v1alpha1.AnnotationReap], 10, 64)
	if err != nil {
		return 0, nil //nolint:nilerr // what is no number is no leave
	}
	return number, nil
}

// stop goes on with stopping, and removes what has ended. What goes wrong with one orphan does not keep the others.
func (r *reaper) stop(ctx context.Context, runtimes []platform.Observed) error {
	var failures []error
	for i := range runtimes {
		o, may := r.stopping[runtimes[i].UID]
		switch {
		case !may:
		case runtimes[i].State == platform.StateStopped:
			failures = append(failures, r.finish(ctx, &runtimes[i]))
		default:
			logf.FromContext(ctx).V(1).Info("Stopping an orphan", "host", r.host, "instance", o.label(), "uid", o.UID, "movedTo", o.movedTo)
			if err := r.driver.Stop(ctx, o.Ref, orphanGrace); err != nil {
				failures = append(failures, fmt.Errorf("stop the orphan %s: %w", o.label(), err))
			}
		}
	}
	return errors.Join(failures...)
}

// finish removes an orphan that has been stopped, after one more question. The data of an instance that was moved stays where it is.
func (r *reaper) finish(ctx context.Context, runtime *platform.Observed) error {
	o := r.stopping[runtime.UID]
	words := fmt.Sprintf("stopped the server of DrasiInstance %s (UID %s), which is placed on host %s now", o.label(), o.UID, o.movedTo)
	if o.movedTo == "" {
		again, err := identify(ctx, r.live, r.host, runtime)
		if err != nil {
			return err
		}
		if again != nil && again.movedTo == "" {
			if err := r.driver.Remove(ctx, o.Ref, true); err != nil {
				return fmt.Errorf("remove the orphan %s: %w", o.label(), err)
			}
			words = fmt.Sprintf("stopped the server of DrasiInstance %s (UID %s), which is gone; its data, if it had any, is in %s on the host", o.label(), o.UID, r.retained)
		}
	}
	delete(r.stopping, o.UID)
	r.forget(o.UID)
	r.tell(ctx, &o, words)
	return nil
}

// tell writes an Event on the DrasiHost. It is related to the orphan's instance, so that Events of several orphans are not counted as one.
func (r *reaper) tell(ctx context.Context, o *orphan, words string) {
	logf.FromContext(ctx).Info("An orphan has ended", "host", r.host, "what", words)
	host := &v1alpha1.DrasiHost{}
	if err := r.live.Get(ctx, client.ObjectKey{Name: r.host}, host); err != nil {
		logf.FromContext(ctx).Error(err, "The Event of an orphan's end is lost", "host", r.host)
		return
	}
	instance := &v1alpha1.DrasiInstance{ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: o.Name, UID: types.UID(o.UID)}}
	r.recorder.Eventf(host, instance, corev1.EventTypeWarning, eventOrphanStopped, "Reap", "%s", words)
}

// eventOrphanStopped is the reason of the Event on the DrasiHost for each orphan that was stopped.
const eventOrphanStopped = "OrphanStopped"
