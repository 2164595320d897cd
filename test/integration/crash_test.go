package integration_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/failpoint"
	"github.com/draas-io/draas/internal/platform/process"
)

// crashHosts is how many lives are led at a time, each on a host of its own.
const crashHosts = 4

// pointsOf names both sides of points.
func pointsOf[P ~string](points ...P) (all []string) {
	for _, point := range points {
		all = append(all, "before "+string(point), "after "+string(point))
	}
	return all
}

// onlySome are effects that not every host has: without root there are no users, and not everywhere can cgroups be made.
func onlySome() []string {
	return pointsOf(process.PointOwn, process.PointMakeGroup, process.PointKillGroup, process.PointRemoveGroup)
}

// crashesAt makes the plans: at the first pass of each side of each point, and at the last that the reference saw, or at all.
// DRAAS_CRASH_AT="before clone" leaves one side of one point.
func crashesAt(points []string, hits map[string]int, object string) (plans []failpoint.Crash) {
	for _, point := range points {
		if only := os.Getenv("DRAAS_CRASH_AT"); only != "" && only != point {
			continue
		}
		words := strings.Fields(point)
		for nth := 1; nth <= max(hits[point], 1); nth++ {
			if nth == 1 || nth == hits[point] || os.Getenv("DRAAS_CRASH_ALL") != "" {
				plans = append(plans, failpoint.Crash{When: failpoint.When(words[0]), Point: words[1], Nth: nth, Object: object})
			}
		}
	}
	return plans
}

var _ = Describe("A crash before or after any effect or write", Serial, Label("crash"), func() {
	It("of an agent changes neither the end nor the number of starts", func(ctx SpecContext) {
		observe().followCounts()
		bench := &crashBench{}
		for range crashHosts {
			h := newHost()
			dir := h.armable()
			bench.agents = append(bench.agents, &tended{part: h.part, role: "agent", dir: dir})
			bench.hosts = append(bench.hosts, h)
		}
		DeferCleanup(func() {
			for _, agent := range bench.agents {
				Expect(agent.halt()).To(Succeed())
			}
		})
		began := time.Now()
		Expect(bench.reference(ctx)).To(Succeed())
		points := slices.Concat(pointsOf(process.Points()...), pointsOf(failpoint.OfAgent()...))
		for _, point := range onlySome() {
			if bench.hits[point] == 0 {
				AddReportEntry("NOT SHOWN: this host has no effect " + point)
				points = without(points, []string{point})
			}
		}
		plans := crashesAt(points, bench.hits, "")
		AddReportEntry(fmt.Sprintf("the reference took %v and passed %v", time.Since(began).Round(time.Millisecond), bench.hits))
		bench.all(ctx, plans)
		AddReportEntry(fmt.Sprintf("%d crashes at %d sides of points of the agent took %v; not reached again: %v", bench.died(), len(points), time.Since(began).Round(time.Second), bench.missed))
		Expect(bench.failures).To(BeEmpty(), strings.Join(bench.failures, "\n"))
		for point := range bench.hits {
			Expect(append(points, "died before", "died after")).To(ContainElement(point), "a point that has no name")
		}
	}, NodeTimeout(30*time.Minute))
})

// crashBench leads lives on several hosts.
type crashBench struct {
	hosts  []*host
	agents []*tended
	want   []string
	hits   map[string]int

	mu       sync.Mutex
	failures []string
	missed   []string
}

// reference leads a life without a crash, and two more: they must not differ.
func (b *crashBench) reference(ctx context.Context) error {
	for i := range 2 {
		if err := b.fresh(ctx, 0, nil); err != nil {
			return err
		}
		l := newLife(fmt.Sprintf("crash-reference-%d", i), b.hosts[0])
		if err := l.whole(ctx); err != nil {
			return fmt.Errorf("the life without a crash: %w", err)
		}
		if b.want == nil {
			b.want = l.seen
		} else if !slices.Equal(b.want, l.seen) {
			return fmt.Errorf("two lives without a crash differ: %s", difference(b.want, l.seen))
		}
		var unnamed []string
		if b.hits, unnamed = b.agents[0].passed(); len(unnamed) > 0 {
			return fmt.Errorf("%v", unnamed)
		}
		if err := os.Remove(failpoint.Passed(b.agents[0].dir, "agent")); err != nil {
			return err
		}
	}
	return nil
}

// difference shows what differs in the first step that does.
func difference(want, got []string) string {
	for i, step := range got {
		if i >= len(want) || want[i] != step {
			wanted := strings.Split(append(want, make([]string, i+1)...)[i], "\n")
			lines := strings.Split(step, "\n")
			return fmt.Sprintf("step %d has %q instead of %q", i, without(lines, wanted), without(wanted, lines))
		}
	}
	return fmt.Sprintf("%d steps instead of %d", len(got), len(want))
}

// without is what one list has and the other lacks.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(line string) bool { return slices.Contains(other, line) })
}

// fresh starts an agent on a host that the API server does not know, armed if a crash is given.
func (b *crashBench) fresh(ctx context.Context, at int, crash *failpoint.Crash) error {
	if err := b.agents[at].halt(); err != nil {
		return err
	}
	name := b.hosts[at].name
	for _, object := range []client.Object{
		&v1alpha1.DrasiHost{ObjectMeta: objectMeta("", name)},
		&coordinationv1.Lease{ObjectMeta: objectMeta(v1alpha1.NamespaceAgents, name)},
	} {
		if err := client.IgnoreNotFound(world.client.Delete(ctx, object)); err != nil {
			return err
		}
	}
	if crash != nil {
		if err := b.agents[at].arm(*crash); err != nil {
			return err
		}
	}
	return b.agents[at].run()
}

// all carries out the plans.
func (b *crashBench) all(ctx context.Context, plans []failpoint.Crash) {
	queue := make(chan failpoint.Crash, len(plans))
	for _, plan := range plans {
		queue <- plan
	}
	close(queue)
	var workers sync.WaitGroup
	for at := range b.hosts {
		workers.Go(func() {
			defer GinkgoRecover()
			for plan := range queue {
				if ctx.Err() == nil {
					b.one(ctx, at, plan)
				}
			}
		})
	}
	workers.Wait()
}

// one carries out one plan and notes what went wrong.
func (b *crashBench) one(ctx context.Context, at int, plan failpoint.Crash) {
	agent := b.agents[at]
	l := newLife(fmt.Sprintf("crash-%s-%s-%d", plan.When, plan.Point, plan.Nth), b.hosts[at])
	var err error
	switch failpoint.Write(plan.Point) {
	case failpoint.WriteRegister, failpoint.WriteHostStatus, failpoint.WriteLeaseCreate, failpoint.WriteLease:
		err = b.fresh(ctx, at, &plan)
	default:
		if agent.ended == nil {
			err = agent.run()
		}
		if err == nil {
			err = agent.arm(plan)
		}
	}
	if err == nil {
		err = l.whole(ctx)
	}
	reached := agent.disarm()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err != nil:
		b.failures = append(b.failures, fmt.Sprintf("%s: %v\n%s", plan, err, agent.tail()))
	case !slices.Equal(b.want, l.seen):
		b.failures = append(b.failures, fmt.Sprintf("%s: %s", plan, difference(b.want, l.seen)))
	case !reached && plan.Nth == 1:
		b.failures = append(b.failures, fmt.Sprintf("%s: the workload does not pass it", plan))
	case !reached:
		b.missed = append(b.missed, plan.String())
	}
}

// died counts the deaths of all agents.
func (b *crashBench) died() (deaths int) {
	for _, agent := range b.agents {
		deaths += agent.died()
	}
	return deaths
}
