package fake

import (
	"net/netip"
	"slices"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// Behaviour is how a runtime behaves. The zero value starts at once, runs for ever and ends at once when told to.
type Behaviour struct {
	// StartDelay is how long it takes from the decision to start until a server is there.
	StartDelay time.Duration
	// StopDelay is how long the server needs to end gracefully.
	StopDelay time.Duration
	// IgnoresStop makes the server end by force only.
	IgnoresStop bool
	// Endings are how the first so many runs end by themselves; later ones do not.
	Endings []Ending
	// StartErrors are why the first so many starts cannot even be tried.
	StartErrors []error
	// EnsureErrors are what the first so many calls of Ensure return, without doing anything.
	EnsureErrors []error
	// API is where the server's API listens, for a test that serves it; else a port of the world's range is taken.
	API func(platform.Ref) netip.AddrPort
	// Silent are ports on which the server does not listen although it should.
	Silent []uint16
}

// Ending is how a run ends by itself.
type Ending struct {
	// After is how long the server runs before.
	After time.Duration
	// Code is the exit code, where no signal ends it.
	Code int32
	// Signal is the number of the signal that ends it.
	Signal int32
	// OutOfMemory says that the kernel ended it for its memory limit.
	OutOfMemory bool
	// Stderr and Stdout are the last words.
	Stderr string
	Stdout string
}

// reason classifies the ending.
func (e Ending) reason() platform.ExitReason {
	switch {
	case e.OutOfMemory:
		return platform.ExitOOMKilled
	case e.Signal != 0:
		return platform.ExitKilled
	case e.Code == 0:
		return platform.ExitCompleted
	default:
		return platform.ExitError
	}
}

// progress is how much of the lists of a behaviour a UID has used.
type progress struct {
	of           *Behaviour
	endings      int
	startErrors  int
	ensureErrors int
}

// take returns the next of list, if there is one.
func take[T any](list []T, used *int) (T, bool) {
	if *used >= len(list) {
		var none T
		return none, false
	}
	item := list[*used]
	*used++
	return item, true
}

// Behave sets how runtimes behave from now on. The key is a UID, or namespace/name, or "" for all that have neither; the more special one
// counts. Setting it again begins its lists anew.
func (w *World) Behave(key string, behaviour Behaviour) {
	w.mu.Lock()
	defer w.unlock()
	w.behaviours[key] = &behaviour
}

// BehaveIf sets how runtimes behave whose inputs match, whatever Behave says; of several that match, the last one set counts.
func (w *World) BehaveIf(match func(*platform.Desired) bool, behaviour Behaviour) {
	w.mu.Lock()
	defer w.unlock()
	w.conditional = append(w.conditional, conditional{match: match, Behaviour: &behaviour})
}

// conditional is a behaviour of runtimes whose inputs match.
type conditional struct {
	*Behaviour
	match func(*platform.Desired) bool
}

// behaviour returns how a runtime behaves with these inputs, and what it has used of it.
func (w *World) behaviour(desired *platform.Desired) (*Behaviour, *progress) {
	found := w.lookup(desired)
	used, ok := w.used[desired.UID]
	if !ok {
		used = &progress{}
		w.used[desired.UID] = used
	}
	if used.of != found {
		*used = progress{of: found}
	}
	return found, used
}

func (w *World) lookup(desired *platform.Desired) *Behaviour {
	for _, candidate := range slices.Backward(w.conditional) {
		if candidate.match(desired) {
			return candidate.Behaviour
		}
	}
	for _, key := range []string{desired.UID, desired.Namespace + "/" + desired.Name} {
		if found, ok := w.behaviours[key]; ok {
			return found
		}
	}
	return w.behaviours[""]
}
