package integration_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

const (
	// stormSteady are instances that nobody touches, stormBusy such that are changed all the time.
	stormSteady, stormBusy = 5, 8
	// stormLull is the longest time between two kills, at least; it is longer where an agent takes its time to start.
	stormLull = 1500 * time.Millisecond
	// stormPatience is how long something may take while agents die all the time: some live for less than a start takes.
	stormPatience = 5 * time.Minute
)

// setting reads a number from the environment.
func setting(name string, byDefault int) int {
	GinkgoHelper()
	text := os.Getenv(name)
	if text == "" {
		return byDefault
	}
	value, err := strconv.Atoi(text)
	Expect(err).NotTo(HaveOccurred(), name)
	return value
}

var _ = Describe("A storm", Serial, Label("storm"), func() {
	It("of kills of the agent costs no server its life and leaves nothing behind", func(ctx SpecContext) {
		kills, seed := setting("DRAAS_STORM_KILLS", 50), setting("DRAAS_STORM_SEED", int(time.Now().UnixNano()%1_000_000))
		AddReportEntry(fmt.Sprintf("DRAAS_STORM_KILLS=%d DRAAS_STORM_SEED=%d", kills, seed))
		watch := observe()
		watch.followCounts()
		h := startHost(ctx)
		steady := fleet(ctx, h, "storm-steady", stormSteady)
		var releases []func()
		for _, instance := range steady {
			releases = append(releases, watch.watch(pid(instance), instance.Name))
		}
		h.stop()
		agent := &tended{part: h.part}
		begun := time.Now()
		Expect(agent.run()).To(Succeed())
		DeferCleanup(func() { Expect(agent.halt()).To(Succeed()) })
		Eventually(agent.working).Should(BeTrue(), agent.tail)
		longest := max(stormLull, 3*time.Since(begun))

		busy := make([]*stormy, stormBusy)
		over := make(chan struct{})
		var workers sync.WaitGroup
		for i := range busy {
			busy[i] = &stormy{
				h: h, watch: watch, over: over, name: fmt.Sprintf("storm-busy-%d", i),
				random: rand.New(rand.NewPCG(uint64(seed), uint64(i))),
			}
			workers.Go(func() {
				defer GinkgoRecover()
				busy[i].err = busy[i].live(ctx)
			})
		}
		began := time.Now()
		random := rand.New(rand.NewPCG(uint64(seed), 1000))
		for agent.died() < kills && ctx.Err() == nil {
			if random.IntN(3) > 0 {
				// However slow the machine is, something must get done between the kills.
				Eventually(agent.working).Should(BeTrue(), agent.tail)
			}
			<-time.After(lull(random, longest))
			agent.murder()
		}
		close(over)
		workers.Wait()
		done := 0
		var failures []string
		for _, s := range busy {
			done += len(s.did)
			if s.err != nil {
				failures = append(failures, fmt.Sprintf("%s: %v; it did %s", s.name, s.err, strings.Join(s.did, ", ")))
			}
		}
		Expect(failures).To(BeEmpty(), "%s\n%s", strings.Join(failures, "\n"), agent.tail())
		AddReportEntry(fmt.Sprintf("%d kills in %v, meanwhile %d acts on %d instances", agent.died(), time.Since(began).Round(time.Second), done, stormBusy))

		for _, instance := range steady {
			latest := awaitRunning(ctx, instance)
			Expect(pid(latest)).To(Equal(pid(instance)))
			Expect(restarts(latest)).To(BeZero())
			Expect(starts(instance.Name)).To(Equal(1))
		}
		watch.check()
		for _, s := range busy {
			lint(s.latest)
			releases = append(releases, s.release)
		}
		for _, release := range releases {
			release()
		}
		h.emptied(ctx)
	}, NodeTimeout(60*time.Minute))
})

// lull is the time until the next kill: often short, so that agents die while they start, seldom long, so that they get something done.
func lull(random *rand.Rand, longest time.Duration) time.Duration {
	part := random.Float64()
	return time.Duration(part * part * float64(longest))
}

// emptied deletes everything on the host and looks for what is left.
func (h *host) emptied(ctx context.Context) {
	GinkgoHelper()
	var list v1alpha1.DrasiInstanceList
	Expect(world.client.List(ctx, &list)).To(Succeed())
	var mine []*life
	for i := range list.Items {
		if instance := &list.Items[i]; instance.Status.Host == h.name {
			mine = append(mine, &life{h: h, instance: instance, latest: instance})
			Expect(client.IgnoreNotFound(world.client.Delete(ctx, instance))).To(Succeed())
		}
	}
	for _, l := range mine {
		remove(ctx, l.instance)
	}
	for _, l := range mine {
		Expect(l.nothingLeft()).To(Succeed())
	}
}

// stormy is an instance that is changed all the time. It knows how often its server must have been started.
type stormy struct {
	h      *host
	watch  *observer
	over   chan struct{}
	name   string
	random *rand.Rand

	instance, latest *v1alpha1.DrasiInstance
	// begun is how often the servers of this name must have been started, restarts the present object's count.
	begun    int
	restarts int32
	unwatch  func()
	did      []string
	err      error
}

// live acts until the storm is over, and ends with an instance that runs.
func (s *stormy) live(ctx context.Context) error {
	for {
		if s.instance == nil {
			if err := s.create(ctx); err != nil {
				return err
			}
		}
		select {
		case <-s.over:
			return s.running(ctx)
		case <-time.After(time.Duration(s.random.IntN(300)) * time.Millisecond):
		}
		acts := []func(context.Context) error{s.change, s.change, s.crash, s.stop, s.hurry, s.remove}
		if err := acts[s.random.IntN(len(acts))](ctx); err != nil {
			return err
		}
	}
}

// note writes down what is done, for who reads a failure.
func (s *stormy) note(what string) {
	s.did = append(s.did, fmt.Sprintf("%s at %s", what, time.Now().Format("15:04:05.0")))
}

// release has the server watched no more: what comes next is asked for.
func (s *stormy) release() {
	if s.unwatch != nil {
		s.unwatch()
		s.unwatch = nil
	}
}

func (s *stormy) create(ctx context.Context) error {
	s.note("create")
	s.instance, s.restarts = newInstance(s.name, s.h, simple), 0
	s.instance.Spec.Env = append(s.instance.Spec.Env, v1alpha1.EnvVar{Name: "DRASISIM_CHILDREN", Value: ptr.To("1")})
	s.begun++
	if err := world.client.Create(ctx, s.instance); err != nil {
		return err
	}
	return s.running(ctx)
}

// running waits until the server runs as asked, checks that it was started as often as it had to be, and has it watched.
func (s *stormy) running(ctx context.Context) error {
	if err := s.settled(ctx, v1alpha1.ReasonRunning); err != nil {
		return err
	}
	s.release()
	s.unwatch = s.watch.watch(int(s.latest.Status.Runtime.Process.PID), s.name)
	return nil
}

func (s *stormy) settled(ctx context.Context, reason string) error {
	err := within(ctx, stormPatience, s.did[len(s.did)-1], func() error {
		latest := &v1alpha1.DrasiInstance{}
		if err := world.client.Get(ctx, client.ObjectKeyFromObject(s.instance), latest); err != nil {
			return err
		}
		s.latest = latest
		ready := condition(latest, v1alpha1.ConditionReady)
		if latest.Status.ObservedGeneration != latest.Generation || ready.Status != metav1.ConditionTrue || ready.Reason != reason ||
			ptr.Deref(latest.Status.Restarts, 0) != s.restarts {
			return fmt.Errorf("generation %d of %d, %d restarts instead of %d, Ready %s: %s, %s", latest.Status.ObservedGeneration, latest.Generation,
				ptr.Deref(latest.Status.Restarts, 0), s.restarts, ready.Status, ready.Reason, ready.Message)
		}
		return nil
	})
	if err == nil && starts(s.name) != s.begun {
		return fmt.Errorf("%d starts instead of %d", starts(s.name), s.begun)
	}
	return err
}

// patch changes the spec.
func (s *stormy) patch(ctx context.Context, mutate func(*v1alpha1.DrasiInstance)) error {
	return (&life{instance: s.instance}).change(mutate)(ctx)
}

// change has the server replaced.
func (s *stormy) change(ctx context.Context) error {
	s.note("change")
	s.release()
	s.begun++
	token := strconv.Itoa(len(s.did))
	if err := s.patch(ctx, func(i *v1alpha1.DrasiInstance) { i.Spec.RestartToken = token }); err != nil {
		return err
	}
	return s.running(ctx)
}

// crash kills the server.
func (s *stormy) crash(ctx context.Context) error {
	s.note("crash")
	s.release()
	s.begun++
	s.restarts++
	if err := syscall.Kill(int(s.latest.Status.Runtime.Process.PID), syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill the server: %w", err)
	}
	return s.running(ctx)
}

// stop has the server stopped, and started again.
func (s *stormy) stop(ctx context.Context) error {
	s.note("stop")
	s.release()
	if err := s.patch(ctx, func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateStopped }); err != nil {
		return err
	}
	if err := s.settled(ctx, v1alpha1.ReasonStopped); err != nil {
		return err
	}
	if found := s.watch.of(string(s.instance.UID)); len(found) > 0 {
		return fmt.Errorf("stopped, and %v run", found)
	}
	s.note("start")
	s.begun++
	if err := s.patch(ctx, func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateRunning }); err != nil {
		return err
	}
	return s.running(ctx)
}

// hurry makes several changes without waiting: how many of them are started is open, but the last is.
func (s *stormy) hurry(ctx context.Context) error {
	s.note("hurry")
	s.release()
	before := s.begun
	for i := range 3 {
		state := []v1alpha1.InstanceState{v1alpha1.StateStopped, v1alpha1.StateRunning}[s.random.IntN(2)]
		token := fmt.Sprintf("%d-%d", len(s.did), i)
		if err := s.patch(ctx, func(o *v1alpha1.DrasiInstance) { o.Spec.RestartToken, o.Spec.State = token, state }); err != nil {
			return err
		}
	}
	if err := s.patch(ctx, func(o *v1alpha1.DrasiInstance) { o.Spec.State = v1alpha1.StateRunning }); err != nil {
		return err
	}
	if err := within(ctx, stormPatience, "hurry", func() error {
		latest := &v1alpha1.DrasiInstance{}
		if err := world.client.Get(ctx, client.ObjectKeyFromObject(s.instance), latest); err != nil {
			return err
		}
		ready := condition(latest, v1alpha1.ConditionReady)
		if latest.Status.ObservedGeneration != latest.Generation || ready.Reason != v1alpha1.ReasonRunning || ready.Status != metav1.ConditionTrue {
			return errors.New(ready.Message)
		}
		return nil
	}); err != nil {
		return err
	}
	s.begun = starts(s.name)
	if s.begun < before || s.begun > before+4 {
		return fmt.Errorf("%d starts for 4 changes", s.begun-before)
	}
	return s.running(ctx)
}

// remove deletes the object; one of the same name follows.
func (s *stormy) remove(ctx context.Context) error {
	s.note("delete")
	s.release()
	if err := world.client.Delete(ctx, s.instance); err != nil {
		return err
	}
	err := within(ctx, stormPatience, "delete", func() error {
		err := world.client.Get(ctx, client.ObjectKeyFromObject(s.instance), &v1alpha1.DrasiInstance{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(err, errors.New("the object is still there"))
	})
	if err != nil {
		return err
	}
	if found := s.watch.of(string(s.instance.UID)); len(found) > 0 {
		return fmt.Errorf("deleted, and %v run", found)
	}
	s.instance = nil
	return nil
}
