package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/platform"
)

// names are so many names.
func names(prefix string, count int) []string {
	var list []string
	for i := range count {
		list = append(list, fmt.Sprintf("%s%02d", prefix, i))
	}
	return list
}

func TestAnOrphanIsStoppedAndItsDataKept(t *testing.T) {
	b := newBench(t)
	refs := b.run("a", "b", "c")
	b.gone(refs[0])
	if pause, err := b.look(); err != nil || pause != reapEvery {
		t.Fatalf("%v, %v", pause, err)
	}
	b.expect(refs[1:]...)
	if !b.world.Kept(refs[0].UID) {
		t.Error("its data is gone")
	}
	if _, err := b.driver.Inspect(t.Context(), refs[0]); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("something is left: %v", err)
	}
	if event := <-b.events.Events; !strings.Contains(event, "shop/a") || !strings.Contains(event, "/state/retained") || !strings.Contains(event, eventOrphanStopped) {
		t.Errorf("event %q", event)
	}
	if fmt.Sprint(b.forgotten) != "[uid-a]" {
		t.Errorf("forgotten %v", b.forgotten)
	}
	asked := b.live.gets
	if pause, err := b.look(); err != nil || pause != reapEvery || b.live.gets != asked {
		t.Errorf("nothing is left to ask: %v, %v, %d questions", pause, err, b.live.gets-asked)
	}
}

func TestNothingIsConcludedFromTheCache(t *testing.T) {
	other := &http.Response{StatusCode: http.StatusNotFound}
	tests := []struct {
		name  string
		world func(b *bench, ref platform.Ref)
		fails bool
	}{
		{"the instance is there and the cache is behind", func(*bench, platform.Ref) {}, false},
		{"the API server does not answer", func(b *bench, _ platform.Ref) { b.live.fails = errors.New("no route to host") }, true},
		{"it forbids", func(b *bench, _ platform.Ref) {
			b.live.fails = apierrors.NewForbidden(schema.GroupResource{}, "a", nil)
		}, true},
		{"it does not know the kind", func(b *bench, _ platform.Ref) {
			b.live.fails = apierrors.NewGenericServerResponse(other.StatusCode, "get", schema.GroupResource{}, "a", "404 page not found", 0, true)
		}, true},
		{"it is another cluster's", func(b *bench, ref platform.Ref) { b.live.drop(ref); b.other = true }, true},
		{"the Lease is not renewed", func(b *bench, ref platform.Ref) { b.live.drop(ref); b.silent = true }, false},
		{"the instance has no host yet", func(b *bench, ref platform.Ref) { b.live.put(ref, "") }, false},
		{"a new instance of the name is placed here, and stops the old server itself", func(b *bench, ref platform.Ref) {
			b.live.put(platform.Ref{UID: "new", Namespace: ref.Namespace, Name: ref.Name}, host)
		}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			refs := b.run("a", "b", "c")
			b.cached.drop(refs[0])
			test.world(b, refs[0])
			if _, err := b.look(); (err != nil) != test.fails {
				t.Errorf("error %v", err)
			}
			b.expect(refs...)
			if b.held != nil {
				t.Errorf("held: %+v", b.held)
			}
		})
	}
}

// parking is the driver of a host that was restarted: what ran shall run again when it is told so.
type parking struct{ platform.Driver }

func (p parking) List(ctx context.Context) ([]platform.Observed, error) {
	list, err := p.Driver.List(ctx)
	for i := range list {
		list[i].Parked = list[i].State == platform.StateStopped
	}
	return list, err
}

func TestAfterARestartOfTheHostOrphansAreHeldToo(t *testing.T) {
	b := newBench(t)
	refs := b.run("a", "b")
	for _, ref := range refs {
		if err := b.driver.Stop(t.Context(), ref, 0); err != nil {
			t.Fatal(err)
		}
	}
	b.reaper.driver = parking{b.driver}
	b.gone(refs...)
	if _, err := b.look(); err != nil {
		t.Fatal(err)
	}
	if b.held == nil || b.held.Reason != v1alpha1.ReasonAllOrphaned {
		t.Fatalf("held: %+v", b.held)
	}
	for _, ref := range refs {
		if _, err := b.driver.Inspect(t.Context(), ref); err != nil {
			t.Errorf("%s: %v", ref.Name, err)
		}
	}
	b.live.annotate(strconv.FormatInt(numberOf(b.reaper.held), 10))
	if _, err := b.look(); err != nil {
		t.Fatal(err)
	}
	for _, ref := range refs {
		if _, err := b.driver.Inspect(t.Context(), ref); !errors.Is(err, platform.ErrNotFound) {
			t.Errorf("%s after leave was given: %v", ref.Name, err)
		}
	}
}

func TestWhatIsPlacedElsewhereSinceARestartOfTheHostIsLeftAlone(t *testing.T) {
	b := newBench(t)
	refs := b.run("a", "b")
	if err := b.driver.Stop(t.Context(), refs[0], 0); err != nil {
		t.Fatal(err)
	}
	b.reaper.driver = parking{b.driver}
	b.cached.drop(refs[0])
	b.live.put(refs[0], "node-b")
	if _, err := b.look(); err != nil || b.held != nil {
		t.Fatalf("%v, %+v", err, b.held)
	}
	if _, err := b.driver.Inspect(t.Context(), refs[0]); err != nil {
		t.Errorf("it was removed: %v", err)
	}
}

func TestAPausedInstanceThatIsPlacedElsewhereNowIsLeftAlone(t *testing.T) {
	b := newBench(t)
	refs := b.run("a", "b", "c")
	b.cached.drop(refs[0])
	b.live.put(refs[0], "node-b")
	b.live.instances[client.ObjectKey{Namespace: refs[0].Namespace, Name: refs[0].Name}].Annotations = map[string]string{v1alpha1.AnnotationPaused: ""}
	if _, err := b.look(); err != nil {
		t.Fatal(err)
	}
	b.expect(refs...)
}

func TestWhatIsPlacedElsewhereNowIsStoppedAndNotRemoved(t *testing.T) {
	b := newBench(t)
	refs := b.run("a", "b", "c")
	b.cached.drop(refs[0])
	b.live.put(refs[0], "node-b")
	if _, err := b.look(); err != nil {
		t.Fatal(err)
	}
	b.expect(refs[1:]...)
	if _, err := b.driver.Inspect(t.Context(), refs[0]); err != nil {
		t.Errorf("it was removed: %v", err)
	}
	if pause, err := b.look(); err != nil || pause != reapEvery || b.held != nil {
		t.Errorf("a stopped one bothers again: %v, %v, %v", pause, err, b.held)
	}
}

func TestANewInstanceElsewhereMakesTheOldServerAnOrphan(t *testing.T) {
	b := newBench(t)
	refs := b.run("a", "b")
	b.cached.drop(refs[0])
	b.live.put(platform.Ref{UID: "new", Namespace: "shop", Name: "a"}, "node-b")
	if _, err := b.look(); err != nil {
		t.Fatal(err)
	}
	b.expect(refs[1])
}

func TestAllOrManyOrphansAreHeldUntilLeaveIsGiven(t *testing.T) {
	tests := []struct {
		name   string
		run    int
		orphan int
		reason string
	}{
		{"the only one", 1, 1, v1alpha1.ReasonAllOrphaned},
		{"all of a few", 3, 3, v1alpha1.ReasonAllOrphaned},
		{"five of many", 9, 5, ""},
		{"six of many", 9, 6, v1alpha1.ReasonManyOrphaned},
		{"all of many", 9, 9, v1alpha1.ReasonAllOrphaned},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			refs := b.run(names("i", test.run)...)
			b.gone(refs[:test.orphan]...)
			pause, err := b.look()
			if err != nil {
				t.Fatal(err)
			}
			if test.reason == "" {
				b.expect(refs[test.orphan:]...)
				return
			}
			b.expect(refs...)
			if pause != reapHeld || b.held == nil || b.held.Reason != test.reason || b.held.Type != v1alpha1.ConditionOrphansHeld {
				t.Fatalf("pause %v, held %+v", pause, b.held)
			}
			_, number, found := strings.Cut(b.held.Message, v1alpha1.AnnotationReap+"=")
			number, _, _ = strings.Cut(number, " ")
			if !found || !strings.HasPrefix(number, strconv.Itoa(test.orphan)) {
				t.Fatalf("message %q", b.held.Message)
			}
			asked := b.live.gets
			for _, wrong := range []string{"", strconv.Itoa(test.orphan), "yes", number + "0"} {
				b.live.annotate(wrong)
				if _, err := b.look(); err != nil {
					t.Fatal(err)
				}
			}
			b.expect(refs...)
			if b.live.gets != asked {
				t.Errorf("asked %d times for what is known", b.live.gets-asked)
			}
			b.live.annotate(number)
			if _, err := b.look(); err != nil {
				t.Fatal(err)
			}
			b.expect(refs[test.orphan:]...)
			if b.held != nil {
				t.Errorf("still held: %+v", b.held)
			}
		})
	}
}

func TestLeaveCountsForTheSetOfOrphansThatItWasGivenFor(t *testing.T) {
	b := newBench(t)
	refs := b.run(names("i", 20)...)
	b.gone(refs[:6]...)
	if _, err := b.look(); err != nil || b.held == nil {
		t.Fatal(err, b.held)
	}
	b.live.annotate(strconv.FormatInt(numberOf(b.reaper.held), 10))
	if _, err := b.look(); err != nil {
		t.Fatal(err)
	}
	b.expect(refs[6:]...)
	b.clock.Step(atOnce)
	b.gone(refs[6:12]...)
	if _, err := b.look(); err != nil || b.held == nil {
		t.Fatalf("six others were not held: %v", err)
	}
	b.expect(refs[6:]...)
}

func TestOrphansThatComeOneByOneAreCountedTogether(t *testing.T) {
	b := newBench(t)
	refs := b.run(names("i", 20)...)
	for i := range 8 {
		b.gone(refs[i])
		if _, err := b.look(); err != nil {
			t.Fatal(err)
		}
	}
	b.expect(refs[maxAtOnce:]...)
	if b.held == nil || b.held.Reason != v1alpha1.ReasonManyOrphaned {
		t.Errorf("held %+v", b.held)
	}
	b.clock.Step(reapEvery)
	if _, err := b.look(); err != nil {
		t.Fatal(err)
	}
	b.expect(refs[maxAtOnce:]...)
}

func TestWhatWasHeldStaysHeldWhateverElseRunsByThen(t *testing.T) {
	b := newBench(t)
	b.reaper.latch.path = filepath.Join(t.TempDir(), "held")
	refs := b.run("a", "b", "c")
	b.gone(refs...)
	if _, err := b.look(); err != nil || b.held == nil {
		t.Fatal(err, b.held)
	}
	later := b.run("later")
	b.clock.Step(reapEvery)
	if _, err := b.look(); err != nil {
		t.Fatal(err)
	}
	b.expect(append(refs, later...)...)

	kept := openLatch(b.reaper.latch.path)
	b.reaper.latch, b.reaper.held = kept, nil // as in an agent that was started anew
	if _, err := b.look(); err != nil || b.held == nil || b.held.Reason != v1alpha1.ReasonAllOrphaned {
		t.Fatal(err, b.held)
	}
	b.expect(append(refs, later...)...)

	b.live.annotate(strconv.FormatInt(numberOf(b.reaper.held), 10))
	if _, err := b.look(); err != nil {
		t.Fatal(err)
	}
	b.expect(later...)
	if _, err := os.Stat(kept.path); !os.IsNotExist(err) {
		t.Errorf("the hold is still remembered: %v", err)
	}
}

func TestAStoppedInstanceIsNoServerThatIsLeft(t *testing.T) {
	b := newBench(t)
	refs := b.run("a", "b", "asleep")
	if err := b.driver.Stop(t.Context(), refs[2], 0); err != nil {
		t.Fatal(err)
	}
	b.gone(refs[:2]...)
	if _, err := b.look(); err != nil || b.held == nil || b.held.Reason != v1alpha1.ReasonAllOrphaned {
		t.Fatalf("all that run are orphans: %v, held %+v", err, b.held)
	}
}

func TestAnInstanceThatComesBackIsLeftAlone(t *testing.T) {
	b := newBench(t)
	refs := b.run("a", "b")
	b.gone(refs...)
	if _, err := b.look(); err != nil || b.held == nil {
		t.Fatal(err)
	}
	for _, ref := range refs {
		b.cached.put(ref, host)
		b.live.put(ref, host)
	}
	if pause, err := b.look(); err != nil || pause != reapEvery || b.held != nil {
		t.Errorf("%v, %v, held %+v", pause, err, b.held)
	}
	b.expect(refs...)
}

func TestNumbersTellSetsApart(t *testing.T) {
	set := func(uids ...string) []orphan {
		var list []orphan
		for _, uid := range uids {
			list = append(list, orphan{Ref: platform.Ref{UID: uid}})
		}
		return list
	}
	if numberOf(set("a", "b")) != numberOf(set("b", "a")) {
		t.Error("the order counts")
	}
	if numberOf(set("a", "b")) == numberOf(set("a", "c")) {
		t.Error("another set has the same number")
	}
}
