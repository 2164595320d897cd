package conformance

import (
	"time"

	"github.com/draas-io/draas/internal/platform"
)

func killCases() []testCase {
	return []testCase{
		{name: "the driver is killed after a step", run: killAfter},
		{name: "the driver is killed as soon as a call has returned", run: killReturned},
		{name: "the driver is killed during a call", run: killDuring},
		{name: "the driver is killed again and again", run: killAlways},
	}
}

// step is a part of a runtime's life: act is repeated until done returns nil.
type step struct {
	name string
	act  func() error
	done func() error
}

// life makes the steps of a new runtime's life, in which its server is started three times.
func (e *env) life() (platform.Ref, []step) {
	ref := e.ref("life")
	a, b := e.world.Desired(ref, "a"), e.world.Desired(ref, "b")
	runs := func(desired platform.Desired) (func() error, func() error) {
		return func() error { return e.ensure(desired) }, func() error {
			found, err := e.isRunning(desired)
			if err != nil {
				return err
			}
			return describes(found, desired)
		}
	}
	stop, stopped := func() error { return e.stop(ref, grace) }, func() error {
		_, err := e.isStopped(ref)
		return err
	}
	create, created := runs(a)
	replace, replaced := runs(b)
	return ref, []step{
		{"create", create, created},
		{"replace", replace, replaced},
		{"stop", stop, stopped},
		{"start", replace, replaced},
		{"stop again", stop, stopped},
		{"remove", func() error { return e.remove(ref, false) }, func() error { return e.isGone(ref) }},
	}
}

// live goes through a life, with a disturbance before a step is brought to its end and another after it.
func (e *env) live(steps []step, before, after func(i int, s step)) {
	e.Helper()
	for i, s := range steps {
		before(i, s)
		e.until(s.name, s.act, s.done)
		after(i, s)
	}
}

// quiet disturbs nothing.
func quiet(int, step) {}

func killAfter(e *env) {
	_, steps := e.life()
	for kill := range steps {
		ref, steps := e.life()
		e.live(steps, quiet, func(i int, s step) {
			if i == kill {
				e.reopen()
				e.eventually("after a kill after "+s.name, s.done)
			}
		})
		e.starts(ref, 3, 3)
	}
}

func killReturned(e *env) {
	_, steps := e.life()
	for kill := range steps {
		ref, steps := e.life()
		e.live(steps, func(i int, s step) {
			if i == kill {
				e.must(s.act(), s.name)
				e.reopen()
			}
		}, quiet)
		// A server whose start the dead driver could not write down may be stopped and started again.
		e.starts(ref, 3, 4)
	}
}

func killDuring(e *env) {
	_, steps := e.life()
	for _, delay := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
		for kill := range steps {
			ref, steps := e.life()
			e.live(steps, func(i int, s step) {
				if i == kill {
					e.killDuring(s, delay)
				}
			}, quiet)
			e.starts(ref, 3, 4)
		}
	}
}

// killDuring kills the driver some time after a call has begun. What the call returns does not matter: its caller died with it.
func (e *env) killDuring(s step, delay time.Duration) {
	e.Helper()
	returned := make(chan error, 1)
	go func() { returned <- s.act() }()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	<-timer.C
	e.world.Kill(e.driver)
	if err := <-returned; err != nil {
		e.Logf("%s, killed after %v: %v", s.name, delay, err)
	}
	e.open()
}

func killAlways(e *env) {
	ref, steps := e.life()
	e.live(steps, func(_ int, s step) {
		e.must(s.act(), s.name)
		e.reopen()
	}, func(_ int, s step) {
		e.reopen()
		e.eventually("after a kill after "+s.name, s.done)
	})
	e.must(e.isGone(ref), "at the end of a life")
}
