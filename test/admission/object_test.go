package admission_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// load reads an object of testdata.
func load(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	return &unstructured.Unstructured{Object: loadMap(t, filepath.Join("testdata", name+".yaml"))}
}

func loadMap(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

// parse reads YAML as the API machinery holds objects: whole numbers are int64.
func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	data, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(append([]byte(`{"kind":"any","apiVersion":"v1","content":`), append(data, '}')...)); err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return object.Object["content"].(map[string]any)
}

// merge puts a patch over an object: maps are merged, null removes, anything else replaces.
func merge(object, patch map[string]any) {
	for key, value := range patch {
		below, isMap := value.(map[string]any)
		there, wasMap := object[key].(map[string]any)
		switch {
		case value == nil:
			delete(object, key)
		case isMap && wasMap:
			merge(there, below)
		default:
			object[key] = value
		}
	}
}

var part = regexp.MustCompile(`[^.\[\]]+|\[\d+\]`)

// set puts a value at a path such as spec.config.sources[0].kind, in an object that has everything on the way.
func set(t *testing.T, object map[string]any, path string, value any) {
	t.Helper()
	parent, last := walk(t, object, path)
	switch parent := parent.(type) {
	case map[string]any:
		parent[last] = value
	case []any:
		parent[index(t, last)] = value
	default:
		t.Fatalf("%s: nothing to set in %T", path, parent)
	}
}

// unset removes a key at a path.
func unset(t *testing.T, object map[string]any, path string) {
	t.Helper()
	parent, last := walk(t, object, path)
	keys, ok := parent.(map[string]any)
	if !ok || keys[last] == nil {
		t.Fatalf("%s: nothing to remove in %v", path, parent)
	}
	delete(keys, last)
}

// at returns what is at a path.
func at(t *testing.T, object map[string]any, path string) any {
	t.Helper()
	parent, last := walk(t, object, path)
	return child(t, parent, last, path)
}

// walk goes to the parent of what is at a path.
func walk(t *testing.T, object map[string]any, path string) (parent any, last string) {
	t.Helper()
	parts := part.FindAllString(path, -1)
	parent = object
	for _, key := range parts[:len(parts)-1] {
		parent = child(t, parent, key, path)
	}
	return parent, parts[len(parts)-1]
}

func child(t *testing.T, parent any, key, path string) any {
	t.Helper()
	switch parent := parent.(type) {
	case map[string]any:
		if value, ok := parent[key]; ok {
			return value
		}
	case []any:
		if i := index(t, key); i < len(parent) {
			return parent[i]
		}
	}
	t.Fatalf("%s: no %s in the object", path, key)
	return nil
}

func index(t *testing.T, key string) int {
	t.Helper()
	i, err := strconv.Atoi(strings.Trim(key, "[]"))
	if err != nil {
		t.Fatalf("%q is no index", key)
	}
	return i
}

// copies makes n copies of the first item of the list at a path, each with a value of its own at key, or each that value where key is "".
func copies(t *testing.T, object map[string]any, path, key string, n int) []any {
	t.Helper()
	first := at(t, object, path).([]any)[0]
	all := make([]any, 0, n)
	for i := range n {
		if key == "" {
			all = append(all, fmt.Sprintf("item-%d", i))
			continue
		}
		item := (&unstructured.Unstructured{Object: first.(map[string]any)}).DeepCopy().Object
		if _, unique := item[key]; unique {
			item[key] = fmt.Sprintf("item-%d", i)
		}
		all = append(all, item)
	}
	return all
}
