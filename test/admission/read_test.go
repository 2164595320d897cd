package admission_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

// place makes an instance of testdata under another name and says which host carries it.
func place(t *testing.T, file, name, host string) *unstructured.Unstructured {
	t.Helper()
	object := load(t, file)
	object.SetName(name)
	unstructured.RemoveNestedField(object.Object, "spec", "config", "id")
	create(t, object)
	if host != "" {
		patch := fmt.Sprintf(`{"status": {"host": %q}}`, host)
		if err := server.client.Status().Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
			t.Fatal(err)
		}
	}
	return object
}

func TestInstancesAreSelectedByHostAndPlatform(t *testing.T) {
	place(t, "process", "one", "node-a")
	place(t, "process", "two", "node-b")
	place(t, "docker", "three", "node-a")
	place(t, "aks", "four", "")
	place(t, "process", "five", "")
	tests := []struct {
		selector client.MatchingFields
		want     []string
	}{
		{client.MatchingFields{v1alpha1.FieldStatusHost: "node-a"}, []string{"one", "three"}},
		{client.MatchingFields{v1alpha1.FieldStatusHost: "node-b"}, []string{"two"}},
		{client.MatchingFields{v1alpha1.FieldStatusHost: "node-c"}, nil},
		{client.MatchingFields{v1alpha1.FieldStatusHost: ""}, []string{"five", "four"}},
		{client.MatchingFields{v1alpha1.FieldSpecPlatform: "Process"}, []string{"five", "one", "two"}},
		{client.MatchingFields{v1alpha1.FieldSpecPlatform: "AKS"}, []string{"four"}},
		{client.MatchingFields{v1alpha1.FieldStatusHost: "node-a", v1alpha1.FieldSpecPlatform: "Docker"}, []string{"three"}},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.selector), func(t *testing.T) {
			var list v1alpha1.DrasiInstanceList
			if err := server.client.List(t.Context(), &list, test.selector); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, item := range list.Items {
				names = append(names, item.Name)
			}
			slices.Sort(names)
			if !slices.Equal(names, test.want) {
				t.Errorf("selected %v, want %v", names, test.want)
			}
		})
	}
	err := server.client.List(t.Context(), &v1alpha1.DrasiInstanceList{}, client.MatchingFields{"spec.version": "0.2.2"})
	if !apierrors.IsBadRequest(err) {
		t.Errorf("a field that is not selectable: %v", err)
	}
}

func TestAWatchOfAHostSeesWhatComesAndGoes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	watcher, err := server.client.Watch(ctx, &v1alpha1.DrasiInstanceList{}, client.MatchingFields{v1alpha1.FieldStatusHost: "node-w"})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	place(t, "process", "elsewhere", "node-b")
	object := place(t, "process", "here", "node-w")
	patch := `{"status": {"host": null}}`
	if err := server.client.Status().Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
	for _, want := range []watch.EventType{watch.Added, watch.Deleted} {
		select {
		case event := <-watcher.ResultChan():
			instance, ok := event.Object.(*v1alpha1.DrasiInstance)
			if !ok || event.Type != want || instance.Name != "here" {
				t.Fatalf("got %s of %v, want %s of here", event.Type, event.Object, want)
			}
		case <-ctx.Done():
			t.Fatalf("no event %s", want)
		}
	}
}

// table reads an object as kubectl get does.
func table(t *testing.T, resource string, object *unstructured.Unstructured) *metav1.Table {
	t.Helper()
	config := rest.CopyConfig(server.config)
	config.GroupVersion, config.APIPath = &v1alpha1.GroupVersion, "/apis"
	config.NegotiatedSerializer = serializer.NewCodecFactory(clientgoscheme.Scheme).WithoutConversion()
	api, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	var found metav1.Table
	err = api.Get().NamespaceIfScoped(object.GetNamespace(), object.GetNamespace() != "").Resource(resource).Name(object.GetName()).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(t.Context()).Into(&found)
	if err != nil {
		t.Fatal(err)
	}
	return &found
}

func TestColumns(t *testing.T) {
	tests := []struct {
		of       maker
		resource string
		want     map[string]string // by column, with * for those of -o wide
	}{
		{instanceStatus, "drasiinstances", map[string]string{
			"Name": "full", "Platform": "Process", "Host": "node-a", "Ready": "True", "Status": "Running", "Components": "5/6", "Restarts": "2",
			"Age": "", "*Endpoint": "http://127.0.0.1:20003", "*Version": "0.2.2",
		}},
		{hostStatus, "drasihosts", map[string]string{
			"Name": "node-a", "Ready": "True", "Cordoned": "true", "Platforms": "Process", "Address": "10.0.0.4", "Age": "",
			"*Versions": `["0.2.2"]`, "*Agent": "v0.1.0",
		}},
	}
	for _, test := range tests {
		t.Run(test.resource, func(t *testing.T) {
			s := test.of.make(t)
			if err := server.client.Status().Update(t.Context(), s.object); err != nil {
				t.Fatal(err)
			}
			found := table(t, test.resource, s.object)
			if len(found.Rows) != 1 {
				t.Fatalf("%d rows", len(found.Rows))
			}
			got := map[string]string{}
			for i, column := range found.ColumnDefinitions {
				name := strings.Repeat("*", min(int(column.Priority), 1)) + column.Name
				got[name] = fmt.Sprint(found.Rows[0].Cells[i])
			}
			for name, want := range test.want {
				value, ok := got[name]
				if !ok || want != "" && value != want {
					t.Errorf("column %s shows %q (there: %v), want %q", name, value, ok, want)
				}
			}
			if len(got) != len(test.want) {
				t.Errorf("columns %v, want %v", got, test.want)
			}
		})
	}
}

func TestShortNamesAndCategory(t *testing.T) {
	for _, crd := range readCRDs(t) {
		names := crd.Spec.Names
		want := map[string]string{"DrasiInstance": "di", "DrasiHost": "dh"}[names.Kind]
		if !slices.Equal(names.ShortNames, []string{want}) || !slices.Equal(names.Categories, []string{"drasi"}) {
			t.Errorf("%s: short names %v, categories %v", names.Kind, names.ShortNames, names.Categories)
		}
	}
}
