package conformance_test

import (
	"bytes"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/draas-io/draas/internal/platform"
	"github.com/draas-io/draas/internal/platform/conformance"
	"github.com/draas-io/draas/internal/platform/fake"
)

func TestFakeKeepsTheContract(t *testing.T) {
	conformance.Run(t, harness(nil))
}

// delay is what the fake's servers need to start and to end, for the suite to find them in between.
const delay = 5 * time.Millisecond

// harness makes worlds in memory. disturb, if not nil, may replace parts of a world, to see that the suite finds it.
func harness(disturb func(*fake.World, *conformance.World)) conformance.Harness {
	return conformance.Harness{
		Parallel: true, Interval: time.Millisecond, Calm: 30 * time.Millisecond,
		NewWorld: func(*testing.T) conformance.World {
			world := newFake()
			adapted := adapt(world)
			if disturb != nil {
				disturb(world, &adapted)
			}
			return adapted
		},
	}
}

// newFake makes a world in which the config says how a server behaves.
func newFake() *fake.World {
	says := func(word string) func(*platform.Desired) bool {
		return func(desired *platform.Desired) bool { return bytes.HasPrefix(desired.Config, []byte(word)) }
	}
	world := fake.NewWorld(fake.Options{
		Plugins: []string{"source/mock"}, Backoff: func(failures int) time.Duration { return min(delay<<failures, 4*delay) },
	})
	world.Behave("", fake.Behaviour{StartDelay: delay, StopDelay: delay})
	world.BehaveIf(says("failing"), fake.Behaviour{Endings: slices.Repeat([]fake.Ending{{After: delay, Code: 1, Stderr: "no such database"}}, 1000)})
	world.BehaveIf(says("stubborn"), fake.Behaviour{IgnoresStop: true})
	return world
}

func adapt(world *fake.World) conformance.World {
	var port atomic.Uint32
	port.Store(30000)
	return conformance.World{
		Open:     func() (platform.Driver, error) { return world.Open(), nil },
		Kill:     func(driver platform.Driver) { driver.(*fake.Driver).Kill() },
		Desired:  inputs("willing"),
		Failing:  inputs("failing"),
		Stubborn: inputs("stubborn"),
		Live:     func(uid string) ([]int, error) { return world.Live(uid), nil },
		Traces:   func(uid string) ([]string, error) { return world.Traces(uid), nil },
		Starts:   func(uid string) (int, error) { return world.Ledger().Starts(uid), nil },
		Kept: func(uid string) ([]string, error) {
			if world.Kept(uid) {
				return []string{"data"}, nil
			}
			return nil, nil
		},
		Crash: func(uid string) error {
			if !world.Crash(uid, fake.Ending{Signal: 9}) {
				return errors.New("no server is alive")
			}
			return nil
		},
		FailingCode: 1, FailingWords: "no such database",
		SetAvailable: func(available bool) error {
			if available {
				world.SetUnavailable(nil)
			} else {
				world.SetUnavailable(errors.New("the engine does not answer"))
			}
			return nil
		},
		PlantForeign: func(uid string) (func() error, error) {
			world.PlantForeign(uid)
			return func() error {
				if !world.Foreign(uid) {
					return errors.New("it is gone")
				}
				return nil
			}, nil
		},
		MissingVersion: "9.9.9",
		MissingPlugin:  &platform.Plugin{Category: "source", Kind: "nowhere", Reference: "source/nowhere:1.0"},
		FreePort:       func() (uint16, error) { return uint16(port.Add(1)), nil },
	}
}

// inputs makes inputs of servers of a behaviour.
func inputs(behaviour string) func(platform.Ref, string) platform.Desired {
	return func(ref platform.Ref, variant string) platform.Desired {
		config := behaviour + " " + variant
		return platform.Desired{
			Ref: ref, Hash: config, Generation: 1, Replace: true, Version: "0.2.2", InstanceID: ref.Name, Config: []byte(config),
			Plugins: []platform.Plugin{{Category: "source", Kind: "mock", Reference: "source/mock"}}, Folders: []string{"data/state"},
			Grace: 30 * time.Second,
		}
	}
}
