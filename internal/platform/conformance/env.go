package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

const (
	// grace is more than any willing server needs to end.
	grace = 30 * time.Second
	// endless is a grace that no case outlasts.
	endless = time.Hour
	// force is a grace that soon is over.
	force = 200 * time.Millisecond
)

// numbers makes UIDs that no other case and no other run of the suite on this machine has.
type numbers struct {
	last atomic.Uint64
}

func (n *numbers) uid() string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", os.Getpid(), n.last.Add(1))
}

// env is a case's world with an open driver and somebody who watches that no UID ever has two servers.
type env struct {
	*testing.T
	harness *Harness
	world   *World
	uids    *numbers
	driver  platform.Driver
	watch   *watcher
}

func newEnv(t *testing.T, harness *Harness, world *World, uids *numbers) *env {
	t.Helper()
	e := &env{T: t, harness: harness, world: world, uids: uids}
	e.watch = newWatcher(t, world.Live, harness.Interval)
	e.open()
	t.Cleanup(func() { world.Kill(e.driver) })
	return e
}

// open opens a driver.
func (e *env) open() {
	e.Helper()
	driver, err := e.world.Open()
	if err != nil {
		e.Fatalf("open the driver: %v", err)
	}
	e.driver = driver
}

// reopen kills the driver and opens another.
func (e *env) reopen() {
	e.Helper()
	e.world.Kill(e.driver)
	e.open()
}

// ref names a new runtime, watched from now on.
func (e *env) ref(name string) platform.Ref {
	ref := platform.Ref{UID: e.uids.uid(), Namespace: "conformance", Name: name}
	e.watch.add(ref.UID)
	return ref
}

// call gives a call of the driver a deadline: none may take long.
func (e *env) call(f func(ctx context.Context) error) error {
	e.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), e.harness.Timeout)
	defer cancel()
	err := f(ctx)
	if ctx.Err() != nil {
		e.Errorf("a call took longer than %v", e.harness.Timeout)
	}
	return err
}

func (e *env) ensure(desired platform.Desired) error {
	e.Helper()
	driver := e.driver
	return e.call(func(ctx context.Context) error { return driver.Ensure(ctx, desired) })
}

func (e *env) stop(ref platform.Ref, grace time.Duration) error {
	e.Helper()
	driver := e.driver
	return e.call(func(ctx context.Context) error { return driver.Stop(ctx, ref, grace) })
}

func (e *env) remove(ref platform.Ref, keepData bool) error {
	e.Helper()
	driver := e.driver
	return e.call(func(ctx context.Context) error { return driver.Remove(ctx, ref, keepData) })
}

func (e *env) inspect(ref platform.Ref) (platform.Observed, error) {
	e.Helper()
	driver := e.driver
	var found platform.Observed
	err := e.call(func(ctx context.Context) (err error) {
		found, err = driver.Inspect(ctx, ref)
		return err
	})
	return found, err
}

func (e *env) fingerprint() (platform.Fingerprint, error) {
	e.Helper()
	driver := e.driver
	var found platform.Fingerprint
	err := e.call(func(ctx context.Context) (err error) {
		found, err = driver.Fingerprint(ctx)
		return err
	})
	return found, err
}

func (e *env) list() ([]platform.Observed, error) {
	e.Helper()
	driver := e.driver
	var found []platform.Observed
	err := e.call(func(ctx context.Context) (err error) {
		found, err = driver.List(ctx)
		return err
	})
	return found, err
}

// must fails the case on an error.
func (e *env) must(err error, what string) {
	e.Helper()
	if err != nil {
		e.Fatalf("%s: %v", what, err)
	}
}

// eventually waits until check returns nil, and fails with its last error.
func (e *env) eventually(what string, check func() error) {
	e.Helper()
	deadline := time.NewTimer(e.harness.Timeout)
	defer deadline.Stop()
	tick := time.NewTicker(e.harness.Interval)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			e.Fatalf("%s: after %v: %v", what, e.harness.Timeout, err)
		case <-tick.C:
		}
	}
}

// always watches for a while that check returns nil.
func (e *env) always(what string, check func() error) {
	e.Helper()
	deadline := time.NewTimer(e.harness.Calm)
	defer deadline.Stop()
	tick := time.NewTicker(e.harness.Interval)
	defer tick.Stop()
	for {
		if err := check(); err != nil {
			e.Fatalf("%s: %v", what, err)
		}
		select {
		case <-deadline.C:
			return
		case <-tick.C:
		}
	}
}

// until repeats an act until it works and check returns nil. An act may tell to wait, or to try again; a TerminalError ends the case.
func (e *env) until(what string, act, check func() error) {
	e.Helper()
	e.eventually(what, func() error {
		err := act()
		if terminal, ok := errors.AsType[*platform.TerminalError](err); ok {
			e.Fatalf("%s: %v", what, terminal)
		}
		if err != nil {
			return err
		}
		return check()
	})
}
