package drasi

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/draas-io/draas/api/v1alpha1"
)

// componentKey names a component of a snapshot.
type componentKey struct {
	kind v1alpha1.ComponentType
	id   string
}

// loadedComponent is a component of a snapshot.
type loadedComponent struct {
	status    string
	autoStart bool
	kind      string
	query     string
	language  string
	upstream  []string
}

func indexSnapshot(got *Snapshot) map[componentKey]loadedComponent {
	out := map[componentKey]loadedComponent{}
	for _, s := range got.Sources {
		out[componentKey{v1alpha1.ComponentSource, s.ID}] = loadedComponent{status: s.Status, autoStart: s.AutoStart, kind: s.Kind}
	}
	for _, q := range got.Queries {
		c := loadedComponent{status: q.Status, autoStart: q.Config.AutoStart, query: q.Config.Query, language: q.Config.Language}
		for _, s := range q.Config.Sources {
			c.upstream = append(c.upstream, s.SourceID)
		}
		out[componentKey{v1alpha1.ComponentQuery, q.ID}] = c
	}
	for _, r := range got.Reactions {
		out[componentKey{v1alpha1.ComponentReaction, r.ID}] = loadedComponent{status: r.Status, autoStart: r.AutoStart, kind: r.Kind, upstream: r.Queries}
	}
	return out
}

// sortedComponents are the keys of a snapshot's components in order.
func sortedComponents(loaded map[componentKey]loadedComponent) []componentKey {
	rank := map[v1alpha1.ComponentType]int{v1alpha1.ComponentSource: 0, v1alpha1.ComponentQuery: 1, v1alpha1.ComponentReaction: 2}
	return slices.SortedFunc(maps.Keys(loaded), func(a, b componentKey) int {
		return cmp.Or(cmp.Compare(rank[a.kind], rank[b.kind]), cmp.Compare(a.id, b.id))
	})
}

// isInternal says whether a component is the server's own (4.4).
func isInternal(id string) bool { return strings.HasPrefix(id, "__") }

// compareComponent says in which way a loaded component is not the written one, or nothing.
func compareComponent(want Component, got loadedComponent) string {
	switch {
	case want.Type != v1alpha1.ComponentQuery && want.Kind != got.kind:
		return fmt.Sprintf("is loaded with kind %s, not %s", quoted(got.kind), quoted(want.Kind))
	case want.Type == v1alpha1.ComponentQuery && want.Query != got.query:
		return "is loaded with another text"
	case want.Type == v1alpha1.ComponentQuery && string(want.Language) != got.language:
		return fmt.Sprintf("is loaded with language %s, not %s", quoted(got.language), want.Language)
	case want.Type == v1alpha1.ComponentQuery && !sameSet(want.Upstream, got.upstream):
		return "is loaded with other sources"
	case want.Type == v1alpha1.ComponentReaction && !sameSet(want.Upstream, got.upstream):
		return "is loaded with other queries"
	default:
		return ""
	}
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}

// classifyError tells what a component's own words mean (6.2, 6.3 and the recordings).
func classifyError(kind v1alpha1.ComponentType, words string) Problem {
	words = strings.TrimPrefix(words, "Start failed: ")
	switch {
	case kind != v1alpha1.ComponentQuery:
		return ProblemComponentError
	case strings.HasPrefix(words, "Failed to build query: "):
		return ProblemInvalidQuery
	case strings.HasPrefix(words, "Bootstrap failed"):
		return ProblemBootstrapFailed
	default:
		return ProblemComponentError
	}
}

// listens says whether a running component listens where it should: a reaction that could not bind shows Running all the same (6.3).
func (a *assessor) listens(want Component) (Problem, string) {
	if a.bound == nil {
		return ProblemNone, ""
	}
	for _, l := range a.listeners[want.ID] {
		if l.AutoStart && !l.UDP && !isBound(l, a.bound) {
			return ProblemPortConflict, fmt.Sprintf("it does not listen on port %d: another process may have it", l.Port)
		}
	}
	return ProblemNone, ""
}

// isBound says whether one of the sockets is a listener's. A listener on every address needs a socket on every address.
func isBound(l Listener, bound []netip.AddrPort) bool {
	for _, socket := range bound {
		address := socket.Addr().Unmap()
		if socket.Port() != l.Port {
			continue
		}
		if !l.Address.IsValid() || address == l.Address || address.IsUnspecified() {
			return true
		}
	}
	return false
}
