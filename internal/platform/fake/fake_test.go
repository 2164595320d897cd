package fake_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/draas-io/draas/internal/platform"
	"github.com/draas-io/draas/internal/platform/fake"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// host is a world with a standing clock and its driver.
type host struct {
	*fake.World
	*fake.Driver
	clock *fake.Manual
	t     *testing.T
}

func newHost(t *testing.T, options fake.Options) *host {
	t.Helper()
	clock := fake.NewManual(start)
	options.Clock = clock
	world := fake.NewWorld(options)
	return &host{World: world, Driver: world.Open(), clock: clock, t: t}
}

func desired(uid, hash string) platform.Desired {
	return platform.Desired{
		Ref: platform.Ref{UID: uid, Namespace: "shop", Name: "orders"}, Hash: hash, Replace: true,
		Version: "0.2.2", InstanceID: "orders", Config: []byte(hash), Grace: time.Minute,
	}
}

func (h *host) ensure(d platform.Desired) {
	h.t.Helper()
	if err := h.Ensure(context.Background(), d); err != nil {
		h.t.Fatalf("Ensure: %v", err)
	}
}

func (h *host) stop(uid string, grace time.Duration) {
	h.t.Helper()
	if err := h.Stop(context.Background(), platform.Ref{UID: uid}, grace); err != nil {
		h.t.Fatalf("Stop: %v", err)
	}
}

func (h *host) inspect(uid string) platform.Observed {
	h.t.Helper()
	observed, err := h.Inspect(context.Background(), platform.Ref{UID: uid})
	if err != nil {
		h.t.Fatalf("Inspect: %v", err)
	}
	return observed
}

func (h *host) expectState(uid string, want platform.State) platform.Observed {
	h.t.Helper()
	observed := h.inspect(uid)
	if observed.State != want {
		h.t.Fatalf("state is %s, want %s", observed.State, want)
	}
	return observed
}

func TestCrashLoopBacksOffAndTellsTheLastWords(t *testing.T) {
	h := newHost(t, fake.Options{})
	h.Behave("shop/orders", fake.Behaviour{Endings: slices.Repeat([]fake.Ending{{Code: 1, Stderr: "no such database"}}, 3)})
	h.ensure(desired("u", "h"))
	for restarts, wait := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		observed := h.expectState("u", platform.StateWaiting)
		if got := observed.RetryAt.Sub(h.clock.Now()); got != wait || observed.Restarts != int32(restarts) {
			t.Fatalf("retry after %v with %d restarts, want %v and %d", got, observed.Restarts, wait, restarts)
		}
		exit := observed.LastExit
		if exit == nil || exit.Reason != platform.ExitError || exit.Code == nil || *exit.Code != 1 || exit.Stderr != "no such database" || exit.Hash != "h" {
			t.Fatalf("last exit is %+v", exit)
		}
		h.clock.Advance(wait)
	}
	if observed := h.expectState("u", platform.StateRunning); observed.Restarts != 3 || h.Ledger().Starts("u") != 4 {
		t.Fatalf("%d restarts, %d starts", observed.Restarts, h.Ledger().Starts("u"))
	}
}

func TestSteadyServerIsRestartedAtOnce(t *testing.T) {
	h := newHost(t, fake.Options{})
	h.ensure(desired("u", "h"))
	before := h.expectState("u", platform.StateRunning)
	h.clock.Advance(10 * time.Second)
	h.Crash("u", fake.Ending{Signal: 9})
	after := h.expectState("u", platform.StateRunning)
	if after.Incarnation == before.Incarnation || after.LastExit.Reason != platform.ExitKilled || after.LastExit.Signal != 9 || after.LastExit.Ran != 10*time.Second {
		t.Fatalf("after the crash: %+v, %+v", after, after.LastExit)
	}
}

func TestOtherInputsEndABackoff(t *testing.T) {
	h := newHost(t, fake.Options{})
	h.Behave("u", fake.Behaviour{Endings: []fake.Ending{{Code: 1}}})
	h.ensure(desired("u", "bad"))
	h.expectState("u", platform.StateWaiting)
	h.ensure(desired("u", "good"))
	if observed := h.expectState("u", platform.StateRunning); observed.Hash != "good" || observed.LastExit != nil || observed.Restarts != 0 {
		t.Fatalf("observed %+v", observed)
	}
}

func TestReplacementWaitsForTheOldServer(t *testing.T) {
	h := newHost(t, fake.Options{})
	h.Behave("", fake.Behaviour{StopDelay: 5 * time.Second, StartDelay: time.Second})
	h.ensure(desired("u", "a"))
	h.expectState("u", platform.StateWaiting)
	h.clock.Advance(time.Second)
	h.ensure(desired("u", "b"))
	h.ensure(desired("u", "c"))
	if observed := h.expectState("u", platform.StateStopping); observed.Hash != "a" || observed.NextHash != "c" {
		t.Fatalf("hash %s, next %s", observed.Hash, observed.NextHash)
	}
	h.clock.Advance(5 * time.Second)
	h.expectState("u", platform.StateWaiting)
	h.clock.Advance(time.Second)
	if observed := h.expectState("u", platform.StateRunning); observed.Hash != "c" || observed.NextHash != "" || h.Ledger().Starts("u") != 2 {
		t.Fatalf("hash %s, %d starts", observed.Hash, h.Ledger().Starts("u"))
	}
}

func TestStubbornServerEndsByForceWithTheShortestGrace(t *testing.T) {
	h := newHost(t, fake.Options{})
	h.Behave("u", fake.Behaviour{IgnoresStop: true})
	h.ensure(desired("u", "h"))
	h.stop("u", time.Minute)
	h.clock.Advance(5 * time.Second)
	h.stop("u", 10*time.Second)
	h.stop("u", time.Hour)
	h.clock.Advance(5*time.Second - 1)
	h.expectState("u", platform.StateStopping)
	h.clock.Advance(1)
	if observed := h.expectState("u", platform.StateStopped); observed.LastExit != nil {
		t.Fatalf("the stop is told as a crash: %+v", observed.LastExit)
	}
}

func TestForceNeedsADriver(t *testing.T) {
	h := newHost(t, fake.Options{})
	h.Behave("u", fake.Behaviour{IgnoresStop: true})
	h.ensure(desired("u", "h"))
	h.stop("u", time.Second)
	h.Kill()
	h.clock.Advance(time.Hour)
	if len(h.Live("u")) != 1 {
		t.Fatal("the server ended without a driver")
	}
	h.Driver = h.Open()
	h.expectState("u", platform.StateStopped)
}

func TestEndThatNobodySawIsUnknown(t *testing.T) {
	h := newHost(t, fake.Options{})
	h.ensure(desired("u", "h"))
	h.Kill()
	h.Crash("u", fake.Ending{Code: 3, Stderr: "words"})
	h.clock.Advance(time.Minute)
	if h.Ledger().Live("u") != 0 {
		t.Fatal("a server runs without a driver")
	}
	h.Driver = h.Open()
	h.clock.Advance(time.Minute)
	observed := h.expectState("u", platform.StateRunning)
	if exit := observed.LastExit; observed.Restarts != 1 || exit.Reason != platform.ExitUnknown || exit.Code != nil || exit.Stderr != "words" {
		t.Fatalf("%d restarts, last exit %+v", observed.Restarts, exit)
	}
}

func TestDeadDriverDoesNothing(t *testing.T) {
	h := newHost(t, fake.Options{})
	h.Open()
	err := h.Ensure(context.Background(), desired("u", "h"))
	if _, ok := errors.AsType[*platform.UnavailableError](err); !ok || h.Count(fake.OpEnsure) != 0 || len(h.UIDs()) != 0 {
		t.Fatalf("the driver of before still acts: %v", err)
	}
}

func TestStartErrorsAreTriedAgain(t *testing.T) {
	h := newHost(t, fake.Options{})
	missing := &platform.WaitError{Code: platform.CodePluginsMissing, Message: "source/postgres"}
	h.Behave("u", fake.Behaviour{StartErrors: []error{missing}})
	h.ensure(desired("u", "h"))
	if observed := h.expectState("u", platform.StateWaiting); !errors.Is(observed.StartError, missing) || h.Ledger().Starts("u") != 0 {
		t.Fatalf("start error %v, %d starts", observed.StartError, h.Ledger().Starts("u"))
	}
	h.clock.Advance(time.Second)
	if observed := h.expectState("u", platform.StateRunning); observed.StartError != nil || observed.Restarts != 0 {
		t.Fatalf("start error %v, %d restarts", observed.StartError, observed.Restarts)
	}
}

func TestPortsHaveOneOwner(t *testing.T) {
	h := newHost(t, fake.Options{FirstPort: 20000, LastPort: 20002})
	h.Occupy(20000)
	listener := func(port uint16) []platform.Listener {
		return []platform.Listener{{Component: "events", Address: netip.IPv6Unspecified(), Port: port}}
	}
	a := desired("a", "1")
	a.Listeners, a.APIPort = listener(20001), 9999
	h.ensure(a)
	if got := h.inspect("a").API; got.String() != "127.0.0.1:9999" {
		t.Fatalf("API of a is %s", got)
	}
	b := desired("b", "1")
	b.Listeners, b.APIPort = listener(20001), 9999
	if err := h.Ensure(context.Background(), b); platform.CodeOf(err) != platform.CodePortConflict {
		t.Fatalf("Ensure with a's port: %v", err)
	}
	b.Listeners = nil
	h.ensure(b)
	if got := h.inspect("b").API.Port(); got != 20002 {
		t.Fatalf("API of b is on %d", got)
	}
	if err := h.Ensure(context.Background(), desired("c", "1")); platform.CodeOf(err) != platform.CodePortConflict {
		t.Fatalf("Ensure with no port left: %v", err)
	}
	a.Hash, a.Listeners = "2", nil
	h.ensure(a)
	h.ensure(desired("c", "1"))
	if got := h.inspect("c").API.Port(); got != 20001 {
		t.Fatalf("API of c is on %d", got)
	}
}

func TestAbandonedReplacementGivesItsPortsBack(t *testing.T) {
	h := newHost(t, fake.Options{})
	h.Behave("u", fake.Behaviour{StopDelay: time.Second})
	h.ensure(desired("u", "1"))
	next := desired("u", "2")
	next.APIPort = 8080
	h.ensure(next)
	h.stop("u", time.Minute)
	h.clock.Advance(time.Second)
	if err := h.Remove(context.Background(), next.Ref, false); err != nil {
		t.Fatal(err)
	}
	if traces := h.Traces("u"); len(traces) != 0 {
		t.Fatalf("left behind: %v", traces)
	}
}

func TestLedgerSeesOverlapsOfTwoHosts(t *testing.T) {
	ledger := fake.NewLedger()
	one, other := newHost(t, fake.Options{Name: "one", Ledger: ledger}), newHost(t, fake.Options{Name: "other", Ledger: ledger})
	one.ensure(desired("u", "h"))
	if len(ledger.Overlaps()) != 0 {
		t.Fatal("overlap of one server")
	}
	other.ensure(desired("u", "h"))
	if len(ledger.Overlaps()) != 1 || ledger.Live("u") != 2 {
		t.Fatalf("overlaps %v, %d live", ledger.Overlaps(), ledger.Live("u"))
	}
	if one.inspect("u").Incarnation == other.inspect("u").Incarnation {
		t.Fatal("two runs have one incarnation")
	}
}

func TestCallsAreCountedAndCanBeRefused(t *testing.T) {
	h := newHost(t, fake.Options{})
	refusal := errors.New("not now")
	h.Intercept(func(call fake.Call) error {
		if call.Op == fake.OpEnsure && call.Hash == "bad" {
			return refusal
		}
		return nil
	})
	if err := h.Ensure(context.Background(), desired("u", "bad")); !errors.Is(err, refusal) || len(h.UIDs()) != 0 {
		t.Fatalf("refused call: %v, %v", err, h.UIDs())
	}
	h.ensure(desired("u", "good"))
	if h.Count(fake.OpEnsure) != 2 || h.CountOf(fake.OpEnsure, "u") != 2 || h.CountOf(fake.OpEnsure, "v") != 0 || len(h.Calls()) != 2 {
		t.Fatalf("calls %v", h.Calls())
	}
}

func TestDeafWorldTellsNothing(t *testing.T) {
	h := newHost(t, fake.Options{})
	var told []string
	h.Notify(func(ref platform.Ref) { told = append(told, ref.UID) })
	h.Deafen(true)
	h.ensure(desired("a", "h"))
	h.Deafen(false)
	h.ensure(desired("b", "h"))
	if len(told) == 0 || slices.Contains(told, "a") {
		t.Fatalf("told of %v", told)
	}
}

func TestManyRuntimesAreSmall(t *testing.T) {
	const many, most = 10_000, 4096
	h := newHost(t, fake.Options{FirstPort: 1024, LastPort: 60000})
	before := allocated()
	for i := range many {
		h.ensure(desired(fmt.Sprintf("u%d", i), "h"))
	}
	if each := (allocated() - before) / many; each > most {
		t.Fatalf("a runtime takes %d bytes, at most %d are allowed", each, most)
	}
	list, err := h.List(context.Background())
	if err != nil || len(list) != many || list[0].State != platform.StateRunning {
		t.Fatalf("%d listed, %v", len(list), err)
	}
	runtime.KeepAlive(h)
}

func allocated() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
