package integration_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

// limit sets a limit of memory.
func limit(memory string) func(*v1alpha1.DrasiInstance) {
	return func(i *v1alpha1.DrasiInstance) {
		i.Spec.Resources = &v1alpha1.Resources{Limits: &v1alpha1.ResourceAmounts{Memory: ptr.To(resource.MustParse(memory))}}
	}
}

// limitsOf is what the host says becomes of limits.
func limitsOf(ctx context.Context, h *host) v1alpha1.PlatformLimits {
	GinkgoHelper()
	object := &v1alpha1.DrasiHost{}
	Expect(world.client.Get(ctx, client.ObjectKey{Name: h.name}, object)).To(Succeed())
	Expect(object.Status.Platforms).To(HaveLen(1))
	return object.Status.Platforms[0].Limits
}

var _ = Describe("Limits", func() {
	It("of memory end a server that needs more, which is told apart and can be mended", func(ctx SpecContext) {
		// The server eats memory for as long as a file is there.
		hungry := filepath.Join(world.dir, "hungry")
		script := filepath.Join(world.dir, "eater")
		Expect(os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\ncase $1 in --version) exec %[1]s --version;; esac\n[ -e %[2]s ] && exec tail /dev/zero\nexec %[1]s \"$@\"\n",
			world.server, hungry), 0o755)).To(Succeed())
		h := startHost(ctx, "--drasi-server", script)
		if limits := limitsOf(ctx, h); limits != v1alpha1.LimitsEnforced {
			Skip("this machine enforces no limits for the agent: " + string(limits))
		}
		instance := newInstance("limits-oom", h, simple)
		limit("48Mi")(instance)
		create(ctx, instance)
		running := awaitRunning(ctx, instance)
		Expect(os.WriteFile(hungry, nil, 0o600)).To(Succeed())
		crash(running)
		Eventually(func(g Gomega) {
			latest := fetch(ctx, instance)
			g.Expect(condition(latest, v1alpha1.ConditionLive).Reason).To(Equal(v1alpha1.ReasonOOMKilled))
			g.Expect(condition(latest, v1alpha1.ConditionReady).Reason).To(Equal(v1alpha1.ReasonOOMKilled))
			g.Expect(condition(latest, v1alpha1.ConditionReady).Message).To(ContainSubstring("48Mi"))
			g.Expect(latest.Status.LastTermination.Reason).To(Equal("OOMKilled"))
		}).Should(Succeed())
		// It is started again now and then: for a moment it may be told that it starts.
		Eventually(func() string { return kubectl(ctx, "get", "drasiinstances", instance.Name) }).Should(MatchRegexp(`False\s+OOMKilled`))

		By("mending it by another limit")
		Expect(os.Remove(hungry)).To(Succeed())
		change(ctx, instance, limit("256Mi"))
		mended := awaitRunning(ctx, instance)

		By("writing the same limit in another way")
		change(ctx, instance, limit("268435456"))
		Expect(pid(awaitRunning(ctx, instance))).To(Equal(pid(mended)))
	})

	It("are refused where nothing enforces them, in words, and taken where the administrator says so", func(ctx SpecContext) {
		h := startHost(ctx, "--cgroup-parent", "none")
		Expect(limitsOf(ctx, h)).To(Equal(v1alpha1.LimitsRefused))
		instance := newInstance("limits-refused", h, simple)
		limit("1Gi")(instance)
		create(ctx, instance)
		refused := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonNoHost)
		Expect(condition(refused, v1alpha1.ConditionPlaced).Message).To(And(ContainSubstring("spec.resources.limits"), ContainSubstring(h.name)))
		Expect(refused.Status.Host).To(BeEmpty())

		By("taking them off, and on again when it runs")
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.Resources = nil })
		running := awaitRunning(ctx, instance)
		change(ctx, instance, limit("1Gi"))
		again := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonNoHost)
		Expect(pid(again)).To(Equal(pid(running)), "what runs is left alone")

		By("restarting the agent with leave of the administrator")
		h.stop()
		h.args = append(h.args, "--allow-unenforced-limits")
		h.start()
		Expect(pid(awaitRunning(ctx, instance))).NotTo(Equal(pid(running)))
		Eventually(func() v1alpha1.PlatformLimits { return limitsOf(ctx, h) }).Should(Equal(v1alpha1.LimitsUnenforced))
	})

	It("that can never be are refused, naming the field", func(ctx SpecContext) {
		h := startHost(ctx)
		instance := newInstance("limits-absurd", h, simple)
		limit("1Ki")(instance)
		create(ctx, instance)
		refused := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonInvalidConfig)
		Expect(condition(refused, v1alpha1.ConditionReady).Message).To(ContainSubstring("spec.resources.limits.memory: 1Ki is too little"))
		Expect(starts(instance.Name)).To(BeZero())
	})
})
