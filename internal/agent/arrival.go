package agent

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/draas-io/draas/api/v1alpha1"
)

// arrivals tells of which instances the watch cannot show an old view: they came to this host later than anything that the API server knew when this
// manager began, and later than anything the watch has shown since. Nobody can have released them. Resource versions can be compared (KEP-5504).
type arrivals struct {
	mu     sync.Mutex
	newest uint64
	// fresh has the resource version with which each came, until it is asked for.
	fresh map[types.UID]string
}

// newArrivals asks the API server itself for its present resource version.
func newArrivals(ctx context.Context, live client.Reader, host string) (*arrivals, error) {
	var list v1alpha1.DrasiInstanceList
	if err := live.List(ctx, &list, client.MatchingFields{v1alpha1.FieldStatusHost: host}, client.Limit(1)); err != nil {
		return nil, fmt.Errorf("ask for the present resource version: %w", err)
	}
	newest, err := strconv.ParseUint(list.ResourceVersion, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("compare the resource version %q: %w", list.ResourceVersion, err)
	}
	return &arrivals{newest: newest, fresh: map[types.UID]string{}}, nil
}

// came notes an object that the watch had not shown before.
func (a *arrivals) came(object client.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.advance(object) {
		a.fresh[object.GetUID()] = object.GetResourceVersion()
	}
}

// changed notes a later view of an object.
func (a *arrivals) changed(object client.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advance(object)
	delete(a.fresh, object.GetUID())
}

// went notes that an object is there no more.
func (a *arrivals) went(object client.Object) { a.changed(object) }

// advance takes over a resource version, and tells whether it is the newest. The caller holds the lock.
func (a *arrivals) advance(object client.Object) bool {
	version, err := strconv.ParseUint(object.GetResourceVersion(), 10, 64)
	if err != nil || version <= a.newest {
		return false
	}
	a.newest = version
	return true
}

// noting notes what the watch shows before anybody is told of it, and leaves it to the other predicate who is.
func (a *arrivals) noting(other predicate.Predicate) predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool {
			a.came(e.Object)
			return other.Create(e)
		},
		UpdateFunc: func(e event.UpdateEvent) bool {
			a.changed(e.ObjectNew)
			return other.Update(e)
		},
		DeleteFunc: func(e event.DeleteEvent) bool {
			a.went(e.Object)
			return other.Delete(e)
		},
	}
}

// take tells, once, whether an object is as it came.
func (a *arrivals) take(object client.Object) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	version, fresh := a.fresh[object.GetUID()]
	delete(a.fresh, object.GetUID())
	return fresh && version == object.GetResourceVersion()
}
