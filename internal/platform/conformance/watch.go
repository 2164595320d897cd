package conformance

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// watcher looks all the time whether a UID has two servers.
type watcher struct {
	mu   sync.Mutex
	uids []string
}

func newWatcher(t *testing.T, live func(string) ([]int, error), interval time.Duration) *watcher {
	t.Helper()
	w := &watcher{}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				w.look(t, live)
			}
		}
	}()
	t.Cleanup(func() {
		close(done)
		<-ended
	})
	return w
}

func (w *watcher) add(uid string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.uids = append(w.uids, uid)
}

// look reports every UID that has two servers.
func (w *watcher) look(t *testing.T, live func(string) ([]int, error)) {
	w.mu.Lock()
	uids := slices.Clone(w.uids)
	w.mu.Unlock()
	for _, uid := range uids {
		alive, err := live(uid)
		if err != nil {
			t.Errorf("look at the servers of %s: %v", uid, err)
			continue
		}
		if len(alive) > 1 {
			t.Errorf("two servers at once of %s: %v", uid, alive)
		}
	}
}
