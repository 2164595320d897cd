package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/draas-io/draas/hack/controlplane/asset"
)

// findAssets finds or makes etcd, kube-apiserver and kubectl, and puts kubectl where a person finds it.
func (s *system) findAssets(ctx context.Context) error {
	dir, err := (&asset.Resolver{Root: s.root, Log: s}).Resolve(ctx)
	if err != nil {
		return err
	}
	s.assets = dir
	s.say("control plane binaries: %s", dir)
	bin := filepath.Join(s.dir, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", bin, err)
	}
	link := filepath.Join(bin, "kubectl")
	if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("replace %s: %w", link, err)
	}
	if err := os.Symlink(filepath.Join(dir, "kubectl"), link); err != nil {
		return fmt.Errorf("link kubectl: %w", err)
	}
	return nil
}

// build makes the manager and, where no real server was named, the simulated one with its plugins.
func (s *system) build(ctx context.Context) error {
	s.manager = filepath.Join(s.root, "bin", "manager")
	if err := s.goBuild(ctx, s.manager, "./cmd/manager"); err != nil {
		return err
	}
	if s.drasiServer != "" {
		s.say("the server is %s, its plugins are in %s", s.drasiServer, s.pluginsDir)
		return nil
	}
	sim := filepath.Join(s.dir, "drasisim")
	s.drasiServer, s.pluginsDir = filepath.Join(sim, "drasi-server"), filepath.Join(sim, "plugins")
	if err := s.goBuild(ctx, s.drasiServer, "./test/drasisim"); err != nil {
		return err
	}
	mkplugins := filepath.Join(sim, "mkplugins")
	if err := s.goBuild(ctx, mkplugins, "./test/drasisim/mkplugins"); err != nil {
		return err
	}
	if err := s.command(ctx, nil, mkplugins, s.pluginsDir); err != nil {
		return fmt.Errorf("make the simulator's plugins: %w", err)
	}
	s.say("NOTE: no DRASI_SERVER was given, so the SIMULATOR is used: it starts, stops, listens and answers like drasi-server, and processes NO DATA")
	return nil
}

func (s *system) goBuild(ctx context.Context, out, pkg string) error {
	name, err := filepath.Rel(s.root, out)
	if err != nil {
		name = out
	}
	return s.during("building "+name, func() error {
		if err := s.command(ctx, []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-o", out, pkg); err != nil {
			return fmt.Errorf("build %s: %w", pkg, err)
		}
		return nil
	})
}

// command runs a command in the repository; what it prints is told only when it fails.
func (s *system) command(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = s.root, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}
