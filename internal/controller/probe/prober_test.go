package probe

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/drasi"
	"github.com/draas-io/draas/internal/platform"
)

// world is a server and what the driver tells of its sockets.
type world struct {
	platform.Driver
	t       *testing.T
	clock   *clocktesting.FakeClock
	prober  *Prober
	target  Target
	wakes   atomic.Int32
	asked   atomic.Int32
	sockets atomic.Pointer[[]netip.AddrPort]
	reply   atomic.Pointer[string]
}

const loaded = `{"success":true,"data":{"instance_id":"orders","sources":[],"queries":[],"reactions":[]},"error":null}`

// Sockets tells what the test says; nil is an error.
func (w *world) Sockets(context.Context, platform.Ref) ([]netip.AddrPort, error) {
	w.asked.Add(1)
	if sockets := w.sockets.Load(); sockets != nil {
		return *sockets, nil
	}
	return nil, errors.New("torn read")
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, clock: clocktesting.NewFakeClock(time.Unix(1_700_000_000, 0))}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		reply := w.reply.Load()
		if reply == nil {
			out.WriteHeader(http.StatusInternalServerError)
			return
		}
		out.Header().Set("Content-Type", "application/json")
		if _, err := out.Write([]byte(*reply)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	api := netip.MustParseAddrPort(server.Listener.Addr().String())
	w.target = Target{
		Ref: platform.Ref{UID: "u", Namespace: "shop", Name: "orders"}, Incarnation: "run-1", API: api, Expectation: drasi.Expectation{InstanceID: "orders"},
	}
	w.prober = New(w, w.clock, func(platform.Ref) { w.wakes.Add(1) })
	t.Cleanup(func() { w.prober.Forget("u") })
	return w
}

func (w *world) binds(bound bool) {
	sockets := []netip.AddrPort{}
	if bound {
		sockets = append(sockets, w.target.API)
	}
	w.sockets.Store(&sockets)
}

func (w *world) answers(text string) { w.reply.Store(&text) }

// round lets the prober ask once more and returns its last answer.
func (w *world) round() *status.Probe {
	w.t.Helper()
	before := w.asked.Load()
	w.until("the prober waits", w.clock.HasWaiters)
	w.clock.Step(10 * time.Second)
	w.until("the prober asks", func() bool { return w.asked.Load() > before })
	w.until("the prober has asked", w.clock.HasWaiters)
	return w.prober.Last("u")
}

func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			w.t.Fatalf("waited in vain until %s", what)
		case <-ticker.C:
		}
	}
}

func TestAServerIsAskedOnlyOnceItListensItself(t *testing.T) {
	w := newWorld(t)
	w.binds(false)
	w.answers(loaded) // somebody else answers on the port
	w.prober.Watch(t.Context(), w.target)
	w.until("there is an answer", func() bool { return w.prober.Last("u") != nil })
	if answer := w.prober.Last("u"); answer.APIBound {
		t.Fatal("an answer on a port that is not the server's own counts")
	}
	w.binds(true)
	if answer := w.round(); !answer.APIBound || answer.Assessment.Problem != drasi.ProblemNone {
		t.Errorf("answer %+v", answer)
	}
}

func TestTheLoopIsWokenByChangesOnly(t *testing.T) {
	w := newWorld(t)
	w.binds(true)
	w.answers(loaded)
	w.prober.Watch(t.Context(), w.target)
	w.until("there is an answer", func() bool { return w.prober.Last("u") != nil })
	for range 5 {
		w.round()
		w.prober.Watch(t.Context(), w.target)
	}
	if wakes := w.wakes.Load(); wakes != 1 {
		t.Errorf("woken %d times by one answer", wakes)
	}
	w.answers(`{"success":true,"data":{"instance_id":"another","sources":[],"queries":[],"reactions":[]},"error":null}`)
	if answer := w.round(); answer.Assessment.Problem != drasi.ProblemNotLoaded || w.wakes.Load() != 2 {
		t.Errorf("problem %q, woken %d times", answer.Assessment.Problem, w.wakes.Load())
	}
}

func TestOneWrongLookTakesNothingBack(t *testing.T) {
	faults := map[string]struct {
		begin  func(*world)
		after  func(*status.Probe) bool
		expect string
	}{
		"the sockets cannot be read":    {func(w *world) { w.sockets.Store(nil) }, func(p *status.Probe) bool { return !p.APIBound && p.WasBound }, "no longer bound"},
		"the API's socket is not there": {func(w *world) { w.binds(false) }, func(p *status.Probe) bool { return !p.APIBound && p.WasBound }, "no longer bound"},
		"the API does not answer": {
			func(w *world) { w.reply.Store(nil) },
			func(p *status.Probe) bool { return p.APIBound && p.Assessment.Problem == drasi.ProblemComponentError }, "bound, not answering",
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.binds(true)
			w.answers(loaded)
			w.prober.Watch(t.Context(), w.target)
			w.until("there is an answer", func() bool { return w.prober.Last("u") != nil })
			fault.begin(w)
			for look := 1; look < failuresTolerated; look++ {
				if answer := w.round(); !answer.APIBound || answer.Assessment.Problem != drasi.ProblemNone {
					t.Fatalf("after %d wrong looks: %+v", look, answer)
				}
			}
			if answer := w.round(); !fault.after(answer) {
				t.Errorf("after %d wrong looks: %+v, want %s", failuresTolerated, answer, fault.expect)
			}
			w.binds(true)
			w.answers(loaded)
			if answer := w.round(); !answer.APIBound || answer.Assessment.Problem != drasi.ProblemNone {
				t.Errorf("it is well again: %+v", answer)
			}
		})
	}
}

func TestAnotherRunIsAskedAnew(t *testing.T) {
	w := newWorld(t)
	w.binds(true)
	w.answers(loaded)
	w.prober.Watch(t.Context(), w.target)
	w.until("there is an answer", func() bool { return w.prober.Last("u") != nil })
	next := w.target
	next.Incarnation = "run-2"
	w.prober.Watch(t.Context(), next)
	w.until("the new run has answered", func() bool { last := w.prober.Last("u"); return last != nil && last.Incarnation == "run-2" })
	w.prober.Forget("u")
	if w.prober.Last("u") != nil {
		t.Error("what was forgotten still answers")
	}
}

func TestALookThatFailsAtFirstSaysNothingUntilManyHave(t *testing.T) {
	w := newWorld(t)
	w.answers(loaded)
	w.prober.Watch(t.Context(), w.target)
	w.until("it has looked", func() bool { return w.asked.Load() > 0 })
	for look := 2; look < failuresTolerated; look++ {
		if answer := w.round(); answer != nil {
			t.Fatalf("after %d failed looks: %+v", look, answer)
		}
	}
	if answer := w.round(); answer == nil || answer.APIBound || answer.WasBound {
		t.Errorf("after %d failed looks: %+v, want not bound", failuresTolerated, answer)
	}
	w.binds(true)
	if answer := w.round(); !answer.APIBound || answer.Assessment.Problem != drasi.ProblemNone {
		t.Errorf("it can be looked at: %+v", answer)
	}
}
