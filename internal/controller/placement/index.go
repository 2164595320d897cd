package placement

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/trim"
	"github.com/draas-io/draas/internal/platform"
)

// index knows what each host carries: from the cache's events, and from placements that the cache does not show yet.
type index struct {
	mu      sync.Mutex
	entries map[types.NamespacedName]entry
	clock   clock.PassiveClock
	// freed is called after something was taken off a host.
	freed func()
}

type entry struct {
	host      string
	listeners []platform.Listener
	// version is the resource version of the object that the entry was made from.
	version uint64
	// assumed is when a placement of ours was noted that the cache has not shown yet; zero: the cache has. Events come in their order, so only what is
	// assumed must stand against an older version.
	assumed time.Time
}

// assumedFor is how long an assumption stands against what the cache says. Versions can go back: after etcd was restored from a backup.
const assumedFor = 10 * time.Second

// outdates tells whether an event of the version is older than what is assumed.
func (e *entry) outdates(version uint64, now time.Time) bool {
	return !e.assumed.IsZero() && e.version > version && now.Sub(e.assumed) < assumedFor
}

func newIndex(clock clock.PassiveClock, freed func()) *index {
	return &index{entries: map[types.NamespacedName]entry{}, clock: clock, freed: freed}
}

// observe takes over what an object says.
func (x *index) observe(object *v1alpha1.DrasiInstance) {
	key := types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
	version := parseVersion(object.ResourceVersion)
	next := entry{host: object.Status.Host, version: version}
	if next.host != "" {
		// An instance whose claims cannot be read still counts as one that its host carries.
		next.listeners, _ = trim.Claims(object)
	}
	x.mu.Lock()
	old, known := x.entries[key]
	stale := known && old.outdates(version, x.clock.Now())
	if !stale {
		x.set(key, next)
	}
	x.mu.Unlock()
	if !stale && old.host != "" && (next.host != old.host || !slices.Equal(next.listeners, old.listeners)) {
		x.freed()
	}
}

// set keeps only entries that hold something. The caller holds the lock.
func (x *index) set(key types.NamespacedName, next entry) {
	if next.host == "" {
		delete(x.entries, key)
		return
	}
	x.entries[key] = next
}

// assume notes a placement of ours before the cache shows it.
func (x *index) assume(object *v1alpha1.DrasiInstance, listeners []platform.Listener) {
	x.mu.Lock()
	defer x.mu.Unlock()
	key := types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
	version := parseVersion(object.ResourceVersion)
	if x.entries[key].version >= version {
		return // the cache was faster
	}
	x.set(key, entry{host: object.Status.Host, listeners: trim.Of(listeners), version: version, assumed: x.clock.Now()})
}

// forget takes an object off its host.
func (x *index) forget(key types.NamespacedName) {
	x.mu.Lock()
	_, known := x.entries[key]
	delete(x.entries, key)
	x.mu.Unlock()
	if known {
		x.freed()
	}
}

// claims returns what each host carries, without the instance key, in no order.
func (x *index) claims(key types.NamespacedName) map[string][]Claim {
	x.mu.Lock()
	defer x.mu.Unlock()
	byHost := map[string][]Claim{}
	for k, e := range x.entries {
		if k != key {
			byHost[e.host] = append(byHost[e.host], Claim{Key: k, Listeners: e.listeners})
		}
	}
	return byHost
}

// hosts lists the hosts that carry something.
func (x *index) hosts() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	found := map[string]bool{}
	for _, e := range x.entries {
		found[e.host] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// on lists what a host carries.
func (x *index) on(host string) []types.NamespacedName {
	x.mu.Lock()
	defer x.mu.Unlock()
	var keys []types.NamespacedName
	for key, e := range x.entries {
		if e.host == host {
			keys = append(keys, key)
		}
	}
	return keys
}

func parseVersion(resourceVersion string) uint64 {
	version, err := strconv.ParseUint(resourceVersion, 10, 64)
	if err != nil {
		return 0
	}
	return version
}
