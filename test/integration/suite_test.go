// Package integration_test runs the whole product: a real etcd and kube-apiserver, the real controller and agents as processes of their own with the
// rights of their ServiceAccounts, and servers as processes of the agents. Only drasi-server is simulated (test/drasisim).
package integration_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/hack/controlplane"
	"github.com/draas-io/draas/hack/proc"
)

func TestIntegration(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "integration")
}

// world is what the suite's specs share.
var world struct {
	dir         string // of this run of the suite
	assets      string
	plane       *controlplane.ControlPlane
	env         *envtest.Environment
	admin       *rest.Config
	client      client.WithWatch
	manager     string // the product's binary
	server      string // the simulated server
	plugins     string
	controller  *part
	adminConfig string // a kubeconfig file
}

const (
	// patience is how long a spec waits for what must come. Nothing is measured by it.
	patience = 60 * time.Second
	polling  = 20 * time.Millisecond
)

var _ = BeforeSuite(func(ctx SpecContext) {
	logf.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(polling)

	world.assets = os.Getenv("KUBEBUILDER_ASSETS")
	Expect(world.assets).NotTo(BeEmpty(), "KUBEBUILDER_ASSETS must name a directory with etcd, kube-apiserver and kubectl: run `make test`")
	world.dir = GinkgoT().TempDir()
	// Servers may have user ids of their own: they must get to their directories, to the executable and to where they write themselves down.
	Expect(os.Chmod(world.dir, 0o755)).To(Succeed())
	Expect(os.Mkdir(filepath.Dir(record("")), 0o777)).To(Succeed())
	Expect(os.Chmod(filepath.Dir(record("")), 0o777)).To(Succeed())
	build(ctx)

	var err error
	world.plane, err = controlplane.New(ctx, controlplane.Options{
		Assets: world.assets, Dir: filepath.Join(world.dir, "plane"), Volatile: true, Logf: func(format string, args ...any) { fmt.Fprintf(GinkgoWriter, format+"\n", args...) },
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(world.plane.Start(ctx)).To(Succeed())
	// It keeps nothing: it may take too long to end and be killed.
	DeferCleanup(func() { Expect(world.plane.Stop()).To(Or(Succeed(), MatchError(proc.ErrKilled))) })
	world.admin = world.plane.AdminConfig()
	world.admin.QPS = -1 // the specs' own speed is not what is tested
	world.adminConfig = filepath.Join(world.dir, "admin.kubeconfig")
	Expect(controlplane.WriteKubeconfig(world.adminConfig, world.admin)).To(Succeed())

	install(ctx)
	world.controller = startController("controller")
	DeferCleanup(func() { world.controller.stop() })
}, NodeTimeout(10*time.Minute))

// build builds the binaries that the specs run.
func build(ctx context.Context) {
	GinkgoHelper()
	bin := filepath.Join(world.dir, "bin")
	world.manager, world.server, world.plugins = filepath.Join(bin, "manager"), filepath.Join(bin, "drasi-server"), filepath.Join(world.dir, "plugins")
	managerFlags := []string{"build", "-o", world.manager}
	if raceEnabled {
		managerFlags = append(managerFlags, "-race")
	}
	run(ctx, "go", append(managerFlags, "github.com/draas-io/draas/cmd/manager")...)
	run(ctx, "go", "build", "-o", world.server, "github.com/draas-io/draas/test/drasisim")
	run(ctx, "go", "run", "github.com/draas-io/draas/test/drasisim/mkplugins", world.plugins)
}

// install brings everything into the API server that config/default has.
func install(ctx context.Context) {
	GinkgoHelper()
	root, err := filepath.Abs("../..")
	Expect(err).NotTo(HaveOccurred())
	_, err = envtest.InstallCRDs(world.admin, envtest.CRDInstallOptions{Paths: []string{filepath.Join(root, "config", "crd", "bases")}})
	Expect(err).NotTo(HaveOccurred())
	kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(root, "config", "default"))

	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	world.client, err = client.NewWithWatch(world.admin, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
}

// kubectl runs kubectl as an administrator and returns what it printed.
func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return run(ctx, filepath.Join(world.assets, "kubectl"), append([]string{"--kubeconfig", world.adminConfig}, args...)...)
}

// run runs a command and returns what it printed.
func run(ctx context.Context, name string, args ...string) string {
	GinkgoHelper()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), fmt.Sprintf("%s %s:\n%s", name, strings.Join(args, " "), out))
	return string(out)
}
