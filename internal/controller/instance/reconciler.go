// Package instance is the pipeline that brings a server to what its DrasiInstance asks for: observe, decide, act, write the status once. It
// drives every platform through a platform.Driver and runs wherever the driver does: in a host's agent, or in the controller.
package instance

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/probe"
	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/platform"
)

// Config is what a Reconciler needs.
type Config struct {
	// Client reads DrasiInstances from the cache and writes their status.
	Client client.Client
	// Live reads from the API server itself, for decisions that destroy something.
	Live client.Reader
	// Driver runs the servers.
	Driver platform.Driver
	// Prober asks the servers.
	Prober *probe.Prober
	// Recorder writes Events.
	Recorder events.EventRecorder
	// Clock tells the time.
	Clock clock.Clock
	// Host is the name of the host that the driver serves.
	Host string
	// HostAddress is where exposed listeners of the host answer.
	HostAddress string
	// Platform is what the driver serves.
	Platform v1alpha1.Platform
	// Silent says that somebody else may be about to write statuses in place of this pipeline: it must not write any. Servers are driven all the same. Nil: nobody ever is.
	Silent func() bool
	// Arrived tells of an instance of which the cache cannot be showing an old view: it is started without a question. Nil: of none.
	Arrived func(*v1alpha1.DrasiInstance) bool
	// Lifetime ends the asking of servers; it outlives a single reconcile.
	Lifetime context.Context //nolint:containedctx // it is a lifetime, not a call's context
}

// Reconciler reconciles the DrasiInstances of one host.
type Reconciler struct {
	Config
	writer *status.Writer
}

// New returns a Reconciler.
func New(config Config) *Reconciler {
	return &Reconciler{Config: config, writer: status.NewWriter(config.Client, config.Recorder, config.Clock, v1alpha1.FieldOwnerAgent)}
}

// Reconcile makes one pass over one instance.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	instance := &v1alpha1.DrasiInstance{}
	if err := r.Client.Get(ctx, request.NamespacedName, instance); err != nil {
		// An object that is not in the cache may be deleted, or placed elsewhere, or not seen yet: nothing is concluded from that.
		r.writer.Forget(request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if instance.Status.Host != r.Host || instance.Spec.Platform != r.Platform {
		return ctrl.Result{}, nil
	}
	if wait := r.writer.Stale(instance); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	return r.pass(ctx, instance)
}

// pass observes, decides, acts, and writes the status once.
func (r *Reconciler) pass(ctx context.Context, instance *v1alpha1.DrasiInstance) (ctrl.Result, error) {
	facts, err := r.observe(ctx, instance)
	if err != nil {
		return ctrl.Result{}, err
	}
	act := decide(facts)
	facts.Held = held(facts)
	switch early, err := r.clear(ctx, facts, act); {
	case err != nil:
		return ctrl.Result{}, err
	case early && facts.Failure == "":
		// What is known of the object may be old: nothing true can be said of it.
		return ctrl.Result{RequeueAfter: facts.RetryAfter}, nil
	case early:
		return r.report(ctx, facts)
	}
	actErr := r.act(ctx, facts, act)
	if act != actionNone {
		if err := r.observeRuntime(ctx, facts); err != nil {
			return ctrl.Result{}, err
		}
	}
	facts.Released = act == actionRelease || act == actionRemove && facts.Runtime == nil
	if actErr == nil && unasked(facts) {
		return ctrl.Result{RequeueAfter: firstAnswer}, nil
	}
	result, err := r.report(ctx, facts)
	if err := errors.Join(actErr, err); err != nil {
		return ctrl.Result{}, err
	}
	return result, nil
}

// clear finds out whether a server may be started: the object must still be what the cache shows, and the server of an earlier one must have ended.
// Early says that it may not yet; the facts say when to look again, and what there is to report.
func (r *Reconciler) clear(ctx context.Context, facts *status.Facts, act action) (early bool, err error) {
	instance := facts.Instance
	if begins(facts, act) && (r.Arrived == nil || !r.Arrived(instance)) {
		confirmed, err := r.confirm(ctx, instance)
		if err != nil {
			return false, err
		}
		if !confirmed {
			logf.FromContext(ctx).Info("Starting nothing: the API server knows the object otherwise than the cache")
			facts.RetryAfter = unconfirmedRetry
			return true, nil
		}
	}
	if !replacesPredecessor(facts, act) {
		return false, nil
	}
	waiting, err := r.stopPredecessors(ctx, instance)
	if class(err) == classUnavailable {
		facts.Failure, facts.RetryAfter = fmt.Sprintf("the server of an earlier object of the same name must end first: %v", err), refusedAgain
		return true, nil
	}
	if waiting {
		facts.Failure, facts.RetryAfter = "the server of an earlier object of the same name must end first", time.Second
	}
	return waiting, err
}

// report writes the status, and says when to look again.
func (r *Reconciler) report(ctx context.Context, facts *status.Facts) (ctrl.Result, error) {
	if r.Silent != nil && r.Silent() {
		logf.FromContext(ctx).V(1).Info("Writing no status before the host's Lease is renewed")
		return ctrl.Result{RequeueAfter: silentRetry}, nil
	}
	result, err := r.writer.Write(ctx, facts.Instance, status.Compute(facts))
	for _, due := range []time.Duration{facts.RetryAfter, status.Due(facts)} {
		if due > 0 {
			result.RequeueAfter = min(result.RequeueAfter, due)
		}
	}
	return result, err
}

// unconfirmedRetry is how soon a pass is made again over an object that the API server knows otherwise: the cache is about to show it.
const unconfirmedRetry = time.Second

// silentRetry is how soon a pass is made again whose status could not be written.
const silentRetry = 2 * time.Second

// firstAnswer is how long to wait at most for the prober's first answer, which wakes the loop.
const firstAnswer = 5 * time.Second

// unasked says that a server runs and that nobody has asked it yet how it is: to write now would take back what is true, for instance right
// after the agent's own restart.
func unasked(facts *status.Facts) bool {
	return facts.Runtime != nil && facts.Runtime.State == platform.StateRunning && facts.Probe == nil
}

// observe collects what a pass decides on.
func (r *Reconciler) observe(ctx context.Context, instance *v1alpha1.DrasiInstance) (*status.Facts, error) {
	facts := &status.Facts{
		Instance: instance, Host: r.Host, HostAddress: r.HostAddress,
		Paused: Paused(instance), Unsupported: Unsupported(instance, r.Platform), Plan: PlanOf(instance),
	}
	if len(facts.Plan.Findings) == 0 {
		hash, err := InputHash(&instance.Spec, facts.Plan)
		if err != nil {
			return nil, fmt.Errorf("hash the inputs: %w", err)
		}
		facts.WantedHash = hash
	}
	return facts, r.observeRuntime(ctx, facts)
}

// observeRuntime asks the driver, and the server through the prober.
func (r *Reconciler) observeRuntime(ctx context.Context, facts *status.Facts) error {
	facts.Now = r.Clock.Now()
	facts.Runtime, facts.RuntimeUnknown, facts.Probe = nil, false, nil
	ref := RefOf(facts.Instance)
	observed, err := r.Driver.Inspect(ctx, ref)
	switch class(err) {
	case classNone:
	case classNotFound:
		r.Prober.Forget(ref.UID)
		return nil
	case classUnavailable:
		facts.RuntimeUnknown, facts.Failure, facts.RetryAfter = true, err.Error(), refusedAgain
		return nil
	default:
		return fmt.Errorf("inspect the runtime: %w", err)
	}
	facts.Runtime = &observed
	if observed.State != platform.StateRunning {
		r.Prober.Forget(ref.UID)
		return nil
	}
	if err := r.watchServer(facts); err != nil {
		// What runs cannot be judged, but it can be stopped, replaced and deleted all the same.
		facts.Failure, facts.RetryAfter = err.Error(), refusedAgain
		facts.Probe = &status.Probe{Incarnation: observed.Incarnation, Errors: err.Error()}
		return nil
	}
	facts.Probe = r.Prober.Last(ref.UID)
	return nil
}

// act carries out the decision. What the driver refuses becomes a fact; what it could not do is returned, for another try.
func (r *Reconciler) act(ctx context.Context, facts *status.Facts, act action) error {
	instance := facts.Instance
	log := logf.FromContext(ctx)
	switch act {
	case actionEnsure:
		log.V(1).Info("Ensuring the server", "generation", instance.Generation, "hash", facts.WantedHash)
		return refused(facts, r.Driver.Ensure(ctx, desired(instance, facts.Plan, facts.WantedHash)))
	case actionResume:
		resumer, ok := r.Driver.(platform.Resumer)
		if !ok {
			return nil
		}
		log.V(1).Info("Starting again what ran before the host was restarted")
		return refused(facts, resumer.Resume(ctx, RefOf(instance)))
	case actionStop:
		log.V(1).Info("Stopping the server", "generation", instance.Generation)
		return refused(facts, r.Driver.Stop(ctx, RefOf(instance), Grace(&instance.Spec)))
	case actionRemove:
		log.V(1).Info("Removing what the server left behind")
		return refused(facts, r.Driver.Remove(ctx, RefOf(instance), keepsData(&instance.Spec)))
	case actionNone, actionRelease:
	}
	return nil
}

// keepsData says whether the server's data outlives the instance.
func keepsData(spec *v1alpha1.DrasiInstanceSpec) bool {
	return spec.Storage != nil && (spec.Storage.OnDelete == "Retain" || spec.Storage.OnDelete == "" && spec.Storage.Type == v1alpha1.StoragePersistent)
}

// begins says whether a server is about to be started for an object that has none. The cache may show an object that has long been released or is
// elsewhere by now: its server would have nobody.
func begins(f *status.Facts, act action) bool {
	return act == actionResume || act == actionEnsure && (f.Runtime == nil || f.Runtime.State == platform.StateStopped)
}

// replacesPredecessor says whether what runs for an earlier object of the same name must end: before the server of this one starts, and also where
// no server of the name shall run.
func replacesPredecessor(f *status.Facts, act action) bool {
	if f.Runtime != nil || f.RuntimeUnknown || f.Paused {
		return false
	}
	return act == actionEnsure || act == actionNone && f.Instance.Spec.State == v1alpha1.StateStopped
}

// stopPredecessors stops and removes what runs for an earlier object of the same name. It says whether some of it is still there: at most one
// server of a name runs, and the new one starts only when the old one is proven dead.
func (r *Reconciler) stopPredecessors(ctx context.Context, instance *v1alpha1.DrasiInstance) (waiting bool, err error) {
	runtimes, err := r.Driver.List(ctx)
	if class(err) == classUnavailable {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("list the runtimes: %w", err)
	}
	for i := range runtimes {
		old := &runtimes[i]
		if old.Namespace != instance.Namespace || old.Name != instance.Name || old.UID == string(instance.UID) {
			continue
		}
		if confirmed, err := r.confirm(ctx, instance); err != nil || !confirmed {
			return true, err
		}
		waiting = true
		logf.FromContext(ctx).Info("Stopping the server of an earlier object of the same name", "earlierUID", old.UID)
		if err := r.Driver.Stop(ctx, old.Ref, graceDefault); err != nil {
			return true, fmt.Errorf("stop the server of an earlier object: %w", err)
		}
		if err := r.Driver.Remove(ctx, old.Ref, true); err != nil && class(err) != classWait {
			return true, fmt.Errorf("remove the server of an earlier object: %w", err)
		}
	}
	return waiting, nil
}

// confirm asks the API server itself whether the object is still the cached one, and nobody has deleted it or placed it elsewhere.
func (r *Reconciler) confirm(ctx context.Context, instance *v1alpha1.DrasiInstance) (bool, error) {
	now := &v1alpha1.DrasiInstance{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(instance), now); err != nil {
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return false, fmt.Errorf("confirm the object: %w", err)
	}
	return now.UID == instance.UID && now.DeletionTimestamp.IsZero() && now.Status.Host == r.Host, nil
}
