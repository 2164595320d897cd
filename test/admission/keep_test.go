package admission_test

import (
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

// fetch reads an instance into our Go types.
func fetch(t *testing.T, object client.Object) *v1alpha1.DrasiInstance {
	t.Helper()
	instance := &v1alpha1.DrasiInstance{}
	if err := server.client.Get(t.Context(), client.ObjectKeyFromObject(object), instance); err != nil {
		t.Fatal(err)
	}
	return instance
}

func TestNoClientLosesAKey(t *testing.T) {
	writers := map[string]func(*testing.T, *v1alpha1.DrasiInstance) error{
		"update": func(t *testing.T, instance *v1alpha1.DrasiInstance) error {
			instance.Spec.RestartToken = "again"
			return server.client.Update(t.Context(), instance)
		},
		"merge patch": func(t *testing.T, instance *v1alpha1.DrasiInstance) error {
			before := instance.DeepCopy()
			instance.Spec.RestartToken = "again"
			return server.client.Patch(t.Context(), instance, client.MergeFrom(before))
		},
		"finalizer by merge patch": func(t *testing.T, instance *v1alpha1.DrasiInstance) error {
			before := instance.DeepCopy()
			instance.Finalizers = []string{"example.com/test"}
			if err := server.client.Patch(t.Context(), instance, client.MergeFrom(before)); err != nil {
				return err
			}
			before = instance.DeepCopy()
			instance.Finalizers = nil
			return server.client.Patch(t.Context(), instance, client.MergeFrom(before))
		},
		"status update": func(t *testing.T, instance *v1alpha1.DrasiInstance) error {
			instance.Status.Host = "node-a"
			return server.client.Status().Update(t.Context(), instance)
		},
		"status patch": func(t *testing.T, instance *v1alpha1.DrasiInstance) error {
			before := instance.DeepCopy()
			instance.Status.Host = "node-a"
			return server.client.Status().Patch(t.Context(), instance, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
		},
		"change of a known key": func(t *testing.T, instance *v1alpha1.DrasiInstance) error {
			before := instance.Spec.Config.Queries[0].Query
			instance.Spec.Config.Queries[0].Query = "MATCH (m) RETURN m"
			if err := server.client.Update(t.Context(), instance); err != nil {
				return err
			}
			instance.Spec.Config.Queries[0].Query = before
			return server.client.Update(t.Context(), instance)
		},
	}
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			object := load(t, "extra")
			want := text(t, object.Object["spec"].(map[string]any)["config"])
			create(t, object)
			if got := text(t, get(t, object).Object["spec"].(map[string]any)["config"]); got != want {
				t.Fatalf("stored\n%s, want\n%s", got, want)
			}
			instance := fetch(t, object)
			version := instance.ResourceVersion
			if err := write(t, instance); err != nil {
				t.Fatal(err)
			}
			if instance.ResourceVersion == version {
				t.Fatal("nothing was written")
			}
			if got := text(t, get(t, object).Object["spec"].(map[string]any)["config"]); got != want {
				t.Errorf("after the write\n%s, want\n%s", got, want)
			}
		})
	}
}

func TestTypedObjectsAreStoredAsTheyAre(t *testing.T) {
	instance := &v1alpha1.DrasiInstance{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "typed"},
		Spec: v1alpha1.DrasiInstanceSpec{
			Platform: v1alpha1.PlatformProcess, Version: "0.2.2",
			Config: v1alpha1.ServerConfig{
				LogLevel: v1alpha1.TextValue("${LEVEL}"),
				Sources: []v1alpha1.SourceConfig{{
					Kind: "mock", ID: "m", Extra: v1alpha1.Extra{"intervalMs": apiextensionsv1.JSON{Raw: []byte("9007199254740993")}},
				}},
			},
		},
	}
	create(t, instance)
	want := parse(t, `{platform: Process, version: "0.2.2", config: {logLevel: "${LEVEL}", sources: [{kind: mock, id: m, intervalMs: 9007199254740993}]}}`)
	if got := get(t, instance).Object["spec"]; !sameJSON(t, got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
}

func TestNothingIsDefaultedButObservedGeneration(t *testing.T) {
	objects := map[string]string{
		"instance": `{apiVersion: draas.io/v1alpha1, kind: DrasiInstance, metadata: {name: bare, namespace: default}, spec: {platform: Process, version: "1", config: {sources: [{kind: mock, id: m}], queries: [{id: q, query: x, sources: [{sourceId: m}]}], reactions: [{kind: log, id: r, queries: [q]}]}, env: [{name: A}], ports: [{name: p, port: 1}], storage: {type: Persistent}, updateStrategy: {type: Restart}, process: {}}}`,
		"host":     `{apiVersion: draas.io/v1alpha1, kind: DrasiHost, metadata: {name: bare}, spec: {}}`,
	}
	for name, yaml := range objects {
		t.Run(name, func(t *testing.T) {
			object := load(t, "host")
			object.Object = parse(t, yaml)
			want := text(t, object.Object["spec"])
			create(t, object)
			stored := get(t, object)
			if got := text(t, stored.Object["spec"]); got != want {
				t.Errorf("spec is stored as %s, want %s", got, want)
			}
			if !sameJSON(t, stored.Object["status"], parse(t, "{observedGeneration: -1}")) {
				t.Errorf("status is stored as %v", stored.Object["status"])
			}
		})
	}
}

func TestStatusIsNotWrittenWithSpec(t *testing.T) {
	object := load(t, "process")
	object.Object["status"] = loadMap(t, "testdata/status.yaml")
	create(t, object)
	if got := get(t, object).Object["status"]; !sameJSON(t, got, parse(t, "{observedGeneration: -1}")) {
		t.Errorf("status is %v", got)
	}
}
