package agent

import (
	"context"
	"errors"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/draas-io/draas/api/v1alpha1"
)

// leases is an API server that has Leases and can refuse their renewals.
type leases struct {
	client  client.WithWatch
	refuses error
	// slow is how long a renewal takes, on the clock.
	slow  time.Duration
	clock *clocktesting.FakeClock
}

func newLeases(t *testing.T) *leases {
	t.Helper()
	s := scheme(t)
	if err := clientgoscheme.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	l := &leases{clock: clocktesting.NewFakeClock(time.Unix(1000, 0))}
	l.client = fake.NewClientBuilder().WithScheme(s).WithInterceptorFuncs(interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			l.clock.Step(l.slow)
			if l.refuses != nil {
				return l.refuses
			}
			return c.Update(ctx, object, options...)
		},
	}).Build()
	return l
}

func (l *leases) heartbeat(cluster error) *heartbeat {
	return &heartbeat{
		client: l.client, clock: l.clock, host: host, identity: &identity{text: "me", kept: true}, pulse: &pulse{clock: l.clock},
		confirm: func(context.Context) error { return cluster },
	}
}

func TestAnAgentWhoseLeaseIsNotRenewedFallsSilentBeforeTheControllerSpeaks(t *testing.T) {
	l := newLeases(t)
	h := l.heartbeat(nil)
	if !h.pulse.silent() {
		t.Error("it speaks before it has a Lease")
	}
	if err := h.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.refuses = errors.New("leases are forbidden")
	for at := time.Duration(0); at < leaseSeconds*time.Second; at += time.Second {
		if silent := h.pulse.silent(); silent != (at >= silentAfter) {
			t.Errorf("after %v silent is %v", at, silent)
		}
		l.clock.Step(time.Second)
		if err := h.beat(t.Context()); err == nil {
			t.Fatal("renewed")
		}
	}
	l.refuses = nil
	if err := h.beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h.pulse.silent() {
		t.Error("it stays silent after a renewal")
	}
}

func TestAnAgentWhoseCredentialsHaveEndedConnectsAnew(t *testing.T) {
	l := newLeases(t)
	h := l.heartbeat(nil)
	if err := h.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.refuses = apierrors.NewUnauthorized("the token has expired")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := h.Start(ctx); !apierrors.IsUnauthorized(err) {
		t.Errorf("it ended with %v", err)
	}
}

func TestARenewalCountsFromWhenItWasAskedFor(t *testing.T) {
	l := newLeases(t)
	h := l.heartbeat(nil)
	if err := h.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.slow = silentAfter
	if err := h.beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !h.pulse.silent() {
		t.Error("the answer's time counted: the controller may have seen the renewal long before")
	}
}

func TestALeaseThatIsGoneOrAnothersIsNotTakenForGrantedInAnotherCluster(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, l *leases){
		"gone": func(t *testing.T, l *leases) {
			lease := &coordinationv1.Lease{}
			lease.Namespace, lease.Name = v1alpha1.NamespaceAgents, host
			if err := l.client.Delete(t.Context(), lease); err != nil {
				t.Fatal(err)
			}
		},
		"another's": func(t *testing.T, l *leases) {
			lease := &coordinationv1.Lease{}
			if err := l.client.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.NamespaceAgents, Name: host}, lease); err != nil {
				t.Fatal(err)
			}
			lease.Spec.HolderIdentity = ptr.To("somebody")
			if err := l.client.Update(t.Context(), lease); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLeases(t)
			if err := l.heartbeat(nil).acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
			change(t, l)
			if err := l.heartbeat(errOtherCluster).beat(t.Context()); !errors.Is(err, errOtherCluster) {
				t.Errorf("error %v", err)
			}
			lease := &coordinationv1.Lease{}
			err := l.client.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.NamespaceAgents, Name: host}, lease)
			if name == "gone" && err == nil {
				t.Error("a Lease was made in another cluster")
			}
		})
	}
}
