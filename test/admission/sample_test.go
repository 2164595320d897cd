package admission_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const samples = "../../config/samples"

// documents reads the objects of a file.
func documents(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for _, document := range bytes.Split(content, []byte("\n---\n")) {
		all = append(all, &unstructured.Unstructured{Object: parse(t, string(document))})
	}
	return all
}

func TestSamplesAreAdmitted(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(samples, "draas_*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("samples: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			ours := 0
			for _, object := range documents(t, file) {
				if err := server.client.Create(t.Context(), object.DeepCopy(), client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
					t.Errorf("%s %s is refused: %v", object.GetKind(), object.GetName(), err)
				}
				if strings.HasPrefix(object.GetAPIVersion(), "draas.io/") {
					ours++
				}
			}
			if ours != 1 {
				t.Errorf("%d objects of ours, want 1", ours)
			}
			if content, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(content, []byte("# ")) {
				t.Errorf("the sample does not begin with what it is for: %v", err)
			}
		})
	}
}

func TestSamplesAreAllInTheKustomizationAndHaveNamesOfTheirOwn(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(samples, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct {
		Resources []string `json:"resources"`
	}
	if err := yaml.UnmarshalStrict(content, &kustomization); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(samples, "draas_*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	owner := map[string]string{}
	for _, file := range files {
		names = append(names, filepath.Base(file))
		for _, object := range documents(t, file) {
			key := object.GetKind() + "/" + object.GetName()
			if owner[key] != "" {
				t.Errorf("%s is in %s and in %s", key, owner[key], file)
			}
			owner[key] = file
		}
	}
	slices.Sort(names)
	listed := slices.Sorted(slices.Values(kustomization.Resources))
	if !slices.Equal(names, listed) {
		t.Errorf("listed are %v, there are %v", listed, names)
	}
}

func TestTheFirstSampleIsWhatTheDocumentsPromise(t *testing.T) {
	object := documents(t, filepath.Join(samples, "draas_v1alpha1_drasiinstance.yaml"))[0]
	if object.GetName() != "hello" || object.GetNamespace() != "default" {
		t.Errorf("it is %s/%s, want default/hello", object.GetNamespace(), object.GetName())
	}
	spec := object.Object["spec"].(map[string]any)
	for key := range spec {
		if !slices.Contains([]string{"platform", "version", "config"}, key) {
			t.Errorf("it has spec.%s, which a first sample does not need", key)
		}
	}
}
