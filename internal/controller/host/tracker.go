// Package host watches over the hosts' agents: a host whose Lease does not change any more is lost, and its instances are no longer known.
package host

import "time"

// tracker decides which hosts are lost, on the controller's own monotonic clock: the times that agents write are other machines' clocks.
type tracker struct {
	after time.Duration
	seen  map[string]sighting
}

// sighting is the last change of a host's Lease that was seen.
type sighting struct {
	version string
	at      time.Time
}

func newTracker(after time.Duration) *tracker {
	return &tracker{after: after, seen: map[string]sighting{}}
}

// observe takes over the resource versions of all Leases, by host, and returns the hosts that are lost.
func (t *tracker) observe(leases map[string]string, now time.Time) (lost []string) {
	for host, version := range leases {
		if last, known := t.seen[host]; !known || last.version != version {
			t.seen[host] = sighting{version: version, at: now}
		} else if now.Sub(last.at) >= t.after {
			lost = append(lost, host)
		}
	}
	for host := range t.seen {
		if _, there := leases[host]; !there {
			delete(t.seen, host)
		}
	}
	return lost
}

// reset starts all clocks anew. After a failure of the API no host can be blamed for silence: it could not be heard.
func (t *tracker) reset(now time.Time) {
	for host, last := range t.seen {
		t.seen[host] = sighting{version: last.version, at: now}
	}
}
