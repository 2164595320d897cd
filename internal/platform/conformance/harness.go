// Package conformance is the contract of platform.Driver as tests. Each driver's own test calls Run with a Harness that knows how to make a
// world for it and how to look at that world behind the driver's back.
package conformance

import (
	"testing"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// Harness is what a driver's test brings. The durations have defaults.
type Harness struct {
	// NewWorld makes an empty world, apart from all others; it is called once for each case. What is still there at the end is cleared away
	// by a t.Cleanup of the harness.
	NewWorld func(t *testing.T) World

	// Parallel lets the cases run beside one another.
	Parallel bool
	// Timeout is how long anything may take, at most. It only ends tests that hang or fail. Default: 30 s.
	Timeout time.Duration
	// Interval is how often the world is looked at. Default: 10 ms.
	Interval time.Duration
	// Calm is for how long something is watched that must not happen. Default: 300 ms.
	Calm time.Duration
}

// World is a platform with nothing on it, and the ways to look at it and to disturb it. All functions may be called from any goroutine.
type World struct {
	// Open makes a driver on the world, as the agent does when it starts. After Kill it is called again.
	Open func() (platform.Driver, error)
	// Kill ends the driver as SIGKILL of its process would, with nothing cleaned up; servers run on. It returns when nothing of the driver
	// acts any more: calls under way have returned, or have no further effect. To kill it twice does nothing.
	Kill func(platform.Driver)
	// Desired makes inputs that run until stopped, with Replace. Variants differ in hash and config and in nothing else; one variant is
	// always the same.
	Desired func(ref platform.Ref, variant string) platform.Desired
	// Live returns the living servers of a UID, by looking at the world: PIDs, or other numbers that are never used twice.
	Live func(uid string) ([]int, error)
	// Traces names everything that there is of a UID in the world, for people to read; data that was kept on purpose does not count.
	Traces func(uid string) ([]string, error)

	// The rest is optional. A case that needs what is nil is skipped, and says so.

	// Kept names what there is of a UID's data after a Remove that keeps it.
	Kept func(uid string) ([]string, error)
	// Starts is how many servers were started for a UID so far.
	Starts func(uid string) (int, error)
	// Crash ends the living server of a UID as kill -9 does.
	Crash func(uid string) error
	// Failing makes inputs of a server that ends by itself soon after every start.
	Failing func(ref platform.Ref, variant string) platform.Desired
	// FailingCode and FailingWords are the exit code of such a server, and part of what it says on standard error.
	FailingCode  int32
	FailingWords string
	// Stubborn makes inputs of a server that ends by force only.
	Stubborn func(ref platform.Ref, variant string) platform.Desired
	// Unlimited is Open for a driver on the same world that can enforce no limits.
	Unlimited func() (platform.Driver, error)
	// Hungry makes inputs with a memory limit, of a server that takes more memory than that in its first run only. It needs Crash as well.
	Hungry func(ref platform.Ref, variant string) platform.Desired
	// SetAvailable makes the platform go away (false) and come back, while servers run on.
	SetAvailable func(available bool) error
	// PlantForeign puts something that is not ours where a runtime of that UID would be. The returned function tells how it was touched.
	PlantForeign func(uid string) (untouched func() error, err error)
	// MissingVersion is a version of drasi-server that cannot be run.
	MissingVersion string
	// MissingPlugin is a plugin that there is not.
	MissingPlugin *platform.Plugin
	// FreePort returns a TCP port that nothing uses, for a component's listener. The server need not bind it.
	FreePort func() (uint16, error)
}

// Run checks the contract, one subtest for each behaviour.
func Run(t *testing.T, harness Harness) {
	t.Helper()
	if harness.Timeout == 0 {
		harness.Timeout = 30 * time.Second
	}
	if harness.Interval == 0 {
		harness.Interval = 10 * time.Millisecond
	}
	if harness.Calm == 0 {
		harness.Calm = 300 * time.Millisecond
	}
	uids := &numbers{}
	for _, c := range allCases() {
		t.Run(c.name, func(t *testing.T) {
			if harness.Parallel {
				t.Parallel()
			}
			world := harness.NewWorld(t)
			if missing := c.missing(&world); missing != "" {
				t.Skipf("the harness has no %s", missing)
			}
			e := newEnv(t, &harness, &world, uids)
			c.run(e)
		})
	}
}

// testCase is one behaviour.
type testCase struct {
	name  string
	needs []need
	run   func(*env)
}

// need is an optional part of a world.
type need struct {
	name  string
	there func(*World) bool
}

// missing names the first need that the world does not meet.
func (c *testCase) missing(world *World) string {
	for _, n := range c.needs {
		if !n.there(world) {
			return n.name
		}
	}
	return ""
}

var (
	needsKept           = need{"Kept", func(w *World) bool { return w.Kept != nil }}
	needsCrash          = need{"Crash", func(w *World) bool { return w.Crash != nil }}
	needsFailing        = need{"Failing", func(w *World) bool { return w.Failing != nil }}
	needsStubborn       = need{"Stubborn", func(w *World) bool { return w.Stubborn != nil }}
	needsUnlimited      = need{"Unlimited", func(w *World) bool { return w.Unlimited != nil }}
	needsHungry         = need{"Hungry", func(w *World) bool { return w.Hungry != nil && w.Crash != nil }}
	needsAvailability   = need{"SetAvailable", func(w *World) bool { return w.SetAvailable != nil }}
	needsForeign        = need{"PlantForeign", func(w *World) bool { return w.PlantForeign != nil }}
	needsMissingVersion = need{"MissingVersion", func(w *World) bool { return w.MissingVersion != "" }}
	needsMissingPlugin  = need{"MissingPlugin", func(w *World) bool { return w.MissingPlugin != nil }}
	needsFreePort       = need{"FreePort", func(w *World) bool { return w.FreePort != nil }}
)

// allCases are the cases in the order in which they are run.
func allCases() []testCase {
	groups := [][]testCase{
		startCases(), inputCases(), replaceCases(), crashCases(), stopCases(), removeCases(), strangerCases(), noticeCases(), parallelCases(),
		resourceCases(), killCases(),
	}
	var all []testCase
	for _, group := range groups {
		all = append(all, group...)
	}
	return all
}
