package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/platform"
	"github.com/draas-io/draas/internal/platform/fake"
)

const host = "node-a"

// objects is an API server's, or a cache's, view of instances and of the host.
type objects struct {
	mu        sync.Mutex
	instances map[client.ObjectKey]*v1alpha1.DrasiInstance
	host      v1alpha1.DrasiHost
	// fails is what every request gets; nil: an answer.
	fails error
	gets  int
}

func newObjects() *objects {
	o := &objects{instances: map[client.ObjectKey]*v1alpha1.DrasiInstance{}}
	o.host.Name = host
	return o
}

// put adds an instance as it is placed on a host.
func (o *objects) put(ref platform.Ref, on string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	instance := &v1alpha1.DrasiInstance{}
	instance.Namespace, instance.Name, instance.UID, instance.Status.Host = ref.Namespace, ref.Name, typesUID(ref.UID), on
	o.instances[client.ObjectKeyFromObject(instance)] = instance
}

func (o *objects) drop(ref platform.Ref) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.instances, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name})
}

func (o *objects) annotate(value string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.host.Annotations = map[string]string{v1alpha1.AnnotationReap: value}
}

// Get reads one object.
func (o *objects) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fails != nil {
		return o.fails
	}
	switch into := object.(type) {
	case *v1alpha1.DrasiHost:
		o.host.DeepCopyInto(into)
		return nil
	case *v1alpha1.DrasiInstance:
		o.gets++
		if found := o.instances[key]; found != nil {
			found.DeepCopyInto(into)
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{Group: "draas.io", Resource: "drasiinstances"}, key.Name)
}

// List lists the instances.
func (o *objects) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	into, ok := list.(*v1alpha1.DrasiInstanceList)
	if !ok {
		return errors.New("nothing else is listed")
	}
	for _, instance := range o.instances {
		if instance.Status.Host == host {
			into.Items = append(into.Items, *instance)
		}
	}
	return nil
}

// bench is a reaper with a host in memory.
type bench struct {
	t      *testing.T
	world  *fake.World
	driver platform.Driver
	cached *objects
	live   *objects
	clock  *clocktesting.FakeClock
	reaper *reaper
	events *events.FakeRecorder
	// held is the condition of the hold, nil for none.
	held *metav1.Condition
	// other says that the API server is another cluster's, silent that the Lease is not renewed.
	other, silent bool
	forgotten     []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{
		t: t, world: fake.NewWorld(fake.Options{}), cached: newObjects(), live: newObjects(), clock: clocktesting.NewFakeClock(time.Unix(1000, 0)),
		events: events.NewFakeRecorder(100),
	}
	driver := b.world.Open()
	b.driver = driver
	b.reaper = &reaper{
		cached: b.cached, live: b.live, driver: driver, clock: b.clock, host: host, retained: "/state/retained", recorder: b.events,
		confirm: func(context.Context) error {
			if b.other {
				return errOtherCluster
			}
			return nil
		},
		silent: func() bool { return b.silent }, hold: func(c *metav1.Condition) { b.held = c }, wake: make(chan struct{}, 1),
		forget: func(uid string) { b.forgotten = append(b.forgotten, uid) }, latch: &latch{}, stopping: map[string]orphan{},
	}
	return b
}

// run starts servers of instances that are placed here.
func (b *bench) run(names ...string) []platform.Ref {
	b.t.Helper()
	var refs []platform.Ref
	for _, name := range names {
		ref := platform.Ref{UID: "uid-" + name, Namespace: "shop", Name: name}
		desired := platform.Desired{Ref: ref, Hash: "h", Version: "0.2.2", InstanceID: name}
		if err := b.driver.Ensure(b.t.Context(), desired); err != nil {
			b.t.Fatal(err)
		}
		b.cached.put(ref, host)
		b.live.put(ref, host)
		refs = append(refs, ref)
	}
	return refs
}

// gone removes instances with their finalizers.
func (b *bench) gone(refs ...platform.Ref) {
	for _, ref := range refs {
		b.cached.drop(ref)
		b.live.drop(ref)
	}
}

// look looks as often as it takes to finish what has begun.
func (b *bench) look() (time.Duration, error) {
	b.t.Helper()
	for range 20 {
		pause, err := b.reaper.look(b.t.Context())
		if err != nil || pause != reapAgain {
			return pause, err
		}
	}
	b.t.Fatal("no end")
	return 0, nil
}

// expect checks which servers are alive.
func (b *bench) expect(alive ...platform.Ref) {
	b.t.Helper()
	runtimes, err := b.driver.List(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	var got, want []string
	for i := range runtimes {
		if b.world.Ledger().Live(runtimes[i].UID) > 0 {
			got = append(got, runtimes[i].Name)
		}
	}
	for _, ref := range alive {
		want = append(want, ref.Name)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Errorf("alive are %v, want %v", got, want)
	}
}

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func typesUID(uid string) types.UID { return types.UID(uid) }
