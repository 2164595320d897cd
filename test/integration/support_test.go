package integration_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/draas-io/draas/api/v1alpha1"
)

var _ = Describe("What this release does not do yet", func() {
	reference := &v1alpha1.KeyReference{Name: "secret", Key: "key"}
	DescribeTable("is refused before placement, naming the field", func(ctx SpecContext, name, field string, mutate func(*v1alpha1.DrasiInstance)) {
		instance := newInstance("later-"+name, nil, simple)
		mutate(instance)
		create(ctx, instance)
		DeferCleanup(remove, instance)
		refused := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonNotSupported)
		Expect(condition(refused, v1alpha1.ConditionStalled).Status).To(Equal(metav1.ConditionTrue))
		Expect(condition(refused, v1alpha1.ConditionReady).Message).To(ContainSubstring(field))
		Expect(refused.Status.Host).To(BeEmpty())
		Expect(refused.Finalizers).To(BeEmpty())
	},
		Entry("Docker", "docker", "spec.platform", func(i *v1alpha1.DrasiInstance) { i.Spec.Platform = v1alpha1.PlatformDocker }),
		Entry("AKS", "aks", "spec.platform", func(i *v1alpha1.DrasiInstance) { i.Spec.Platform = v1alpha1.PlatformAKS }),
		Entry("valueFrom", "value-from", "spec.env[1].valueFrom", func(i *v1alpha1.DrasiInstance) {
			i.Spec.Env = append(i.Spec.Env, v1alpha1.EnvVar{Name: "A", ValueFrom: &v1alpha1.ValueSource{SecretKeyRef: reference}})
		}),
		Entry("envFrom", "env-from", "spec.envFrom", func(i *v1alpha1.DrasiInstance) {
			i.Spec.EnvFrom = []v1alpha1.EnvFromSource{{SecretRef: &v1alpha1.ObjectReference{Name: "secret"}}}
		}),
		Entry("files", "files", "spec.files", func(i *v1alpha1.DrasiInstance) {
			i.Spec.Files = []v1alpha1.File{{Path: "ca.pem", SecretKeyRef: reference}}
		}),
		Entry("requests", "requests", "spec.resources.requests", func(i *v1alpha1.DrasiInstance) {
			i.Spec.Resources = &v1alpha1.Resources{Requests: &v1alpha1.ResourceAmounts{Memory: ptr.To(resource.MustParse("1Gi"))}}
		}),
		Entry("Persistent", "persistent", "spec.storage.type", func(i *v1alpha1.DrasiInstance) {
			i.Spec.Storage = &v1alpha1.Storage{Type: v1alpha1.StoragePersistent}
		}),
		Entry("hostSelector", "selector", "spec.placement.hostSelector", func(i *v1alpha1.DrasiInstance) {
			i.Spec.Placement = &v1alpha1.Placement{HostSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}
		}),
		Entry("health", "health", "spec.health", func(i *v1alpha1.DrasiInstance) {
			i.Spec.Health = &v1alpha1.Health{OnDeadComponent: "Report"}
		}),
		Entry("InPlace", "in-place", "spec.updateStrategy.type", func(i *v1alpha1.DrasiInstance) {
			i.Spec.UpdateStrategy = &v1alpha1.UpdateStrategy{Type: v1alpha1.UpdateInPlace}
		}),
		Entry("UDP", "udp", "spec.ports[0].protocol", func(i *v1alpha1.DrasiInstance) {
			i.Spec.Ports = []v1alpha1.Port{{Name: "x", Port: 9999, Protocol: "UDP"}}
		}),
	)

	It("leaves a running server alone when it is asked for later, and a move is refused in words", func(ctx SpecContext) {
		h := startHost(ctx)
		instance := newInstance("later-running", h, simple)
		create(ctx, instance)
		running := awaitRunning(ctx, instance)
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) {
			i.Spec.UpdateStrategy = &v1alpha1.UpdateStrategy{Type: v1alpha1.UpdateInPlace}
		})
		Expect(pid(await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonNotSupported))).To(Equal(pid(running)))
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.UpdateStrategy = nil })
		awaitRunning(ctx, instance)
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.Placement.Host = "elsewhere" })
		refused := await(ctx, instance, metav1.ConditionFalse, v1alpha1.ReasonNotSupported)
		Expect(condition(refused, "Ready").Message).To(And(ContainSubstring("spec.placement.host"), ContainSubstring("elsewhere")))
		Expect(pid(refused)).To(Equal(pid(running)))
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.Placement.Host = h.name })
		Expect(pid(awaitRunning(ctx, instance))).To(Equal(pid(running)))
	})
})
