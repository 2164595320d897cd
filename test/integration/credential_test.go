package integration_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/draas-io/draas/api/v1alpha1"
)

var _ = Describe("An agent whose token has ended", func() {
	It("takes the one that has replaced it in its kubeconfig, without a restart of anything", func(ctx SpecContext) {
		h := startHost(ctx)
		all := fleet(ctx, h, "token", 2)
		By("ending the token")
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "draas-system", Name: "draas-agent"}}
		Expect(world.client.Delete(ctx, account)).To(Succeed())
		account.ObjectMeta = metav1.ObjectMeta{Namespace: account.Namespace, Name: account.Name}
		Expect(world.client.Create(ctx, account)).To(Succeed())
		const noticed = time.Minute // the API server forgets a token some seconds later, and the agent shows it every 10 s
		Eventually(h.output, noticed).Should(And(ContainSubstring("Working with the API server failed"), ContainSubstring("Unauthorized")))
		By("replacing it")
		before := lease(ctx, h)
		kubeconfig("draas-agent")
		Eventually(func() string { return lease(ctx, h) }, noticed).ShouldNot(Equal(before), "the Lease is renewed")
		change(ctx, all[0], func(i *v1alpha1.DrasiInstance) { i.Spec.RestartToken = "another" })
		after := awaitRunning(ctx, all[0])
		Expect(pid(after)).NotTo(Equal(pid(all[0])), "the agent does what is asked")
		Expect(pid(fetch(ctx, all[1]))).To(Equal(pid(all[1])), "what was not asked for is left alone")
		Expect(restarts(after)).To(BeZero())
	}, NodeTimeout(4*time.Minute))
})
