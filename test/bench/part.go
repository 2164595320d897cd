//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/hack/proc"
)

const (
	namespaceSystem = "draas-system"
	// partGrace is for a part to end by itself.
	partGrace = 20 * time.Second
)

// part is the controller or an agent: a process of the product's binary with the rights of its ServiceAccount.
type part struct {
	name    string
	spec    proc.Spec
	metrics string
	process *proc.Process
	// began is taken just before the fork.
	began instant
	from  int64
}

// newPart prepares a part.
func (w *world) newPart(ctx context.Context, name, role, kubeconfig string, args ...string) (*part, error) {
	metrics, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	all := append([]string{role, "--kubeconfig", kubeconfig, "--metrics-bind-address", metrics, "--health-probe-bind-address", "0"}, args...)
	return &part{name: name, metrics: metrics, spec: proc.Spec{
		Name: name, Path: w.manager, Args: all, Dir: w.dir, Log: filepath.Join(w.dir, name+".log"),
		Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TMPDIR=" + os.TempDir()},
	}}, nil
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// start runs the part.
func (p *part) start() error {
	if info, err := os.Stat(p.spec.Log); err == nil {
		p.from = info.Size()
	}
	p.began = now()
	process, err := proc.Start(p.spec)
	p.process = process
	return err
}

// stop ends the part as an administrator does. None is fine.
func (p *part) stop() error {
	if p == nil || p.process == nil {
		return nil
	}
	process := p.process
	p.process = nil
	return process.Stop(partGrace)
}

// kill ends the part as a crash does.
func (p *part) kill() error {
	process := p.process
	p.process = nil
	if err := process.Kill(); err != nil && !errors.Is(err, proc.ErrKilled) {
		return err
	}
	return nil
}

// said says whether this run's log has a text.
func (p *part) said(text string) bool {
	file, err := os.Open(p.spec.Log)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil || info.Size() <= p.from {
		return false
	}
	content := make([]byte, info.Size()-p.from)
	if _, err := file.ReadAt(content, p.from); err != nil {
		return false
	}
	return bytes.Contains(content, []byte(text))
}

// startController starts the controller, once.
func (w *world) startController(ctx context.Context) error {
	if w.controller == nil {
		kubeconfig, _, err := w.account(ctx, "draas-controller")
		if err != nil {
			return err
		}
		if w.controller, err = w.newPart(ctx, "controller", "controller", kubeconfig, "--namespace", namespaceSystem, "--leader-elect"); err != nil {
			return err
		}
	}
	if w.controller.process != nil {
		return nil
	}
	if err := w.controller.start(); err != nil {
		return err
	}
	return until(ctx, "the controller to lead and to have synced", func() (bool, error) {
		return w.controller.said("Starting workers"), w.controller.process.Exited()
	})
}

// host is a machine with an agent.
type host struct {
	*part
	world    *world
	stateDir string
}

// startHost registers a host with an agent and waits until it is ready.
func (w *world) startHost(ctx context.Context) (*host, error) {
	w.hosts++
	name := "bench-" + strconv.Itoa(w.hosts)
	kubeconfig, _, err := w.account(ctx, "draas-agent")
	if err != nil {
		return nil, err
	}
	h := &host{world: w, stateDir: filepath.Join(w.dir, name)}
	if err := os.MkdirAll(h.stateDir, 0o700); err != nil {
		return nil, fmt.Errorf("make a state directory: %w", err)
	}
	h.part, err = w.newPart(ctx, name, "agent", kubeconfig, "--host", name, "--state-dir", h.stateDir, "--drasi-server", w.server,
		"--plugins-dir", w.plugins, "--address", "127.0.0.1", "--port-range", "20000-23999")
	if err != nil {
		return nil, err
	}
	if err := h.start(); err != nil {
		return nil, err
	}
	err = until(ctx, "host "+name+" to be ready", func() (bool, error) {
		object := &v1alpha1.DrasiHost{}
		err := w.client.Get(ctx, client.ObjectKey{Name: name}, object)
		ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
		return err == nil && ready != nil && ready.Status == metav1.ConditionTrue, errors.Join(h.process.Exited(), client.IgnoreNotFound(err))
	})
	if err != nil {
		return nil, errors.Join(err, h.stop())
	}
	return h, nil
}

// end deletes the host's instances, waits until they are gone, and ends the agent.
func (h *host) end(ctx context.Context) error {
	if h == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*patience)
	defer cancel()
	var errs []error
	if h.process == nil {
		errs = append(errs, h.start())
	}
	deleted := h.world.deleteAll(ctx)
	errs = append(errs, deleted, h.stop())
	if deleted != nil {
		errs = append(errs, killBelow(h.instances()))
	}
	object := &v1alpha1.DrasiHost{ObjectMeta: metav1.ObjectMeta{Name: h.name}}
	errs = append(errs, client.IgnoreNotFound(h.world.client.Delete(ctx, object)))
	return errors.Join(errs...)
}

// killBelow kills the servers whose configuration is below a directory: what no agent could be told to stop must not outlive the harness.
func killBelow(dir string) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("look for servers that are left: %w", err)
	}
	var errs []error
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// A process that has ended meanwhile has no arguments.
		if args, _, err := commandOf(pid); err == nil && strings.HasPrefix(valueOf(args, "--config"), dir+"/") {
			errs = append(errs, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	return errors.Join(errs...)
}

// instances is the directory below which the agent keeps its instances.
func (h *host) instances() string { return filepath.Join(h.stateDir, "instances") }

// until polls until a condition holds.
func until(ctx context.Context, what string, holds func() (bool, error)) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		done, err := holds()
		if err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		if done {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		}
	}
	return fmt.Errorf("waited %v for %s in vain", patience, what)
}

// pidOf is the process of a server, as its instance's status tells.
func pidOf(instance *v1alpha1.DrasiInstance) int {
	if instance.Status.Runtime == nil || instance.Status.Runtime.Process == nil {
		return 0
	}
	return int(instance.Status.Runtime.Process.PID)
}

// commandOf reads the arguments and the environment of a process.
func commandOf(pid int) (args, env []string, err error) {
	for name, into := range map[string]*[]string{"cmdline": &args, "environ": &env} {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + name)
		if err != nil {
			return nil, nil, fmt.Errorf("read how a server was started: %w", err)
		}
		*into = strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	}
	return args, env, nil
}
