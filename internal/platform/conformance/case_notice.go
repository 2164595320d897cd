package conformance

import (
	"context"
	"fmt"
	"sync"

	"github.com/draas-io/draas/internal/platform"
)

func noticeCases() []testCase {
	notifies := need{"Driver that is a Notifier", func(w *World) bool { return provides[platform.Notifier](w) }}
	listsSockets := need{"Driver that is a SocketLister", func(w *World) bool { return provides[platform.SocketLister](w) }}
	return []testCase{
		{name: "changes are notified", needs: []need{notifies, needsCrash}, run: notified},
		{name: "sockets are those of what runs", needs: []need{listsSockets}, run: sockets},
	}
}

// provides tells whether the world's driver has an optional interface. An error to open it is for the case to find.
func provides[T any](w *World) bool {
	driver, err := w.Open()
	if err != nil {
		return true
	}
	defer w.Kill(driver)
	_, ok := driver.(T)
	return ok
}

// inbox counts notifications.
type inbox struct {
	mu    sync.Mutex
	count map[platform.Ref]int
}

func (i *inbox) notify(ref platform.Ref) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count[ref]++
}

// clear forgets what was told.
func (i *inbox) clear() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.count)
}

// told tells of a missing notification, or of one for somebody else.
func (i *inbox) told(ref platform.Ref) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.count[ref] == 0 || len(i.count) != 1 {
		return fmt.Errorf("notified of %v, want %v", i.count, ref)
	}
	return nil
}

func notified(e *env) {
	desired := e.world.Desired(e.ref("told"), "a")
	for range 2 {
		box := &inbox{count: map[platform.Ref]int{}}
		e.driver.(platform.Notifier).Notify(box.notify)
		arrives := func(what string) {
			e.Helper()
			e.eventually("wait to be told of "+what, func() error { return box.told(desired.Ref) })
		}
		before := e.run(desired)
		arrives("the start")
		box.clear()
		e.must(e.world.Crash(desired.UID), "kill the server")
		arrives("the crash")
		e.another(desired, before)
		box.clear()
		e.stopped(desired.Ref)
		arrives("the stop")
		e.reopen()
	}
}

func sockets(e *env) {
	lister := e.driver.(platform.SocketLister)
	desired := e.world.Desired(e.ref("listening"), "a")
	found := e.run(desired)
	e.eventually("wait for the API's socket", func() error {
		return e.call(func(ctx context.Context) error {
			all, err := lister.Sockets(ctx, desired.Ref)
			if err != nil {
				return err
			}
			for _, socket := range all {
				if socket == found.API {
					return nil
				}
			}
			return fmt.Errorf("sockets are %v, want %v among them", all, found.API)
		})
	})
}
