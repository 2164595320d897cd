//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/hack/controlplane"
	"github.com/draas-io/draas/hack/controlplane/asset"
)

const (
	// startTimeout is for the control plane, also on a busy machine.
	startTimeout = 3 * time.Minute
	// patience is how long the harness waits for anything before it gives up.
	patience = 2 * time.Minute
	// tokenLife outlasts any run.
	tokenLife = 7 * 24 * time.Hour
)

// world is what the cases share: a control plane, the binaries, and the rights of the product's parts.
type world struct {
	options options
	root    string
	dir     string

	manager, server, plugins string

	plane  *controlplane.ControlPlane
	admin  *rest.Config
	client client.WithWatch
	audit  audit
	record *record

	controller *part
	hosts      int
	ports      uint16
}

// up builds everything and starts the control plane. What it has started is down's to stop, also after an error.
func (w *world) up(ctx context.Context) error {
	for _, step := range []func(context.Context) error{w.build, w.startPlane, w.install} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// build builds the manager, and the simulated server unless a real one was given.
func (w *world) build(ctx context.Context) error {
	w.manager, w.server, w.plugins = w.options.manager, w.options.server, w.options.plugins
	bin := filepath.Join(w.dir, "bin")
	if w.manager == "" {
		w.manager = filepath.Join(bin, "manager")
		if err := w.goBuild(ctx, w.manager, "./cmd/manager"); err != nil {
			return err
		}
	}
	if w.server == "" {
		w.server, w.plugins = filepath.Join(bin, "drasi-server"), filepath.Join(w.dir, "plugins")
		if err := w.goBuild(ctx, w.server, "./test/drasisim"); err != nil {
			return err
		}
		mkplugins := filepath.Join(bin, "mkplugins")
		if err := w.goBuild(ctx, mkplugins, "./test/drasisim/mkplugins"); err != nil {
			return err
		}
		if err := w.run(ctx, mkplugins, w.plugins); err != nil {
			return err
		}
	}
	var err error
	w.record, err = newRecord(filepath.Join(w.dir, "records"))
	return err
}

func (w *world) goBuild(ctx context.Context, out, pkg string) error {
	say("building %s", pkg)
	return w.run(ctx, "go", "build", "-trimpath", "-o", out, pkg)
}

// run runs a command in the repository; what it prints is told only when it fails.
func (w *world) run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = w.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return nil
}

// startPlane starts etcd and an API server that logs writes.
func (w *world) startPlane(ctx context.Context) error {
	assets, err := (&asset.Resolver{Root: w.root, Log: progress{}}).Resolve(ctx)
	if err != nil {
		return err
	}
	flags, err := w.audit.install(w.dir)
	if err != nil {
		return err
	}
	wrapped, err := wrap(assets, filepath.Join(w.dir, "assets"), flags)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	say("starting etcd and kube-apiserver")
	w.plane, err = controlplane.New(ctx, controlplane.Options{
		Assets: wrapped, Dir: filepath.Join(w.dir, "plane"), Volatile: w.options.etcd == etcdVolatile, Logf: say,
	})
	if err != nil {
		return err
	}
	if err := w.plane.Start(ctx); err != nil {
		return err
	}
	w.admin = w.plane.AdminConfig()
	w.admin.QPS = -1 // the API server's own flow control is the limit
	return controlplane.WriteKubeconfig(filepath.Join(w.dir, "admin.kubeconfig"), w.admin)
}

// wrap makes a directory of binaries whose kube-apiserver has further flags. The shell that adds them is replaced by it.
func wrap(assets, dir string, flags []string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the directory of binaries: %w", err)
	}
	for _, name := range []string{"etcd", "kubectl"} {
		if err := os.Symlink(filepath.Join(assets, name), filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("link %s: %w", name, err)
		}
	}
	quoted := make([]string, 0, len(flags))
	for _, flag := range append([]string{filepath.Join(assets, "kube-apiserver")}, flags...) {
		quoted = append(quoted, "'"+strings.ReplaceAll(flag, "'", `'\''`)+"'")
	}
	script := "#!/bin/sh\nexec " + quoted[0] + ` "$@" ` + strings.Join(quoted[1:], " ") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "kube-apiserver"), []byte(script), 0o700); err != nil {
		return "", fmt.Errorf("write the start script of kube-apiserver: %w", err)
	}
	return dir, nil
}

// install brings everything into the API server that config/default has.
func (w *world) install(ctx context.Context) error {
	kubectl := func(args ...string) error {
		common := []string{"--kubeconfig", filepath.Join(w.dir, "admin.kubeconfig"), "--cache-dir", filepath.Join(w.dir, "kubectl-cache")}
		return w.run(ctx, filepath.Join(w.dir, "assets", "kubectl"), append(common, args...)...)
	}
	if err := kubectl("apply", "--server-side", "-k", "config/default"); err != nil {
		return err
	}
	if err := kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd/drasiinstances.draas.io", "crd/drasihosts.draas.io"); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme))
	if err != nil {
		return fmt.Errorf("register the types: %w", err)
	}
	w.client, err = client.NewWithWatch(w.admin, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	return nil
}

// account gives a part of the product its own credentials: those of its ServiceAccount and nothing else.
func (w *world) account(ctx context.Context, name string) (string, *rest.Config, error) {
	config, err := controlplane.ServiceAccountConfig(ctx, w.admin, namespaceSystem, name, tokenLife)
	if err != nil {
		return "", nil, err
	}
	file := filepath.Join(w.dir, name+".kubeconfig")
	return file, config, controlplane.WriteKubeconfig(file, config)
}

// down stops what is left.
func (w *world) down() error {
	errs := []error{w.controller.stop()}
	if w.plane != nil {
		errs = append(errs, w.plane.Stop())
	}
	return errors.Join(errs...)
}

// port gives out ports below the kernel's ephemeral range that agents do not use, in turn.
func (w *world) port() uint16 {
	const first, last = 24000, 31999
	if w.ports < first || w.ports >= last {
		w.ports = first
	}
	w.ports++
	return w.ports
}
