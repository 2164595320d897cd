package admission_test

import (
	"context"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/draas-io/draas/api/v1alpha1"
)

// outdated is an instance that breaks rules of every sort, as one might that an older, laxer release has let in.
const outdated = `
apiVersion: draas.io/v1alpha1
kind: DrasiInstance
metadata: {name: outdated, namespace: default}
spec:
  platform: Elsewhere
  version: ""
  state: Dancing
  aks: {}
  docker: {image: x}
  placement: {}
  storage: {type: Ephemeral, size: 1Gi}
  env: [{name: LD_PRELOAD, value: x, valueFrom: {}}]
  files: [{path: ../up}]
  ports: [{name: api, port: 70000}]
  startupDeadlineSeconds: -1
  config:
    id: ""
    sources: [{kind: "", id: s, identityProvider: ""}]
    instances: [{id: a}, {id: b}]
`

func TestRulesOnSpecDoNotBlockOtherWrites(t *testing.T) {
	object := &unstructured.Unstructured{Object: parse(t, outdated)}
	strict := loosen(t, object)
	create(t, object)
	strict()

	patch := func(name, body string) {
		t.Run(name, func(t *testing.T) {
			if err := server.client.Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(body))); err != nil {
				t.Errorf("blocked: %v", err)
			}
		})
	}
	patch("a label", `{"metadata": {"labels": {"a": "b"}}}`)
	patch("an annotation", `{"metadata": {"annotations": {"draas.io/paused": "true"}}}`)
	patch("a finalizer", `{"metadata": {"finalizers": ["`+v1alpha1.FinalizerRuntime+`"]}}`)
	t.Run("status", func(t *testing.T) {
		instance := fetch(t, object)
		before := instance.DeepCopy()
		instance.Status.Host, instance.Status.ObservedGeneration = "node-a", 1
		if err := server.client.Status().Patch(t.Context(), instance, client.MergeFrom(before)); err != nil {
			t.Errorf("blocked: %v", err)
		}
	})
	t.Run("the removal of the finalizer", func(t *testing.T) {
		if err := server.client.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		instance := fetch(t, object)
		before := instance.DeepCopy()
		instance.Finalizers = nil
		if err := server.client.Patch(t.Context(), instance, client.MergeFrom(before)); err != nil {
			t.Errorf("blocked: %v", err)
		}
		if err := server.client.Get(t.Context(), client.ObjectKeyFromObject(object), &v1alpha1.DrasiInstance{}); !apierrors.IsNotFound(err) {
			t.Errorf("the object is still there: %v", err)
		}
	})
}

// loosen takes all rules out of the schema of instances until object can be created. The returned function puts them back.
func loosen(t *testing.T, object client.Object) (strict func()) {
	t.Helper()
	ctx := context.Background() // the rules must come back also when the test has been ended
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := server.client.Get(ctx, client.ObjectKey{Name: "drasiinstances.draas.io"}, crd); err != nil {
		t.Fatal(err)
	}
	rules := crd.Spec.DeepCopy()
	admits := func() bool {
		copied := object.DeepCopyObject().(client.Object)
		copied.SetName("probe")
		return server.client.Create(ctx, copied, client.DryRunAll) == nil
	}
	if admits() {
		t.Fatal("the object breaks no rule")
	}
	become := func(want bool) {
		t.Helper()
		if err := server.client.Update(ctx, crd); err != nil {
			t.Fatal(err)
		}
		eventually(t, "wait for the changed schema", func() bool { return admits() == want })
	}
	forget(crd.Spec.Versions[0].Schema.OpenAPIV3Schema)
	strict = func() {
		t.Helper()
		crd.Spec = *rules.DeepCopy()
		become(false)
	}
	t.Cleanup(func() {
		if admits() {
			strict()
		}
	})
	become(true)
	return strict
}

// forget removes the rules of a schema and of what is below it. Types and defaults stay.
func forget(schema *apiextensionsv1.JSONSchemaProps) {
	schema.MinLength, schema.MaxLength, schema.Pattern, schema.Enum = nil, nil, "", nil
	schema.Minimum, schema.Maximum, schema.MaxItems, schema.MinProperties = nil, nil, nil, nil
	schema.XValidations, schema.Required = nil, nil
	if schema.XListType != nil {
		schema.XListType, schema.XListMapKeys = nil, nil
	}
	for name, property := range schema.Properties {
		forget(&property)
		schema.Properties[name] = property
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		forget(schema.Items.Schema)
	}
}

// eventually polls until check is true.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !check() {
		select {
		case <-deadline.C:
			t.Fatalf("%s: it did not happen", what)
		case <-tick.C:
		}
	}
}
