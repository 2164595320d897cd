// Package probe asks running servers how they are, beside the reconcile loop, and wakes the loop when the answer changes.
package probe

import (
	"context"
	"net/netip"
	"reflect"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/drasi"
	"github.com/draas-io/draas/internal/platform"
)

// Target is a run of a server.
type Target struct {
	Ref platform.Ref
	// Incarnation tells runs apart.
	Incarnation string
	// API is where the server's API listens or will listen.
	API netip.AddrPort
	// Expectation is what the run must have loaded.
	Expectation drasi.Expectation
}

// Prober asks servers. There is one goroutine for each server that runs.
type Prober struct {
	driver  platform.Driver
	changed func(platform.Ref)
	clock   clock.WithTicker

	mu      sync.Mutex
	workers map[string]*worker
}

// New returns a Prober. changed is called, from any goroutine, after an answer that differs from the one before.
func New(driver platform.Driver, clock clock.WithTicker, changed func(platform.Ref)) *Prober {
	return &Prober{driver: driver, changed: changed, clock: clock, workers: map[string]*worker{}}
}

// Watch begins to ask a run of a server, unless it is asked already. An earlier run of the same instance is forgotten. It ends with ctx or Forget.
func (p *Prober) Watch(ctx context.Context, target Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.workers[target.Ref.UID]; old != nil {
		if old.target.Incarnation == target.Incarnation {
			return
		}
		old.cancel()
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &worker{prober: p, target: target, client: drasi.NewClient(target.API), cancel: cancel, started: p.clock.Now(), messages: map[string]string{}}
	p.workers[target.Ref.UID] = w
	go w.run(ctx)
}

// Forget ends the asking of an instance's server.
func (p *Prober) Forget(uid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.workers[uid]; w != nil {
		w.cancel()
		delete(p.workers, uid)
	}
}

// Last returns the last answer of an instance's server, nil while there is none.
func (p *Prober) Last(uid string) *status.Probe {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.workers[uid]; w != nil {
		return w.last
	}
	return nil
}

// worker asks one run of a server.
type worker struct {
	prober   *Prober
	target   Target
	client   *drasi.Client
	cancel   context.CancelFunc
	started  time.Time
	failures int
	// blind counts the looks for sockets that failed before the API was first seen bound.
	blind int
	// messages are the last words of components in Error, by id.
	messages map[string]string
	// bound is when the API was first seen bound; zero: not yet.
	bound time.Time

	// last is guarded by the prober's mutex; what it points to is never changed.
	last *status.Probe
}

func (w *worker) run(ctx context.Context) {
	defer w.client.Close()
	for {
		answer := w.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		if answer != nil {
			w.publish(answer)
		}
		pause := w.interval(answer)
		if pause >= settled {
			// A connection costs more memory to keep than time to make.
			w.client.Close()
		}
		timer := w.prober.clock.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C():
		}
	}
}

// settled is the shortest pause between two questions once nobody waits for the answer.
const settled = 2 * time.Second

// interval is the pause before the next question: short while a start is fresh, since that pause is what an apply waits for, long once all is well.
func (w *worker) interval(answer *status.Probe) time.Duration {
	age := w.prober.clock.Since(w.started)
	switch {
	case w.failures > 0 && !w.bound.IsZero():
		return settled
	case answer != nil && answer.APIBound && answer.Assessment.Problem == drasi.ProblemNone:
		return 10 * time.Second
	case age < 50*time.Millisecond:
		return time.Millisecond
	case age < 200*time.Millisecond:
		return 5 * time.Millisecond
	case age < 2*time.Second:
		return 25 * time.Millisecond
	case age < 30*time.Second:
		return 250 * time.Millisecond
	}
	return settled
}

// publish keeps the answer, and wakes the loop if it differs from the last one.
func (w *worker) publish(answer *status.Probe) {
	p := w.prober
	p.mu.Lock()
	same := p.workers[w.target.Ref.UID] != w || w.last != nil && reflect.DeepEqual(w.last, answer)
	if !same {
		w.last = answer
	}
	p.mu.Unlock()
	if !same {
		p.changed(w.target.Ref)
	}
}
