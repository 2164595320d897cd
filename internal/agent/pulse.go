package agent

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// silentAfter is how long the host's Lease may go without a renewal before the agent writes no more status: well before the controller, which has
// counted from later on, takes over as the writer (leaseSeconds). One late heartbeat does not silence it.
const silentAfter = 25 * time.Second

// pulse knows when the host's Lease was last renewed, on the monotonic clock. It makes sure that an object has one writer at a time.
type pulse struct {
	clock clock.PassiveClock

	mu      sync.Mutex
	renewed time.Time
}

// renewedAt notes a renewal, by the time at which it was asked for.
func (p *pulse) renewedAt(asked time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.renewed = asked
}

// silent says that the controller may be about to speak for this host: the agent must not.
func (p *pulse) silent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.renewed.IsZero() || p.clock.Since(p.renewed) >= silentAfter
}
