package conformance

import (
	"fmt"
	"strings"

	"github.com/draas-io/draas/internal/platform"
)

func crashCases() []testCase {
	crash, failing := []need{needsCrash}, []need{needsFailing}
	return []testCase{
		{name: "a server that is killed is restarted and told", needs: crash, run: crashRestarted},
		{name: "a server that dies without a driver is restarted when one comes", needs: crash, run: crashUnseen},
		{name: "restarts and the last exit outlive the driver", needs: crash, run: crashRemembered},
		{name: "a crash is forgotten when the runtime is told to start", needs: crash, run: crashForgotten},
		{name: "a server that exits at start is tried again, with its words", needs: failing, run: failingTold},
		{name: "other inputs end the waiting", needs: failing, run: failingMended},
		{name: "what fails can be stopped and removed", needs: failing, run: failingStopped},
	}
}

// crashed kills the server and waits for the next one.
func (e *env) crashed(desired platform.Desired, before platform.Observed) platform.Observed {
	e.Helper()
	e.must(e.world.Crash(desired.UID), "kill the server")
	return e.another(desired, before)
}

// another waits until another run than before is there.
func (e *env) another(desired platform.Desired, before platform.Observed) platform.Observed {
	e.Helper()
	var after platform.Observed
	e.eventually("wait for another run", func() (err error) {
		after, err = e.isRunning(desired)
		if err == nil && after.Incarnation == before.Incarnation {
			err = fmt.Errorf("the incarnation is still %q", before.Incarnation)
		}
		return err
	})
	return after
}

func crashRestarted(e *env) {
	desired := e.world.Desired(e.ref("crashing"), "a")
	before := e.run(desired)
	for restarts := int32(1); restarts <= 2; restarts++ {
		after := e.crashed(desired, before)
		e.must(describes(after, desired), "what is told after the crash")
		exit := after.LastExit
		if after.Restarts != restarts || exit == nil {
			e.Fatalf("%d restarts and last exit %v, want %d and one", after.Restarts, exit, restarts)
		}
		if exit.Reason != platform.ExitKilled && exit.Reason != platform.ExitUnknown || exit.Reason == platform.ExitKilled && exit.Signal != 9 {
			e.Fatalf("last exit is %+v, want Killed by 9 or Unknown", exit)
		}
		if exit.FinishedAt.IsZero() || exit.FinishedAt.Before(before.StartedAt) || exit.Hash != desired.Hash || exit.Code != nil {
			e.Fatalf("last exit is %+v", exit)
		}
		before = after
	}
	for range 3 {
		e.must(e.ensure(desired), "Ensure of what was restarted")
	}
	e.same(desired, before)
	e.starts(desired.Ref, 3, 3)
	e.gone(desired.Ref)
}

func crashUnseen(e *env) {
	desired := e.world.Desired(e.ref("unseen"), "a")
	before := e.run(desired)
	e.world.Kill(e.driver)
	e.must(e.world.Crash(desired.UID), "kill the server")
	e.eventually("wait for its end", func() error { return e.isDead(desired.Ref) })
	e.always("without a driver", func() error { return e.isDead(desired.Ref) })
	e.open()
	after := e.another(desired, before)
	if after.Restarts != 1 || after.LastExit == nil {
		e.Fatalf("%d restarts and last exit %v, want 1 and one", after.Restarts, after.LastExit)
	}
	if code := after.LastExit.Code; code != nil {
		e.Fatalf("exit code %d of a server that was killed", *code)
	}
	e.starts(desired.Ref, 2, 2)
}

func crashRemembered(e *env) {
	desired := e.world.Desired(e.ref("remembered"), "a")
	before := e.run(desired)
	after := e.crashed(desired, before)
	for range 2 {
		e.reopen()
		e.same(desired, after)
		found := e.running(desired)
		if found.LastExit == nil || found.LastExit.Reason != after.LastExit.Reason || !found.LastExit.FinishedAt.Equal(after.LastExit.FinishedAt) {
			e.Fatalf("last exit is %+v, before %+v", found.LastExit, after.LastExit)
		}
	}
}

func crashForgotten(e *env) {
	ref := e.ref("forgotten")
	a, b := e.world.Desired(ref, "a"), e.world.Desired(ref, "b")
	before := e.run(a)
	before = e.crashed(a, before)
	e.must(e.ensure(b), "Ensure of other inputs")
	after := e.another(b, before)
	if after.LastExit != nil {
		e.Fatalf("last exit is %+v after a replacement", after.LastExit)
	}
	e.crashed(b, after)
	e.stopped(ref)
	if again := e.run(b); again.LastExit != nil {
		e.Fatalf("last exit is %+v after a stop and a start", again.LastExit)
	}
}

// failingUntil waits for so many restarts of a server that exits at start.
func (e *env) failingUntil(ref platform.Ref, restarts int32) platform.Observed {
	e.Helper()
	var found platform.Observed
	e.eventually("wait for restarts", func() (err error) {
		found, err = e.inspect(ref)
		if err == nil && (found.Restarts < restarts || found.LastExit == nil) {
			err = fmt.Errorf("%d restarts, last exit %v", found.Restarts, found.LastExit)
		}
		return err
	})
	return found
}

func failingTold(e *env) {
	desired := e.world.Failing(e.ref("failing"), "a")
	e.must(e.ensure(desired), "Ensure")
	exit := e.failingUntil(desired.Ref, 2).LastExit
	if exit.Reason != platform.ExitError || exit.Code == nil || *exit.Code != e.world.FailingCode || exit.Signal != 0 || exit.Hash != desired.Hash {
		e.Fatalf("last exit is %+v, want Error with code %d", exit, e.world.FailingCode)
	}
	if !strings.Contains(exit.Stderr, e.world.FailingWords) || len(exit.Stderr) > 4096 {
		e.Fatalf("last words are %q, want %q among them", exit.Stderr, e.world.FailingWords)
	}
	e.eventually("wait for the waiting to be told", func() error {
		found, err := e.inspect(desired.Ref)
		if err == nil && (found.State != platform.StateWaiting || found.RetryAt.IsZero() || found.PID != 0 || found.Incarnation != "") {
			err = fmt.Errorf("state %s, retry at %v, PID %d, incarnation %q", found.State, found.RetryAt, found.PID, found.Incarnation)
		}
		return err
	})
	e.must(e.ensure(desired), "Ensure of what waits")
	told := e.failingUntil(desired.Ref, 3)
	e.reopen()
	if again := e.failingUntil(desired.Ref, told.Restarts); !strings.Contains(again.LastExit.Stderr, e.world.FailingWords) {
		e.Fatalf("last exit after the driver came back is %+v", again.LastExit)
	}
}

func failingMended(e *env) {
	ref := e.ref("mended")
	bad := e.world.Failing(ref, "bad")
	good := e.world.Desired(ref, "good")
	good.InstanceID = bad.InstanceID
	e.must(e.ensure(bad), "Ensure")
	e.failingUntil(ref, 2)
	e.must(e.ensure(good), "Ensure of other inputs")
	after := e.running(good)
	e.must(describes(after, good), "what is told of the new run")
	if after.LastExit != nil {
		e.Fatalf("last exit is %+v after other inputs", after.LastExit)
	}
}

func failingStopped(e *env) {
	desired := e.world.Failing(e.ref("failing"), "a")
	e.must(e.ensure(desired), "Ensure")
	e.failingUntil(desired.Ref, 1)
	e.must(isWait(e.remove(desired.Ref, false), platform.CodeStopping), "Remove of what is restarted")
	e.stopped(desired.Ref)
	told, err := e.inspect(desired.Ref)
	e.must(err, "Inspect")
	e.always("after the stop", func() error {
		found, err := e.isStopped(desired.Ref)
		if err == nil && found.Restarts != told.Restarts {
			err = fmt.Errorf("%d restarts, before %d", found.Restarts, told.Restarts)
		}
		return err
	})
	e.gone(desired.Ref)
}
