package integration_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/hack/proc"
)

var _ = Describe("Outages", func() {
	It("repairs a server that is killed", func(ctx SpecContext) {
		h := startHost(ctx)
		instance := newInstance("outage-kill", h, simple)
		create(ctx, instance)
		before := awaitRunning(ctx, instance)
		crash(before)
		Eventually(func(g Gomega) {
			latest := fetch(ctx, instance)
			g.Expect(restarts(latest)).To(Equal(int32(1)))
			g.Expect(latest.Status.LastTermination.Signal).To(Equal(int32(9)))
			g.Expect(condition(latest, "Ready").Status).To(Equal(metav1.ConditionTrue))
			g.Expect(pid(latest)).NotTo(Equal(pid(before)))
		}).Should(Succeed())
		Expect(starts(instance.Name)).To(Equal(2))
	})

	It("never shows Running after a crash was detected", func(ctx SpecContext) {
		h := startHost(ctx)
		instance := newInstance("outage-truth", h, simple)
		instance.Spec.Env = append(instance.Spec.Env, v1alpha1.EnvVar{Name: "DRASISIM_SLOW_START_MS", Value: ptr.To("1500")})
		create(ctx, instance)
		before := awaitRunning(ctx, instance)
		seen := history(instance)
		crash(before)
		Eventually(seen).Should(ContainElement(Satisfy(func(past *v1alpha1.DrasiInstance) bool {
			return past.Status.LastTermination != nil && condition(past, "Ready").Status == metav1.ConditionFalse &&
				condition(past, "Live").Status == metav1.ConditionFalse && len(past.Status.Endpoints) == 0
		})))
		after := awaitRunning(ctx, instance)
		Expect(restarts(after)).To(Equal(int32(1)))
		Eventually(seen).Should(ContainElement(HaveField("ResourceVersion", after.ResourceVersion)))
		Expect(seen()).NotTo(ContainElement(Satisfy(func(past *v1alpha1.DrasiInstance) bool {
			return past.Status.LastTermination != nil && condition(past, "Ready").Status == metav1.ConditionTrue && pid(past) == pid(before)
		})))
	})

	It("leaves every server alone while agent and controller are killed and started again", func(ctx SpecContext) {
		h := startHost(ctx)
		all := fleet(ctx, h, "outage-parts", 5)
		versions := resourceVersions(ctx, all)
		h.kill()
		world.controller.kill()
		for _, instance := range all {
			Expect(alive(pid(instance))).To(BeTrue())
		}
		h.start()
		world.controller.start()
		beat := lease(ctx, h)
		Eventually(func() string { return lease(ctx, h) }).ShouldNot(Equal(beat), "the agent is back")
		Consistently(func() map[string]string { return resourceVersions(ctx, all) }, "2s").Should(Equal(versions), "a restart of ours writes nothing")
		for _, instance := range all {
			Expect(alive(pid(instance))).To(BeTrue())
			Expect(starts(instance.Name)).To(Equal(1))
		}
	})

	It("repairs what was killed while the agent was away, and writes only that object", func(ctx SpecContext) {
		h := startHost(ctx)
		all := fleet(ctx, h, "outage-away", 3)
		versions := resourceVersions(ctx, all)
		h.kill()
		crash(all[1])
		h.start()
		Eventually(func(g Gomega) {
			latest := fetch(ctx, all[1])
			g.Expect(restarts(latest)).To(Equal(int32(1)))
			g.Expect(condition(latest, "Ready").Status).To(Equal(metav1.ConditionTrue))
		}).Should(Succeed())
		after := resourceVersions(ctx, all)
		delete(versions, all[1].Name)
		delete(after, all[1].Name)
		Expect(after).To(Equal(versions))
	})

	It("converges to the last of 50 changes that came while the agent was away", func(ctx SpecContext) {
		h := startHost(ctx)
		instance := newInstance("outage-fifty", h, simple)
		create(ctx, instance)
		awaitRunning(ctx, instance)
		h.kill()
		for i := range 50 {
			change(ctx, instance, func(o *v1alpha1.DrasiInstance) { o.Spec.Config.Reactions[0].ID = "print-" + strconv.Itoa(i) })
		}
		h.start()
		latest := awaitRunning(ctx, instance)
		Expect(loaded(ctx, latest, instance.Name)).To(ConsistOf("counter", "all", "print-49"))
		Expect(starts(instance.Name)).To(Equal(2))
	})

	It("goes on supervising while the API server is away", Serial, func(ctx SpecContext) {
		h := startHost(ctx)
		all := fleet(ctx, h, "outage-api", 3)
		versions := resourceVersions(ctx, all)
		killAPIServer()
		DeferCleanup(func(ctx SpecContext) {
			if len(world.plane.Processes()) < 2 {
				Expect(world.plane.StartAPIServer(ctx)).To(Succeed())
			}
		})
		crash(all[0])
		Eventually(func() int { return starts(all[0].Name) }).Should(Equal(2), "it is restarted without the API server")
		Expect(world.plane.StartAPIServer(ctx)).To(Succeed())
		Eventually(func(g Gomega) {
			latest := fetch(ctx, all[0])
			g.Expect(restarts(latest)).To(Equal(int32(1)))
			g.Expect(condition(latest, "Ready").Status).To(Equal(metav1.ConditionTrue))
		}).Should(Succeed())
		for _, instance := range all[1:] {
			Expect(alive(pid(instance))).To(BeTrue())
			Expect(starts(instance.Name)).To(Equal(1))
		}
		after := resourceVersions(ctx, all)
		delete(versions, all[0].Name)
		delete(after, all[0].Name)
		Expect(after).To(Equal(versions))
	})

	It("reports a host that is not heard of, starts nothing elsewhere, and takes it back", Serial, func(ctx SpecContext) {
		h := startHost(ctx)
		all := fleet(ctx, h, "outage-lost", 2)
		DeferCleanup(func() { world.controller.start() })
		world.controller.stop()
		judge := startController("judge", "--host-lost-after", "30s")
		DeferCleanup(func() { judge.stop() })
		h.kill()
		for _, instance := range all {
			lost := await(ctx, instance, metav1.ConditionUnknown, v1alpha1.ReasonHostLost)
			Expect(lost.Status.Host).To(Equal(h.name))
			Expect(alive(pid(instance))).To(BeTrue())
		}
		object := &v1alpha1.DrasiHost{}
		Expect(world.client.Get(ctx, client.ObjectKey{Name: h.name}, object)).To(Succeed())
		Expect(meta.FindStatusCondition(object.Status.Conditions, "Ready").Reason).To(Equal(v1alpha1.ReasonHostLost))
		h.start()
		for _, instance := range all {
			Expect(pid(awaitRunning(ctx, instance))).To(Equal(pid(instance)))
			Expect(starts(instance.Name)).To(Equal(1))
		}
		h.ready(ctx)
	})

	It("lets only one machine's agent serve a host of one name", func(ctx SpecContext) {
		h := startHost(ctx)
		all := fleet(ctx, h, "outage-twin", 1)
		twin := newHost("--host", h.name) // another machine: a state directory of its own
		twin.start()
		Eventually(twin.output).Should(ContainSubstring("another agent serves a host of this name"))
		Expect(twin.directories()).To(BeEmpty())
		Expect(starts(all[0].Name)).To(Equal(1))
		twin.stop()
	})

	It("makes exactly one runtime of each instance although controllers fail over", Serial, func(ctx SpecContext) {
		h := startHost(ctx)
		DeferCleanup(func() { world.controller.start() })
		world.controller.stop()
		leader := startController("leader", "--leader-elect")
		Eventually(leader.output).Should(ContainSubstring("became leader"))
		successor := startController("successor", "--leader-elect")
		DeferCleanup(func() { successor.stop() })
		var all []*v1alpha1.DrasiInstance
		for i := range 40 {
			all = append(all, newInstance(fmt.Sprintf("outage-failover-%d", i), h, simple))
			create(ctx, all[i])
			if i == 15 {
				leader.kill()
			}
		}
		Eventually(successor.output).Should(ContainSubstring("became leader"))
		for _, instance := range all {
			awaitRunning(ctx, instance)
			Expect(starts(instance.Name)).To(Equal(1))
		}
	})
})

// history records what an instance is from now on: who asks now and then misses what is so for a moment only.
func history(instance *v1alpha1.DrasiInstance) (seen func() []*v1alpha1.DrasiInstance) {
	GinkgoHelper()
	ctx, end := context.WithCancel(context.Background())
	watch, err := world.client.Watch(ctx, &v1alpha1.DrasiInstanceList{}, client.InNamespace(instance.Namespace), client.MatchingFields{"metadata.name": instance.Name})
	Expect(err).NotTo(HaveOccurred())
	var (
		mu   sync.Mutex
		past []*v1alpha1.DrasiInstance
	)
	ended := make(chan struct{})
	DeferCleanup(func() {
		end()
		watch.Stop()
		<-ended
	})
	go func() {
		defer close(ended)
		for event := range watch.ResultChan() {
			if now, ok := event.Object.(*v1alpha1.DrasiInstance); ok {
				mu.Lock()
				past = append(past, now)
				mu.Unlock()
			}
		}
	}()
	return func() []*v1alpha1.DrasiInstance {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(past)
	}
}

// killAPIServer ends the API server as a crash does.
func killAPIServer() {
	GinkgoHelper()
	for _, part := range world.plane.Processes() {
		if part.Name() == "kube-apiserver" {
			Expect(part.Kill()).To(MatchError(proc.ErrKilled))
		}
	}
	Expect(world.plane.StopAPIServer()).To(Or(Succeed(), MatchError(proc.ErrKilled)))
}

// fleet creates instances and waits until they run.
func fleet(ctx context.Context, h *host, prefix string, count int) []*v1alpha1.DrasiInstance {
	GinkgoHelper()
	var all []*v1alpha1.DrasiInstance
	for i := range count {
		all = append(all, newInstance(prefix+"-"+strconv.Itoa(i), h, simple))
		create(ctx, all[i])
	}
	for i, instance := range all {
		all[i] = awaitRunning(ctx, instance)
	}
	return all
}

func resourceVersions(ctx context.Context, all []*v1alpha1.DrasiInstance) map[string]string {
	GinkgoHelper()
	versions := map[string]string{}
	for _, instance := range all {
		versions[instance.Name] = fetch(ctx, instance).ResourceVersion
	}
	return versions
}

// lease is the resource version of the host's Lease.
func lease(ctx context.Context, h *host) string {
	GinkgoHelper()
	object := &coordinationv1.Lease{}
	Expect(world.client.Get(ctx, client.ObjectKey{Namespace: v1alpha1.NamespaceAgents, Name: h.name}, object)).To(Succeed())
	return object.ResourceVersion
}
