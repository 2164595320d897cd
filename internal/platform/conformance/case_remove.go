package conformance

import (
	"github.com/draas-io/draas/internal/platform"
)

func removeCases() []testCase {
	return []testCase{
		{name: "what runs is not removed", run: removeRunning},
		{name: "Remove repeated leaves nothing", run: removeRepeated},
		{name: "data are kept when asked for", needs: []need{needsKept}, run: removeKeeping},
		{name: "what was removed can be made again", run: removeThenEnsure},
		{name: "a removal touches no other runtime", run: removeOne},
	}
}

func removeRunning(e *env) {
	desired := e.world.Desired(e.ref("running"), "a")
	before := e.run(desired)
	for _, keepData := range []bool{false, true} {
		e.must(isWait(e.remove(desired.Ref, keepData), platform.CodeStopping), "Remove of what runs")
		e.same(desired, before)
	}
	e.starts(desired.Ref, 1, 1)
}

func removeRepeated(e *env) {
	desired := e.world.Desired(e.ref("removed"), "a")
	e.run(desired)
	if traces, err := e.world.Traces(desired.UID); err != nil || len(traces) == 0 {
		e.Fatalf("traces of what runs are %v, %v: the harness sees nothing", traces, err)
	}
	e.stopped(desired.Ref)
	for range 3 {
		e.must(e.remove(desired.Ref, false), "Remove")
		e.must(e.isGone(desired.Ref), "after Remove")
		e.must(e.lists(), "after Remove")
	}
	e.must(e.stop(desired.Ref, grace), "Stop of the removed")
	if e.world.Kept != nil {
		if kept, err := e.world.Kept(desired.UID); err != nil || len(kept) != 0 {
			e.Fatalf("data are kept: %v, %v", kept, err)
		}
	}
	e.reopen()
	e.must(e.isGone(desired.Ref), "after the driver came back")
	e.always("after the driver came back", func() error { return e.isDead(desired.Ref) })
}

func removeKeeping(e *env) {
	desired := e.world.Desired(e.ref("kept"), "a")
	e.run(desired)
	e.stopped(desired.Ref)
	for range 3 {
		e.must(e.remove(desired.Ref, true), "Remove")
		e.must(e.isGone(desired.Ref), "after Remove")
		if kept, err := e.world.Kept(desired.UID); err != nil || len(kept) == 0 {
			e.Fatalf("no data are kept: %v", err)
		}
		e.reopen()
	}
	e.must(e.lists(), "after Remove")
}

func removeThenEnsure(e *env) {
	desired := e.world.Desired(e.ref("phoenix"), "a")
	before := e.run(desired)
	e.gone(desired.Ref)
	after := e.run(desired)
	e.must(describes(after, desired), "what is told of the new run")
	if after.Incarnation == before.Incarnation || after.Restarts != 0 || after.LastExit != nil {
		e.Fatalf("after another start: incarnation %q, %d restarts, last exit %+v", after.Incarnation, after.Restarts, after.LastExit)
	}
	e.gone(desired.Ref)
}

func removeOne(e *env) {
	one, other := e.world.Desired(e.ref("one"), "a"), e.world.Desired(e.ref("other"), "a")
	e.run(one)
	before := e.run(other)
	e.gone(one.Ref)
	e.same(other, before)
	e.must(e.lists(other.Ref), "after the removal of another")
}
