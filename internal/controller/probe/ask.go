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
		if err != nil || !listens(sockets, w.target.API) {
			answer.Errors = w.errorLines(ctx)
			return answer
		}
		slices.SortFunc(sockets, netip.AddrPort.Compare)
		answer.Bound = sockets
	}
	snapshot, err := w.client.Snapshot(ctx, w.target.Expectation.InstanceID)
	switch {
	case errors.Is(err, drasi.ErrInstanceUnknown):
		snapshot = nil
	case err != nil:
		return w.unanswered(answer)
	}
	w.failures = 0
	answer.APIBound = true
	answer.Assessment = drasi.Assess(w.target.Expectation, snapshot, w.messages(ctx, snapshot), answer.Bound)
	if answer.Assessment.Problem == drasi.ProblemPortConflict && w.prober.clock.Since(w.started) < bindPatience {
		answer.Assessment.Problem = drasi.ProblemStarting
	}
	return answer
}

// unanswered is the answer while a bound API does not answer: at first the last one, then that it does not answer.
func (w *worker) unanswered(answer *status.Probe) *status.Probe {
	w.failures++
	w.prober.mu.Lock()
	last := w.last
	w.prober.mu.Unlock()
	if w.failures < failuresTolerated {
		return last
	}
	if last != nil && last.APIBound {
		answer.APIBound = true
		answer.Assessment = drasi.Assessment{
			Components: last.Assessment.Components, Wanted: last.Assessment.Wanted,
			Problem: drasi.ProblemComponentError, Message: "the server's API is bound but does not answer",
		}
	}
	return answer
}

// messages fetches what components in Error say: the snapshot does not tell (contract 4.4).
func (w *worker) messages(ctx context.Context, snapshot *drasi.Snapshot) map[string]string {
	messages := map[string]string{}
	fetch := func(kind v1alpha1.ComponentType, id, status string) {
		if status != "Error" {
			return
		}
		if item, err := w.client.Component(ctx, w.target.Expectation.InstanceID, kind, id); err == nil {
			messages[id] = item.ErrorMessage
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
