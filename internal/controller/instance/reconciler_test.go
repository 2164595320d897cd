package instance

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	clientfake "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/probe"
	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/platform"
	"github.com/draas-io/draas/internal/platform/fake"
)

// pipeline is a Reconciler with everything in memory.
type pipeline struct {
	*Reconciler
	world  *fake.World
	client client.Client
	writes int
	silent bool
}

func newPipeline(t *testing.T) *pipeline {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	p := &pipeline{world: fake.NewWorld(fake.Options{})}
	p.client = clientfake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.DrasiInstance{}).WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			p.writes++
			return c.SubResource(sub).Patch(ctx, object, patch, options...)
		},
	}).Build()
	driver := p.world.Open()
	system := clock.RealClock{}
	lifetime, end := context.WithCancel(context.Background())
	t.Cleanup(end)
	p.Reconciler = New(Config{
		Client: p.client, Live: p.client, Driver: driver, Prober: probe.New(driver, system, func(platform.Ref) {}), Recorder: events.NewFakeRecorder(10),
		Clock: system, Host: "node-a", Platform: v1alpha1.PlatformProcess, Silent: func() bool { return p.silent }, Lifetime: lifetime,
	})
	return p
}

// create makes the base instance as it is placed on the pipeline's host, changed by mutate.
func (p *pipeline) create(t *testing.T, mutate func(*v1alpha1.DrasiInstance)) ctrl.Request {
	t.Helper()
	object := &v1alpha1.DrasiInstance{}
	if err := yaml.Unmarshal([]byte(base), object); err != nil {
		t.Fatal(err)
	}
	object.Namespace, object.UID, object.Generation, object.Finalizers = "shop", "uid-1", 1, []string{v1alpha1.FinalizerRuntime}
	object.Status.Host = "node-a"
	mutate(object)
	if err := p.client.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	object.Status.Host = "node-a"
	if err := p.client.Status().Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	return ctrl.Request{NamespacedName: client.ObjectKeyFromObject(object)}
}

// pass makes one pass.
func (p *pipeline) pass(t *testing.T, request ctrl.Request) ctrl.Result {
	t.Helper()
	result, err := p.Reconcile(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (p *pipeline) ready(t *testing.T, request ctrl.Request) string {
	t.Helper()
	object := &v1alpha1.DrasiInstance{}
	if err := p.client.Get(t.Context(), request.NamespacedName, object); err != nil {
		t.Fatal(err)
	}
	if c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Reason
	}
	return ""
}

func stopped(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateStopped }

func TestASilentPipelineDrivesServersAndWritesNoStatus(t *testing.T) {
	p := newPipeline(t)
	p.silent = true
	request := p.create(t, func(*v1alpha1.DrasiInstance) {})
	p.pass(t, request)
	if got := p.world.Count(fake.OpEnsure); got != 1 {
		t.Errorf("%d times Ensure", got)
	}
	p = newPipeline(t)
	p.silent = true
	request = p.create(t, stopped)
	if result := p.pass(t, request); result.RequeueAfter <= 0 || result.RequeueAfter > 5*time.Second {
		t.Errorf("the next pass is in %v", result.RequeueAfter)
	}
	if p.writes > 0 {
		t.Errorf("%d writes", p.writes)
	}
	p.silent = false
	p.pass(t, request)
	if got := p.ready(t, request); got != v1alpha1.ReasonStopped || p.writes != 1 {
		t.Errorf("Ready is %s after %d writes", got, p.writes)
	}
}

func TestAPausedInstanceIsNotTouchedAndSaysSo(t *testing.T) {
	p := newPipeline(t)
	request := p.create(t, func(i *v1alpha1.DrasiInstance) {
		i.Annotations = map[string]string{v1alpha1.AnnotationPaused: ""}
	})
	p.pass(t, request)
	if got := p.ready(t, request); got != v1alpha1.ReasonPaused {
		t.Errorf("Ready is %s", got)
	}
	for _, op := range []fake.Op{fake.OpEnsure, fake.OpStop, fake.OpRemove} {
		if got := p.world.Count(op); got > 0 {
			t.Errorf("%d times %s", got, op)
		}
	}
	writes := p.writes
	p.pass(t, request)
	if p.writes != writes {
		t.Error("it is written again")
	}
	object := &v1alpha1.DrasiInstance{}
	if err := p.client.Get(t.Context(), request.NamespacedName, object); err != nil {
		t.Fatal(err)
	}
	object.Annotations = nil
	if err := p.client.Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	p.pass(t, request)
	if got := p.world.Count(fake.OpEnsure); got != 1 {
		t.Errorf("%d times Ensure after the pause", got)
	}
}

func TestAStoppedInstanceEndsTheServerOfAnEarlierObjectOfItsName(t *testing.T) {
	p := newPipeline(t)
	old := platform.Ref{UID: "uid-0", Namespace: "shop", Name: "orders"}
	if err := p.Driver.Ensure(t.Context(), platform.Desired{Ref: old, Hash: "h", Version: "0.2.2", InstanceID: "orders"}); err != nil {
		t.Fatal(err)
	}
	request := p.create(t, stopped)
	p.pass(t, request)
	p.pass(t, request)
	if live := p.world.Ledger().Live(old.UID); live > 0 {
		t.Error("the old server lives")
	}
	if got := p.ready(t, request); got != v1alpha1.ReasonStopped {
		t.Errorf("Ready is %s", got)
	}
}

func TestAServerOfAnEarlierObjectThatCannotBeStoppedIsToldOf(t *testing.T) {
	p := newPipeline(t)
	old := platform.Ref{UID: "uid-0", Namespace: "shop", Name: "orders"}
	if err := p.Driver.Ensure(t.Context(), platform.Desired{Ref: old, Hash: "h", Version: "0.2.2", InstanceID: "orders"}); err != nil {
		t.Fatal(err)
	}
	p.world.Intercept(func(call fake.Call) error {
		if call.Op == fake.OpStop && call.Ref.UID == old.UID {
			return &platform.UnavailableError{Err: errors.New("its journal is missing")}
		}
		return nil
	})
	request := p.create(t, func(*v1alpha1.DrasiInstance) {})
	object, ready := &v1alpha1.DrasiInstance{}, (*metav1.Condition)(nil)
	p.pass(t, request)
	for deadline := time.Now().Add(time.Minute); ready == nil && time.Now().Before(deadline); {
		<-time.After(time.Second) // that something waits is told after a moment
		p.pass(t, request)
		if err := p.client.Get(t.Context(), request.NamespacedName, object); err != nil {
			t.Fatal(err)
		}
		ready = meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
	}
	if ready == nil || ready.Status == metav1.ConditionTrue || !strings.Contains(ready.Message, "its journal is missing") {
		t.Errorf("Ready is %+v", ready)
	}
	if p.world.CountOf(fake.OpEnsure, "uid-1") != 0 {
		t.Error("a second server was started")
	}
}

func TestNothingIsStartedForAnObjectThatTheAPIServerKnowsOtherwise(t *testing.T) {
	for name, mutate := range map[string]func(*v1alpha1.DrasiInstance){
		"gone":      nil,
		"made anew": func(i *v1alpha1.DrasiInstance) { i.UID = "uid-2" },
		"elsewhere": func(i *v1alpha1.DrasiInstance) { i.Status.Host = "node-b" },
		"deleted":   func(i *v1alpha1.DrasiInstance) { i.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPipeline(t)
			request := p.create(t, func(*v1alpha1.DrasiInstance) {})
			live := clientfake.NewClientBuilder().WithScheme(p.client.Scheme())
			if mutate != nil {
				now := &v1alpha1.DrasiInstance{}
				if err := p.client.Get(t.Context(), request.NamespacedName, now); err != nil {
					t.Fatal(err)
				}
				mutate(now)
				live.WithObjects(now)
			}
			p.Live = live.Build()
			if result := p.pass(t, request); result.RequeueAfter <= 0 {
				t.Error("no other pass is made")
			}
			if got := p.world.Count(fake.OpEnsure); got > 0 || p.writes > 0 {
				t.Errorf("%d times Ensure, %d writes", got, p.writes)
			}
		})
	}
}

func TestNobodyIsAskedAboutAnObjectThatHasJustArrived(t *testing.T) {
	p := newPipeline(t)
	request := p.create(t, func(*v1alpha1.DrasiInstance) {})
	p.Live = clientfake.NewClientBuilder().WithScheme(p.client.Scheme()).Build()
	p.Arrived = func(i *v1alpha1.DrasiInstance) bool { return i.Name == request.Name }
	p.pass(t, request)
	if got := p.world.Count(fake.OpEnsure); got != 1 {
		t.Errorf("%d times Ensure", got)
	}
}

func TestTheAPIServerIsAskedBeforeAServerStartsWhereNoneRuns(t *testing.T) {
	for state, want := range map[platform.State]bool{
		"": true, platform.StateStopped: true, platform.StateWaiting: false, platform.StateRunning: false, platform.StateStopping: false,
	} {
		facts := &status.Facts{}
		if state != "" {
			facts.Runtime = &platform.Observed{State: state}
		}
		if got := begins(facts, actionEnsure); got != want {
			t.Errorf("state %q: %t", state, got)
		}
		if begins(facts, actionStop) {
			t.Errorf("state %q: asked before a stop", state)
		}
	}
}
