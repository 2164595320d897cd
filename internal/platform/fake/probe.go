package fake

import (
	"maps"
	"slices"

	"github.com/draas-io/draas/internal/platform"
)

// Live returns the PIDs of the UID's living servers, whatever the driver believes.
func (w *World) Live(uid string) []int {
	w.mu.Lock()
	defer w.unlock()
	r := w.runtimes[uid]
	if r == nil {
		return nil
	}
	w.settle(r)
	if r.process == nil || r.process.dead {
		return nil
	}
	return []int{r.process.pid}
}

// Traces names what there is of the UID in the world, kept data and foreign objects excepted.
func (w *World) Traces(uid string) []string {
	w.mu.Lock()
	defer w.unlock()
	var traces []string
	if w.runtimes[uid] != nil {
		traces = append(traces, "journal", "config", "data", "logs")
	}
	for _, owner := range w.ports.owner {
		if owner == uid {
			traces = append(traces, "port")
		}
	}
	return traces
}

// Kept tells whether data of the removed runtime is still there.
func (w *World) Kept(uid string) bool {
	w.mu.Lock()
	defer w.unlock()
	return w.kept[uid]
}

// UIDs returns the runtimes in the world, sorted.
func (w *World) UIDs() []string {
	w.mu.Lock()
	defer w.unlock()
	return slices.Sorted(maps.Keys(w.runtimes))
}

// Desired returns the inputs that run, or else ran last.
func (w *World) Desired(uid string) (platform.Desired, bool) {
	w.mu.Lock()
	defer w.unlock()
	r := w.runtimes[uid]
	if r == nil || r.ran == nil {
		return platform.Desired{}, false
	}
	return clone(&r.ran.Desired), true
}

// Crash ends the living server of the UID at once in the given way; After does not count. It tells whether there was one.
func (w *World) Crash(uid string, ending Ending) bool {
	w.mu.Lock()
	defer w.unlock()
	r := w.runtimes[uid]
	if r == nil || r.process == nil || r.process.dead {
		return false
	}
	r.process.ends, r.process.endsAt, r.process.ending = true, w.clock.Now(), ending
	w.settle(r)
	return true
}

// SetUnavailable makes every call an UnavailableError, and nil makes the platform available again. Servers run on; ends are noticed afterwards.
func (w *World) SetUnavailable(err error) {
	w.mu.Lock()
	defer w.unlock()
	w.unavailable = err
	w.settleAll()
}

// PlantForeign puts something under the UID's name that is not ours.
func (w *World) PlantForeign(uid string) {
	w.mu.Lock()
	defer w.unlock()
	w.foreign[uid] = true
}

// Foreign tells whether what was planted is still there, untouched.
func (w *World) Foreign(uid string) bool {
	w.mu.Lock()
	defer w.unlock()
	return w.foreign[uid]
}

// Occupy lets a program that is none of ours listen on a free port.
func (w *World) Occupy(port uint16) {
	w.mu.Lock()
	defer w.unlock()
	w.ports.owner[port] = stranger
}

// Install makes exactly these versions of drasi-server available.
func (w *World) Install(versions ...string) {
	w.mu.Lock()
	defer w.unlock()
	w.versions = setOf(versions)
}

// InstallPlugins makes exactly these plugins available, each as category/kind.
func (w *World) InstallPlugins(plugins ...string) {
	w.mu.Lock()
	defer w.unlock()
	w.plugins = setOf(plugins)
}

// Deafen drops all notifications while on.
func (w *World) Deafen(on bool) {
	w.mu.Lock()
	defer w.unlock()
	w.deaf = on
}
