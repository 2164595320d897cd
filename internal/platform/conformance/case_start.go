package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/draas-io/draas/internal/platform"
)

func startCases() []testCase {
	return []testCase{
		{name: "a platform that works says so and names its versions", run: fingerprint},
		{name: "of nothing there is nothing to tell and nothing to do", run: nothing},
		{name: "Ensure repeated starts one server", run: ensureRepeated},
		{name: "what runs is told as it was asked for", run: toldAsAsked},
		{name: "a driver that comes back adopts what runs", run: adoption},
		{name: "List tells of exactly ours", run: listExact},
	}
}

func fingerprint(e *env) {
	wanted := e.world.Desired(e.ref("any"), "a").Version
	for range 3 {
		var found platform.Fingerprint
		e.must(e.call(func(ctx context.Context) (err error) {
			found, err = e.driver.Fingerprint(ctx)
			return err
		}), "Fingerprint")
		if found.Health != platform.HealthHealthy || !slices.Contains(found.Versions, wanted) || !slices.IsSorted(found.Versions) {
			e.Fatalf("fingerprint %+v, want Healthy and %s among sorted versions", found, wanted)
		}
	}
}

func nothing(e *env) {
	ref := e.ref("nothing")
	for range 2 {
		for range 2 {
			e.must(e.stop(ref, grace), "Stop of nothing")
			e.must(e.remove(ref, false), "Remove of nothing")
			e.must(e.remove(ref, true), "Remove of nothing, keeping data")
		}
		e.must(e.isGone(ref), "after calls for nothing")
		found, err := e.list()
		if err != nil || len(found) != 0 {
			e.Fatalf("List tells %v, %v", found, err)
		}
		if lister, ok := e.driver.(platform.SocketLister); ok {
			err := e.call(func(ctx context.Context) error {
				_, err := lister.Sockets(ctx, ref)
				return err
			})
			if !errors.Is(err, platform.ErrNotFound) {
				e.Fatalf("Sockets of nothing: %v, want ErrNotFound", err)
			}
		}
		e.reopen()
	}
}

func ensureRepeated(e *env) {
	desired := e.world.Desired(e.ref("once"), "a")
	for range 5 {
		e.must(e.ensure(desired), "Ensure")
	}
	first := e.running(desired)
	for range 5 {
		e.must(e.ensure(desired), "Ensure of what runs")
	}
	e.same(desired, first)
	e.starts(desired.Ref, 1, 1)
	desired.Generation++
	e.must(e.ensure(desired), "Ensure with another generation")
	desired.Replace = false
	e.must(e.ensure(desired), "Ensure without Replace")
	e.always("after a repeated Ensure", func() error {
		found, err := e.isRunning(desired)
		if err == nil && found.Incarnation != first.Incarnation {
			err = fmt.Errorf("incarnation %q, before %q", found.Incarnation, first.Incarnation)
		}
		return err
	})
	e.starts(desired.Ref, 1, 1)
}

func toldAsAsked(e *env) {
	desired := e.world.Desired(e.ref("told"), "a")
	desired.Generation = 7
	found := e.run(desired)
	e.must(describes(found, desired), "what Inspect tells")
	if found.Restarts != 0 || found.LastExit != nil || found.StartError != nil {
		e.Fatalf("%d restarts, last exit %v, start error %v of a first run", found.Restarts, found.LastExit, found.StartError)
	}
	listed, err := e.list()
	e.must(err, "List")
	if len(listed) != 1 {
		e.Fatalf("%d listed, want 1", len(listed))
	}
	e.must(describes(listed[0], desired), "what List tells")
	e.reopen()
	e.must(describes(e.running(desired), desired), "what Inspect tells after the driver came back")
}

func adoption(e *env) {
	desired := e.world.Desired(e.ref("adopted"), "a")
	before := e.run(desired)
	for range 3 {
		e.reopen()
		e.same(desired, before)
		for range 2 {
			e.must(e.ensure(desired), "Ensure of what was adopted")
		}
		e.same(desired, before)
	}
	e.starts(desired.Ref, 1, 1)
	e.gone(desired.Ref)
}

func listExact(e *env) {
	a, b, c := e.world.Desired(e.ref("a"), "a"), e.world.Desired(e.ref("b"), "a"), e.world.Desired(e.ref("c"), "a")
	for _, desired := range []platform.Desired{a, b, c} {
		e.run(desired)
	}
	e.stopped(b.Ref)
	for range 2 {
		e.must(e.lists(a.Ref, b.Ref, c.Ref), "with one of three stopped")
		e.reopen()
	}
	e.gone(a.Ref)
	for range 2 {
		e.must(e.lists(b.Ref, c.Ref), "with one removed")
		e.reopen()
	}
}

// lists tells how List differs from the refs.
func (e *env) lists(refs ...platform.Ref) error {
	found, err := e.list()
	if err != nil {
		return err
	}
	told := make([]platform.Ref, 0, len(found))
	for _, observed := range found {
		told = append(told, observed.Ref)
	}
	if len(told) != len(refs) {
		return fmt.Errorf("List tells of %v, want %v", told, refs)
	}
	for _, ref := range refs {
		if !slices.Contains(told, ref) {
			return fmt.Errorf("List tells of %v, want %v", told, refs)
		}
	}
	return nil
}
