package conformance

import (
	"fmt"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

func stopCases() []testCase {
	stubborn := []need{needsStubborn}
	return []testCase{
		{name: "Stop repeated stops, and is told", run: stopRepeated},
		{name: "what is stopped stays stopped when the driver comes back", run: stopStays},
		{name: "what is stopped starts again", run: stopStart},
		{name: "the grace is waited for", needs: stubborn, run: stopWaits},
		{name: "after the grace a server ends by force", needs: stubborn, run: stopForce},
		{name: "of several graces the shortest counts", needs: stubborn, run: stopShortest},
		{name: "a stop outlives the driver", needs: []need{needsStubborn, needsCrash}, run: stopInterrupted},
		{name: "what is being stopped cannot be started", needs: stubborn, run: stopThenEnsure},
		{name: "a stop ends a replacement", needs: stubborn, run: stopReplacement},
	}
}

func stopRepeated(e *env) {
	desired := e.world.Desired(e.ref("stopped"), "a")
	e.run(desired)
	for range 3 {
		e.must(e.stop(desired.Ref, grace), "Stop")
	}
	found := e.stopped(desired.Ref)
	if found.LastExit != nil || found.Restarts != 0 || found.NextHash != "" {
		e.Fatalf("after a stop: last exit %+v, %d restarts, next hash %q", found.LastExit, found.Restarts, found.NextHash)
	}
	if found.Hash != desired.Hash || found.InstanceID != desired.InstanceID {
		e.Fatalf("after a stop: hash %q, instance id %q; want those of what ran", found.Hash, found.InstanceID)
	}
	for range 3 {
		e.must(e.stop(desired.Ref, 0), "Stop of the stopped")
	}
	e.must(e.lists(desired.Ref), "after a stop")
}

func stopStays(e *env) {
	desired := e.world.Desired(e.ref("stays"), "a")
	e.run(desired)
	e.stopped(desired.Ref)
	for range 3 {
		e.reopen()
		e.always("after the driver came back", func() error {
			_, err := e.isStopped(desired.Ref)
			return err
		})
		e.must(e.stop(desired.Ref, grace), "Stop of the stopped")
	}
	e.starts(desired.Ref, 1, 1)
}

func stopStart(e *env) {
	desired := e.world.Desired(e.ref("again"), "a")
	before := e.run(desired)
	for starts := 2; starts <= 3; starts++ {
		e.stopped(desired.Ref)
		after := e.run(desired)
		e.must(describes(after, desired), "what is told of the new run")
		if after.Incarnation == before.Incarnation || after.Restarts != before.Restarts || after.LastExit != nil {
			e.Fatalf("after a start: incarnation %q, %d restarts, last exit %+v; before %q, %d", after.Incarnation, after.Restarts, after.LastExit, before.Incarnation, before.Restarts)
		}
		e.starts(desired.Ref, starts, starts)
		before = after
	}
}

// isStopping tells why a server is not alive and ending.
func (e *env) isStopping(before platform.Observed) error {
	found, err := e.inspect(before.Ref)
	if err != nil {
		return err
	}
	if found.State != platform.StateStopping || found.Incarnation != before.Incarnation || found.NextHash != "" {
		return fmt.Errorf("state %s, incarnation %q, next hash %q; want Stopping of %q", found.State, found.Incarnation, found.NextHash, before.Incarnation)
	}
	live, err := e.world.Live(before.UID)
	if err == nil && len(live) != 1 {
		err = fmt.Errorf("alive: %v", live)
	}
	return err
}

func stopWaits(e *env) {
	desired := e.world.Stubborn(e.ref("patient"), "a")
	before := e.run(desired)
	for range 3 {
		e.must(e.stop(desired.Ref, endless), "Stop")
	}
	e.always("within the grace", func() error { return e.isStopping(before) })
	e.must(isWait(e.remove(desired.Ref, false), platform.CodeStopping), "Remove within the grace")
	e.must(e.isStopping(before), "after the refused Remove")
}

// ended repeats Stop with a grace until the runtime is stopped.
func (e *env) ended(ref platform.Ref, grace time.Duration) {
	e.Helper()
	e.until("stop by force", func() error { return e.stop(ref, grace) }, func() error {
		found, err := e.isStopped(ref)
		if err == nil && found.LastExit != nil {
			e.Fatalf("the end by force is told as a crash: %+v", found.LastExit)
		}
		return err
	})
}

func stopForce(e *env) {
	desired := e.world.Stubborn(e.ref("forced"), "a")
	for range 2 {
		e.run(desired)
		e.ended(desired.Ref, force)
	}
	e.run(desired)
	e.ended(desired.Ref, 0)
	e.must(e.remove(desired.Ref, false), "Remove")
	e.must(e.isGone(desired.Ref), "after Remove")
}

func stopShortest(e *env) {
	desired := e.world.Stubborn(e.ref("shortest"), "a")
	e.run(desired)
	e.must(e.stop(desired.Ref, endless), "Stop with a long grace")
	e.ended(desired.Ref, force)
	e.run(desired)
	e.must(e.stop(desired.Ref, force), "Stop with a short grace")
	e.ended(desired.Ref, endless)
}

func stopInterrupted(e *env) {
	desired := e.world.Stubborn(e.ref("interrupted"), "a")
	before := e.run(desired)
	e.must(e.stop(desired.Ref, endless), "Stop")
	e.reopen()
	e.always("after the driver came back", func() error { return e.isStopping(before) })
	e.world.Kill(e.driver)
	e.must(e.world.Crash(desired.UID), "kill the server")
	e.eventually("wait for its end", func() error { return e.isDead(desired.Ref) })
	e.open()
	e.eventually("wait for Stopped", func() error {
		_, err := e.isStopped(desired.Ref)
		return err
	})
	e.always("after the end", func() error { return e.isDead(desired.Ref) })
	e.starts(desired.Ref, 1, 1)
	e.gone(desired.Ref)
}

func stopThenEnsure(e *env) {
	desired := e.world.Stubborn(e.ref("undecided"), "a")
	before := e.run(desired)
	e.must(e.stop(desired.Ref, endless), "Stop")
	for range 2 {
		e.must(isWait(e.ensure(desired), platform.CodeStopping), "Ensure of what is being stopped")
		e.must(e.isStopping(before), "after Ensure")
	}
	e.ended(desired.Ref, 0)
	e.run(desired)
	e.starts(desired.Ref, 2, 2)
}

func stopReplacement(e *env) {
	old, _, _ := replacing(e, endless)
	e.must(e.stop(old.Ref, 0), "Stop of what is being replaced")
	e.ended(old.Ref, 0)
	e.reopen()
	e.always("after the stop", func() error { return e.isDead(old.Ref) })
	e.starts(old.Ref, 1, 1)
	e.gone(old.Ref)
}
