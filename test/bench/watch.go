//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

// sighting is an object as it arrived.
type sighting struct {
	at      instant
	object  *v1alpha1.DrasiInstance
	deleted bool
}

// eyes watch all instances, as any user could, and stamp each event on arrival.
type eyes struct {
	stream watch.Interface
	ended  chan struct{}

	mu   sync.Mutex
	subs map[string]chan sighting
}

// everything stands for all names.
const everything = ""

// queueSize holds the events of any case, so that the watch is never kept waiting.
const queueSize = 1 << 12

// watch opens a watch from now on.
func (w *world) watch(ctx context.Context) (*eyes, error) {
	var list v1alpha1.DrasiInstanceList
	if err := w.client.List(ctx, &list, client.InNamespace(metav1.NamespaceDefault), client.Limit(1)); err != nil {
		return nil, fmt.Errorf("list the instances: %w", err)
	}
	// The API server may end a watch whenever it likes; this one goes on where it was.
	stream, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, &toolscache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return w.client.Watch(ctx, &v1alpha1.DrasiInstanceList{}, client.InNamespace(metav1.NamespaceDefault), &client.ListOptions{Raw: &options})
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watch the instances: %w", err)
	}
	e := &eyes{stream: stream, ended: make(chan struct{}), subs: map[string]chan sighting{}}
	go e.run()
	return e, nil
}

func (e *eyes) run() {
	defer close(e.ended)
	for event := range e.stream.ResultChan() {
		at := now()
		object, ok := event.Object.(*v1alpha1.DrasiInstance)
		if !ok {
			continue
		}
		seen := sighting{at: at, object: object, deleted: event.Type == watch.Deleted}
		e.mu.Lock()
		for _, name := range []string{object.Name, everything} {
			if sub := e.subs[name]; sub != nil {
				sub <- seen
			}
		}
		e.mu.Unlock()
	}
}

func (e *eyes) close() {
	e.stream.Stop()
	<-e.ended
}

// of returns the events of one name from now on.
func (e *eyes) of(name string) chan sighting {
	e.mu.Lock()
	defer e.mu.Unlock()
	sub := make(chan sighting, queueSize)
	e.subs[name] = sub
	return sub
}

// all returns the events of all names.
func (e *eyes) all() chan sighting { return e.of(everything) }

// forget ends the events of a name.
func (e *eyes) forget(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.subs, name)
}

var errWatchEnded = errors.New("the watch has ended")

// next waits for an event.
func (e *eyes) next(ctx context.Context, sub chan sighting) (sighting, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case seen := <-sub:
		return seen, nil
	case <-e.ended:
		return sighting{}, errWatchEnded
	case <-ctx.Done():
		return sighting{}, ctx.Err()
	case <-timer.C:
		return sighting{}, fmt.Errorf("no event within %v", patience)
	}
}

// first waits for the first event for which a condition holds.
func (e *eyes) first(ctx context.Context, sub chan sighting, holds func(sighting) bool) (sighting, error) {
	for {
		seen, err := e.next(ctx, sub)
		if err != nil || holds(seen) {
			return seen, err
		}
	}
}
