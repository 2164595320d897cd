package conformance

import (
	"errors"
	"fmt"
	"sync"

	"github.com/draas-io/draas/internal/platform"
)

func parallelCases() []testCase {
	return []testCase{
		{name: "Ensure called in parallel starts one server", run: parallelEnsure},
		{name: "many runtimes live beside one another", run: parallelRuntimes},
		{name: "of parallel replacements one wins", run: parallelReplace},
		{name: "any calls in parallel leave a runtime that obeys", run: parallelAny},
	}
}

// together runs all functions at the same time and waits for them.
func together(functions ...func()) {
	var group sync.WaitGroup
	begin := make(chan struct{})
	for _, f := range functions {
		group.Go(func() {
			<-begin
			f()
		})
	}
	close(begin)
	group.Wait()
}

// tolerate reports an error that a caller could not simply repeat.
func (e *env) tolerate(err error, what string) {
	e.Helper()
	_, wait := errors.AsType[*platform.WaitError](err)
	if err != nil && !wait {
		e.Errorf("%s: %v", what, err)
	}
}

func parallelEnsure(e *env) {
	desired := e.world.Desired(e.ref("parallel"), "a")
	var calls []func()
	for range 16 {
		calls = append(calls, func() { e.tolerate(e.ensure(desired), "Ensure") })
	}
	together(calls...)
	before := e.run(desired)
	together(calls...)
	e.same(desired, before)
	e.starts(desired.Ref, 1, 1)
}

func parallelRuntimes(e *env) {
	var all []platform.Desired
	var begin []func()
	for i := range 8 {
		desired := e.world.Desired(e.ref(fmt.Sprintf("many-%d", i)), "a")
		all = append(all, desired)
		begin = append(begin, func() { e.tolerate(e.ensure(desired), "Ensure") })
	}
	together(begin...)
	apis, refs := map[uint16]string{}, []platform.Ref{}
	for _, desired := range all {
		found := e.run(desired)
		e.must(describes(found, desired), "what is told of one of many")
		if other, taken := apis[found.API.Port()]; taken && found.PID != 0 {
			e.Fatalf("%s and %s have the same port %d", other, desired.Name, found.API.Port())
		}
		apis[found.API.Port()] = desired.Name
		refs = append(refs, desired.Ref)
		e.starts(desired.Ref, 1, 1)
	}
	e.must(e.lists(refs...), "with many")
	var end []func()
	for _, ref := range refs {
		end = append(end, func() { e.tolerate(e.stop(ref, grace), "Stop") })
	}
	together(end...)
	for _, ref := range refs {
		e.gone(ref)
	}
	e.must(e.lists(), "with all removed")
}

func parallelReplace(e *env) {
	ref := e.ref("contested")
	e.run(e.world.Desired(ref, "first"))
	var calls []func()
	hashes := map[string]bool{}
	for i := range 6 {
		desired := e.world.Desired(ref, fmt.Sprint(i))
		hashes[desired.Hash] = true
		calls = append(calls, func() { e.tolerate(e.ensure(desired), "Ensure") })
	}
	together(calls...)
	e.eventually("wait for a winner", func() error {
		found, err := e.inspect(ref)
		if err == nil && (found.State != platform.StateRunning || found.NextHash != "" || !hashes[found.Hash]) {
			err = fmt.Errorf("state %s, hash %q, next %q", found.State, found.Hash, found.NextHash)
		}
		return err
	})
	last := e.world.Desired(ref, "last")
	e.until("replace the winner", func() error { return e.ensure(last) }, func() error {
		_, err := e.isRunning(last)
		return err
	})
	e.gone(ref)
}

func parallelAny(e *env) {
	ref := e.ref("storm")
	a, b := e.world.Desired(ref, "a"), e.world.Desired(ref, "b")
	for range 5 {
		together(
			func() { e.tolerate(e.ensure(a), "Ensure") },
			func() { e.tolerate(e.ensure(b), "Ensure") },
			func() { e.tolerate(e.stop(ref, grace), "Stop") },
			func() { e.tolerate(e.remove(ref, false), "Remove") },
			func() {
				if _, err := e.inspect(ref); !errors.Is(err, platform.ErrNotFound) {
					e.tolerate(err, "Inspect")
				}
			},
			func() {
				_, err := e.list()
				e.tolerate(err, "List")
			},
			func() { e.tolerate(e.ensure(a), "Ensure") },
		)
	}
	e.until("start after the storm", func() error { return e.ensure(b) }, func() error {
		_, err := e.isRunning(b)
		return err
	})
	e.gone(ref)
}
