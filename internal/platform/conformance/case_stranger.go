package conformance

import (
	"context"
	"errors"
	"fmt"

	"github.com/draas-io/draas/internal/platform"
)

func strangerCases() []testCase {
	return []testCase{
		{name: "what is not ours is never touched", needs: []need{needsForeign}, run: foreign},
		{name: "from a platform that does not answer nothing is concluded", needs: []need{needsAvailability}, run: unavailable},
		{name: "a start while the platform is away happens afterwards", needs: []need{needsAvailability}, run: unavailableStart},
	}
}

func foreign(e *env) {
	desired := e.world.Desired(e.ref("foreign"), "a")
	untouched, err := e.world.PlantForeign(desired.UID)
	e.must(err, "plant something foreign")
	for range 2 {
		e.must(isTerminal(e.ensure(desired), platform.CodeForeign), "Ensure over something foreign")
		if found, err := e.inspect(desired.Ref); !errors.Is(err, platform.ErrNotFound) {
			e.Fatalf("Inspect of something foreign tells %+v, %v", found, err)
		}
		e.must(e.lists(), "beside something foreign")
		e.must(e.stop(desired.Ref, 0), "Stop of nothing of ours")
		e.must(e.remove(desired.Ref, false), "Remove of nothing of ours")
		e.must(untouched(), "look at what is foreign")
		e.must(e.isDead(desired.Ref), "beside something foreign")
		e.reopen()
	}
	other := e.world.Desired(e.ref("ours"), "a")
	e.run(other)
	e.must(e.lists(other.Ref), "beside something foreign")
	e.must(untouched(), "look at what is foreign")
}

// isUnavailable tells how err differs from an UnavailableError.
func isUnavailable(err error) error {
	if _, ok := errors.AsType[*platform.UnavailableError](err); !ok {
		return fmt.Errorf("error is %s, want an UnavailableError", tell(err))
	}
	return nil
}

func unavailable(e *env) {
	desired := e.world.Desired(e.ref("behind"), "a")
	never := e.ref("never")
	before := e.run(desired)
	e.must(e.world.SetAvailable(false), "take the platform away")
	for range 2 {
		for _, ref := range []platform.Ref{desired.Ref, never} {
			_, err := e.inspect(ref)
			e.must(isUnavailable(err), "Inspect")
			e.must(isUnavailable(e.stop(ref, 0)), "Stop")
			e.must(isUnavailable(e.remove(ref, false)), "Remove")
		}
		_, err := e.list()
		e.must(isUnavailable(err), "List")
		e.must(isUnavailable(e.ensure(desired)), "Ensure")
		e.must(e.isUnhealthy(), "Fingerprint")
	}
	if live, err := e.world.Live(desired.UID); err != nil || len(live) != 1 {
		e.Fatalf("alive: %v, %v", live, err)
	}
	e.must(e.world.SetAvailable(true), "give the platform back")
	e.eventually("wait for the platform", func() error {
		_, err := e.inspect(desired.Ref)
		return err
	})
	e.same(desired, before)
	e.must(e.ensure(desired), "Ensure")
	e.same(desired, before)
	e.starts(desired.Ref, 1, 1)
}

// isUnhealthy tells why the fingerprint does not say that the platform is away.
func (e *env) isUnhealthy() error {
	var found platform.Fingerprint
	err := e.call(func(ctx context.Context) (err error) {
		found, err = e.driver.Fingerprint(ctx)
		return err
	})
	if err != nil {
		return isUnavailable(err)
	}
	if found.Health == platform.HealthHealthy || found.Message == "" {
		return fmt.Errorf("fingerprint %+v of a platform that is away", found)
	}
	return nil
}

func unavailableStart(e *env) {
	desired := e.world.Desired(e.ref("late"), "a")
	e.must(e.world.SetAvailable(false), "take the platform away")
	e.must(isUnavailable(e.ensure(desired)), "Ensure")
	e.must(e.world.SetAvailable(true), "give the platform back")
	e.until("start", func() error { return e.ensure(desired) }, func() error {
		_, err := e.isRunning(desired)
		return err
	})
	e.starts(desired.Ref, 1, 1)
	e.gone(desired.Ref)
}
