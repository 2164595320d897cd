package conformance

import (
	"fmt"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

func replaceCases() []testCase {
	return []testCase{
		{name: "another hash replaces what runs, once", run: replaceOnce},
		{name: "without Replace what runs is left alone", run: replaceRefused},
		{name: "of several replacements the last one runs", run: replaceLast},
		{name: "a replacement is told while the old server ends", needs: []need{needsStubborn, needsCrash}, run: replaceTold},
		{name: "a replacement goes on when the driver comes back", needs: []need{needsStubborn, needsCrash}, run: replaceGoesOn},
		{name: "a replacement uses force after its grace", needs: []need{needsStubborn}, run: replaceForce},
		{name: "another hash starts what is stopped", run: replaceStopped},
	}
}

func replaceOnce(e *env) {
	ref := e.ref("replaced")
	a, b := e.world.Desired(ref, "a"), e.world.Desired(ref, "b")
	b.Generation = a.Generation + 1
	before := e.run(a)
	for range 3 {
		e.must(e.ensure(b), "Ensure of other inputs")
	}
	after := e.running(b)
	e.must(describes(after, b), "what is told of the new run")
	if after.Incarnation == before.Incarnation {
		e.Fatalf("the incarnation is still %q", before.Incarnation)
	}
	if after.Restarts != before.Restarts || after.LastExit != nil {
		e.Fatalf("%d restarts and last exit %+v after a replacement", after.Restarts, after.LastExit)
	}
	e.must(e.ensure(b), "Ensure of what replaced")
	e.same(b, after)
	e.reopen()
	e.same(b, after)
	e.starts(ref, 2, 2)
	e.gone(ref)
}

func replaceRefused(e *env) {
	ref := e.ref("kept")
	a, b := e.world.Desired(ref, "a"), e.world.Desired(ref, "b")
	b.Replace = false
	before := e.run(a)
	for range 3 {
		e.must(isWait(e.ensure(b), platform.CodeReplaceRefused), "Ensure of other inputs without Replace")
	}
	e.same(a, before)
	e.reopen()
	e.must(isWait(e.ensure(b), platform.CodeReplaceRefused), "Ensure of other inputs without Replace, after the driver came back")
	e.same(a, before)
	e.starts(ref, 1, 1)
}

func replaceLast(e *env) {
	ref := e.ref("changed")
	e.run(e.world.Desired(ref, "0"))
	var last platform.Desired
	for i := 1; i <= 20; i++ {
		last = e.world.Desired(ref, fmt.Sprint(i))
		e.must(e.ensure(last), "Ensure of other inputs")
	}
	e.running(last)
	first := e.world.Desired(ref, "0")
	e.must(e.ensure(last), "Ensure of what runs")
	e.must(e.ensure(first), "Ensure of the first inputs again")
	e.must(describes(e.running(first), first), "what is told of the first inputs again")
}

// replacing begins to replace a server that does not end, and returns both inputs.
func replacing(e *env, grace time.Duration) (old, next platform.Desired, before platform.Observed) {
	e.Helper()
	ref := e.ref("stubborn")
	old, next = e.world.Stubborn(ref, "old"), e.world.Desired(ref, "next")
	next.InstanceID, next.Grace = old.InstanceID, grace
	before = e.run(old)
	e.must(e.ensure(next), "Ensure of other inputs")
	e.eventually("the old server is being stopped", func() error { return e.isReplacing(old, next, before) })
	return old, next, before
}

// isReplacing tells why the old server is not the one that is ending for next.
func (e *env) isReplacing(old, next platform.Desired, before platform.Observed) error {
	found, err := e.inspect(old.Ref)
	if err != nil {
		return err
	}
	if found.State != platform.StateStopping || found.Hash != old.Hash || found.NextHash != next.Hash || found.Incarnation != before.Incarnation {
		return fmt.Errorf("state %s, hash %q, next %q, incarnation %q; want Stopping, %q, %q, %q",
			found.State, found.Hash, found.NextHash, found.Incarnation, old.Hash, next.Hash, before.Incarnation)
	}
	return nil
}

func replaceTold(e *env) {
	old, next, before := replacing(e, endless)
	e.always("while the old server ends", func() error { return e.isReplacing(old, next, before) })
	e.must(e.ensure(next), "Ensure while the old server ends")
	e.must(e.isReplacing(old, next, before), "after another Ensure")
	e.must(e.world.Crash(old.UID), "kill the old server")
	after := e.running(next)
	e.must(describes(after, next), "what is told of the new run")
	if after.LastExit != nil || after.Restarts != 0 {
		e.Fatalf("last exit %+v and %d restarts: the end of what was replaced is told as a crash", after.LastExit, after.Restarts)
	}
	e.starts(next.Ref, 2, 2)
}

func replaceGoesOn(e *env) {
	old, next, before := replacing(e, endless)
	e.reopen()
	e.always("when the driver came back", func() error { return e.isReplacing(old, next, before) })
	e.reopen()
	e.must(e.world.Crash(old.UID), "kill the old server")
	e.reopen()
	e.must(describes(e.running(next), next), "what is told of the new run")
	e.starts(next.Ref, 2, 2)
}

func replaceForce(e *env) {
	_, next, _ := replacing(e, force)
	e.must(describes(e.running(next), next), "what is told of the new run")
	e.starts(next.Ref, 2, 2)
	e.gone(next.Ref)
}

func replaceStopped(e *env) {
	ref := e.ref("stopped")
	a, b := e.world.Desired(ref, "a"), e.world.Desired(ref, "b")
	e.run(a)
	e.stopped(ref)
	after := e.run(b)
	e.must(describes(after, b), "what is told of the new run")
	e.starts(ref, 2, 2)
}
