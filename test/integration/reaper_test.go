package integration_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

// tearOut removes objects together with their finalizers, as somebody does who has lost his patience.
func tearOut(ctx context.Context, all ...*v1alpha1.DrasiInstance) {
	GinkgoHelper()
	for _, instance := range all {
		Expect(world.client.Patch(ctx, instance, client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`)))).To(Succeed())
		Expect(client.IgnoreNotFound(world.client.Delete(ctx, instance))).To(Succeed())
		remove(ctx, instance)
	}
}

// orphansHeld is the host's condition, nil where it has none.
func orphansHeld(ctx context.Context, h *host) *metav1.Condition {
	GinkgoHelper()
	object := &v1alpha1.DrasiHost{}
	Expect(world.client.Get(ctx, client.ObjectKey{Name: h.name}, object)).To(Succeed())
	return meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionOrphansHeld)
}

// pids are the processes of instances.
func pids(all []*v1alpha1.DrasiInstance) []int {
	var list []int
	for _, instance := range all {
		list = append(list, pid(instance))
	}
	return list
}

// startsOf counts the starts of all: what they were before a spec did anything is not its business.
func startsOf(all []*v1alpha1.DrasiInstance) (count int) {
	for _, instance := range all {
		count += starts(instance.Name)
	}
	return count
}

// living counts the processes that are there.
func living(pids []int) (count int) {
	for _, pid := range pids {
		if alive(pid) {
			count++
		}
	}
	return count
}

// orphansStopped are the notes of the Events that tell of orphans that were stopped on a host.
func orphansStopped(ctx context.Context, h *host) (notes []string) {
	GinkgoHelper()
	var list eventsv1.EventList
	Expect(world.client.List(ctx, &list)).To(Succeed())
	for _, event := range list.Items {
		if event.Regarding.Name == h.name && event.Reason == "OrphanStopped" {
			notes = append(notes, event.Note)
		}
	}
	return notes
}

// command is the command that the condition tells.
var command = regexp.MustCompile(`kubectl annotate drasihost (\S+) (draas\.io/reap=[0-9]+) --overwrite`)

// obey does what the condition says.
func obey(ctx context.Context, held *metav1.Condition) {
	GinkgoHelper()
	words := command.FindStringSubmatch(held.Message)
	Expect(words).NotTo(BeNil(), held.Message)
	kubectl(ctx, "annotate", "drasihost", words[1], words[2], "--overwrite")
}

var _ = Describe("Orphans", func() {
	It("are stopped when their object is torn out, while the agent runs and while it is away, and their data is kept", func(ctx SpecContext) {
		h := startHost(ctx)
		all := fleet(ctx, h, "orphan-few", 4)
		before := startsOf(all)
		for _, instance := range all {
			Expect(os.WriteFile(filepath.Join(h.stateDir, "instances", string(instance.UID), "data", "precious"), nil, 0o600)).To(Succeed())
		}
		tearOut(ctx, all[0])
		Eventually(func() bool { return alive(pid(all[0])) }).Should(BeFalse())
		// The agent tells of it after the fact.
		retained := And(ContainSubstring(all[0].Name), ContainSubstring(filepath.Join(h.stateDir, "retained")))
		Eventually(func() []string { return orphansStopped(ctx, h) }).Should(ContainElement(retained))
		h.kill()
		tearOut(ctx, all[1])
		Expect(alive(pid(all[1]))).To(BeTrue())
		h.start()
		Eventually(func() bool { return alive(pid(all[1])) }).Should(BeFalse())
		Eventually(h.directories).Should(ConsistOf(string(all[2].UID), string(all[3].UID)))
		for i, instance := range all {
			kept, err := filepath.Glob(filepath.Join(h.stateDir, "retained", string(instance.UID)+"-*", "precious"))
			Expect(err).NotTo(HaveOccurred())
			Expect(kept).To(HaveLen(map[bool]int{true: 1, false: 0}[i < 2]), instance.Name)
		}
		for _, instance := range all[2:] {
			Expect(pid(awaitRunning(ctx, instance))).To(Equal(pid(instance)))
		}
		Expect(startsOf(all)).To(Equal(before))
		Expect(orphansHeld(ctx, h)).To(BeNil())
		Eventually(func() []string { return orphansStopped(ctx, h) }).Should(ContainElements(retained, ContainSubstring(all[1].Name)))
	})

	It("are held when all objects are gone, and let go when told", func(ctx SpecContext) {
		h := startHost(ctx)
		all := fleet(ctx, h, "orphan-all", 3)
		before := startsOf(all)
		h.kill()
		tearOut(ctx, all...)
		h.start()
		Eventually(func() *metav1.Condition { return orphansHeld(ctx, h) }).ShouldNot(BeNil())
		held := orphansHeld(ctx, h)
		Expect(held.Reason).To(Equal(v1alpha1.ReasonAllOrphaned))
		Expect(held.Message).To(ContainSubstring("3 of 3 servers"))

		By("holding over restarts, without another write")
		object := &v1alpha1.DrasiHost{}
		Expect(world.client.Get(ctx, client.ObjectKey{Name: h.name}, object)).To(Succeed())
		h.kill()
		h.start()
		h.ready(ctx)
		Consistently(func() string {
			now := &v1alpha1.DrasiHost{}
			Expect(world.client.Get(ctx, client.ObjectKey{Name: h.name}, now)).To(Succeed())
			return now.ResourceVersion
		}, "3s").Should(Equal(object.ResourceVersion))
		Expect(living(pids(all))).To(Equal(3))

		By("not taking just any word for leave")
		kubectl(ctx, "annotate", "drasihost", h.name, v1alpha1.AnnotationReap+"=3")
		Consistently(func() int { return living(pids(all)) }, "7s").Should(Equal(3))

		By("letting go")
		obey(ctx, held)
		Eventually(func() int { return living(pids(all)) }).Should(BeZero())
		Eventually(h.directories).Should(BeEmpty())
		Eventually(func() *metav1.Condition { return orphansHeld(ctx, h) }).Should(BeNil())
		Expect(startsOf(all)).To(Equal(before))
	})

	It("are held when they are many", func(ctx SpecContext) {
		h := startHost(ctx)
		all := fleet(ctx, h, "orphan-many", 8)
		h.kill()
		tearOut(ctx, all[:6]...)
		h.start()
		Eventually(func() *metav1.Condition { return orphansHeld(ctx, h) }).ShouldNot(BeNil())
		held := orphansHeld(ctx, h)
		Expect(held.Reason).To(Equal(v1alpha1.ReasonManyOrphaned))
		Expect(held.Message).To(ContainSubstring("6 of 8 servers"))
		Expect(living(pids(all))).To(Equal(8))
		obey(ctx, held)
		Eventually(func() int { return living(pids(all[:6])) }).Should(BeZero())
		Expect(living(pids(all[6:]))).To(Equal(2))
	})

	It("do not count what a new object of the same name stops by its own", func(ctx SpecContext) {
		h := startHost(ctx)
		all := fleet(ctx, h, "orphan-anew", 1)
		h.kill()
		tearOut(ctx, all...)
		instance := newInstance(all[0].Name, h, simple)
		create(ctx, instance)
		// Until it is placed, the agent has nothing but an orphan.
		Eventually(func() string { return fetch(ctx, instance).Status.Host }).Should(Equal(h.name))
		h.start()
		awaitRunning(ctx, instance)
		Expect(alive(pid(all[0]))).To(BeFalse())
		Expect(orphansHeld(ctx, h)).To(BeNil())
	})

	It("are also what is placed on another host now: it is stopped, and its data stays", func(ctx SpecContext) {
		h, other := startHost(ctx), startHost(ctx)
		all := fleet(ctx, h, "orphan-moved", 2)
		// Nothing of ours moves an instance yet: this is an administrator's doing.
		Expect(world.client.Status().Patch(ctx, all[0].DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"status": {"host": "`+other.name+`"}}`)))).To(Succeed())
		Eventually(func() bool { return alive(pid(all[0])) }).Should(BeFalse())
		Expect(alive(pid(all[1]))).To(BeTrue())
		Expect(h.directories()).To(ContainElement(string(all[0].UID)))
		Expect(world.client.Status().Patch(ctx, all[0].DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"status": {"host": "`+h.name+`"}}`)))).To(Succeed())
		awaitRunning(ctx, all[0])
	})
})
