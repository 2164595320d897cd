package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/draas-io/draas/internal/platform"
)

// run makes a runtime run and returns what is told of it.
func (e *env) run(desired platform.Desired) platform.Observed {
	e.Helper()
	e.must(e.ensure(desired), "Ensure")
	return e.running(desired)
}

// running waits until a runtime runs with the inputs, by the driver and by the world.
func (e *env) running(desired platform.Desired) platform.Observed {
	e.Helper()
	var found platform.Observed
	e.eventually("wait for the runtime to run", func() (err error) {
		found, err = e.isRunning(desired)
		return err
	})
	return found
}

// isRunning tells why a runtime does not run with the inputs.
func (e *env) isRunning(desired platform.Desired) (platform.Observed, error) {
	found, err := e.inspect(desired.Ref)
	if err != nil {
		return found, fmt.Errorf("Inspect: %w", err)
	}
	if found.State != platform.StateRunning || found.Hash != desired.Hash {
		return found, fmt.Errorf("state is %s with hash %q, want Running with %q; last exit %+v, start error %s",
			found.State, found.Hash, desired.Hash, found.LastExit, tell(found.StartError))
	}
	live, err := e.world.Live(desired.UID)
	if err != nil {
		return found, err
	}
	if len(live) != 1 || found.PID != 0 && live[0] != found.PID {
		return found, fmt.Errorf("the driver tells PID %d, alive are %v", found.PID, live)
	}
	return found, nil
}

// describes tells how an observation of what runs differs from the inputs.
func describes(found platform.Observed, desired platform.Desired) error {
	var wrong []error
	differ := func(field string, got, want any) {
		wrong = append(wrong, fmt.Errorf("%s is %v, want %v", field, got, want))
	}
	if found.Ref != desired.Ref {
		differ("Ref", found.Ref, desired.Ref)
	}
	if found.Hash != desired.Hash || found.NextHash != "" {
		differ("Hash and NextHash", []string{found.Hash, found.NextHash}, []string{desired.Hash, ""})
	}
	if found.Generation != desired.Generation {
		differ("Generation", found.Generation, desired.Generation)
	}
	if found.InstanceID != desired.InstanceID {
		differ("InstanceID", found.InstanceID, desired.InstanceID)
	}
	if found.Version != desired.Version {
		differ("Version", found.Version, desired.Version)
	}
	if !bytes.Equal(found.Config, desired.Config) {
		differ("Config", string(found.Config), string(desired.Config))
	}
	if !slices.Equal(found.Listeners, desired.Listeners) {
		differ("Listeners", found.Listeners, desired.Listeners)
	}
	if found.Expose != desired.Expose {
		differ("Expose", found.Expose, desired.Expose)
	}
	if found.Incarnation == "" || found.StartedAt.IsZero() {
		differ("Incarnation and StartedAt", fmt.Sprintf("%q and %v", found.Incarnation, found.StartedAt), "those of a run")
	}
	if !found.API.IsValid() || found.API.Port() == 0 {
		differ("API", found.API, "an address with a port")
	}
	return errors.Join(wrong...)
}

// same fails unless what runs is the run of before.
func (e *env) same(desired platform.Desired, before platform.Observed) {
	e.Helper()
	after := e.running(desired)
	if after.Incarnation != before.Incarnation || after.PID != before.PID || !after.StartedAt.Equal(before.StartedAt) {
		e.Fatalf("another run: incarnation %q, PID %d, started %v; before %q, %d, %v",
			after.Incarnation, after.PID, after.StartedAt, before.Incarnation, before.PID, before.StartedAt)
	}
	if after.Restarts != before.Restarts {
		e.Fatalf("%d restarts, before %d", after.Restarts, before.Restarts)
	}
	if after.API != before.API {
		e.Fatalf("the API moved from %v to %v", before.API, after.API)
	}
}

// starts fails unless the world has seen so many starts, where it counts them.
func (e *env) starts(ref platform.Ref, least, most int) {
	e.Helper()
	if e.world.Starts == nil {
		return
	}
	seen, err := e.world.Starts(ref.UID)
	e.must(err, "count the starts")
	if seen < least || seen > most {
		e.Fatalf("%d starts, want %d to %d", seen, least, most)
	}
}

// stopped repeats Stop until the runtime is told to be stopped, and returns what is told of it.
func (e *env) stopped(ref platform.Ref) platform.Observed {
	e.Helper()
	var found platform.Observed
	e.until("stop the runtime", func() error { return e.stop(ref, grace) }, func() (err error) {
		found, err = e.isStopped(ref)
		return err
	})
	return found
}

// isStopped tells why a runtime is not stopped.
func (e *env) isStopped(ref platform.Ref) (platform.Observed, error) {
	found, err := e.inspect(ref)
	if err != nil {
		return found, fmt.Errorf("Inspect: %w", err)
	}
	if found.State != platform.StateStopped {
		return found, fmt.Errorf("state is %s, want Stopped", found.State)
	}
	if found.PID != 0 || found.Incarnation != "" || !found.StartedAt.IsZero() {
		return found, fmt.Errorf("stopped, but PID %d, incarnation %q, started %v", found.PID, found.Incarnation, found.StartedAt)
	}
	return found, e.isDead(ref)
}

// isDead tells of a living server.
func (e *env) isDead(ref platform.Ref) error {
	live, err := e.world.Live(ref.UID)
	if err != nil {
		return err
	}
	if len(live) != 0 {
		return fmt.Errorf("alive: %v", live)
	}
	return nil
}

// gone stops and removes a runtime, and fails if anything of it is left.
func (e *env) gone(ref platform.Ref) {
	e.Helper()
	e.stopped(ref)
	e.must(e.remove(ref, false), "Remove")
	e.must(e.isGone(ref), "after Remove")
}

// isGone tells what is left of a runtime.
func (e *env) isGone(ref platform.Ref) error {
	if found, err := e.inspect(ref); !errors.Is(err, platform.ErrNotFound) {
		return fmt.Errorf("Inspect tells %+v and %s, want ErrNotFound", found, tell(err))
	}
	if err := e.isDead(ref); err != nil {
		return err
	}
	traces, err := e.world.Traces(ref.UID)
	if err != nil {
		return err
	}
	if len(traces) != 0 {
		return fmt.Errorf("left behind: %v", traces)
	}
	return nil
}
