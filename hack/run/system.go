package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"

	"github.com/draas-io/draas/hack/controlplane"
	"github.com/draas-io/draas/hack/proc"
)

const (
	controllerName = "controller"
	agentName      = "agent"

	// agentGrace covers the graceful stop of every server: their own default grace is 60 s.
	agentGrace = 90 * time.Second
	// partGrace is for a part that has nothing to stop but itself.
	partGrace = 15 * time.Second
)

// system is everything that runs.
type system struct {
	options
	begun time.Time
	fail  context.CancelCauseFunc

	mu  sync.Mutex // of out
	out io.Writer

	assets     string
	manager    string
	cp         *controlplane.ControlPlane
	objects    dynamic.Interface
	keptSample bool // the sample is an earlier run's, and a person may have changed it
	sampleNews string
	endpoints  []endpoint

	controller, agent *proc.Process

	watched struct {
		sync.Mutex
		stopping bool
		parts    []*proc.Process
	}
}

func newSystem(o options, out io.Writer, fail context.CancelCauseFunc) *system {
	return &system{options: o, begun: time.Now(), fail: fail, out: out}
}

// up goes from nothing to a sample instance that is Ready.
func (s *system) up(ctx context.Context) error {
	s.say("a local DRaaS; state in %s, logs in %s", s.dir, filepath.Join(s.dir, "logs"))
	for _, step := range []func(context.Context) error{
		s.reapLeftovers, s.findAssets, s.build, s.startControlPlane, s.install, s.startController, s.startAgent, s.waitHost, s.applySample, s.waitSample,
	} {
		if err := step(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// reapLeftovers stops the agent and controller of a run that was itself killed; the control plane does the same for its parts.
func (s *system) reapLeftovers(context.Context) error {
	for _, part := range []struct {
		name  string
		grace time.Duration
	}{{agentName, agentGrace}, {controllerName, partGrace}} {
		found, err := proc.ReapLeftover(s.pidFile(part.name), part.grace)
		if err != nil {
			return err
		}
		if found {
			s.say("stopped the %s that an earlier run had left running", part.name)
		}
	}
	return nil
}

func (s *system) startController(context.Context) error {
	p, err := s.startManager(controllerName, "--kubeconfig", s.kubeconfig(controllerName), "--namespace", namespace)
	s.controller = p
	return err
}

func (s *system) startAgent(context.Context) error {
	flags := append([]string{
		"--kubeconfig", s.kubeconfig(agentName), "--host", hostName, "--state-dir", filepath.Join(s.dir, "state"),
		"--drasi-server", s.drasiServer, "--plugins-dir", s.pluginsDir, "--address", "127.0.0.1", "--stop-servers-on-exit",
	}, s.userFlags()...)
	p, err := s.startManager(agentName, flags...)
	s.agent = p
	return err
}

// startManager starts the manager's binary in a role of its own, with nothing of this program's environment but what any program needs.
func (s *system) startManager(role string, args ...string) (*proc.Process, error) {
	p, err := proc.Start(proc.Spec{
		Name: role, Path: s.manager, Dir: s.dir,
		// No fixed ports: something else on this machine may have them.
		Args: append([]string{role, "--metrics-bind-address=0", "--health-probe-bind-address=0"}, args...),
		Env:  []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()},
		Log:  filepath.Join(s.dir, "logs", role+".log"), PIDFile: s.pidFile(role),
	})
	if err != nil {
		return nil, err
	}
	s.say("started the %s (PID %d), as its own ServiceAccount", role, p.PID())
	s.watch(p)
	return p, nil
}

// watch ends the run when a part ends unasked.
func (s *system) watch(p *proc.Process) {
	s.watched.Lock()
	defer s.watched.Unlock()
	s.watched.parts = append(s.watched.parts, p)
	go func() {
		<-p.Done()
		s.watched.Lock()
		defer s.watched.Unlock()
		if !s.watched.stopping {
			s.fail(&controlplane.DiedError{Process: p})
		}
	}()
}

// down stops everything in order: the agent with its servers, the controller, the API server, etcd. A second Ctrl-C kills what is left.
func (s *system) down(hurry <-chan struct{}) error {
	s.watched.Lock()
	s.watched.stopping = true
	s.watched.Unlock()
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		select {
		case <-stopped:
		case <-hurry:
			s.say("killing what is left; a server may run on, and the next run finds it")
			s.killAll()
		}
	}()
	var errs []error
	if p := s.agent; p != nil {
		errs = append(errs, s.stop("stopping the agent and the servers it runs", p, func() error { return p.Stop(agentGrace) }))
	}
	if p := s.controller; p != nil {
		errs = append(errs, s.stop("stopping the controller", p, func() error { return p.Stop(partGrace) }))
	}
	if s.cp != nil && len(s.cp.Processes()) > 0 {
		errs = append(errs,
			s.during("stopping kube-apiserver", s.cp.StopAPIServer),
			s.during("stopping etcd", s.cp.StopEtcd))
	}
	s.say("all stopped; the state stays in %s for the next run", s.dir)
	return errors.Join(errs...)
}

func (s *system) stop(what string, p *proc.Process, do func() error) error {
	if err := p.Exited(); err != nil {
		s.say("%v; its log is %s", err, p.Log())
		if p == s.agent {
			s.say("the servers that it ran may run on: the next run finds them")
		}
		return nil
	}
	return s.during(what, do)
}

func (s *system) killAll() {
	s.watched.Lock()
	defer s.watched.Unlock()
	for _, p := range s.watched.parts {
		_ = p.Kill() // who stops it in turn reports it
	}
}

func (s *system) pidFile(name string) string { return filepath.Join(s.dir, "pids", name) }

func (s *system) kubeconfig(name string) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s.kubeconfig", name))
}
