package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/draas-io/draas/api/v1alpha1"
)

// pause and resume set and remove the annotation.
func pause(i *v1alpha1.DrasiInstance) {
	i.Annotations = map[string]string{v1alpha1.AnnotationPaused: "for the night"}
}

func resume(i *v1alpha1.DrasiInstance) { i.Annotations = nil }

var _ = Describe("A paused instance", func() {
	var h *host
	BeforeEach(func(ctx SpecContext) { h = startHost(ctx) })

	It("keeps what runs, says what is held back, and gets the latest generation once when it goes on", func(ctx SpecContext) {
		instance := newInstance("pause-change", h, simple)
		create(ctx, instance)
		running := awaitRunning(ctx, instance)

		By("holding nothing back")
		change(ctx, instance, pause)
		Consistently(func() string { return fetch(ctx, instance).ResourceVersion }, "1s").Should(Equal(instance.ResourceVersion), "nothing to say, nothing written")
		Expect(pid(awaitRunning(ctx, instance))).To(Equal(pid(running)))

		By("holding changes back")
		for _, id := range []string{"print-1", "print-2"} {
			change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.Config.Reactions[0].ID = id })
		}
		held := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonPaused)
		Expect(condition(held, v1alpha1.ConditionConfigApplied).Reason).To(Equal(v1alpha1.ReasonPaused))
		Expect(condition(held, v1alpha1.ConditionConfigApplied).Message).To(And(ContainSubstring("the change"), ContainSubstring(v1alpha1.AnnotationPaused)))
		Expect(condition(held, v1alpha1.ConditionLive).Status).To(Equal(metav1.ConditionTrue))
		Expect(pid(held)).To(Equal(pid(running)))
		Expect(loaded(ctx, held, instance.Name)).To(ContainElement("print"))

		By("restarting what crashes, as it was")
		crash(held)
		Eventually(func(g Gomega) {
			latest := fetch(ctx, instance)
			g.Expect(restarts(latest)).To(Equal(int32(1)))
			g.Expect(condition(latest, v1alpha1.ConditionLive).Status).To(Equal(metav1.ConditionTrue))
		}).Should(Succeed())
		Expect(loaded(ctx, await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonPaused), instance.Name)).To(ContainElement("print"))
		Expect(starts(instance.Name)).To(Equal(2))

		By("going on")
		change(ctx, instance, resume)
		Expect(loaded(ctx, awaitRunning(ctx, instance), instance.Name)).To(ConsistOf("counter", "all", "print-2"))
		Expect(starts(instance.Name)).To(Equal(3))
	})

	It("is not placed before it goes on", func(ctx SpecContext) {
		instance := newInstance("pause-new", h, simple)
		pause(instance)
		create(ctx, instance)
		held := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonPaused)
		Expect(held.Status.Host).To(BeEmpty())
		Expect(held.Finalizers).To(BeEmpty())
		Expect(condition(held, v1alpha1.ConditionPlaced).Reason).To(Equal(v1alpha1.ReasonPending))
		Expect(starts(instance.Name)).To(BeZero())
		change(ctx, instance, resume)
		awaitRunning(ctx, instance)
		Expect(starts(instance.Name)).To(Equal(1))
	})

	It("is neither stopped nor deleted before it goes on, over restarts of ours", func(ctx SpecContext) {
		instance := newInstance("pause-delete", h, simple)
		create(ctx, instance)
		running := awaitRunning(ctx, instance)
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) {
			pause(i)
			i.Spec.State = v1alpha1.StateStopped
		})
		held := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonPaused)
		Expect(condition(held, v1alpha1.ConditionReady).Message).To(ContainSubstring("the stop"))

		Expect(world.client.Delete(ctx, instance)).To(Succeed())
		Eventually(func(g Gomega) {
			latest := fetch(ctx, instance)
			g.Expect(latest.DeletionTimestamp).NotTo(BeNil())
			g.Expect(condition(latest, v1alpha1.ConditionReady).Message).To(ContainSubstring("the deletion"))
			g.Expect(condition(latest, v1alpha1.ConditionReady).Reason).To(Equal(v1alpha1.ReasonPaused))
		}).Should(Succeed())
		h.kill()
		h.start()
		h.ready(ctx)
		Consistently(func() bool { return alive(pid(running)) }, "2s").Should(BeTrue())
		Expect(fetch(ctx, instance).Finalizers).To(ConsistOf(v1alpha1.FinalizerRuntime))

		change(ctx, instance, resume)
		remove(ctx, instance)
		Expect(alive(pid(running))).To(BeFalse())
		Expect(starts(instance.Name)).To(Equal(1))
	})
})
