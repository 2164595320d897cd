package agent

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

const (
	ourCluster   = "11111111-2222-3333-4444-555555555555"
	otherCluster = "99999999-2222-3333-4444-555555555555"
)

// apiServer is an address behind which clusters can be swapped.
type apiServer struct {
	*httptest.Server

	mu      sync.Mutex
	cluster string
	// requests are those beside the question for the identity.
	requests []string
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{cluster: ourCluster}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.URL.Path != "/api/v1/namespaces/kube-system" {
			s.requests = append(s.requests, r.Method+" "+r.URL.Path)
			return
		}
		namespace := corev1.Namespace{}
		namespace.APIVersion, namespace.Kind, namespace.Name, namespace.UID = "v1", "Namespace", "kube-system", typesUID(s.cluster)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(namespace)
	}))
	t.Cleanup(s.Close)
	return s
}

// swap puts another cluster behind the address, which breaks all connections.
func (s *apiServer) swap(cluster string) {
	s.mu.Lock()
	s.cluster = cluster
	s.mu.Unlock()
	s.CloseClientConnections()
}

func (s *apiServer) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// post writes something through a guarded client.
func post(t *testing.T, client *http.Client, url string) error {
	t.Helper()
	reply, err := client.Post(url+"/write", "text/plain", strings.NewReader("x"))
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, reply.Body)
	return reply.Body.Close()
}

func TestNothingReachesAnotherClusterBehindTheSameAddress(t *testing.T) {
	server := newAPIServer(t)
	dir := t.TempDir()
	binding := newBinding(dir, logr.Discard())
	client, err := rest.HTTPClientFor(binding.guard(&rest.Config{Host: server.URL}))
	if err != nil {
		t.Fatal(err)
	}
	if err := post(t, client, server.URL); err != nil {
		t.Fatal(err)
	}
	if bound, err := os.ReadFile(filepath.Join(dir, clusterFile)); err != nil || strings.TrimSpace(string(bound)) != ourCluster {
		t.Fatalf("bound to %q, %v", bound, err)
	}
	server.swap(otherCluster)
	for range 3 {
		err = post(t, client, server.URL) // the first may find its connection broken
		if err == nil {
			t.Error("no error")
		}
	}
	if !errors.Is(err, errOtherCluster) {
		t.Errorf("error %v", err)
	}
	if got := server.seen(); len(got) != 1 {
		t.Errorf("the other cluster got %v", got[1:])
	}
	server.swap(ourCluster)
	if err := post(t, client, server.URL); err != nil {
		t.Errorf("the right cluster is back: %v", err)
	}
	if got := server.seen(); len(got) != 2 {
		t.Errorf("requests %v", got)
	}
}

func TestTheBindingOutlivesTheAgent(t *testing.T) {
	server := newAPIServer(t)
	dir := t.TempDir()
	config := &rest.Config{Host: server.URL}
	if err := newBinding(dir, logr.Discard()).confirm(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	server.swap(otherCluster)
	err := newBinding(dir, logr.Discard()).confirm(t.Context(), config)
	if !errors.Is(err, errOtherCluster) || !strings.Contains(err.Error(), ourCluster) || !strings.Contains(err.Error(), otherCluster) {
		t.Errorf("error %v", err)
	}
	if err := os.Remove(filepath.Join(dir, clusterFile)); err != nil {
		t.Fatal(err)
	}
	if err := newBinding(dir, logr.Discard()).confirm(t.Context(), config); err != nil {
		t.Errorf("a person has unbound it: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

func TestAStateDirectoryThatCannotBeUnderstoodIsBoundToNothing(t *testing.T) {
	server := newAPIServer(t)
	dir := t.TempDir()
	file := filepath.Join(dir, clusterFile)
	for _, content := range []string{"", "\n", "../../etc", strings.Repeat("a", 100)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := newBinding(dir, logr.Discard()).confirm(t.Context(), &rest.Config{Host: server.URL}); err == nil {
			t.Errorf("%q was taken for a cluster", content)
		}
		if now, err := os.ReadFile(file); err != nil || string(now) != content {
			t.Errorf("%q was overwritten by %q, %v", content, now, err)
		}
	}
}

func TestWhatCannotBeWrittenDownIsNotBound(t *testing.T) {
	server := newAPIServer(t)
	binding := newBinding(filepath.Join(t.TempDir(), "missing"), logr.Discard())
	if err := binding.confirm(t.Context(), &rest.Config{Host: server.URL}); err == nil {
		t.Error("bound, and nobody would know after a restart")
	}
}

func TestAnAPIServerWithoutIdentityIsNotOurs(t *testing.T) {
	server := newAPIServer(t)
	server.swap("")
	dir := t.TempDir()
	if err := newBinding(dir, logr.Discard()).confirm(t.Context(), &rest.Config{Host: server.URL}); err == nil {
		t.Error("taken for a cluster")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("bound: %v, %v", entries, err)
	}
}
