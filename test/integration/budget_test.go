package integration_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/agent"
	"github.com/draas-io/draas/internal/controller"
	"github.com/draas-io/draas/internal/platform/process"
)

// counter counts the writes of a component, by what they write.
type counter struct {
	mu     sync.Mutex
	writes []*write
}

// write is one request that changes something, and how it ended.
type write struct {
	request, outcome string
}

// pass passes a request on, and notes it if it writes. It is noted before it is sent: its effect can be seen before its reply is, and who then forgets
// what was counted must not find it afterwards.
func (c *counter) pass(next http.RoundTripper, request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet {
		return next.RoundTrip(request)
	}
	noted := &write{request: request.Method + " " + request.URL.Path, outcome: "under way"}
	c.mu.Lock()
	c.writes = append(c.writes, noted)
	c.mu.Unlock()
	reply, err := next.RoundTrip(request)
	c.mu.Lock()
	defer c.mu.Unlock()
	noted.outcome = "failed"
	if err == nil {
		noted.outcome = fmt.Sprint(reply.StatusCode)
	}
	return reply, err
}

// of lists the writes to an instance.
func (c *counter) of(name string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for _, write := range c.writes {
		if strings.Contains(write.request+"/", "/drasiinstances/"+name+"/") {
			list = append(list, write.request+" "+write.outcome)
		}
	}
	return list
}

// reset forgets what was counted.
func (c *counter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes = nil
}

// counted loads credentials whose every request passes the counter.
func counted(account string, c *counter) *rest.Config {
	GinkgoHelper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig(account))
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			return c.pass(next, request)
		})
	})
	return config
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

var _ = Describe("The write budget", Serial, func() {
	var (
		h      *host
		writes *counter
		began  time.Time
	)
	// begin forgets what was written: what comes now is counted.
	begin := func() {
		writes.reset()
		began = time.Now()
	}
	// cost checks how many writes an instance has had since: what it takes when the machine is quick, and what is allowed of progress when it is not.
	cost := func(name string, least, most int, what string) {
		GinkgoHelper()
		found := writes.of(name)
		Expect(len(found)).To(And(BeNumerically(">=", least), BeNumerically("<=", most+progress(time.Since(began)))), "%s: %v", what, found)
	}

	BeforeEach(func(ctx SpecContext) {
		// Controller and agent run within this process here: their requests can be counted.
		h = newHost()
		DeferCleanup(func() { world.controller.start() })
		world.controller.stop()
		writes = &counter{}
		lifetime, end := context.WithCancel(context.Background())
		var parts sync.WaitGroup
		DeferCleanup(func() {
			end()
			parts.Wait()
		})
		parts.Go(func() {
			defer GinkgoRecover()
			config := counted("draas-controller", writes)
			Expect(controller.Run(lifetime, config, controller.Options{HostLostAfter: time.Minute, MetricsAddress: "0", HealthAddress: "0"}, logr.Discard())).To(Succeed())
		})
		parts.Go(func() {
			defer GinkgoRecover()
			config := counted("draas-agent", writes)
			options := &agent.Options{
				Host: h.name, StateDir: h.stateDir, DrasiServer: world.server, PluginsDir: world.plugins, Address: "127.0.0.1",
				Platforms: []v1alpha1.Platform{v1alpha1.PlatformProcess}, MetricsAddress: "0", HealthAddress: "0", Version: "test",
			}
			var err error
			options.PortRange, err = process.ParsePortRange(h.ports)
			Expect(err).NotTo(HaveOccurred())
			connect := func() (*rest.Config, error) { return rest.CopyConfig(config), nil }
			Expect(agent.Run(lifetime, connect, options, logr.Discard())).To(Succeed())
		})
		h.ready(ctx)
	})

	It("is 3 for a start, 1 for a change, 1 or 2 for a crash, 2 for a deletion, 0 for what is settled", func(ctx SpecContext) {
		instance := newInstance("budget", h, simple)
		begin()
		create(ctx, instance)
		running := awaitRunning(ctx, instance)
		cost(instance.Name, 3, 3, "finalizer, host, Ready")

		begin()
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.Config.LogLevel = v1alpha1.TextValue("warn") })
		running = awaitRunning(ctx, running)
		cost(instance.Name, 1, 1, "a change of the configuration")

		begin()
		change(ctx, instance, func(i *v1alpha1.DrasiInstance) { i.Spec.StartupDeadlineSeconds = 77 })
		running = awaitRunning(ctx, running)
		cost(instance.Name, 1, 1, "a change that restarts nothing is observed")

		begin()
		Expect(syscall.Kill(pid(running), syscall.SIGKILL)).To(Succeed())
		Eventually(func(g Gomega) {
			latest := fetch(ctx, instance)
			g.Expect(restarts(latest)).To(Equal(int32(1)))
			g.Expect(condition(latest, "Ready").Status).To(BeEquivalentTo("True"))
		}).Should(Succeed())
		cost(instance.Name, 1, 2, "a crash")

		writes.reset()
		Consistently(func() []string { return writes.of(instance.Name) }, "3s").Should(BeEmpty(), "a settled object")

		begin()
		remove(ctx, instance)
		cost(instance.Name, 2, 2, "released, finalizer")
	})

	It("allows one write of progress for a start that outlasts a second", func(ctx SpecContext) {
		instance := newInstance("budget-slow", h, simple)
		slow := "2500"
		instance.Spec.Env = append(instance.Spec.Env, v1alpha1.EnvVar{Name: "DRASISIM_SLOW_START_MS", Value: &slow})
		begin()
		create(ctx, instance)
		await(ctx, instance, "False", v1alpha1.ReasonStarting)
		awaitRunning(ctx, instance)
		cost(instance.Name, 4, 3, "finalizer, host, progress, Ready")
	})
})

// progress is how many writes of progress a change may have that lasts so long: one after a second, and one every 5 s then.
func progress(lasts time.Duration) int {
	if lasts < time.Second {
		return 0
	}
	return 1 + int((lasts-time.Second)/(5*time.Second))
}
