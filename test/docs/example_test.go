package docs_test

import (
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/instance"
)

// hereDocument is what a shell command gets from the lines below it.
var hereDocument = regexp.MustCompile(`(?s)<<'EOF'\n(.*?)\nEOF\n`)

// manifests are the YAML documents of a page: blocks of YAML, and what shell commands are given.
func (p page) manifests() []string {
	var texts []string
	for _, b := range p.blocks {
		if b.language == "yaml" {
			texts = append(texts, b.text)
		}
		for _, match := range hereDocument.FindAllStringSubmatch(b.text, -1) {
			texts = append(texts, match[1]+"\n")
		}
	}
	var all []string
	for _, text := range texts {
		all = append(all, strings.Split(text, "\n---\n")...)
	}
	return all
}

func TestExamplesAreWholeAndRunnable(t *testing.T) {
	instances, hosts := 0, 0
	for _, p := range pages(t) {
		for _, manifest := range p.manifests() {
			raw, err := yaml.YAMLToJSONStrict([]byte(manifest))
			if err != nil {
				t.Errorf("%s: %v in\n%s", p.name, err, manifest)
				continue
			}
			var kind struct{ Kind string }
			if err := yaml.Unmarshal(raw, &kind); err != nil {
				continue // a fragment
			}
			switch kind.Kind {
			case "DrasiInstance":
				instances++
				checkInstance(t, p.name, raw)
			case "DrasiHost":
				hosts++
				decode(t, p.name, raw, &v1alpha1.DrasiHost{})
			}
		}
	}
	if instances == 0 || hosts == 0 {
		t.Errorf("%d examples of DrasiInstance, %d of DrasiHost", instances, hosts)
	}
}

// decode decodes strictly: an unknown field is an error wherever the API names all fields.
func decode(t *testing.T, name string, raw []byte, into any) bool {
	t.Helper()
	strict, err := json.UnmarshalStrict(raw, into)
	if err != nil {
		strict = append(strict, err)
	}
	for _, err := range strict {
		t.Errorf("%s: %v in\n%s", name, err, raw)
	}
	return len(strict) == 0
}

// checkInstance checks that an example is a valid object and asks for nothing that is refused.
func checkInstance(t *testing.T, name string, raw []byte) {
	t.Helper()
	object := &v1alpha1.DrasiInstance{}
	if !decode(t, name, raw, object) {
		return
	}
	for _, finding := range instance.PlanOf(object).Findings {
		t.Errorf("%s: example %s: %s", name, object.Name, finding)
	}
	for _, refusal := range instance.Unsupported(object, v1alpha1.PlatformProcess) {
		t.Errorf("%s: example %s: %s", name, object.Name, refusal)
	}
	if object.Name == "" || object.Spec.Version == "" {
		t.Errorf("%s: an example is not whole:\n%s", name, raw)
	}
}
