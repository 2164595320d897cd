package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// TestEveryFieldIsDescribed keeps `kubectl explain` and the API reference complete.
func TestEveryFieldIsDescribed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "crd", "bases", "*.yaml"))
	if err != nil || len(files) != 2 {
		t.Fatalf("CRDs: %v (%v)", files, err)
	}
	fields := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(data, &crd); err != nil {
			t.Fatal(err)
		}
		for _, version := range crd.Spec.Versions {
			fields += describe(t, crd.Spec.Names.Kind, version.Schema.OpenAPIV3Schema)
		}
	}
	if fields < 200 {
		t.Errorf("only %d fields were looked at", fields)
	}
}

// describe looks at every field below a schema and returns how many there were.
func describe(t *testing.T, path string, schema *apiextensionsv1.JSONSchemaProps) int {
	t.Helper()
	count := 0
	for name, field := range schema.Properties {
		count++
		if strings.TrimSpace(field.Description) == "" && !strings.HasSuffix(path, ".metadata") && name != "metadata" {
			t.Errorf("%s.%s has no description", path, name)
		}
		count += describe(t, path+"."+name, &field)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		count += describe(t, path+"[]", schema.Items.Schema)
	}
	return count
}
