package drasi

import (
	"encoding/json"
	"strings"
	"testing"
)

// schemaProperty is a property of a plugin's configuration schema.
type schemaProperty struct {
	Ref   string           `json:"$ref"`
	Type  string           `json:"type"`
	AllOf []schemaProperty `json:"allOf"`
	Items *schemaProperty  `json:"items"`
}

// reference is the name of the schema that the property refers to.
func (p schemaProperty) reference() string {
	ref := p.Ref
	for _, part := range p.AllOf {
		ref = part.Ref
	}
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// pluginKind is a kind as the server lists it.
type pluginKind struct {
	Kind       string `json:"kind"`
	SchemaName string `json:"configSchemaName"`
	Schemas    string `json:"configSchemaJson"`
}

// TestKnownKeysAgreeWithThePluginsOwnSchemas holds our tables against the schemas that the real server gave for the plugins it had loaded.
func TestKnownKeysAgreeWithThePluginsOwnSchemas(t *testing.T) {
	checked := 0
	for _, r := range recordings(t, "api_reads") {
		for _, step := range r.Steps {
			if step.HTTP != "GET /api/v1/plugins/kinds" {
				continue
			}
			var kinds struct {
				Sources       []pluginKind `json:"sources"`
				Reactions     []pluginKind `json:"reactions"`
				Bootstrappers []pluginKind `json:"bootstrappers"`
			}
			if err := json.Unmarshal(step.Reply.Body, &kinds); err != nil {
				t.Fatal(err)
			}
			for category, list := range map[string][]pluginKind{"source": kinds.Sources, "reaction": kinds.Reactions, "bootstrap": kinds.Bootstrappers} {
				for _, kind := range list {
					checked += checkSchema(t, category, kind)
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d properties were compared", checked)
	}
}

func checkSchema(t *testing.T, category string, kind pluginKind) int {
	t.Helper()
	var schemas map[string]struct {
		Properties map[string]schemaProperty `json:"properties"`
	}
	if err := json.Unmarshal([]byte(kind.Schemas), &schemas); err != nil {
		t.Fatal(err)
	}
	checked := 0
	types := kindKeys(category, kind.Kind)
	for name, property := range schemas[kind.SchemaName].Properties {
		field := category + "/" + kind.Kind + " " + name
		key := name
		if property.Items != nil {
			key, property = name+"[]", *property.Items
		}
		ref := property.reference()
		got, known := types[key]
		switch {
		case strings.HasPrefix(ref, "ConfigValue"):
			want := map[string]valueType{"ConfigValueString": textType, "ConfigValueU16": portType, "ConfigValueU32": u32Type, "ConfigValueU64": u64Type, "ConfigValueUsize": u64Type}[ref]
			if !known || got.has(plainFlag) || (want != anyType && got.base() != want) {
				t.Errorf("%s is a %s, not type %d (known: %v)", field, ref, got, known)
			}
		case property.Type == "string":
			if got != textPlain {
				t.Errorf("%s is a plain text, not type %d (known: %v)", field, got, known)
			}
		default: // an object of its own, whose keys are listed by path
			continue
		}
		checked++
	}
	return checked
}
