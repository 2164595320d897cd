package integration_test

import (
	"context"
	"fmt"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/draas-io/draas/api/v1alpha1"
)

// replaceBehindItsBack tears an instance out and makes another of its name, which is placed before anybody on the host has heard of it.
func replaceBehindItsBack(ctx context.Context, h *host, old *v1alpha1.DrasiInstance) *v1alpha1.DrasiInstance {
	GinkgoHelper()
	tearOut(ctx, old)
	anew := newInstance(old.Name, h, simple)
	create(ctx, anew)
	Eventually(func() string { return fetch(ctx, anew).Status.Host }).Should(Equal(h.name))
	return anew
}

// behindProxy puts a controller behind a proxy in the place of the suite's.
func behindProxy(name string) (*proxy, *part) {
	GinkgoHelper()
	p := newProxy("draas-controller")
	DeferCleanup(func() { world.controller.start() })
	world.controller.stop()
	c := newController(name, "--kubeconfig", p.file)
	DeferCleanup(c.stop)
	DeferCleanup(p.truth)
	return p, c
}

var _ = Describe("An agent that hears late", func() {
	DescribeTable("does what is to be done now", func(ctx SpecContext, late bool) {
		p, h := behind(ctx)
		o := observe()
		o.followCounts()
		all := fleet(ctx, h, map[bool]string{true: "unseen-late", false: "unseen-never"}[late], 4)
		config, state, paused, old := all[0], all[1], all[2], all[3]
		o.watch(pid(paused), paused.Name)
		before := startsOf(all)

		p.hold()
		change(ctx, config, func(i *v1alpha1.DrasiInstance) { i.Spec.Config.Reactions[0].ID = "print-b" })
		change(ctx, config, func(i *v1alpha1.DrasiInstance) { i.Spec.Config.Reactions[0].ID = "print" })
		change(ctx, state, func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateStopped })
		change(ctx, state, func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateRunning })
		change(ctx, paused, pause)
		change(ctx, paused, resume)
		anew := replaceBehindItsBack(ctx, h, old)
		Eventually(p.kept).Should(BeNumerically(">", 0))
		Expect(startsOf(all)).To(Equal(before))
		if late {
			p.truth()
		} else {
			p.present()
		}

		for _, was := range all[:3] {
			now := seeNow(ctx, was)
			Expect(restarts(now)).To(BeZero())
			Expect(loaded(ctx, now, now.Name)).To(ConsistOf("counter", "all", "print"))
			if late && was != paused {
				// What comes one after the other may be done one after the other.
				Expect(starts(was.Name)).To(BeNumerically("<=", 3))
				continue
			}
			Expect(pid(now)).To(Equal(pid(was)))
			Expect(starts(was.Name)).To(Equal(1), "what it has not seen is not done")
		}
		anew = awaitRunning(ctx, anew)
		Expect(starts(anew.Name)).To(Equal(2))
		Expect(alive(pid(old))).To(BeFalse())
		Expect(o.of(string(old.UID))).To(BeEmpty())
		Eventually(func() []int { return o.of(string(anew.UID)) }).Should(ConsistOf(pid(anew)), "what the observer sees")
		Eventually(h.directories).Should(ConsistOf(string(config.UID), string(state.UID), string(paused.UID), string(anew.UID)))
		Expect(remains(h.stateDir)).To(HaveLen(4))
		Expect(orphansHeld(ctx, h)).To(BeNil())
	},
		Entry("of all that came, one after the other", true),
		Entry("of the end alone", false),
	)
})

var _ = Describe("A reply that is lost", func() {
	It("changes nothing of what an agent does", func(ctx SpecContext) {
		p, h := behind(ctx)
		observe().followCounts()
		for _, way := range []struct{ condition, reason string }{
			{v1alpha1.ConditionReady, v1alpha1.ReasonRunning}, {v1alpha1.ConditionReady, v1alpha1.ReasonStopped}, {v1alpha1.ConditionReleased, ""},
		} {
			name := "lost-reply"
			says := func(e *exchange) bool { return e.says(name, way.condition, way.reason) }
			By(fmt.Sprintf("losing the reply to %s %s", way.condition, way.reason))
			mark := p.mark()
			p.loseReply(says)
			instance := newInstance(name, h, simple)
			before := starts(name)
			create(ctx, instance)
			running := awaitRunning(ctx, instance)
			server := pid(running)
			if way.reason == v1alpha1.ReasonStopped {
				change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateStopped })
				await(ctx, instance, metav1.ConditionTrue, v1alpha1.ReasonStopped)
			} else {
				Expect(pid(seeNow(ctx, instance))).To(Equal(server))
			}
			remove(ctx, instance)
			// Others may see a write before the proxy sees the reply.
			Eventually(func() int { return p.since(mark, lost) }).Should(Equal(1))
			Expect(starts(name)).To(Equal(before + 1))
			Expect(restarts(running)).To(BeZero())
			l := &life{instance: instance, h: h, latest: running}
			Expect(l.nothingLeft()).To(Succeed())
			retained, err := filepath.Glob(filepath.Join(h.stateDir, "retained", "*"))
			Expect(err).NotTo(HaveOccurred())
			Expect(retained).To(BeEmpty())
		}
	})

	It("changes nothing of what the controller does", Serial, func(ctx SpecContext) {
		h := startHost(ctx)
		observe().followCounts()
		p, c := behindProxy("lost-reply-controller")
		c.start()
		holds := func(e *exchange) bool { return e.method == "PATCH" && e.of("lost-place") && e.finalizers() == 1 }
		places := func(e *exchange) bool { return e.says("lost-place", v1alpha1.ConditionPlaced, "") }
		letsGo := func(e *exchange) bool { return e.method == "PATCH" && e.of("lost-place") && e.finalizers() == 0 }
		for _, which := range []func(*exchange) bool{holds, places, letsGo} {
			mark := p.mark()
			p.loseReply(which)
			instance := newInstance("lost-place", h, simple)
			before := starts(instance.Name)
			create(ctx, instance)
			running := awaitRunning(ctx, instance)
			Expect(restarts(running)).To(BeZero())
			remove(ctx, instance)
			// Others may see a write before the proxy sees the reply.
			Eventually(func() int { return p.since(mark, lost) }).Should(Equal(1))
			for _, write := range []func(*exchange) bool{holds, places, letsGo} {
				Eventually(func() int { return p.since(mark, func(e *exchange) bool { return e.done() && write(e) }) }).Should(Equal(1), "each is done once")
			}
			Expect(starts(instance.Name)).To(Equal(before + 1))
			l := &life{instance: instance, h: h, latest: running}
			Expect(l.nothingLeft()).To(Succeed())
		}
	})
})

var _ = Describe("A controller that is shown what was", func() {
	It("lets nothing go of an object that was made anew", Serial, func(ctx SpecContext) {
		h := startHost(ctx)
		o := observe()
		old := fleet(ctx, h, "stale-released", 1)[0]
		p, c := behindProxy("stale-controller")
		By("keeping a view of it deleted and released, which nobody has let go yet")
		Expect(world.client.Delete(ctx, old)).To(Succeed())
		Eventually(func() metav1.ConditionStatus { return condition(fetch(ctx, old), v1alpha1.ConditionReleased).Status }).Should(Equal(metav1.ConditionTrue))
		view := p.view(ctx, "")
		c.start()
		remove(ctx, old)
		anew := fleet(ctx, h, "stale-released", 1)[0]
		o.watch(pid(anew), anew.Name)
		before, version := starts(anew.Name), anew.ResourceVersion

		mark := p.mark()
		c.kill()
		p.show(view)
		c.start()
		Eventually(p.shown).Should(BeTrue())
		Eventually(func() int { return p.since(mark, refusedTo(anew.Name)) }).Should(BeNumerically(">", 0), "it tries to let the old one go")
		Expect(p.since(mark, doneTo(anew.Name))).To(BeZero())
		Expect(fetch(ctx, anew).ResourceVersion).To(Equal(version))

		p.truth()
		// It works with what is: another one of the host can be placed.
		fleet(ctx, h, "stale-after", 1)
		now := fetch(ctx, anew)
		Expect(now.ResourceVersion).To(Equal(version))
		Expect(controllerutil.ContainsFinalizer(now, v1alpha1.FinalizerRuntime)).To(BeTrue())
		Expect(now.DeletionTimestamp).To(BeNil())
		Expect(starts(anew.Name)).To(Equal(before))
	})
})
