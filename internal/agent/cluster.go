package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// +kubebuilder:rbac:groups="",resources=namespaces,resourceNames=kube-system,verbs=get

const (
	// clusterFile is the file of the state directory that names the cluster: the UID of its kube-system namespace, which lives as long as it.
	clusterFile = "cluster"
	// confirmTimeout bounds the question which cluster an API server is of.
	confirmTimeout = 10 * time.Second
	// dialTimeout and dialKeepAlive are those of client-go's own connections.
	dialTimeout   = 30 * time.Second
	dialKeepAlive = 30 * time.Second
)

// errOtherCluster says that the API server is that of another cluster than the state directory's servers belong to.
var errOtherCluster = errors.New("the API server is that of another cluster")

// clusterForm is what the UID of a namespace looks like.
var clusterForm = regexp.MustCompile(`^[0-9A-Za-z-]{8,64}$`)

// binding binds the state directory to the cluster that its servers belong to. Nothing is taken from another cluster's API server: there all
// instances would seem to be gone, or be other people's.
type binding struct {
	file string
	log  logr.Logger

	mu sync.Mutex
	// uid is what the state directory is bound to; empty: not read yet, or not bound.
	uid string
}

func newBinding(stateDir string, log logr.Logger) *binding {
	return &binding{file: filepath.Join(stateDir, clusterFile), log: log}
}

// guard returns a configuration whose connections all lead to the cluster: after each connection is made, and before it is used, the API server
// is asked whose it is. A cluster can be swapped behind an address only by breaking connections.
func (b *binding) guard(config *rest.Config) *rest.Config {
	guarded, plain := rest.CopyConfig(config), rest.CopyConfig(config)
	dial := config.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: dialKeepAlive}).DialContext
	}
	guarded.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if err := b.confirm(ctx, plain); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
	return guarded
}

// confirm asks the API server, on a connection of its own, whose it is. At the first contact ever the state directory is bound to it.
func (b *binding) confirm(ctx context.Context, config *rest.Config) error {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	config = rest.CopyConfig(config)
	if config.Proxy == nil {
		// What client-go does by default. A configuration with a function has a transport of its own, and so no connection of an earlier question.
		config.Proxy = http.ProxyFromEnvironment
	}
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("set up the question for the cluster's identity: %w", err)
	}
	defer utilnet.CloseIdleConnectionsFor(transport.Transport)
	api, err := corev1client.NewForConfigAndClient(config, transport)
	if err != nil {
		return fmt.Errorf("set up the question for the cluster's identity: %w", err)
	}
	namespace, err := api.Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("ask for the cluster's identity, the UID of namespace %s: %w", metav1.NamespaceSystem, err)
	}
	return b.match(string(namespace.UID))
}

// match compares a cluster's identity with that of the state directory, or binds the directory to it.
func (b *binding) match(uid string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !clusterForm.MatchString(uid) {
		return fmt.Errorf("namespace %s has the UID %q, which identifies no cluster", metav1.NamespaceSystem, uid)
	}
	if b.uid == "" {
		bound, err := b.read()
		if err != nil {
			return err
		}
		if bound == "" {
			if err := replace(b.file, []byte(uid+"\n")); err != nil {
				return fmt.Errorf("bind the state directory to the cluster: %w", err)
			}
			b.log.Info("Bound the state directory to the cluster", "cluster", uid)
			bound = uid
		}
		b.uid = bound
	}
	if uid != b.uid {
		return fmt.Errorf("%w: its namespace %s has the UID %s, and %s says %s; nothing is taken from it and nothing written to it",
			errOtherCluster, metav1.NamespaceSystem, uid, b.file, b.uid)
	}
	return nil
}

// read returns what the state directory is bound to; "": nothing yet.
func (b *binding) read() (string, error) {
	data, err := os.ReadFile(b.file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read which cluster the state directory belongs to: %w", err)
	}
	uid := strings.TrimSpace(string(data))
	if !clusterForm.MatchString(uid) {
		return "", fmt.Errorf("the file %s does not name a cluster: write the UID of the right cluster's namespace %s into it", b.file, metav1.NamespaceSystem)
	}
	return uid, nil
}
