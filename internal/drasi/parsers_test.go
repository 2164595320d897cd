package drasi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	yamlv3 "go.yaml.in/yaml/v3"
)

// number is a number as both parsers must understand it.
type number float64

// comparable turns what a parser has read into values that can be compared: whole numbers of int64 exactly, others as floating point.
func comparableValue(value any) any {
	switch value := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(value))
		for key, item := range value {
			out[key] = comparableValue(item)
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, item := range value {
			out[i] = comparableValue(item)
		}
		return out
	case json.Number:
		if n, err := strconv.ParseInt(value.String(), 10, 64); err == nil {
			return n
		}
		f, err := value.Float64()
		if err != nil {
			return fmt.Sprintf("not a number: %v", err)
		}
		return wholeOr(f)
	case int:
		return int64(value)
	case float64:
		return wholeOr(value)
	default:
		return value
	}
}

// wholeOr takes a floating point number without fraction for the whole number that it is.
func wholeOr(f float64) any {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f)
	}
	return number(f)
}

func parseAsJSON(t testing.TB, raw []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var out any
	if err := decoder.Decode(&out); err != nil {
		t.Fatalf("JSON parser: %v\n%s", err, raw)
	}
	return comparableValue(out)
}

func parseAsYAML(t testing.TB, raw []byte) any {
	t.Helper()
	var out any
	if err := yamlv3.Unmarshal(raw, &out); err != nil {
		t.Fatalf("YAML parser: %v\n%s", err, raw)
	}
	return comparableValue(out)
}

// mustReadAlike fails unless the YAML parser, which the server asks first, and the JSON parser read the same. It returns what they read.
func mustReadAlike(t testing.TB, raw []byte) map[string]any {
	t.Helper()
	asJSON, asYAML := parseAsJSON(t, raw), parseAsYAML(t, raw)
	if diff := cmp.Diff(asJSON, asYAML); diff != "" {
		t.Fatalf("JSON (-) and YAML (+) parsers read differently:\n%s", diff)
	}
	out, _ := asJSON.(map[string]any)
	return out
}
