package fake

import (
	"slices"

	"github.com/draas-io/draas/internal/platform"
)

// Op is a method of the driver.
type Op string

// The methods that are counted.
const (
	OpFingerprint Op = "Fingerprint"
	OpList        Op = "List"
	OpInspect     Op = "Inspect"
	OpEnsure      Op = "Ensure"
	OpStop        Op = "Stop"
	OpRemove      Op = "Remove"
	OpSockets     Op = "Sockets"
)

// Call is a call of the driver. Hash is that of an Ensure.
type Call struct {
	Op Op
	platform.Ref
	Hash string
}

// callsKept is how many calls are kept in full; of older ones only the number is known.
const callsKept = 4096

// calls remembers what was called.
type calls struct {
	counts  map[Op]int
	perUID  map[opOf]int
	recent  []Call
	refused int
}

// opOf is a method called for a UID.
type opOf struct {
	op  Op
	uid string
}

func newCalls() calls {
	return calls{counts: map[Op]int{}, perUID: map[opOf]int{}}
}

func (c *calls) add(call Call) {
	c.counts[call.Op]++
	if call.UID != "" {
		c.perUID[opOf{call.Op, call.UID}]++
	}
	if len(c.recent) >= 2*callsKept {
		c.recent = slices.Clone(c.recent[callsKept:])
	}
	c.recent = append(c.recent, call)
}

// begin counts a call of a living driver and asks the test whether it may go on.
func (w *World) begin(d *Driver, call Call) error {
	w.mu.Lock()
	if w.driver == d {
		w.calls.add(call)
	}
	intercept := w.intercept
	w.mu.Unlock()
	if intercept == nil {
		return nil
	}
	return intercept(call)
}

// Intercept has f asked before each call, without a lock held: what it returns, if not nil, is the call's error and nothing is done. It may
// block, or kill the driver.
func (w *World) Intercept(f func(Call) error) {
	w.mu.Lock()
	defer w.unlock()
	w.intercept = f
}

// Calls returns the last calls, at least 4,096 of them where there were so many.
func (w *World) Calls() []Call {
	w.mu.Lock()
	defer w.unlock()
	return slices.Clone(w.calls.recent)
}

// Count is how often a method was called.
func (w *World) Count(op Op) int {
	w.mu.Lock()
	defer w.unlock()
	return w.calls.counts[op]
}

// CountOf is how often a method was called for the UID.
func (w *World) CountOf(op Op, uid string) int {
	w.mu.Lock()
	defer w.unlock()
	return w.calls.perUID[opOf{op, uid}]
}

// Refused is how many calls returned an error other than ErrNotFound.
func (w *World) Refused() int {
	w.mu.Lock()
	defer w.unlock()
	return w.calls.refused
}
