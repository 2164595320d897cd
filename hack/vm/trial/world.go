package trial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/dynamic"

	"github.com/draas-io/draas/hack/controlplane"
	"github.com/draas-io/draas/hack/controlplane/asset"
	"github.com/draas-io/draas/hack/proc"
	"github.com/draas-io/draas/hack/vm/machine"
)

const (
	namespace  = "draas-system"
	tokenLife  = 24 * time.Hour
	stopGrace  = 15 * time.Second
	serverName = "127.0.0.1" // in the API server's certificate
)

// world is what runs on this side: a control plane and a controller, and what was built for the machine.
type world struct {
	dir        string
	assets     string
	cp         *controlplane.ControlPlane
	controller *proc.Process
	objects    dynamic.Interface
	log        io.Writer
}

// build compiles what the machine gets.
func (w *world) build(ctx context.Context) error {
	var err error
	if w.assets, err = (&asset.Resolver{Root: ".", Log: w.log}).Resolve(ctx); err != nil {
		return err
	}
	for out, from := range map[string]string{w.manager(): "./cmd/manager", w.server(): "./test/drasisim", w.path("mkplugins"): "./test/drasisim/mkplugins"} {
		if err := w.command(ctx, "", "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, from); err != nil {
			return err
		}
	}
	return w.command(ctx, "", w.path("mkplugins"), w.plugins())
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }
func (w *world) manager() string         { return w.path("manager") }
func (w *world) server() string          { return w.path("drasi-server") }
func (w *world) plugins() string         { return w.path("plugins") }
func (w *world) kubeconfig() string      { return w.path("admin.kubeconfig") }

// files are laid out in the machine like a checkout, where docs/hosts.md has its commands run; the server is where a person would put it.
func (w *world) files() []machine.File {
	return []machine.File{
		{From: w.manager(), To: "draas/bin/manager"},
		{From: "config/systemd", To: "draas/config/systemd"},
		{From: w.server(), To: "drasi/0.2.2/drasi-server"},
		{From: w.plugins(), To: "drasi/0.2.2/plugins"},
	}
}

// start brings up the control plane with everything of DRaaS in it, and the controller.
func (w *world) start(ctx context.Context) error {
	cp, err := controlplane.New(ctx, controlplane.Options{Assets: w.assets, Dir: w.path("cluster"), Volatile: true})
	if err != nil {
		return err
	}
	w.cp = cp
	if err := cp.Start(ctx); err != nil {
		return err
	}
	if w.objects, err = dynamic.NewForConfig(cp.AdminConfig()); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if err := controlplane.WriteKubeconfig(w.kubeconfig(), cp.AdminConfig()); err != nil {
		return err
	}
	if err := errors.Join(
		w.administrator(ctx, "kubectl apply --server-side -k config/default"),
		w.administrator(ctx, "kubectl wait --for=condition=Established --timeout=60s crd/drasiinstances.draas.io crd/drasihosts.draas.io"),
	); err != nil {
		return err
	}
	access, err := controlplane.ServiceAccountConfig(ctx, cp.AdminConfig(), namespace, "draas-controller", tokenLife)
	if err != nil {
		return err
	}
	if err := controlplane.WriteKubeconfig(w.path("controller.kubeconfig"), access); err != nil {
		return err
	}
	w.controller, err = proc.Start(proc.Spec{
		Name: "controller", Path: w.manager(), Dir: w.dir, Log: w.path("controller.log"), PIDFile: w.path("controller.pid"),
		Args: []string{"controller", "--metrics-bind-address=0", "--health-probe-bind-address=0", "--kubeconfig", w.path("controller.kubeconfig"), "--namespace", namespace},
		Env:  []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir},
	})
	return err
}

// stop ends what was started here.
func (w *world) stop() error {
	var errs []error
	if w.controller != nil {
		errs = append(errs, w.controller.Stop(stopGrace))
	}
	if w.cp != nil {
		errs = append(errs, w.cp.Stop())
	}
	return errors.Join(errs...)
}

// administrator runs commands at the root of the repository with kubectl and the administrator's credentials.
func (w *world) administrator(ctx context.Context, script string) error {
	return w.command(ctx, w.kubeconfig(), "sh", "-euc", script)
}

func (w *world) command(ctx context.Context, kubeconfig, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "PATH="+w.assets+":"+os.Getenv("PATH"), "KUBECONFIG="+kubeconfig, "KUBECACHEDIR="+w.path("kubectl-cache"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// addressInside is where the machine reaches the API server.
func (w *world) addressInside() (string, error) {
	u, err := url.Parse(w.cp.URL())
	if err != nil {
		return "", fmt.Errorf("read the API server's address: %w", err)
	}
	return "https://" + machine.HostAddress + ":" + u.Port(), nil
}
