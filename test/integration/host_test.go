package integration_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

// host is a machine with an agent. Every spec has its own: specs share nothing but the control plane and the controller.
type host struct {
	*part
	stateDir string
	ports    string
}

var hosts atomic.Int32

// startHost registers a host with an agent and waits until it is ready. Its servers end with the spec.
func startHost(ctx context.Context, flags ...string) *host {
	GinkgoHelper()
	h := newHost(flags...)
	h.start()
	h.ready(ctx)
	return h
}

// newHost prepares a host without starting its agent.
func newHost(flags ...string) *host {
	GinkgoHelper()
	number := hosts.Add(1)
	name := fmt.Sprintf("host-%d-%d", GinkgoParallelProcess(), number)
	// Two runs of the suite on one machine must have ranges of their own.
	first := setting("DRAAS_TEST_FIRST_PORT", 20000) + 1000*(GinkgoParallelProcess()-1) + int(number%9)*100
	h := &host{stateDir: filepath.Join(world.dir, name), ports: fmt.Sprintf("%d-%d", first, first+99)}
	Expect(os.MkdirAll(h.stateDir, 0o755)).To(Succeed())
	h.part = &part{name: name, log: filepath.Join(world.dir, name+".log"), args: append([]string{
		"agent", "--kubeconfig", kubeconfig("draas-agent"), "--host", name, "--state-dir", h.stateDir,
		"--drasi-server", world.server, "--plugins-dir", world.plugins, "--address", "127.0.0.1", "--port-range", h.ports,
		"--metrics-bind-address", "0", "--health-probe-bind-address", "0", "--log-level", "debug",
	}, flags...)}
	DeferCleanup(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			fmt.Fprintf(GinkgoWriter, "--- log of %s\n%s\n", name, h.tail())
			fmt.Fprintf(GinkgoWriter, "--- log of the controller\n%s\n", world.controller.tail())
		}
		h.clear(ctx)
	})
	return h
}

// ready waits until the host is known as ready.
func (h *host) ready(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		object := &v1alpha1.DrasiHost{}
		g.Expect(world.client.Get(ctx, client.ObjectKey{Name: h.name}, object)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "%+v", object.Status)
	}).Should(Succeed(), h.tail())
}

// clear deletes the host's instances, waits until nothing of them is left, and ends the agent.
func (h *host) clear(ctx context.Context) {
	GinkgoHelper()
	if h.cmd == nil {
		h.start()
	}
	mine := func() []v1alpha1.DrasiInstance {
		var list, placed v1alpha1.DrasiInstanceList
		Expect(world.client.List(ctx, &list)).To(Succeed())
		for _, item := range list.Items {
			if item.Status.Host == h.name || item.Spec.Placement != nil && item.Spec.Placement.Host == h.name {
				placed.Items = append(placed.Items, item)
			}
		}
		return placed.Items
	}
	for _, item := range mine() {
		Expect(client.IgnoreNotFound(world.client.Delete(ctx, &item))).To(Succeed())
	}
	Eventually(mine).Should(BeEmpty(), h.tail())
	Eventually(h.directories).Should(BeEmpty())
	h.stop()
	Expect(client.IgnoreNotFound(world.client.Delete(ctx, &v1alpha1.DrasiHost{ObjectMeta: objectMeta("", h.name)}))).To(Succeed())
}

// directories lists what the host keeps of instances.
func (h *host) directories() []string {
	entries, err := os.ReadDir(filepath.Join(h.stateDir, "instances"))
	if err != nil && !os.IsNotExist(err) {
		return []string{err.Error()}
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
