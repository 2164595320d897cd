package fake

import (
	"container/heap"
	"sync"
	"time"
)

// Clock is where a World has its time from.
type Clock interface {
	// Now is the present time.
	Now() time.Time
	// AfterFunc calls f once, d from now and without a lock held, unless the returned function is called before.
	AfterFunc(d time.Duration, f func()) (cancel func())
}

// System returns the clock of the machine, or of the bubble in a test with testing/synctest.
func System() Clock { return systemClock{} }

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) func() {
	timer := time.AfterFunc(d, f)
	return func() { timer.Stop() }
}

// Manual is a Clock that stands still until it is advanced.
type Manual struct {
	mu      sync.Mutex
	now     time.Time
	counter uint64
	alarms  alarms
}

// NewManual returns a clock that shows start.
func NewManual(start time.Time) *Manual { return &Manual{now: start} }

// Now is the time shown.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// AfterFunc has f called by the Advance that reaches d from now.
func (m *Manual) AfterFunc(d time.Duration, f func()) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counter++
	set := &alarm{at: m.now.Add(d), order: m.counter, f: f}
	heap.Push(&m.alarms, set)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		set.f = nil
	}
}

// Advance lets d go by: what is due on the way is called in order, each at its own time.
func (m *Manual) Advance(d time.Duration) {
	until := m.Now().Add(d)
	for {
		f := m.next(until)
		if f == nil {
			return
		}
		f()
	}
}

// next moves the clock to the first alarm up to until and takes it; without one it moves the clock to until.
func (m *Manual) next(until time.Time) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.alarms) > 0 && !m.alarms[0].at.After(until) {
		due := heap.Pop(&m.alarms).(*alarm)
		if due.f == nil {
			continue
		}
		if due.at.After(m.now) {
			m.now = due.at
		}
		return due.f
	}
	if until.After(m.now) {
		m.now = until
	}
	return nil
}

// alarm is a call that is due at a time; a cancelled one has lost its f.
type alarm struct {
	at    time.Time
	order uint64
	f     func()
}

// alarms is a heap, the first due on top, of two at the same time the one that was set first.
type alarms []*alarm

func (a alarms) Len() int { return len(a) }

func (a alarms) Less(i, j int) bool {
	if a[i].at.Equal(a[j].at) {
		return a[i].order < a[j].order
	}
	return a[i].at.Before(a[j].at)
}

func (a alarms) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

func (a *alarms) Push(x any) { *a = append(*a, x.(*alarm)) }

func (a *alarms) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return x
}
