package v1alpha1

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Value is a scalar in one of drasi-server's ConfigValue forms (contract 2.4): a literal of the field's own type, the text "${VAR}" or
// "${VAR:-default}", or the object {kind: EnvironmentVariable, name, default}. It keeps the JSON text as it was written.
//
// The schema of a Value has no type (hack/crd takes it out after generation), only a bound on texts.
//
// +kubebuilder:validation:Type=string
// +kubebuilder:validation:MaxLength=65536
// +kubebuilder:pruning:PreserveUnknownFields
type Value struct {
	// Raw is the JSON text; empty means absent.
	Raw json.RawMessage `json:"-"`
}

// TextValue is a Value that holds a text.
func TextValue(text string) Value {
	raw, err := json.Marshal(text)
	if err != nil { // a Go string always has a JSON form
		panic(fmt.Sprintf("encode a text: %v", err))
	}
	return Value{Raw: raw}
}

// IsZero says whether the value is absent. A JSON null counts as absent.
func (v Value) IsZero() bool {
	return len(v.Raw) == 0 || bytes.Equal(bytes.TrimSpace(v.Raw), []byte("null"))
}

// MarshalJSON returns the value as it was written.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.IsZero() {
		return []byte("null"), nil
	}
	return v.Raw, nil
}

// UnmarshalJSON keeps a copy of the text.
func (v *Value) UnmarshalJSON(data []byte) error {
	v.Raw = bytes.Clone(data)
	return nil
}
