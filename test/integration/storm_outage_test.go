package integration_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

var _ = Describe("An API server that is away", Serial, Label("outage"), func() {
	It("costs no server its life, keeps no crash from being repaired, and is made up for", func(ctx SpecContext) {
		away := time.Duration(setting("DRAAS_OUTAGE", 5)) * time.Second
		watch := observe()
		h := startHost(ctx)
		all := fleet(ctx, h, "storm-outage", 4)
		versions := resourceVersions(ctx, all)
		var releases []func()
		for _, instance := range all[1:] {
			releases = append(releases, watch.watch(pid(instance), instance.Name))
		}
		killAPIServer()
		DeferCleanup(func(ctx SpecContext) {
			if len(world.plane.Processes()) < 2 {
				Expect(world.plane.StartAPIServer(ctx)).To(Succeed())
			}
		})
		began, crashes := time.Now(), 0
		uid := string(all[0].UID)
		for crashes < 2 {
			servers := watch.of(uid)
			Expect(servers).To(HaveLen(1))
			all[0].Status.Runtime.Process.PID = int32(servers[0])
			crash(all[0])
			crashes++
			Eventually(func() int { return starts(all[0].Name) }).Should(Equal(crashes+1), "it is restarted without the API server")
			Eventually(func() []int { return watch.of(uid) }).Should(HaveLen(1))
			if crashes == 1 {
				// An agent that starts meanwhile has nothing but its journal.
				h.kill()
				h.start()
			}
		}
		<-time.After(away - time.Since(began)) // the observer goes on looking
		Expect(world.plane.StartAPIServer(ctx)).To(Succeed())
		restarted(ctx, all[0], int32(crashes))
		h.hostReady(ctx, metav1.ConditionTrue, "")
		AddReportEntry(fmt.Sprintf("away for %v: %d crashes repaired", time.Since(began).Round(time.Second), crashes))
		for _, instance := range all[1:] {
			latest := fetch(ctx, instance)
			Expect(pid(latest)).To(Equal(pid(instance)))
			Expect(condition(latest, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue))
			Expect(latest.ResourceVersion).To(Equal(versions[instance.Name]), "nothing is written of what has not changed")
		}
		for _, release := range releases {
			release()
		}
		Expect(world.client.Delete(ctx, all[0])).To(Succeed())
		const caughtUp = 2 * time.Minute // after a long outage a controller's watches come back within a minute
		Eventually(func() bool {
			return apierrors.IsNotFound(world.client.Get(ctx, client.ObjectKeyFromObject(all[0]), &v1alpha1.DrasiInstance{}))
		}, caughtUp).Should(BeTrue(), "the controller makes up for it too")
	}, NodeTimeout(30*time.Minute))
})
