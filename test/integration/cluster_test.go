package integration_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/hack/controlplane"
	"github.com/draas-io/draas/hack/proc"
	"github.com/draas-io/draas/internal/agent"
	"github.com/draas-io/draas/internal/platform/process"
)

// ownPlane is a control plane of a spec's own, which can be rebuilt: another cluster, with the same address, certificates and credentials.
type ownPlane struct {
	*controlplane.ControlPlane
	dir    string
	client client.Client
}

// startPlane starts a control plane with what the agent needs in it.
func startPlane(ctx context.Context) *ownPlane {
	GinkgoHelper()
	p := &ownPlane{dir: filepath.Join(world.dir, "plane-of-its-own")}
	var err error
	p.ControlPlane, err = controlplane.New(ctx, controlplane.Options{Assets: world.assets, Dir: p.dir, Volatile: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(p.crash)
	p.begin(ctx)
	return p
}

// begin starts the parts and installs the kinds.
func (p *ownPlane) begin(ctx context.Context) {
	GinkgoHelper()
	Expect(p.Start(ctx)).To(Succeed())
	_, err := envtest.InstallCRDs(p.AdminConfig(), envtest.CRDInstallOptions{Paths: []string{filepath.Join("..", "..", "config", "crd", "bases")}})
	Expect(err).NotTo(HaveOccurred())
	p.client, err = client.New(p.AdminConfig(), client.Options{Scheme: world.client.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.NamespaceAgents}}
	Expect(p.client.Create(ctx, namespace)).To(Succeed())
}

// crash ends the parts: a graceful end takes an API server long while somebody watches.
func (p *ownPlane) crash() {
	GinkgoHelper()
	for _, part := range p.Processes() {
		Expect(part.Kill()).To(MatchError(proc.ErrKilled))
	}
	Expect(p.Stop()).To(Or(Succeed(), MatchError(proc.ErrKilled)))
}

// rebuild makes another cluster of it.
func (p *ownPlane) rebuild(ctx context.Context) {
	GinkgoHelper()
	p.crash()
	p.keep("etcd", "etcd-of-"+time.Now().Format("150405.000"))
	p.begin(ctx)
}

// keep moves the data of etcd.
func (p *ownPlane) keep(from, to string) {
	GinkgoHelper()
	Expect(os.Rename(filepath.Join(p.dir, from), filepath.Join(p.dir, to))).To(Succeed())
}

// place creates an instance and gives it a host, as the controller would.
func (p *ownPlane) place(ctx context.Context, instance *v1alpha1.DrasiInstance, h *host) {
	GinkgoHelper()
	instance.Finalizers = []string{v1alpha1.FinalizerRuntime}
	Expect(p.client.Create(ctx, instance)).To(Succeed())
	instance.Status.Host = h.name
	Expect(p.client.Status().Update(ctx, instance)).To(Succeed())
}

var _ = Describe("Another cluster behind the same address", func() {
	It("gets nothing from an agent, and gives it nothing, while the servers run on", func(ctx SpecContext) {
		plane := startPlane(ctx)
		config := filepath.Join(world.dir, "own-plane.kubeconfig")
		Expect(controlplane.WriteKubeconfig(config, plane.AdminConfig())).To(Succeed())
		h := newHost("--kubeconfig", config) // whoever may do everything may do the most harm
		h.start()
		instance := newInstance("cluster-own", h, simple)
		plane.place(ctx, instance, h)
		read := func() *v1alpha1.DrasiInstance {
			latest := &v1alpha1.DrasiInstance{}
			Expect(plane.client.Get(ctx, client.ObjectKeyFromObject(instance), latest)).To(Succeed())
			return latest
		}
		Eventually(func() metav1.ConditionStatus { return condition(read(), "Ready").Status }).Should(Equal(metav1.ConditionTrue))
		server := pid(read())

		By("rebuilding the cluster under the running agent, with an instance of other people's for this host")
		plane.rebuild(ctx)
		foreign := newInstance("cluster-foreign", h, simple)
		plane.place(ctx, foreign, h)
		Eventually(h.output).Should(ContainSubstring("the API server is that of another cluster"))
		nothing := func() {
			GinkgoHelper()
			Consistently(func(g Gomega) {
				var leases coordinationv1.LeaseList
				g.Expect(plane.client.List(ctx, &leases, client.InNamespace(v1alpha1.NamespaceAgents))).To(Succeed())
				g.Expect(leases.Items).To(BeEmpty())
				var registered v1alpha1.DrasiHostList
				g.Expect(plane.client.List(ctx, &registered)).To(Succeed())
				g.Expect(registered.Items).To(BeEmpty())
				var events eventsv1.EventList
				g.Expect(plane.client.List(ctx, &events, client.InNamespace("default"))).To(Succeed())
				for _, event := range events.Items {
					g.Expect(event.ReportingController).NotTo(HavePrefix("draas"))
				}
				latest := &v1alpha1.DrasiInstance{}
				g.Expect(plane.client.Get(ctx, client.ObjectKeyFromObject(foreign), latest)).To(Succeed())
				g.Expect(latest.ResourceVersion).To(Equal(foreign.ResourceVersion))
				g.Expect(alive(server)).To(BeTrue())
			}, "5s").Should(Succeed())
			Expect(starts(foreign.Name)).To(BeZero())
			Expect(h.directories()).To(ConsistOf(string(instance.UID)))
		}
		nothing()

		By("restarting the agent")
		h.kill()
		h.start()
		nothing()
		Expect(strings.Count(h.output(), "Working with the API server failed")).To(BeNumerically("<", 60), "it logs at a bounded rate")

		By("supervising all the same")
		Expect(starts(instance.Name)).To(Equal(1))
		crash(&v1alpha1.DrasiInstance{Status: v1alpha1.DrasiInstanceStatus{Runtime: &v1alpha1.Runtime{Process: &v1alpha1.ProcessRuntime{PID: int32(server)}}}})
		Eventually(func() int { return starts(instance.Name) }).Should(Equal(2))

		By("bringing the right cluster back")
		plane.crash()
		kept, err := filepath.Glob(filepath.Join(plane.dir, "etcd-of-*"))
		Expect(err).NotTo(HaveOccurred())
		plane.keep("etcd", "etcd-foreign")
		plane.keep(filepath.Base(kept[0]), "etcd")
		Expect(plane.Start(ctx)).To(Succeed())
		Eventually(func(g Gomega) {
			latest := &v1alpha1.DrasiInstance{}
			g.Expect(plane.client.Get(ctx, client.ObjectKeyFromObject(instance), latest)).To(Succeed())
			g.Expect(restarts(latest)).To(Equal(int32(1)))
			g.Expect(condition(latest, "Ready").Status).To(Equal(metav1.ConditionTrue))
		}).Should(Succeed())
		Expect(starts(instance.Name)).To(Equal(2))

		By("letting the instance go")
		Expect(plane.client.Delete(ctx, read())).To(Succeed())
		Eventually(func() metav1.ConditionStatus { return condition(read(), "Released").Status }).Should(Equal(metav1.ConditionTrue))
		Expect(h.directories()).To(BeEmpty())
	})
})

var _ = Describe("An agent whose Lease is not renewed", func() {
	It("falls silent before the controller speaks for its host, and speaks again when it is", Label("slow"), func(ctx SpecContext) {
		h := newHost()
		writes := &counter{}
		var refusing atomic.Bool
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig("draas-agent"))
		Expect(err).NotTo(HaveOccurred())
		config.QPS = -1
		config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(request *http.Request) (*http.Response, error) {
				if refusing.Load() && request.Method != http.MethodGet && strings.Contains(request.URL.Path, "/leases") {
					return nil, errors.New("this request is refused for the test")
				}
				return writes.pass(next, request)
			})
		})
		options := &agent.Options{
			Host: h.name, StateDir: h.stateDir, DrasiServer: world.server, PluginsDir: world.plugins, Address: "127.0.0.1",
			Platforms: []v1alpha1.Platform{v1alpha1.PlatformProcess}, MetricsAddress: "0", HealthAddress: "0", Version: "test",
		}
		options.PortRange, err = process.ParsePortRange(h.ports)
		Expect(err).NotTo(HaveOccurred())
		lifetime, end := context.WithCancel(context.Background())
		var running sync.WaitGroup
		DeferCleanup(func() {
			end()
			running.Wait()
		})
		running.Go(func() {
			defer GinkgoRecover()
			Expect(agent.Run(lifetime, func() (*rest.Config, error) { return rest.CopyConfig(config), nil }, options, logr.Discard())).To(Succeed())
		})
		h.ready(ctx)
		instance := newInstance("silent", h, simple)
		create(ctx, instance)
		before := awaitRunning(ctx, instance)

		refusing.Store(true)
		const lost = 3 * time.Minute // the controller waits for 40 s
		Eventually(func() string { return condition(fetch(ctx, instance), "Ready").Reason }, lost).Should(Equal(v1alpha1.ReasonHostLost))
		writes.reset()
		crash(before)
		Eventually(func() int { return starts(instance.Name) }).Should(Equal(2), "servers are driven all the same")
		Consistently(func() string { return condition(fetch(ctx, instance), "Ready").Reason }, "5s").Should(Equal(v1alpha1.ReasonHostLost))
		Expect(writes.of(instance.Name)).To(BeEmpty())

		refusing.Store(false)
		Eventually(func(g Gomega) {
			latest := fetch(ctx, instance)
			g.Expect(condition(latest, "Ready").Reason).To(Equal(v1alpha1.ReasonRunning))
			g.Expect(restarts(latest)).To(Equal(int32(1)))
		}).Should(Succeed())
	})
})
