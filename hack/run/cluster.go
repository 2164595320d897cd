package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/client-go/dynamic"

	"github.com/draas-io/draas/hack/controlplane"
)

const (
	namespace = "draas-system"
	hostName  = "local"
	// tokenLife outlasts any run: tokens are issued anew at every start.
	tokenLife = 365 * 24 * time.Hour
	// startTimeout is for the control plane on a busy machine; on an idle one it takes 3 s.
	startTimeout = 3 * time.Minute
)

func (s *system) startControlPlane(ctx context.Context) error {
	cp, err := controlplane.New(ctx, controlplane.Options{
		Assets: s.assets, Dir: s.dir, Logf: func(format string, args ...any) { s.say("  … "+format, args...) },
	})
	if err != nil {
		return err
	}
	s.cp = cp
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s.say("starting etcd and kube-apiserver on %s", cp.URL())
	if err := cp.Start(ctx); err != nil {
		return err
	}
	for _, p := range cp.Processes() {
		s.watch(p)
	}
	if s.objects, err = dynamic.NewForConfig(cp.AdminConfig()); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	return controlplane.WriteKubeconfig(s.adminKubeconfig(), cp.AdminConfig())
}

// install applies what an administrator would, and gives controller and agent an identity each.
func (s *system) install(ctx context.Context) error {
	err := s.during("applying config/default", func() error {
		return errors.Join(
			s.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "--field-manager=make-run", "-k", "config/default"),
			s.kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "crd/drasiinstances.draas.io", "crd/drasihosts.draas.io"),
		)
	})
	if err != nil {
		return err
	}
	for _, role := range []string{controllerName, agentName} {
		config, err := controlplane.ServiceAccountConfig(ctx, s.cp.AdminConfig(), namespace, "draas-"+role, tokenLife)
		if err != nil {
			return err
		}
		if err := controlplane.WriteKubeconfig(s.kubeconfig(role), config); err != nil {
			return err
		}
	}
	return nil
}

func (s *system) adminKubeconfig() string { return filepath.Join(s.dir, "kubeconfig") }

func (s *system) kubectl(ctx context.Context, args ...string) error {
	args = append([]string{"--kubeconfig", s.adminKubeconfig(), "--cache-dir", filepath.Join(s.dir, "kubectl-cache")}, args...)
	if err := s.command(ctx, nil, filepath.Join(s.assets, "kubectl"), args...); err != nil {
		return fmt.Errorf("kubectl %s: %w", args[4], err)
	}
	return nil
}
