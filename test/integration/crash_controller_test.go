package integration_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/failpoint"
)

// inPlaceOfTheController ends the suite's controller until the spec is over, and returns one with failpoints.
func inPlaceOfTheController(name string, flags ...string) *tended {
	GinkgoHelper()
	DeferCleanup(func() { world.controller.start() })
	world.controller.stop()
	p := newController(name, flags...)
	c := &tended{part: p, role: "controller"}
	c.dir = p.armable()
	DeferCleanup(func() { Expect(c.halt()).To(Succeed()) })
	return c
}

// ofPlacement are the writes that the controller makes in the life of an instance. The Leases' are in the fail-over's specs.
func ofPlacement() []string {
	return pointsOf(failpoint.WriteHold, failpoint.WritePlace, failpoint.WriteStatus, failpoint.WriteLetGo, failpoint.WriteEvent)
}

var _ = Describe("A crash before or after any write of the controller", Serial, Label("crash"), func() {
	It("in the life of an instance changes neither the end nor the number of starts", func(ctx SpecContext) {
		observe().followCounts()
		h := startHost(ctx)
		c := inPlaceOfTheController("crash-controller")
		Expect(c.run()).To(Succeed())
		reference := newLife("crash-placed-reference", h)
		Expect(reference.placed(ctx)).To(Succeed())
		hits, unnamed := c.passed()
		Expect(unnamed).To(BeEmpty())

		plans := crashesAt(ofPlacement(), hits, "")
		began := time.Now()
		var failures []string
		for _, plan := range plans {
			if err := crashOnce(ctx, c, h, plan, reference.seen); err != nil {
				failures = append(failures, fmt.Sprintf("%s: %v", plan, err))
			}
		}
		AddReportEntry(fmt.Sprintf("%d crashes of the controller took %v; a life passes %v", c.died(), time.Since(began).Round(time.Second), hits))
		Expect(failures).To(BeEmpty(), strings.Join(failures, "\n"))
	}, NodeTimeout(10*time.Minute))

	It("that a host is lost touches no server and is made up for", func(ctx SpecContext) {
		watch := observe()
		h := startHost(ctx)
		running := fleet(ctx, h, "crash-lost", 1)[0]
		release := watch.watch(pid(running), running.Name)
		defer release()
		c := inPlaceOfTheController("crash-lost-controller", "--host-lost-after", "30s")
		Expect(c.arm(failpoint.Crash{When: failpoint.Before, Point: string(failpoint.WriteHostStatus), Nth: 1, Object: h.name})).To(Succeed())
		Expect(c.run()).To(Succeed())
		h.kill()
		Eventually(c.died, 2*time.Minute).Should(Equal(1))
		Expect(c.arm(failpoint.Crash{When: failpoint.After, Point: string(failpoint.WriteHostStatus), Nth: 1, Object: h.name})).To(Succeed())
		Eventually(c.died, 2*time.Minute).Should(Equal(2))
		await(ctx, running, metav1.ConditionUnknown, v1alpha1.ReasonHostLost)
		object := &v1alpha1.DrasiHost{}
		Expect(world.client.Get(ctx, client.ObjectKey{Name: h.name}, object)).To(Succeed())
		Expect(meta.FindStatusCondition(object.Status.Conditions, "Ready").Reason).To(Equal(v1alpha1.ReasonHostLost))
		h.start()
		Expect(pid(awaitRunning(ctx, running))).To(Equal(pid(running)))
		Expect(starts(running.Name)).To(Equal(1))
		Expect(fetch(ctx, running).Status.Restarts).To(HaveValue(BeZero()))
		_, unnamed := c.passed()
		Expect(unnamed).To(BeEmpty())
	})
})

// crashOnce leads an instance through its life while the controller dies once, and compares.
func crashOnce(ctx context.Context, c *tended, h *host, plan failpoint.Crash, want []string) error {
	l := newLife(fmt.Sprintf("crash-c-%s-%s-%d", plan.When, plan.Point, plan.Nth), h)
	if plan.Point != string(failpoint.WriteEvent) {
		plan.Object = l.instance.Name
	}
	if err := c.arm(plan); err != nil {
		return err
	}
	err := l.placed(ctx)
	reached := c.disarm()
	switch {
	case err != nil:
		return fmt.Errorf("%w\n%s", err, c.tail())
	case !reached:
		return fmt.Errorf("the workload does not pass it")
	case !slices.Equal(want, l.seen):
		return fmt.Errorf("%s", difference(want, l.seen))
	}
	return os.Truncate(failpoint.Passed(c.dir, c.role), 0)
}
