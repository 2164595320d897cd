package admission_test

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// apply applies the YAML of an instance's spec on the server's side.
func apply(t *testing.T, owner, spec string) error {
	t.Helper()
	object := &unstructured.Unstructured{Object: parse(t, "{apiVersion: draas.io/v1alpha1, kind: DrasiInstance, metadata: {name: shared, namespace: default}}")}
	object.Object["spec"] = parse(t, spec)
	return server.client.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(owner))
}

func TestEachSourceCanHaveAnOwner(t *testing.T) {
	const (
		base = `{platform: Process, version: "0.2.2", config: {sources: [{kind: mock, id: one, intervalMs: 1000}]}}`
		both = `[{kind: mock, id: one, intervalMs: 1000}, {kind: http, id: two, port: 9000, webhooks: {routes: [{path: /a}]}}]`
	)
	must := func(owner, spec string) {
		t.Helper()
		if err := apply(t, owner, spec); err != nil {
			t.Fatalf("%s applies %s: %v", owner, spec, err)
		}
	}
	object := &unstructured.Unstructured{Object: parse(t, "{apiVersion: draas.io/v1alpha1, kind: DrasiInstance, metadata: {name: shared, namespace: default}}")}
	sources := func(want string) {
		t.Helper()
		got := at(t, get(t, object).Object, "spec.config.sources")
		if !sameJSON(t, got, parse(t, "{x: "+want+"}")["x"]) {
			t.Fatalf("sources are %v, want %s", got, want)
		}
	}
	t.Cleanup(func() { remove(t, object) })

	must("team-one", base)
	must("team-two", "{config: {sources: [{kind: http, id: two, port: 9000, webhooks: {routes: [{path: /a}]}}]}}")
	sources(both)
	must("team-one", base)
	sources(both)
	if err := apply(t, "team-two", "{config: {sources: [{kind: http, id: one}]}}"); !apierrors.IsConflict(err) {
		t.Fatalf("another's source is taken over: %v", err)
	}
	must("team-two", "{config: {sources: [{kind: http, id: two, port: 9001}]}}")
	sources(`[{kind: mock, id: one, intervalMs: 1000}, {kind: http, id: two, port: 9001}]`)
	must("team-two", "{config: {sources: []}}")
	sources(`[{kind: mock, id: one, intervalMs: 1000}]`)
}

func TestEachEntryOfAListCanHaveAnOwner(t *testing.T) {
	object := &unstructured.Unstructured{Object: parse(t, "{apiVersion: draas.io/v1alpha1, kind: DrasiInstance, metadata: {name: shared, namespace: default}}")}
	t.Cleanup(func() { remove(t, object) })
	owners := map[string]string{
		"a": `{platform: Process, version: "0.2.2", config: {queries: [{id: a, query: x}], reactions: [{kind: log, id: ra}], identityProviders: [{kind: password, id: ia}], bootstrapProviders: [{kind: noop, id: ba}]}, env: [{name: A, value: a}], files: [{path: a, secretKeyRef: {name: s, key: a}}], ports: [{name: a, port: 1}]}`,
		"b": `{config: {queries: [{id: b, query: x}], reactions: [{kind: log, id: rb}], identityProviders: [{kind: password, id: ib}], bootstrapProviders: [{kind: noop, id: bb}]}, env: [{name: B, value: b}], files: [{path: b, secretKeyRef: {name: s, key: b}}], ports: [{name: b, port: 2}]}`,
	}
	for _, owner := range []string{"a", "b", "a", "b"} {
		if err := apply(t, owner, owners[owner]); err != nil {
			t.Fatalf("%s applies: %v", owner, err)
		}
	}
	stored := get(t, object)
	for _, list := range []string{"spec.config.queries", "spec.config.reactions", "spec.config.identityProviders", "spec.config.bootstrapProviders", "spec.env", "spec.files", "spec.ports"} {
		if items := at(t, stored.Object, list).([]any); len(items) != 2 {
			t.Errorf("%s has %v, want an entry of each owner", list, items)
		}
	}
}
