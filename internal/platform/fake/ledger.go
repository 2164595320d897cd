package fake

import (
	"fmt"
	"slices"
	"sync"
)

// Ledger counts the servers of any number of worlds, to prove that no UID ever had two at once, on whatever host.
type Ledger struct {
	mu       sync.Mutex
	runs     uint64
	accounts map[string]account
	overlaps []string
}

type account struct {
	starts int
	live   int
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{accounts: map[string]account{}}
}

// Starts is how many servers were ever started for the UID.
func (l *Ledger) Starts(uid string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accounts[uid].starts
}

// Live is how many servers of the UID are alive.
func (l *Ledger) Live(uid string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accounts[uid].live
}

// Overlaps tells of every start beside a living server of the same UID; none is what must be.
func (l *Ledger) Overlaps() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.overlaps)
}

// start enters a start in a world and returns the number of the run.
func (l *Ledger) start(uid, world string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runs++
	entry := l.accounts[uid]
	if entry.live > 0 {
		l.overlaps = append(l.overlaps, fmt.Sprintf("%s was started on %s while %d of it lived", uid, world, entry.live))
	}
	entry.starts++
	entry.live++
	l.accounts[uid] = entry
	return l.runs
}

// end enters that a server is gone.
func (l *Ledger) end(uid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry := l.accounts[uid]
	entry.live--
	l.accounts[uid] = entry
}
