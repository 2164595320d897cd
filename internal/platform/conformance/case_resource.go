package conformance

import (
	"fmt"

	"github.com/draas-io/draas/internal/platform"
)

func resourceCases() []testCase {
	return []testCase{
		{name: "what becomes of limits is told and happens", run: limitsTold},
		{name: "limits that nothing enforces are refused before anything is touched", needs: []need{needsUnlimited}, run: limitsRefused},
		{name: "an end for want of memory is told apart", needs: []need{needsHungry}, run: starved},
	}
}

// bounded makes inputs with limits that no server of the suite comes near.
func (e *env) bounded(name string) platform.Desired {
	desired := e.world.Desired(e.ref(name), "a")
	desired.Resources = platform.Resources{Memory: 1 << 30, CPU: 1000}
	return desired
}

// limits asks what becomes of limits.
func (e *env) limits() platform.Limits {
	e.Helper()
	found, err := e.fingerprint()
	e.must(err, "Fingerprint")
	return found.Limits
}

func limitsTold(e *env) {
	desired := e.bounded("bounded")
	switch told := e.limits(); told {
	case platform.LimitsEnforced, platform.LimitsUnenforced:
		before := e.run(desired)
		e.must(describes(before, desired), "what is told of a server with limits")
		e.reopen()
		e.same(desired, before)
	case platform.LimitsRefused:
		e.must(e.refuses(desired), "Ensure with limits")
	default:
		e.Fatalf("limits are told to be %q", told)
	}
	// Without limits an instance is taken everywhere.
	e.run(e.world.Desired(e.ref("boundless"), "a"))
}

// refuses tells how limits are not refused.
func (e *env) refuses(desired platform.Desired) error {
	e.Helper()
	if err := e.ensure(desired); platform.CodeOf(err) != platform.CodeLimitsRefused {
		return fmt.Errorf("error is %s, want the code %s", tell(err), platform.CodeLimitsRefused)
	}
	return e.isGone(desired.Ref)
}

func limitsRefused(e *env) {
	running := e.bounded("running")
	e.must(e.ensure(running), "Ensure where limits are enforced")
	before := e.running(running)
	e.world.Kill(e.driver)
	driver, err := e.world.Unlimited()
	e.must(err, "open a driver that enforces no limits")
	e.driver = driver
	if told := e.limits(); told != platform.LimitsRefused {
		e.Fatalf("limits are told to be %q, want %s", told, platform.LimitsRefused)
	}
	e.must(e.refuses(e.bounded("refused")), "Ensure with limits")
	// What runs is not stopped for it.
	e.must(e.ensure(running), "Ensure of what runs")
	e.same(running, before)
	e.run(e.world.Desired(e.ref("boundless"), "a"))
}

func starved(e *env) {
	desired := e.world.Hungry(e.ref("hungry"), "a")
	e.must(e.ensure(desired), "Ensure")
	e.eventually("wait for the end to be told", func() error {
		found, err := e.inspect(desired.Ref)
		if err == nil && found.LastExit == nil {
			err = fmt.Errorf("state %s and no last exit", found.State)
		}
		if err == nil && (found.LastExit.Reason != platform.ExitOOMKilled || found.LastExit.OwnLimit == nil || !*found.LastExit.OwnLimit) {
			e.Fatalf("last exit is %+v, want %s for its own limit", found.LastExit, platform.ExitOOMKilled)
		}
		return err
	})
	after := e.running(desired)
	e.must(e.world.Crash(desired.UID), "kill the server")
	if exit := e.another(desired, after).LastExit; exit == nil || exit.Reason == platform.ExitOOMKilled || exit.OwnLimit != nil {
		e.Fatalf("a kill by somebody else is told as %+v", exit)
	}
}
