package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/draas-io/draas/hack/proc"
)

const (
	etcdName      = "etcd"
	apiserverName = "kube-apiserver"

	// stopGrace is what each part gets to end by itself; both take about a second.
	stopGrace = 20 * time.Second
	// readyInterval is how often a starting part is asked.
	readyInterval = 100 * time.Millisecond
	// sayInterval is how often a person who waits is told so.
	sayInterval = 2 * time.Second
	// askTimeout bounds one question.
	askTimeout = 3 * time.Second
)

// StartEtcd starts etcd on the kept data and waits until it accepts connections.
func (cp *ControlPlane) StartEtcd(ctx context.Context) error {
	address := net.JoinHostPort(loopback, strconv.Itoa(cp.ports.Etcd))
	// The peer port is the system's choice at every start: there is no peer that would have to know it.
	const peers = "https://" + loopback + ":0"
	args := []string{
		"--name=default", "--data-dir=" + filepath.Join(cp.opts.Dir, "etcd"), "--log-level=warn",
		"--listen-client-urls=https://" + address, "--advertise-client-urls=https://" + address,
		"--cert-file=" + cp.pki.etcd.certFile, "--key-file=" + cp.pki.etcd.keyFile, "--trusted-ca-file=" + cp.pki.etcdCA.certFile, "--client-cert-auth",
		"--listen-peer-urls=" + peers, "--initial-advertise-peer-urls=" + peers, "--initial-cluster=default=" + peers,
		"--peer-cert-file=" + cp.pki.etcd.certFile, "--peer-key-file=" + cp.pki.etcd.keyFile, "--peer-trusted-ca-file=" + cp.pki.etcdCA.certFile, "--peer-client-cert-auth",
	}
	if cp.opts.Volatile {
		args = append(args, "--unsafe-no-fsync")
	}
	p, err := cp.start(etcdName, args)
	if err != nil {
		return err
	}
	cp.etcd = p
	return cp.waitReady(ctx, p, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// StopEtcd stops etcd; its data stays.
func (cp *ControlPlane) StopEtcd() error { return stop(&cp.etcd) }

// StartAPIServer starts the API server, on the port that it had before, and waits until it says that it is ready.
func (cp *ControlPlane) StartAPIServer(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(cp.admin)
	if err != nil {
		return fmt.Errorf("make a client of the API server: %w", err)
	}
	p, err := cp.start(apiserverName, cp.apiserverArgs())
	if err != nil {
		return err
	}
	cp.apiserver = p
	return cp.waitReady(ctx, p, func(ctx context.Context) error {
		return client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

func (cp *ControlPlane) apiserverArgs() []string {
	const issuer = "https://kubernetes.default.svc"
	return []string{
		"--bind-address=" + loopback, "--secure-port=" + strconv.Itoa(cp.ports.APIServer),
		"--tls-cert-file=" + cp.pki.serving.certFile, "--tls-private-key-file=" + cp.pki.serving.keyFile, "--client-ca-file=" + cp.pki.ca.certFile,
		"--etcd-servers=https://" + net.JoinHostPort(loopback, strconv.Itoa(cp.ports.Etcd)),
		"--etcd-cafile=" + cp.pki.etcdCA.certFile, "--etcd-certfile=" + cp.pki.etcdClient.certFile, "--etcd-keyfile=" + cp.pki.etcdClient.keyFile,
		"--service-account-issuer=" + issuer, "--service-account-key-file=" + cp.pki.serviceAccountKey, "--service-account-signing-key-file=" + cp.pki.serviceAccountKey,
		"--authorization-mode=RBAC", "--anonymous-auth=false", "--profiling=false",
		// No Service of ours needs an endpoint of this API server, and loopback would be refused as one.
		"--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24",
	}
}

// StopAPIServer stops the API server; StartAPIServer brings it back with the same data and address.
func (cp *ControlPlane) StopAPIServer() error { return stop(&cp.apiserver) }

func stop(part **proc.Process) error {
	p := *part
	if p == nil {
		return nil
	}
	*part = nil
	return p.Stop(stopGrace)
}

// waitReady asks until the answer is good, the process has ended or the context has.
func (cp *ControlPlane) waitReady(ctx context.Context, p *proc.Process, ask func(context.Context) error) error {
	began := time.Now()
	poll, say := time.NewTicker(readyInterval), time.NewTicker(sayInterval)
	defer poll.Stop()
	defer say.Stop()
	var last error
	for {
		attempt, cancel := context.WithTimeout(ctx, askTimeout)
		last = ask(attempt)
		cancel()
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait for %s: %w (last answer: %w)", p.Name(), ctx.Err(), last), p.Stop(stopGrace))
		case <-p.Done():
			return &DiedError{Process: p}
		case <-say.C:
			cp.opts.Logf("waiting for %s (%s)", p.Name(), time.Since(began).Round(time.Second))
		case <-poll.C:
		}
	}
}

// DiedError says that a part ended unasked.
type DiedError struct{ Process *proc.Process }

// Error says how it ended and where its log is.
func (e *DiedError) Error() string {
	return fmt.Sprintf("%s; its log is %s", e.Process.Exited(), e.Process.Log())
}
