package agent

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/instance"
	"github.com/draas-io/draas/internal/controller/probe"
	"github.com/draas-io/draas/internal/controller/status"
)

// The agent's rights beside registration and Lease.
//
// +kubebuilder:rbac:groups=draas.io,resources=drasiinstances,verbs=get;list;watch
// +kubebuilder:rbac:groups=draas.io,resources=drasiinstances/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	// workers is how many instances are reconciled at a time. A pass waits for nothing but the API server and the disk.
	workers = 8
	// passTimeout bounds one pass.
	passTimeout = 2 * time.Minute
)

// serve runs one manager until ctx ends or it gives up.
func (a *hostAgent) serve(ctx context.Context, connect Connect) error {
	plain, err := connect()
	if err != nil {
		return fmt.Errorf("load the credentials: %w", err)
	}
	confirm := func(ctx context.Context) error { return a.cluster.confirm(ctx, plain) }
	if err := confirm(ctx); err != nil {
		return err
	}
	config := a.cluster.guard(plain)
	manager, err := a.newManager(config)
	if err != nil {
		return fmt.Errorf("set up the manager: %w", err)
	}
	lifetime, cancel := context.WithCancel(ctx)
	defer cancel()
	beats := &heartbeat{
		client: manager.GetClient(), clock: a.clock, host: a.options.Host, identity: a.identity, pulse: &pulse{clock: a.clock}, confirm: confirm,
	}
	if err := beats.acquire(ctx); err != nil {
		return fmt.Errorf("acquire the host's Lease: %w", err)
	}
	if err := manager.Add(beats); err != nil {
		return fmt.Errorf("add the heartbeat: %w", err)
	}
	came, err := newArrivals(ctx, manager.GetAPIReader(), a.options.Host)
	if err != nil {
		return err
	}
	prober := probe.New(a.drivers[v1alpha1.PlatformProcess], a.clock, a.waker.wake)
	if err := a.register(lifetime, manager, beats.pulse, prober, came); err != nil {
		return err
	}
	if err := a.addReaper(ctx, manager, beats, prober); err != nil {
		return fmt.Errorf("add the reaper: %w", err)
	}
	return manager.Start(ctx)
}

func (a *hostAgent) newManager(config *rest.Config) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Logger: a.log,
		Cache: cache.Options{
			// An agent must not know, and cannot afford to hold, other hosts' instances.
			ByObject: map[client.Object]cache.ByObject{
				&v1alpha1.DrasiInstance{}: {Field: fields.OneTermEqualSelector(v1alpha1.FieldStatusHost, a.options.Host)},
			},
			DefaultTransform:            cache.TransformStripManagedFields(),
			ReaderFailOnMissingInformer: true,
		},
		Client: client.Options{Cache: &client.CacheOptions{
			// One object of each, read now and then: a watch would cost more.
			DisableFor: []client.Object{&coordinationv1.Lease{}, &corev1.Node{}, &v1alpha1.DrasiHost{}},
		}},
		Metrics:                metricsserver.Options{BindAddress: a.options.MetricsAddress},
		HealthProbeBindAddress: a.options.HealthAddress,
	})
}

// register puts everything that an agent does with the API server into the manager.
func (a *hostAgent) register(ctx context.Context, manager ctrl.Manager, pulse *pulse, prober *probe.Prober, came *arrivals) error {
	if err := manager.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add the health check: %w", err)
	}
	if err := manager.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add the readiness check: %w", err)
	}
	registration := &registrar{client: manager.GetClient(), clock: a.clock, options: a.options, drivers: a.drivers, pulse: pulse, holds: a.holds}
	if err := manager.Add(registration); err != nil {
		return fmt.Errorf("add the registration: %w", err)
	}
	driver := a.drivers[v1alpha1.PlatformProcess]
	reconciler := instance.New(instance.Config{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Driver: driver, Clock: a.clock,
		Prober:   prober,
		Recorder: manager.GetEventRecorder("draas-agent"),
		Host:     a.options.Host, HostAddress: a.options.Address, Platform: v1alpha1.PlatformProcess, Lifetime: ctx,
		Silent: pulse.silent, Arrived: func(i *v1alpha1.DrasiInstance) bool { return came.take(i) },
	})
	err := builder.ControllerManagedBy(manager).
		Named("instance").
		For(&v1alpha1.DrasiInstance{}, builder.WithPredicates(came.noting(predicate.Funcs{UpdateFunc: worthAPass}))).
		WatchesRawSource(a.waker.source()).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers, ReconciliationTimeout: passTimeout, RateLimiter: status.RateLimiter(),
			SkipNameValidation: ptr.To(true), // managers are rebuilt within one process
		}).
		Complete(reconciler)
	if err != nil {
		return fmt.Errorf("add the pipeline: %w", err)
	}
	return nil
}

// addReaper puts the reaper into the manager. It looks after every start, and after an instance has gone.
func (a *hostAgent) addReaper(ctx context.Context, manager ctrl.Manager, beats *heartbeat, prober *probe.Prober) error {
	informer, err := manager.GetCache().GetInformer(ctx, &v1alpha1.DrasiInstance{})
	if err != nil {
		return fmt.Errorf("get the informer of instances: %w", err)
	}
	kept := openLatch(filepath.Join(a.options.StateDir, "held-orphans"))
	if kept.lost != nil {
		a.log.Error(kept.lost, "It is not known which orphans were held; all are, until leave is given", "host", a.options.Host)
	}
	r := &reaper{
		cached: manager.GetClient(), live: manager.GetAPIReader(), driver: a.drivers[v1alpha1.PlatformProcess], clock: a.clock, host: a.options.Host,
		retained: filepath.Join(a.options.StateDir, "retained"), recorder: manager.GetEventRecorder("draas-agent"),
		synced: informer.HasSynced, confirm: beats.confirm, silent: beats.pulse.silent, hold: a.holds.set,
		wake: make(chan struct{}, 1), forget: prober.Forget, latch: kept, stopping: map[string]orphan{},
	}
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{DeleteFunc: func(any) { r.poke() }}); err != nil {
		return fmt.Errorf("watch instances: %w", err)
	}
	return manager.Add(r)
}

// worthAPass says whether an update of an object can change what is to be done: our own writes of its status cannot, but the controller's word
// that the host is lost must be taken back.
func worthAPass(update event.UpdateEvent) bool {
	old, object := update.ObjectOld.(*v1alpha1.DrasiInstance), update.ObjectNew.(*v1alpha1.DrasiInstance)
	if old.Generation != object.Generation || old.UID != object.UID || !old.DeletionTimestamp.Equal(object.DeletionTimestamp) ||
		instance.Paused(old) != instance.Paused(object) {
		return true
	}
	live := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionLive)
	return live == nil || live.Reason == v1alpha1.ReasonHostLost
}
