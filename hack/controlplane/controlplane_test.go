//go:build linux

package controlplane

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/draas-io/draas/hack/controlplane/asset"
)

// prepare makes a control plane in dir that ends with the test.
func prepare(t *testing.T, dir string) *ControlPlane {
	t.Helper()
	assets, err := (&asset.Resolver{Root: filepath.Join("..", "..")}).Find()
	if errors.Is(err, asset.ErrNotFound) {
		t.Skip("SKIPPED: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	cp, err := New(t.Context(), Options{Assets: assets, Dir: dir, Volatile: true, Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	return cp
}

func client(t *testing.T, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start starts the control plane and, when it dies instead, shows why.
func start(t *testing.T, cp *ControlPlane) {
	t.Helper()
	err := cp.Start(t.Context())
	var died *DiedError
	if errors.As(err, &died) {
		t.Fatalf("%v\n%s", err, strings.Join(died.Process.Tail(10), "\n"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestStateOutlivesRestarts(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	first := prepare(t, dir)
	start(t, first)
	admin := client(t, first.AdminConfig())
	if _, err := admin.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	if err := first.StopAPIServer(); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CoreV1().Namespaces().Get(ctx, "kept", metav1.GetOptions{}); err == nil {
		t.Fatal("an API server that was stopped answers")
	}
	if err := first.StartAPIServer(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CoreV1().Namespaces().Get(ctx, "kept", metav1.GetOptions{}); err != nil {
		t.Errorf("after a restart of the API server: %v", err)
	}

	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second := prepare(t, dir)
	if second.URL() != first.URL() {
		t.Errorf("the address moved from %s to %s", first.URL(), second.URL())
	}
	start(t, second)
	if _, err := admin.CoreV1().Namespaces().Get(ctx, "kept", metav1.GetOptions{}); err != nil {
		t.Errorf("after a restart of everything, with the first run's certificate: %v", err)
	}
}

func TestOnlyCredentialsGiveAccessAndOnlyWhatRBACSays(t *testing.T) {
	cp, ctx := prepare(t, t.TempDir()), t.Context()
	start(t, cp)
	admin := client(t, cp.AdminConfig())
	// The API server makes its namespaces by itself, a moment after it is ready.
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := admin.CoreV1().Namespaces().Get(ctx, "default", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return true, err
	})
	if err != nil {
		t.Fatalf("the namespace default: %v", err)
	}
	if _, err := admin.CoreV1().ServiceAccounts("default").Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "somebody"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	config, err := ServiceAccountConfig(ctx, cp.AdminConfig(), "default", "somebody", 30*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "somebody.kubeconfig")
	if err := WriteKubeconfig(file, config); err != nil {
		t.Fatal(err)
	}
	loaded, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		t.Fatal(err)
	}
	somebody := client(t, loaded)
	if _, err := somebody.Discovery().ServerVersion(); err != nil {
		t.Errorf("is not known to the API server: %v", err)
	}
	if _, err := somebody.CoreV1().Secrets("default").List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("listing Secrets: got %v, want Forbidden", err)
	}
	anonymous := client(t, rest.AnonymousClientConfig(cp.AdminConfig()))
	if _, err := anonymous.CoreV1().Namespaces().List(ctx, metav1.ListOptions{}); !apierrors.IsUnauthorized(err) {
		t.Errorf("without credentials: got %v, want Unauthorized", err)
	}
	if _, err := ServiceAccountConfig(ctx, cp.AdminConfig(), "default", "nobody", time.Hour); !apierrors.IsNotFound(err) {
		t.Errorf("a token for an absent ServiceAccount: got %v, want NotFound", err)
	}
}

func TestLeftoversOfAKilledRunAreStopped(t *testing.T) {
	dir := t.TempDir()
	killed := prepare(t, dir)
	start(t, killed)
	left := killed.Processes()
	if len(left) != 2 {
		t.Fatalf("%d processes, want etcd and kube-apiserver", len(left))
	}
	next := prepare(t, dir)
	for _, p := range left {
		<-p.Done()
	}
	start(t, next)
}
