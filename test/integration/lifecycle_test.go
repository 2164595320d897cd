package integration_test

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

var _ = Describe("The life of an instance", func() {
	var h *host
	BeforeEach(func(ctx SpecContext) { h = startHost(ctx) })

	It("runs the sample: kubectl apply, kubectl wait, and the server has what the spec says", func(ctx SpecContext) {
		sample := filepath.Join("..", "..", "config", "samples", "draas_v1alpha1_drasiinstance.yaml")
		kubectl(ctx, "apply", "-f", sample)
		instance := &v1alpha1.DrasiInstance{ObjectMeta: objectMeta("default", "hello")}
		kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=60s", "drasiinstance/hello")
		instance = awaitRunning(ctx, instance)

		var want []string
		for _, c := range instance.Spec.Config.Sources {
			want = append(want, c.ID)
		}
		for _, c := range instance.Spec.Config.Queries {
			want = append(want, c.ID)
		}
		for _, c := range instance.Spec.Config.Reactions {
			want = append(want, c.ID)
		}
		Expect(loaded(ctx, instance, "hello")).To(ConsistOf(want))
		Expect(h.directories()).To(ConsistOf(string(instance.UID)))
		Expect(kubectl(ctx, "get", "drasiinstances", "hello")).To(MatchRegexp(`hello\s+Process\s+` + h.name + `\s+True\s+Running\s+\d/\d\s+0\s+`))

		before := pid(instance)
		kubectl(ctx, "apply", "-f", sample)
		Consistently(func() int { return pid(fetch(ctx, instance)) }, "1s").Should(Equal(before))
		Expect(fetch(ctx, instance).Generation).To(Equal(instance.Generation), "a second apply of the same makes no new generation")
		remove(ctx, instance)
		Expect(alive(before)).To(BeFalse())
	})

	It("stops, starts and restarts by one field each, and stays stopped", func(ctx SpecContext) {
		instance := newInstance("life-fields", h, simple)
		instance.Spec.RestartToken = "present at creation"
		create(ctx, instance)
		first := awaitRunning(ctx, instance)
		Expect(starts(instance.Name)).To(Equal(1), "a token that is present at creation restarts nothing")

		By("stopping")
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateStopped })
		stopped := await(ctx, instance, metav1.ConditionTrue, v1alpha1.ReasonStopped)
		Expect(alive(pid(first))).To(BeFalse())
		Expect(condition(stopped, v1alpha1.ConditionLive).Status).To(Equal(metav1.ConditionFalse))
		Expect(stopped.Status.Endpoints).To(BeEmpty(), "nothing answers, so nothing is listed")

		By("staying stopped over restarts of ours")
		h.kill()
		h.start()
		world.controller.kill()
		world.controller.start()
		Consistently(func() int { return starts(instance.Name) }, "2s").Should(Equal(1))
		await(ctx, instance, metav1.ConditionTrue, v1alpha1.ReasonStopped)

		By("starting")
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.State = v1alpha1.StateRunning })
		second := awaitRunning(ctx, instance)
		Expect(restarts(second)).To(BeZero(), "what the spec asks for is no restart")
		Expect(starts(instance.Name)).To(Equal(2))

		By("restarting by the token, once")
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.RestartToken = "another" })
		third := awaitRunning(ctx, instance)
		Expect(pid(third)).NotTo(Equal(pid(second)))
		Expect(starts(instance.Name)).To(Equal(3))

		By("changing what restarts nothing")
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) {
			i.Spec.StartupDeadlineSeconds, i.Spec.TerminationGracePeriodSeconds = 33, 5
			i.Spec.UpdateStrategy = &v1alpha1.UpdateStrategy{Type: v1alpha1.UpdateRestart}
		})
		Expect(pid(awaitRunning(ctx, instance))).To(Equal(pid(third)))
		Expect(starts(instance.Name)).To(Equal(3))
	})

	It("is a no-op to stop what never started, and nothing is placed for it", func(ctx SpecContext) {
		instance := newInstance("life-stopped", h, simple)
		instance.Spec.State = v1alpha1.StateStopped
		create(ctx, instance)
		stopped := await(ctx, instance, metav1.ConditionTrue, v1alpha1.ReasonStopped)
		Expect(stopped.Status.Host).To(BeEmpty())
		Expect(stopped.Finalizers).To(BeEmpty())
		remove(ctx, instance)
		Expect(starts(instance.Name)).To(BeZero())
	})

	It("applies a change of the configuration", func(ctx SpecContext) {
		instance := newInstance("life-change", h, simple)
		create(ctx, instance)
		first := awaitRunning(ctx, instance)
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) {
			i.Spec.Config.Queries = append(i.Spec.Config.Queries, parse(`{queries: [{id: more, query: "MATCH (c:Counter) RETURN c.value AS v", sources: [{sourceId: counter}]}]}`).Queries...)
		})
		second := awaitRunning(ctx, instance)
		Expect(pid(second)).NotTo(Equal(pid(first)))
		Expect(loaded(ctx, second, instance.Name)).To(ConsistOf("counter", "all", "more", "print"))
		Expect(second.Status.ComponentsReady).To(Equal("4/4"))
		Expect(starts(instance.Name)).To(Equal(2))
	})

	It("runs the last of 100 changes in a second", func(ctx SpecContext) {
		instance := newInstance("life-hundred", h, simple)
		create(ctx, instance)
		for _, state := range []string{"starting", "running"} {
			By("while it is " + state)
			began := time.Now()
			for i := range 100 {
				patch := fmt.Sprintf(`{"spec": {"config": {"reactions": [{"kind": "log", "id": "%s-%d", "queries": ["all"]}]}}}`, state, i)
				Expect(world.client.Patch(ctx, instance, client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
			}
			AddReportEntry("100 changes took " + time.Since(began).String())
			last := awaitRunning(ctx, instance)
			Expect(loaded(ctx, last, instance.Name)).To(ConsistOf("counter", "all", state+"-99"))
		}
		Expect(starts(instance.Name)).To(BeNumerically("<=", 201))
	})

	It("leaves nothing behind when it is deleted", func(ctx SpecContext) {
		instance := newInstance("life-delete", h, simple)
		create(ctx, instance)
		running := awaitRunning(ctx, instance)
		api, err := url.Parse(endpoint(running, "api"))
		Expect(err).NotTo(HaveOccurred())
		remove(ctx, instance)
		Expect(alive(pid(running))).To(BeFalse())
		Expect(h.directories()).To(BeEmpty())
		listener, err := net.Listen("tcp", api.Host)
		Expect(err).NotTo(HaveOccurred(), "the port is still taken")
		Expect(listener.Close()).To(Succeed())
	})

	It("runs two, then fifty on one host", Label("slow"), func(ctx SpecContext) {
		var all []*v1alpha1.DrasiInstance
		for i := range 2 {
			all = append(all, newInstance("life-many-"+strconv.Itoa(i), h, simple))
			create(ctx, all[i])
		}
		for _, instance := range all {
			awaitRunning(ctx, instance)
		}
		for i := 2; i < 50; i++ {
			all = append(all, newInstance("life-many-"+strconv.Itoa(i), h, simple))
			create(ctx, all[i])
		}
		ports := map[string]bool{}
		for _, instance := range all {
			ports[endpoint(awaitRunning(ctx, instance), "api")] = true
			Expect(starts(instance.Name)).To(Equal(1))
		}
		Expect(ports).To(HaveLen(50))
	})
})
