package fake

import (
	"net/netip"
	"sync"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// Options of a World. The zero value is a host with drasi-server 0.2.2, every plugin and the default port range.
type Options struct {
	// Name tells worlds apart, as the name of a host does. Default: fake.
	Name string
	// Clock is the time. Default: System.
	Clock Clock
	// Ledger counts servers. Worlds that may get the same UID share one. Default: one of its own.
	Ledger *Ledger
	// Versions of drasi-server that are installed. Default: 0.2.2.
	Versions []string
	// Plugins are the kinds there are, as category/kind. Default: all.
	Plugins []string
	// Limits is what becomes of limits. Default: enforced.
	Limits platform.Limits
	// FirstPort and LastPort are the range for APIs. Default: 20000 to 20999.
	FirstPort, LastPort uint16
	// Steady is how long a server must have run to be restarted at once. Default: 10 s.
	Steady time.Duration
	// Backoff is the wait before the restart after so many quick ends in a row, 0 for the first. Default: 100 ms doubling to 60 s.
	Backoff func(failures int) time.Duration
}

// World is what is on a host, whether or not a driver looks after it.
type World struct {
	name    string
	clock   Clock
	ledger  *Ledger
	steady  time.Duration
	backoff func(int) time.Duration

	mu          sync.Mutex
	limits      platform.Limits
	versions    map[string]bool
	plugins     map[string]bool
	behaviours  map[string]*Behaviour
	conditional []conditional
	used        map[string]*progress
	runtimes    map[string]*runtime
	foreign     map[string]bool
	kept        map[string]bool
	ports       ports
	pids        int
	driver      *Driver
	unavailable error
	deaf        bool
	changed     []platform.Ref
	calls       calls
	intercept   func(Call) error
}

// NewWorld returns a world in which nothing runs.
func NewWorld(options Options) *World {
	options = withDefaults(options)
	w := &World{
		name: options.Name, clock: options.Clock, ledger: options.Ledger, steady: options.Steady, backoff: options.Backoff,
		limits:     options.Limits,
		versions:   setOf(options.Versions),
		behaviours: map[string]*Behaviour{"": {}},
		used:       map[string]*progress{},
		runtimes:   map[string]*runtime{},
		foreign:    map[string]bool{},
		kept:       map[string]bool{},
		ports:      newPorts(options.FirstPort, options.LastPort),
		pids:       1000,
		calls:      newCalls(),
	}
	if options.Plugins != nil {
		w.plugins = setOf(options.Plugins)
	}
	return w
}

func withDefaults(o Options) Options {
	if o.Name == "" {
		o.Name = "fake"
	}
	if o.Clock == nil {
		o.Clock = System()
	}
	if o.Ledger == nil {
		o.Ledger = NewLedger()
	}
	if o.Versions == nil {
		o.Versions = []string{"0.2.2"}
	}
	if o.Limits == "" {
		o.Limits = platform.LimitsEnforced
	}
	if o.FirstPort == 0 && o.LastPort == 0 {
		o.FirstPort, o.LastPort = 20000, 20999
	}
	if o.Steady == 0 {
		o.Steady = 10 * time.Second
	}
	if o.Backoff == nil {
		o.Backoff = doubling
	}
	return o
}

// doubling is 100 ms, 200 ms and so on up to a minute.
func doubling(failures int) time.Duration {
	const first, most = 100 * time.Millisecond, time.Minute
	if failures >= 10 {
		return most
	}
	return min(first<<failures, most)
}

func setOf(items []string) map[string]bool {
	set := make(map[string]bool, len(items))
	for _, item := range items {
		set[item] = true
	}
	return set
}

// Open returns a fresh driver on the world, as after a start of the agent. The one before, if any, is dead from then on. What ended
// while nobody looked is noticed, and what shall run is started.
func (w *World) Open() *Driver {
	w.mu.Lock()
	defer w.unlock()
	w.driver = &Driver{world: w}
	w.settleAll()
	return w.driver
}

// Ledger is where the world's servers are counted.
func (w *World) Ledger() *Ledger { return w.ledger }

// supervised tells whether anybody notices an end, uses force and starts anew.
func (w *World) supervised() bool { return w.driver != nil && w.unavailable == nil }

// unlock ends a change of the world and tells the driver's user of what changed, without the lock.
func (w *World) unlock() {
	changed := w.changed
	w.changed = nil
	var notify func(platform.Ref)
	if w.driver != nil && !w.deaf {
		notify = w.driver.notify
	}
	w.mu.Unlock()
	if notify == nil {
		return
	}
	for _, ref := range changed {
		notify(ref)
	}
}

// settle lets everything of r happen that is due, and arms the alarm for what is next.
func (w *World) settle(r *runtime) {
	now := w.clock.Now()
	for w.step(r, now) {
		w.changed = append(w.changed, r.ref)
	}
	if r.cancel != nil {
		r.cancel()
		r.cancel = nil
	}
	due, ok := w.due(r)
	if !ok {
		return
	}
	uid := r.ref.UID
	r.cancel = w.clock.AfterFunc(max(due.Sub(now), 0), func() {
		w.mu.Lock()
		defer w.unlock()
		if r := w.runtimes[uid]; r != nil {
			w.settle(r)
		}
	})
}

func (w *World) settleAll() {
	for _, r := range w.runtimes {
		w.settle(r)
	}
}

// apiOf chooses where the API of a runtime listens: where its behaviour says, else as wished if that is free, else where it was, else in the range.
func (w *World) apiOf(r *runtime, desired *platform.Desired) (netip.AddrPort, error) {
	if behaviour, _ := w.behaviour(desired); behaviour.API != nil {
		return behaviour.API(desired.Ref), nil
	}
	before := uint16(0)
	if r != nil {
		before = r.apiPort
	}
	port, err := w.ports.choose(desired, before)
	if err != nil {
		return netip.AddrPort{}, err
	}
	address := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if desired.Expose {
		address = netip.IPv4Unspecified()
	}
	return netip.AddrPortFrom(address, port), nil
}
