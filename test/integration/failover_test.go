package integration_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/failpoint"
)

const (
	failoverHosts = 4
	// failoverBatch is how many instances there are at a time.
	failoverBatch = 100
)

var _ = Describe("Fail-over", Serial, Label("failover"), func() {
	It("makes exactly one process of each instance, however often the leading controller dies", func(ctx SpecContext) {
		count := setting("DRAAS_FAILOVER_STARTS", 50)
		observe().followCounts()
		pair := newPair(ctx)
		var hosts []*host
		for range failoverHosts {
			hosts = append(hosts, newHost())
			hosts[len(hosts)-1].start()
		}
		began := time.Now()
		// The deaths around the making of the Lease are over at once; every other lets the Lease run out.
		Expect(pair[0].arm(crashAt(failpoint.Before, failpoint.WriteLeaseCreate, 1), crashAt(failpoint.After, failpoint.WriteLeaseCreate, 1))).To(Succeed())
		Expect(pair[0].run()).To(Succeed())
		Eventually(pair[0].died).Should(Equal(2))
		Expect(pair[1].run()).To(Succeed())

		processes := 0
		for batch := 0; batch*failoverBatch < count; batch++ {
			size := min(failoverBatch, count-batch*failoverBatch)
			processes += pair.batch(ctx, hosts, batch, size)
		}
		AddReportEntry(fmt.Sprintf("%d processes of %d instances over %d deaths of the leading controller, in %v",
			processes, count, pair[0].died()+pair[1].died(), time.Since(began).Round(time.Second)))
		Expect(processes).To(Equal(count))
		for _, c := range pair {
			_, unnamed := c.passed()
			Expect(unnamed).To(BeEmpty())
		}
	}, NodeTimeout(40*time.Minute))
})

func crashAt(when failpoint.When, write failpoint.Write, nth int) failpoint.Crash {
	return failpoint.Crash{When: when, Point: string(write), Nth: max(nth, 1)}
}

// deathsIn are the leader's deaths while a batch is started and deleted.
func deathsIn(batch, size int) []failpoint.Crash {
	if batch == 0 {
		return []failpoint.Crash{crashAt(failpoint.Before, failpoint.WriteLease, 1), crashAt(failpoint.After, failpoint.WriteLease, 1)}
	}
	return [][]failpoint.Crash{
		{crashAt(failpoint.Before, failpoint.WritePlace, size/2)},
		{crashAt(failpoint.After, failpoint.WriteHold, size/3), crashAt(failpoint.After, failpoint.WriteLetGo, size/3)},
		{crashAt(failpoint.After, failpoint.WritePlace, size/2)},
		{crashAt(failpoint.Before, failpoint.WriteHold, size/4), crashAt(failpoint.Before, failpoint.WriteLetGo, size/2)},
	}[(batch-1)%4]
}

// controllers are two of which one leads.
type controllers []*tended

// newPair prepares two controllers. Nobody has led before them.
func newPair(ctx context.Context) controllers {
	GinkgoHelper()
	first := inPlaceOfTheController("failover-first", "--leader-elect")
	lease := &coordinationv1.Lease{ObjectMeta: objectMeta("draas-system", "draas-controller")}
	Expect(client.IgnoreNotFound(world.client.Delete(ctx, lease))).To(Succeed())
	second := &tended{part: newController("failover-second", "--leader-elect"), role: "controller"}
	second.dir = second.armable()
	DeferCleanup(func() { Expect(second.halt()).To(Succeed()) })
	return controllers{first, second}
}

// strike kills whichever controller comes to the point, once.
func (c controllers) strike(ctx context.Context, crash failpoint.Crash) error {
	deaths := func() int { return c[0].died() + c[1].died() }
	before := deaths()
	for _, each := range c {
		if err := each.arm(crash); err != nil {
			return err
		}
	}
	began := time.Now()
	// It may be one that comes only when the whole batch runs.
	err := within(ctx, stormPatience, "die "+crash.String(), func() error {
		if deaths() == before {
			return errors.New("no controller has died")
		}
		return nil
	})
	for _, each := range c {
		each.disarm()
	}
	AddReportEntry(fmt.Sprintf("death %s after %v", crash, time.Since(began).Round(time.Millisecond)))
	return err
}

// batch starts instances, deletes them, and counts their processes, while the leader dies again and again.
func (c controllers) batch(ctx context.Context, hosts []*host, batch, size int) (processes int) {
	GinkgoHelper()
	struck := make(chan error, 1)
	go func() {
		for _, crash := range deathsIn(batch, size) {
			if err := c.strike(ctx, crash); err != nil {
				struck <- err
				return
			}
		}
		struck <- nil
	}()
	all := make([]*v1alpha1.DrasiInstance, size)
	var creators sync.WaitGroup
	for at, h := range hosts {
		creators.Go(func() {
			defer GinkgoRecover()
			for i := at; i < size; i += len(hosts) {
				all[i] = newInstance(fmt.Sprintf("failover-%d-%d", batch, i), h, simple)
				create(ctx, all[i])
			}
		})
	}
	creators.Wait()
	By(fmt.Sprintf("batch %d: created", batch))
	for _, instance := range all {
		// Deaths that let the Lease run out take most of a minute before anything is done.
		Eventually(func() string { return condition(fetch(ctx, instance), v1alpha1.ConditionReady).Reason }, stormPatience).Should(Equal(v1alpha1.ReasonRunning))
		Expect(restarts(awaitRunning(ctx, instance))).To(BeZero())
	}
	By(fmt.Sprintf("batch %d: all run", batch))
	for _, instance := range all {
		Expect(world.client.Delete(ctx, instance)).To(Succeed())
	}
	for _, instance := range all {
		Eventually(func() error {
			return world.client.Get(ctx, client.ObjectKeyFromObject(instance), &v1alpha1.DrasiInstance{})
		}, stormPatience).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
		processes += starts(instance.Name)
	}
	By(fmt.Sprintf("batch %d: all are gone", batch))
	Eventually(struck, stormPatience).Should(Receive(Succeed()))
	return processes
}
