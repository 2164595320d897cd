package probe

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/drasi"
	"github.com/draas-io/draas/internal/platform"
)

const (
	// askTimeout bounds one round of questions.
	askTimeout = 3 * time.Second
	// failuresTolerated is how many rounds in a row a bound API may leave unanswered before that is reported: one slow answer is no fault.
	failuresTolerated = 3
	// patience is how long a start may last before the server's own error lines are looked at.
	patience = 3 * time.Second
	// bindPatience is how long a component's listener may come later than the API: an sse reaction binds in a task of its own.
	bindPatience = time.Second
	// tailBytes is how much of the server's output is looked at.
	tailBytes = 64 << 10
)

// ask asks the server once. The answer is nil where nothing can be said yet.
func (w *worker) ask(ctx context.Context) *status.Probe {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer := &status.Probe{Incarnation: w.target.Incarnation, Expectation: w.target.Expectation}
	if lister, ok := w.prober.driver.(platform.SocketLister); ok {
		sockets, err := lister.Sockets(ctx, w.target.Ref)
		if err != nil && w.bound.IsZero() && w.blind < failuresTolerated-1 {
			// Nothing was seen: to say that it is not bound would take back what an agent before this one has seen.
			w.blind++
			return nil
		}
		if err != nil || !listens(sockets, w.target.API) {
			return w.unbound(ctx, answer)
		}
		slices.SortFunc(sockets, netip.AddrPort.Compare)
		answer.Bound = sockets
	}
	snapshot, err := w.client.Snapshot(ctx, w.target.Expectation.InstanceID)
	switch {
	case errors.Is(err, drasi.ErrInstanceUnknown):
		snapshot = nil
	case err != nil:
		return w.unanswered(ctx, answer)
	}
	w.failures = 0
	if w.bound.IsZero() {
		w.bound = w.prober.clock.Now()
	}
	answer.APIBound, answer.WasBound = true, true
	answer.Assessment = drasi.Assess(w.target.Expectation, snapshot, w.complaints(ctx, snapshot), answer.Bound)
	if answer.Assessment.Problem == drasi.ProblemPortConflict && w.prober.clock.Since(w.bound) < bindPatience {
		answer.Assessment.Problem = drasi.ProblemStarting
	}
	return answer
}

// unbound is the answer while no socket of the API is seen: that it starts, or, where it once was bound, at first the last answer, since one
// look may be wrong.
func (w *worker) unbound(ctx context.Context, answer *status.Probe) *status.Probe {
	answer.Errors = w.errorLines(ctx)
	if w.bound.IsZero() {
		return answer
	}
	w.failures++
	if w.failures < failuresTolerated {
		return w.latest()
	}
	answer.WasBound = true
	return answer
}

// latest returns the last answer.
func (w *worker) latest() *status.Probe {
	w.prober.mu.Lock()
	defer w.prober.mu.Unlock()
	return w.last
}

// unanswered is the answer while a bound API does not answer: at first the last one, then that it does not answer.
func (w *worker) unanswered(ctx context.Context, answer *status.Probe) *status.Probe {
	w.failures++
	last := w.latest()
	if w.failures < failuresTolerated {
		return last
	}
	answer.Errors = w.errorLines(ctx)
	if last != nil && last.APIBound {
		answer.APIBound, answer.WasBound = true, true
		answer.Assessment = drasi.Assessment{
			Components: last.Assessment.Components, Wanted: last.Assessment.Wanted,
			Problem: drasi.ProblemComponentError, Message: "the server's API is bound but does not answer",
		}
	}
	return answer
}

// complaints fetches what components in Error say: the snapshot does not tell (contract 4.4).
func (w *worker) complaints(ctx context.Context, snapshot *drasi.Snapshot) map[string]string {
	messages := map[string]string{}
	fetch := func(kind v1alpha1.ComponentType, id, status string) {
		if status != "Error" {
			return
		}
		item, err := w.client.Component(ctx, w.target.Expectation.InstanceID, kind, id)
		if err == nil {
			w.messages[id] = item.ErrorMessage
		}
		if words, known := w.messages[id]; known { // of an earlier round where this one got none
			messages[id] = words
		}
	}
	if snapshot != nil {
		for _, c := range snapshot.Sources {
			fetch(v1alpha1.ComponentSource, c.ID, c.Status)
		}
		for _, c := range snapshot.Queries {
			fetch(v1alpha1.ComponentQuery, c.ID, c.Status)
		}
		for _, c := range snapshot.Reactions {
			fetch(v1alpha1.ComponentReaction, c.ID, c.Status)
		}
	}
	return messages
}

// errorLines returns the last errors on the server's output once a start has lasted a while.
func (w *worker) errorLines(ctx context.Context) string {
	tailer, ok := w.prober.driver.(platform.Tailer)
	if !ok || w.prober.clock.Since(w.started) < patience {
		return ""
	}
	output, err := tailer.Tail(ctx, w.target.Ref, tailBytes)
	if err != nil {
		return ""
	}
	return drasi.LastErrors(string(output))
}

// listens says whether one of the sockets takes connections to the address.
func listens(sockets []netip.AddrPort, api netip.AddrPort) bool {
	return slices.ContainsFunc(sockets, func(socket netip.AddrPort) bool {
		return socket.Port() == api.Port() && (socket.Addr().IsUnspecified() || socket.Addr().Unmap() == api.Addr().Unmap() || api.Addr().IsUnspecified())
	})
}
