// Package admission_test holds the API types to what a real API server makes of their schemas: what it refuses and with which words, what
// it keeps, what it selects and prints.
package admission_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/draas-io/draas/api/v1alpha1"
)

// crds is the directory of the generated CRDs.
const crds = "../../config/crd/bases"

// server is the API server that all tests share.
var server struct {
	config *rest.Config
	client client.WithWatch
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "admission:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		return 0, fmt.Errorf("these tests need etcd and kube-apiserver: run `make test`, or set KUBEBUILDER_ASSETS to the directory that `make assets` prints")
	}
	environment := &envtest.Environment{CRDDirectoryPaths: []string{crds}, ErrorIfCRDPathMissing: true, BinaryAssetsDirectory: assets}
	server.config, err = environment.Start()
	if err != nil {
		return 0, fmt.Errorf("start etcd and kube-apiserver of %s (`make assets` makes them): %w", assets, err)
	}
	defer func() {
		if stopErr := environment.Stop(); stopErr != nil && err == nil {
			err = fmt.Errorf("stop etcd and kube-apiserver: %w", stopErr)
		}
	}()
	// The tests are many and short; the server is theirs alone.
	server.config.QPS = -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return 0, fmt.Errorf("build the scheme: %w", err)
		}
	}
	server.client, err = client.NewWithWatch(server.config, client.Options{Scheme: scheme})
	if err != nil {
		return 0, fmt.Errorf("make a client: %w", err)
	}
	return m.Run(), nil
}

// create makes an object for the length of a test.
func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := server.client.Create(t.Context(), object); err != nil {
		t.Fatalf("create %s: %v", object.GetName(), err)
	}
	t.Cleanup(func() { remove(t, object) })
}

// remove deletes an object, if it is there. It also serves when the test's own context has ended.
func remove(t *testing.T, object client.Object) {
	t.Helper()
	if err := server.client.Delete(context.Background(), object); client.IgnoreNotFound(err) != nil {
		t.Errorf("delete %s: %v", object.GetName(), err)
	}
}

// get reads an object as it is stored.
func get(t *testing.T, object client.Object) *unstructured.Unstructured {
	t.Helper()
	stored := &unstructured.Unstructured{}
	gvk, err := server.client.GroupVersionKindFor(object)
	if err != nil {
		t.Fatal(err)
	}
	stored.SetGroupVersionKind(gvk)
	if err := server.client.Get(t.Context(), client.ObjectKeyFromObject(object), stored); err != nil {
		t.Fatalf("get %s: %v", object.GetName(), err)
	}
	return stored
}
