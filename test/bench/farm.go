//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/instance"
	"github.com/draas-io/draas/internal/controller/probe"
	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/drasi"
	"github.com/draas-io/draas/internal/platform"
	"github.com/draas-io/draas/internal/platform/fake"
)

// farm is a number of hosts within the harness: each with the product's pipeline and prober on a driver in memory, all with the rights of agents.
type farm struct {
	world  *world
	client client.Client
	hosts  map[string]*farmHost
	cancel context.CancelFunc
	ended  chan error

	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// farmHost is one of them.
type farmHost struct {
	name       string
	reconciler *instance.Reconciler
	api        *http.Server
}

// newFarm starts hosts.
func (w *world) newFarm(ctx context.Context, n int) (*farm, error) {
	_, config, err := w.account(ctx, "draas-agent")
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	lifetime, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &farm{world: w, hosts: map[string]*farmHost{}, cancel: cancel, ended: make(chan error, 2)}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: w.client.Scheme(), Logger: logr.Discard(), Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("set up the simulated hosts: %w", err)
	}
	f.client = manager.GetClient()
	for i := range n {
		if err := f.addHost(lifetime, manager, fmt.Sprintf("farm-%d", i)); err != nil {
			return nil, errors.Join(err, f.end())
		}
	}
	err = builder.ControllerManagedBy(manager).Named("farm").For(&v1alpha1.DrasiInstance{}).
		WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.queue = queue
			return nil
		})).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8, RateLimiter: status.RateLimiter(), SkipNameValidation: ptr.To(true)}).
		Complete(reconcile.Func(f.reconcile))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set up the simulated hosts: %w", err), f.end())
	}
	go func() { f.ended <- manager.Start(lifetime) }()
	go f.heartbeat(lifetime)
	if !manager.GetCache().WaitForCacheSync(ctx) {
		return nil, errors.Join(errors.New("the simulated hosts never saw the instances"), f.end())
	}
	return f, nil
}

// addHost makes a host with a driver, a pipeline, and a server of its servers' APIs.
func (f *farm) addHost(lifetime context.Context, manager ctrl.Manager, name string) error {
	listener, err := (&net.ListenConfig{}).Listen(lifetime, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the servers of %s: %w", name, err)
	}
	api := listener.Addr().(*net.TCPAddr).AddrPort()
	world := fake.NewWorld(fake.Options{Name: name, FirstPort: 20000, LastPort: 29999})
	world.Behave("", fake.Behaviour{API: func(platform.Ref) netip.AddrPort { return api }})
	driver := world.Open()
	driver.Notify(f.wake)
	h := &farmHost{name: name}
	// A connection is kept for a moment only: thousands of servers share this process's descriptors.
	h.api = &http.Server{Handler: http.HandlerFunc(f.answer), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Second}
	go func() { _ = h.api.Serve(listener) }()
	h.reconciler = instance.New(instance.Config{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Driver: driver, Clock: clock.RealClock{},
		Prober: probe.New(driver, clock.RealClock{}, f.wake), Recorder: manager.GetEventRecorder("draas-agent"),
		Host: name, HostAddress: "127.0.0.1", Platform: v1alpha1.PlatformProcess, Lifetime: lifetime,
	})
	f.hosts[name] = h
	return f.register(lifetime, name)
}

// register makes the DrasiHost and says that it is ready, as its agent would.
func (f *farm) register(ctx context.Context, name string) error {
	host := &v1alpha1.DrasiHost{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := f.world.client.Create(ctx, host); err != nil {
		return fmt.Errorf("register %s: %w", name, err)
	}
	host.Status = v1alpha1.DrasiHostStatus{
		Address: "127.0.0.1", AgentVersion: "bench", ObservedGeneration: host.Generation,
		Platforms: []v1alpha1.HostPlatform{{Type: v1alpha1.PlatformProcess, Health: v1alpha1.PlatformHealthy, Versions: []string{"0.2.2"}, Capacity: ptr.To(int32(perHost))}},
		Conditions: []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAgentReady, Message: "the agent serves the host",
			ObservedGeneration: host.Generation, LastTransitionTime: metav1.Now(),
		}},
	}
	if err := f.world.client.Status().Update(ctx, host); err != nil {
		return fmt.Errorf("register %s: %w", name, err)
	}
	return f.beat(ctx, name)
}

// heartbeat renews all hosts' Leases as their agents would.
func (f *farm) heartbeat(ctx context.Context) {
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for name := range f.hosts {
			if err := f.beat(ctx, name); err != nil && ctx.Err() == nil {
				say("  %v", err)
			}
		}
	}
}

func (f *farm) beat(ctx context.Context, name string) error {
	lease := &coordinationv1.Lease{}
	err := f.world.client.Get(ctx, client.ObjectKey{Namespace: v1alpha1.NamespaceAgents, Name: name}, lease)
	missing := client.IgnoreNotFound(err) == nil && err != nil
	lease.Namespace, lease.Name = v1alpha1.NamespaceAgents, name
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = ptr.To(name), ptr.To(int32(40))
	lease.Spec.RenewTime = &metav1.MicroTime{Time: time.Now()}
	switch {
	case missing:
		err = f.world.client.Create(ctx, lease)
	case err == nil:
		err = f.world.client.Update(ctx, lease)
	}
	if err != nil {
		return fmt.Errorf("renew the Lease of %s: %w", name, err)
	}
	return nil
}

// wake has an instance looked at.
func (f *farm) wake(ref platform.Ref) {
	f.mu.Lock()
	queue := f.queue
	f.mu.Unlock()
	if queue != nil {
		queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}})
	}
}

// reconcile hands an instance to the pipeline of its host.
func (f *farm) reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	object := &v1alpha1.DrasiInstance{}
	if err := f.client.Get(ctx, request.NamespacedName, object); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if h := f.hosts[object.Status.Host]; h != nil {
		return h.reconciler.Reconcile(ctx, request)
	}
	return reconcile.Result{}, nil
}

// ready counts the instances that are Ready.
func (f *farm) ready(ctx context.Context) int {
	var list v1alpha1.DrasiInstanceList
	if err := f.client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return 0
	}
	n := 0
	for i := range list.Items {
		if isReady(&list.Items[i]) {
			n++
		}
	}
	return n
}

// answer is the API of every server: each has loaded what the sample says. The instance is named by the path.
func (f *farm) answer(reply http.ResponseWriter, request *http.Request) {
	id := strings.TrimSuffix(strings.TrimPrefix(request.URL.Path, "/api/v1/instances/"), "/snapshot")
	reply.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(reply).Encode(map[string]any{"success": true, "error": nil, "data": snapshotOf(id)})
}

// snapshotOf is what a server says that runs the sample.
func snapshotOf(id string) *drasi.Snapshot {
	return &drasi.Snapshot{
		InstanceID: id,
		Sources:    []drasi.SnapshotSource{{ID: "counter", Kind: "mock", Status: "Running", AutoStart: true}},
		Queries: []drasi.SnapshotQuery{{ID: "values", Status: "Running", Config: drasi.SnapshotQueryConfig{
			Query: "MATCH (c:Counter)\nRETURN c.value AS value\n", Language: "Cypher", AutoStart: true,
			Sources: []drasi.SnapshotQuerySource{{SourceID: "counter"}},
		}}},
		Reactions: []drasi.SnapshotReaction{{ID: "print", Kind: "log", Status: "Running", AutoStart: true, Queries: []string{"values"}}},
	}
}

// end stops the hosts.
func (f *farm) end() error {
	f.cancel()
	var errs []error
	for _, h := range f.hosts {
		errs = append(errs, h.api.Close())
	}
	return errors.Join(errs...)
}
