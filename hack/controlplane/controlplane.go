package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/rest"

	"github.com/draas-io/draas/hack/proc"
)

// Options say where a control plane comes from and where it lives.
type Options struct {
	// Assets has etcd and kube-apiserver.
	Assets string
	// Dir keeps certificates, keys, ports, data and logs; it is made when absent.
	Dir string
	// Volatile does without fsync: for tests, whose data nobody misses.
	Volatile bool
	// Clock is for the certificates' validity; nil means time.Now.
	Clock func() time.Time
	// Logf receives progress; nil drops it.
	Logf func(format string, args ...any)
}

// ControlPlane is an etcd and an API server on loopback.
type ControlPlane struct {
	opts  Options
	pki   *pki
	ports ports
	admin *rest.Config

	etcd, apiserver *proc.Process
}

// New prepares certificates, keys and ports in the directory, keeping those of an earlier run, and stops what an earlier run may have left running.
func New(ctx context.Context, opts Options) (*ControlPlane, error) {
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Logf == nil {
		opts.Logf = func(string, ...any) {}
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("make the control plane's directory absolute: %w", err)
	}
	opts.Dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the control plane's directory: %w", err)
	}
	cp := &ControlPlane{opts: opts}
	if err := cp.reapLeftovers(); err != nil {
		return nil, err
	}
	if cp.pki, err = loadPKI(filepath.Join(dir, "pki"), opts.Clock()); err != nil {
		return nil, err
	}
	if cp.ports, err = loadPorts(ctx, dir); err != nil {
		return nil, err
	}
	cp.admin, err = cp.adminConfig()
	return cp, err
}

// reapLeftovers ends what a supervisor that was itself killed left behind: it holds the ports and the data.
func (cp *ControlPlane) reapLeftovers() error {
	for _, name := range []string{apiserverName, etcdName} {
		found, err := proc.ReapLeftover(cp.pidFile(name), stopGrace)
		if err != nil {
			return err
		}
		if found {
			cp.opts.Logf("stopped the %s that an earlier run had left running", name)
		}
	}
	return nil
}

// Start starts etcd and the API server and waits until both are ready.
func (cp *ControlPlane) Start(ctx context.Context) error {
	if err := cp.StartEtcd(ctx); err != nil {
		return err
	}
	if err := cp.StartAPIServer(ctx); err != nil {
		return errors.Join(err, cp.Stop())
	}
	return nil
}

// Stop stops the API server, then etcd; the directory keeps everything for the next Start.
func (cp *ControlPlane) Stop() error { return errors.Join(cp.StopAPIServer(), cp.StopEtcd()) }

// Processes are the running parts, for who watches over them.
func (cp *ControlPlane) Processes() []*proc.Process {
	var running []*proc.Process
	for _, p := range []*proc.Process{cp.etcd, cp.apiserver} {
		if p != nil {
			running = append(running, p)
		}
	}
	return running
}

// URL is the API server's address.
func (cp *ControlPlane) URL() string {
	return "https://" + net.JoinHostPort(loopback, strconv.Itoa(cp.ports.APIServer))
}

// AdminConfig is a client configuration of the group system:masters.
func (cp *ControlPlane) AdminConfig() *rest.Config { return rest.CopyConfig(cp.admin) }

func (cp *ControlPlane) adminConfig() (*rest.Config, error) {
	c := &rest.Config{Host: cp.URL()}
	for file, into := range map[string]*[]byte{cp.pki.ca.certFile: &c.CAData, cp.pki.admin.certFile: &c.CertData, cp.pki.admin.keyFile: &c.KeyData} {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the administrator's certificate: %w", err)
		}
		*into = text
	}
	return c, nil
}

func (cp *ControlPlane) pidFile(name string) string {
	return filepath.Join(cp.opts.Dir, "pids", name)
}

func (cp *ControlPlane) start(name string, args []string) (*proc.Process, error) {
	return proc.Start(proc.Spec{
		Name: name, Path: filepath.Join(cp.opts.Assets, name), Args: args,
		Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cp.opts.Dir, "TMPDIR=" + os.TempDir()},
		Dir: cp.opts.Dir, Log: filepath.Join(cp.opts.Dir, "logs", name+".log"), PIDFile: cp.pidFile(name),
	})
}
