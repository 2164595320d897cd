package conformance_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/draas-io/draas/internal/platform"
	"github.com/draas-io/draas/internal/platform/conformance"
	"github.com/draas-io/draas/internal/platform/fake"
)

// faultEnv names the fault with which this test binary runs the suite, when it is called by TestSuiteFindsFaults.
const faultEnv = "CONFORMANCE_FAULT"

// fault is a driver that breaks the contract, and the case that must find it.
type fault struct {
	finder  string
	disturb func(*fake.World, *conformance.World)
}

// faulty is a driver of which methods can be exchanged.
type faulty struct {
	*fake.Driver
	ensure  func(context.Context, platform.Desired) error
	stop    func(context.Context, platform.Ref, time.Duration) error
	remove  func(context.Context, platform.Ref, bool) error
	inspect func(context.Context, platform.Ref) (platform.Observed, error)
	list    func(context.Context) ([]platform.Observed, error)
	notify  func(func(platform.Ref))
}

func (f *faulty) Ensure(ctx context.Context, desired platform.Desired) error {
	return f.ensure(ctx, desired)
}

func (f *faulty) Stop(ctx context.Context, ref platform.Ref, grace time.Duration) error {
	return f.stop(ctx, ref, grace)
}

func (f *faulty) Remove(ctx context.Context, ref platform.Ref, keepData bool) error {
	return f.remove(ctx, ref, keepData)
}

func (f *faulty) Inspect(ctx context.Context, ref platform.Ref) (platform.Observed, error) {
	return f.inspect(ctx, ref)
}

func (f *faulty) List(ctx context.Context) ([]platform.Observed, error) { return f.list(ctx) }

func (f *faulty) Notify(notify func(platform.Ref)) { f.notify(notify) }

// spoiled makes worlds whose drivers are spoiled when they are opened.
func spoiled(spoil func(*faulty)) func(*fake.World, *conformance.World) {
	return func(world *fake.World, adapted *conformance.World) {
		adapted.Open = func() (platform.Driver, error) {
			driver := world.Open()
			f := &faulty{
				Driver: driver, ensure: driver.Ensure, stop: driver.Stop, remove: driver.Remove,
				inspect: driver.Inspect, list: driver.List, notify: driver.Notify,
			}
			spoil(f)
			return f, nil
		}
		adapted.Kill = func(driver platform.Driver) { driver.(*faulty).Kill() }
	}
}

// observing spoils what is told.
func observing(change func(*platform.Observed)) func(*fake.World, *conformance.World) {
	return spoiled(func(f *faulty) {
		f.inspect = func(ctx context.Context, ref platform.Ref) (platform.Observed, error) {
			found, err := f.Driver.Inspect(ctx, ref)
			if err == nil {
				change(&found)
			}
			return found, err
		}
	})
}

var faults = map[string]fault{
	"starts anew when it comes back": {"a driver that comes back adopts what runs", func(world *fake.World, adapted *conformance.World) {
		adapted.Open = func() (platform.Driver, error) {
			driver := world.Open()
			for _, uid := range world.UIDs() {
				world.Crash(uid, fake.Ending{Signal: 9})
			}
			return driver, nil
		}
	}},
	"replaces without being told to": {"without Replace what runs is left alone", spoiled(func(f *faulty) {
		f.ensure = func(ctx context.Context, desired platform.Desired) error {
			desired.Replace = true
			return f.Driver.Ensure(ctx, desired)
		}
	})},
	"takes the generation for the hash": {"Ensure repeated starts one server", spoiled(func(f *faulty) {
		f.ensure = func(ctx context.Context, desired platform.Desired) error {
			desired.Hash += strings.Repeat("+", int(desired.Generation-1))
			desired.Replace = true
			return f.Driver.Ensure(ctx, desired)
		}
	})},
	"refuses limits that it tells to enforce": {"what becomes of limits is told and happens", spoiled(func(f *faulty) {
		f.ensure = func(ctx context.Context, desired platform.Desired) error {
			if desired.Resources != (platform.Resources{}) {
				return &platform.WaitError{Code: platform.CodeLimitsRefused, Message: "no"}
			}
			return f.Driver.Ensure(ctx, desired)
		}
	})},
	"has no patience": {"the grace is waited for", spoiled(func(f *faulty) {
		f.stop = func(ctx context.Context, ref platform.Ref, _ time.Duration) error { return f.Driver.Stop(ctx, ref, 0) }
	})},
	"has endless patience": {"after the grace a server ends by force", spoiled(func(f *faulty) {
		f.stop = func(ctx context.Context, ref platform.Ref, _ time.Duration) error {
			return f.Driver.Stop(ctx, ref, time.Hour)
		}
	})},
	"does not stop nothing": {"of nothing there is nothing to tell and nothing to do", spoiled(func(f *faulty) {
		f.stop = func(ctx context.Context, ref platform.Ref, grace time.Duration) error {
			if _, err := f.Driver.Inspect(ctx, ref); err != nil {
				return err
			}
			return f.Driver.Stop(ctx, ref, grace)
		}
	})},
	"removes nothing": {"Remove repeated leaves nothing", spoiled(func(f *faulty) {
		f.remove = func(context.Context, platform.Ref, bool) error { return nil }
	})},
	"throws data away": {"data are kept when asked for", spoiled(func(f *faulty) {
		f.remove = func(ctx context.Context, ref platform.Ref, _ bool) error { return f.Driver.Remove(ctx, ref, false) }
	})},
	"forgets what is stopped": {"List tells of exactly ours", spoiled(func(f *faulty) {
		f.list = func(ctx context.Context) ([]platform.Observed, error) {
			all, err := f.Driver.List(ctx)
			var running []platform.Observed
			for _, found := range all {
				if found.State == platform.StateRunning {
					running = append(running, found)
				}
			}
			return running, err
		}
	})},
	"takes away for gone": {"from a platform that does not answer nothing is concluded", spoiled(func(f *faulty) {
		f.inspect = func(ctx context.Context, ref platform.Ref) (platform.Observed, error) {
			found, err := f.Driver.Inspect(ctx, ref)
			if err != nil {
				err = platform.ErrNotFound
			}
			return found, err
		}
	})},
	"takes over what is foreign": {"what is not ours is never touched", func(_ *fake.World, adapted *conformance.World) {
		adapted.PlantForeign = func(string) (func() error, error) { return func() error { return nil }, nil }
	}},
	"hides restarts": {"a server that is killed is restarted and told", observing(func(found *platform.Observed) { found.Restarts = 0 })},
	"takes a stop for a crash": {"Stop repeated stops, and is told", observing(func(found *platform.Observed) {
		if found.State == platform.StateStopped {
			found.LastExit = &platform.Exit{Reason: platform.ExitCompleted}
		}
	})},
	"loses the last words": {"a server that exits at start is tried again, with its words", observing(func(found *platform.Observed) {
		if found.LastExit != nil {
			found.LastExit.Stderr = ""
		}
	})},
	"tells nobody": {"changes are notified", spoiled(func(f *faulty) { f.notify = func(func(platform.Ref)) {} })},
	"lets two live": {"another hash replaces what runs, once", func(_ *fake.World, adapted *conformance.World) {
		live := adapted.Live
		adapted.Live = func(uid string) ([]int, error) {
			alive, err := live(uid)
			if starts, _ := adapted.Starts(uid); starts == 2 {
				alive = append(alive, 1)
			}
			return alive, err
		}
	}},
}

func TestSuiteFindsFaults(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := exec.CommandContext(t.Context(), self, "-test.run=^TestWithFault$/^"+pattern(fault.finder)+"$")
			command.Env = append(os.Environ(), faultEnv+"="+name)
			output, err := command.CombinedOutput()
			if err == nil || !strings.Contains(string(output), "--- FAIL: TestWithFault/"+pattern(fault.finder)) {
				t.Fatalf("the suite did not find it: %v\n%s", err, output)
			}
		})
	}
}

// pattern is a case's name as go test writes it.
func pattern(name string) string { return strings.ReplaceAll(name, " ", "_") }

// TestWithFault runs the suite on a driver with a fault. It fails, and TestSuiteFindsFaults looks at how.
func TestWithFault(t *testing.T) {
	fault, ok := faults[os.Getenv(faultEnv)]
	if !ok {
		return
	}
	h := harness(fault.disturb)
	h.Timeout = 500 * time.Millisecond
	conformance.Run(t, h)
}
