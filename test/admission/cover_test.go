package admission_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// rule is a rule of a schema: its kind, at a path without indices.
type rule struct {
	object, path, kind string
}

// foreign are the schemas that are not ours but the API machinery's.
var foreign = regexp.MustCompile(`^status\.conditions\[\]`)

// vain are the rules that nothing can break.
var vain = map[rule]string{
	{"DrasiInstance", "status", "minProperties"}:           "observedGeneration has a default",
	{"DrasiHost", "status", "minProperties"}:               "observedGeneration has a default",
	{"DrasiHost", "status.platforms", "maxItems"}:          "there are three types, and each comes once",
	{"DrasiInstance", "spec.config.instances", "maxItems"}: "the rule that allows one entry is stricter; the bound is for its cost",
}

// covered collects the rules for which the tables of this package have a negative case.
func covered() map[rule]bool {
	all := map[rule]bool{}
	add := func(of maker, path, kind string) {
		all[rule{of.kind, brackets.ReplaceAllString(path, "[]"), kind}] = true
	}
	for _, c := range texts {
		add(c.of, c.path, "maxLength")
		if c.min > 0 {
			add(c.of, c.path, "minLength")
		}
	}
	for _, c := range lists {
		add(c.of, c.path, "maxItems")
	}
	for _, c := range unique {
		add(c.of, c.path, "unique")
	}
	for _, c := range numbers {
		add(c.of, c.path, "minimum")
		if c.max != none {
			add(c.of, c.path, "maximum")
		}
	}
	for _, c := range enums {
		add(c.of, c.path, "enum")
	}
	for _, c := range required {
		add(c.of, c.path, "required")
	}
	for _, c := range patterns {
		add(c.of, c.path, "pattern")
	}
	for _, c := range nonempty {
		add(c.of, c.path, "minProperties")
	}
	return all
}

// expected tells whether the tables expect the message of a CEL rule at its path or, by the rule's fieldPath, below.
func expected(path, message string) bool {
	matches := func(field, words string) bool {
		field = brackets.ReplaceAllString(strings.TrimPrefix(field, whole), "[]")
		return strings.HasPrefix(field, path) && strings.HasPrefix(message, words)
	}
	for _, c := range rules {
		if matches(c.field, c.message) {
			return true
		}
	}
	for _, c := range changes {
		if matches(c.field, c.message) {
			return true
		}
	}
	return false
}

var brackets = regexp.MustCompile(`\[\d+\]`)

func TestEveryRuleHasANegativeCase(t *testing.T) {
	cases := covered()
	inSchema := map[rule]bool{}
	for _, crd := range readCRDs(t) {
		schema := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
		visit(schema, "", func(path, kind, message string) {
			found := rule{crd.Spec.Names.Kind, path, kind}
			inSchema[found] = true
			switch {
			case foreign.MatchString(path) || vain[found] != "" || cases[found]:
			case kind == "cel" && expected(path, message):
			default:
				t.Errorf("no negative case for %s %s %s %s", found.object, path, kind, message)
			}
		})
	}
	for covered := range cases {
		if !inSchema[covered] {
			t.Errorf("a case for a rule that is not in the schema: %v", covered)
		}
	}
	for excused := range vain {
		if !inSchema[excused] {
			t.Errorf("an excuse for a rule that is not in the schema: %v", excused)
		}
	}
}

// readCRDs reads the generated CRDs.
func readCRDs(t *testing.T) []apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(crds, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("CRDs: %v, %v", files, err)
	}
	all := make([]apiextensionsv1.CustomResourceDefinition, len(files))
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(text, &all[i]); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return all
}

// visit calls each for every rule of a schema and of what is below it.
func visit(schema *apiextensionsv1.JSONSchemaProps, path string, each func(path, kind, message string)) {
	for kind, there := range map[string]bool{
		// A minimum of no characters is none.
		"minLength": schema.MinLength != nil && *schema.MinLength > 0, "maxLength": schema.MaxLength != nil, "pattern": schema.Pattern != "",
		"minimum": schema.Minimum != nil, "maximum": schema.Maximum != nil, "enum": len(schema.Enum) > 0,
		"minItems": schema.MinItems != nil, "maxItems": schema.MaxItems != nil,
		"minProperties": schema.MinProperties != nil, "maxProperties": schema.MaxProperties != nil,
		"unique": schema.XListType != nil && *schema.XListType != "atomic",
	} {
		if there {
			each(path, kind, "")
		}
	}
	for _, validation := range schema.XValidations {
		each(path, "cel", validation.Message)
	}
	for _, name := range schema.Required {
		each(below(path, name), "required", "")
	}
	for name := range schema.Properties {
		property := schema.Properties[name]
		visit(&property, below(path, name), each)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		visit(schema.Items.Schema, path+"[]", each)
	}
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return fmt.Sprintf("%s.%s", path, name)
}

func TestNothingButObservedGenerationHasADefault(t *testing.T) {
	for _, crd := range readCRDs(t) {
		for path, value := range defaults(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, "") {
			if want := map[string]string{"status": `{"observedGeneration":-1}`, "status.observedGeneration": "-1"}[path]; value != want {
				t.Errorf("%s %s has the default %s", crd.Spec.Names.Kind, path, value)
			}
		}
	}
}

// defaults collects the defaults of a schema, by path.
func defaults(schema *apiextensionsv1.JSONSchemaProps, path string) map[string]string {
	all := map[string]string{}
	if schema.Default != nil {
		all[path] = string(schema.Default.Raw)
	}
	collect := func(child *apiextensionsv1.JSONSchemaProps, path string) {
		for path, value := range defaults(child, path) {
			all[path] = value
		}
	}
	for name := range schema.Properties {
		property := schema.Properties[name]
		collect(&property, below(path, name))
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		collect(schema.Items.Schema, path+"[]")
	}
	return all
}

func TestCRDsAreSmallEnoughForKubectlApply(t *testing.T) {
	// kubectl apply keeps the object in an annotation; annotations have at most 256 KiB in all.
	const most = 180 << 10
	for _, crd := range readCRDs(t) {
		data, err := yaml.Marshal(&crd)
		if err != nil {
			t.Fatal(err)
		}
		if json, err := yaml.YAMLToJSON(data); err != nil || len(json) > most {
			t.Errorf("%s has %d bytes (%v), more than %d", crd.Name, len(json), err, most)
		}
	}
}
