package integration_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/draas-io/draas/api/v1alpha1"
)

// goBack shows the agent an old view, which it starts with or comes to while it runs.
func goBack(p *proxy, h *host, old []byte, restarted bool) {
	GinkgoHelper()
	if restarted {
		h.kill()
	}
	p.show(old)
	if restarted {
		h.start()
	}
	Eventually(p.shown).Should(BeTrue(), h.tail())
}

// later changes a spec so that a pass is made which touches no server.
func later(i *v1alpha1.DrasiInstance) { i.Spec.StartupDeadlineSeconds++ }

// seeNow waits until the agent has made a pass over what an instance is now.
func seeNow(ctx context.Context, instance *v1alpha1.DrasiInstance) *v1alpha1.DrasiInstance {
	GinkgoHelper()
	change(ctx, instance, later)
	return awaitRunning(ctx, instance)
}

// way tells names of the two ways apart.
func way(restarted bool) string {
	return map[bool]string{true: "-starting", false: "-running"}[restarted]
}

// believesItself is for how long an agent that has written a status takes no older view of the object for the truth.
const believesItself = 10 * time.Second

var _ = Describe("An agent that is shown what was", func() {
	DescribeTable("touches nothing of an object that was made anew, nor of one that was made later", func(ctx SpecContext, restarted bool) {
		p, h := behind(ctx)
		o := observe()
		o.followCounts()
		old := fleet(ctx, h, "stale-anew"+way(restarted), 1)[0]
		view := p.view(ctx, placedOn(h))
		remove(ctx, old)
		anew, other := fleet(ctx, h, "stale-anew"+way(restarted), 1)[0], fleet(ctx, h, "stale-later"+way(restarted), 1)[0]
		all := []*v1alpha1.DrasiInstance{anew, other}
		Expect(anew.Name).To(Equal(old.Name))
		for _, instance := range all {
			o.watch(pid(instance), instance.Name)
		}
		before, versions, homes := startsOf(all), resourceVersions(ctx, all), h.directories()

		mark := p.mark()
		goBack(p, h, view, restarted)
		Eventually(func() int { return p.since(mark, asksFor(anew.Name)) }).Should(BeNumerically(">", 4), "passes over the old object ask whose the name is")
		Eventually(func() int { return p.since(mark, asksFor(other.Name)) }).Should(BeNumerically(">", 0), "the reaper asks about what the view has not")
		Expect(resourceVersions(ctx, all)).To(Equal(versions))
		Expect(p.since(mark, doneTo(anew.Name, other.Name))).To(BeZero())

		p.truth()
		for _, instance := range all {
			Expect(pid(seeNow(ctx, instance))).To(Equal(pid(instance)))
		}
		Expect(startsOf(all)).To(Equal(before))
		Expect(o.of(string(old.UID))).To(BeEmpty())
		Expect(h.directories()).To(ConsistOf(homes))
		Expect(orphansHeld(ctx, h)).To(BeNil())
	},
		Entry("when it starts", true),
		Entry("while it runs", false),
	)

	DescribeTable("writes nothing of it, and runs what shall run once it sees what is", func(ctx SpecContext, restarted bool) {
		p, h := behind(ctx)
		o := observe()
		o.followCounts()
		all := fleet(ctx, h, "stale-spec"+way(restarted), 3)
		started, changed, stopped := all[0], all[1], all[2]
		state := func(instance *v1alpha1.DrasiInstance, state v1alpha1.InstanceState) {
			change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.State = state })
		}
		state(started, v1alpha1.StateStopped)
		await(ctx, started, metav1.ConditionTrue, v1alpha1.ReasonStopped)
		view := p.view(ctx, placedOn(h))
		began := time.Now()
		state(started, v1alpha1.StateRunning)
		change(ctx, changed, func(i *v1alpha1.DrasiInstance) { i.Spec.Config.Reactions[0].ID = "print-b" })
		state(stopped, v1alpha1.StateStopped)
		awaitRunning(ctx, started)
		awaitRunning(ctx, changed)
		await(ctx, stopped, metav1.ConditionTrue, v1alpha1.ReasonStopped)
		before, versions := startsOf(all), resourceVersions(ctx, all)

		mark := p.mark()
		goBack(p, h, view, restarted)
		for _, instance := range all {
			if restarted { // else it knows for a while that it has written something newer
				Eventually(func() int { return p.since(mark, refusedTo(instance.Name)) }).Should(BeNumerically(">", 0))
			}
		}
		Expect(p.since(mark, doneTo(started.Name, changed.Name, stopped.Name))).To(BeZero())
		Expect(resourceVersions(ctx, all)).To(Equal(versions))

		p.truth()
		for _, instance := range all[:2] {
			now := seeNow(ctx, instance)
			Expect(restarts(now)).To(BeZero(), "what a spec asks for is no restart: %+v", now.Status.LastTermination)
			Eventually(func() []int { return o.of(string(now.UID)) }).Should(ConsistOf(pid(now)), "what the observer sees")
			Expect(loaded(ctx, now, now.Name)).To(ConsistOf("counter", "all", instance.Spec.Config.Reactions[0].ID))
		}
		change(ctx, stopped, later)
		await(ctx, stopped, metav1.ConditionTrue, v1alpha1.ReasonStopped)
		Expect(o.of(string(stopped.UID))).To(BeEmpty())
		if !restarted && time.Since(began) < believesItself {
			Expect(startsOf(all)).To(Equal(before))
		}
		// Else an old view may be acted on, it cannot be told from the truth: what was is done, and then what is.
		Expect(startsOf(all)).To(BeNumerically("<=", before+4))
	},
		Entry("when it starts", true),
		Entry("while it runs", false),
	)

	DescribeTable("starts nothing for an object that is gone", func(ctx SpecContext, restarted bool) {
		p, h := behind(ctx)
		o := observe()
		all := fleet(ctx, h, "stale-gone"+way(restarted), 2)
		gone, stays := all[0], all[1]
		view := p.view(ctx, placedOn(h))
		remove(ctx, gone)

		mark := p.mark()
		goBack(p, h, view, restarted)
		Eventually(func() int { return p.since(mark, func(e *exchange) bool { return e.of(gone.Name) }) }).Should(BeNumerically(">", 0), "a pass was made")
		p.truth()
		Expect(pid(seeNow(ctx, stays))).To(Equal(pid(stays)))
		Expect(starts(gone.Name)).To(Equal(1))
		Expect(o.of(string(gone.UID))).To(BeEmpty())
		Expect(h.directories()).To(ConsistOf(string(stays.UID)))
	},
		Entry("when it starts", true),
		Entry("while it runs", false),
	)
})
