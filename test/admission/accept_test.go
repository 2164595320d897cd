package admission_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestFullObjectsAreAccepted(t *testing.T) {
	for _, name := range []string{"process", "docker", "aks", "host", "extra"} {
		t.Run(name, func(t *testing.T) {
			object := load(t, name)
			if err := server.client.Create(t.Context(), object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
}

func TestFullStatusesAreAccepted(t *testing.T) {
	for _, of := range []maker{instanceStatus, hostStatus} {
		t.Run(of.kind, func(t *testing.T) { of.make(t).accepted(t) })
	}
}

func TestAnEmptyConfigIsAccepted(t *testing.T) {
	for _, config := range []string{"{}", "{sources: []}", "{sources: [], queries: [], reactions: []}"} {
		s := docker.make(t).with(func(object map[string]any) { set(t, object, "spec.config", parse(t, config)) })
		s.accepted(t)
	}
}

// values are the forms of a ConfigValue (contract 2.4), and how they come out of the API server.
var values = map[string]any{
	"text":                      "a text",
	"empty text":                "",
	"number":                    int64(8080),
	"negative number":           int64(-1),
	"fraction":                  1.5,
	"boolean":                   true,
	"reference":                 "${PORT}",
	"reference with default":    "${PORT:-8080}",
	"text around a reference":   "a${PORT}b",
	"object":                    map[string]any{"kind": "EnvironmentVariable", "name": "PORT"},
	"object with default":       map[string]any{"kind": "EnvironmentVariable", "name": "PORT", "default": "8080"},
	"object with a number in":   map[string]any{"kind": "EnvironmentVariable", "name": "PORT", "default": int64(8080)},
	"object of an unknown kind": map[string]any{"kind": "Secret", "name": "p", "more": []any{int64(1), map[string]any{"deep": true}}},
}

func TestValuesComeInEveryForm(t *testing.T) {
	keys := []string{
		"spec.config.host", "spec.config.port", "spec.config.logLevel", "spec.config.stateStore.path",
		"spec.config.defaultPriorityQueueCapacity", "spec.config.defaultDispatchBufferCapacity",
	}
	for _, key := range keys {
		for name, value := range values {
			t.Run(key+" "+name, func(t *testing.T) {
				s := process.make(t).with(func(object map[string]any) { set(t, object, key, value) })
				s.accepted(t)
				if got := at(t, s.object.Object, key); !sameJSON(t, got, value) {
					t.Errorf("came out as %v, want %v", got, value)
				}
			})
		}
	}
}

func TestValuesInUnknownKeysComeInEveryForm(t *testing.T) {
	for _, key := range []string{"spec.config.sources[0].port", "spec.config.reactions[0].port", "spec.config.identityProviders[0].password", "spec.config.new"} {
		for name, value := range values {
			t.Run(key+" "+name, func(t *testing.T) {
				s := process.make(t).with(func(object map[string]any) { set(t, object, key, value) })
				s.accepted(t)
				if got := at(t, s.object.Object, key); !sameJSON(t, got, value) {
					t.Errorf("came out as %v, want %v", got, value)
				}
			})
		}
	}
}

func TestProvidersAndBackendsAreNamesOrObjects(t *testing.T) {
	for _, key := range []string{"spec.config.sources[0].bootstrapProvider", "spec.config.queries[0].storageBackend"} {
		for _, value := range []any{"name", map[string]any{"kind": "postgres", "tables": []any{"orders"}, "deep": map[string]any{"a": int64(1)}}} {
			s := process.make(t).with(func(object map[string]any) { set(t, object, key, value) })
			s.accepted(t)
			if got := at(t, s.object.Object, key); !sameJSON(t, got, value) {
				t.Errorf("%s came out as %v, want %v", key, got, value)
			}
		}
	}
}

func TestLongestTextsCountCharacters(t *testing.T) {
	long := ""
	for range 256 {
		long += "ü"
	}
	s := process.make(t).with(func(object map[string]any) { set(t, object, "spec.config.sources[0].id", long) })
	s.accepted(t)
	s.with(func(object map[string]any) { set(t, object, "spec.config.sources[0].id", long+"ü") }).refused(t, "spec.config.sources[0].id", "Too long")
}

// sameJSON tells whether two values have the same JSON.
func sameJSON(t *testing.T, a, b any) bool {
	t.Helper()
	return text(t, a) == text(t, b)
}

// text is the JSON of a value, with sorted keys.
func text(t *testing.T, value any) string {
	t.Helper()
	data, err := (&unstructured.Unstructured{Object: map[string]any{"kind": "any", "apiVersion": "v1", "value": value}}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
