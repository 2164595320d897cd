package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// scalar is the type that a field wants, under its name in Rust.
type scalar string

const (
	wantString scalar = "a string"
	wantBool   scalar = "a boolean"
	wantU16    scalar = "u16"
	wantU32    scalar = "u32"
	wantU64    scalar = "u64"
	wantUsize  scalar = "usize"
)

// configValue is a field in one of the forms of contract 2.4.
type configValue struct {
	want     scalar
	static   any
	variable string
	fallback *string
	secret   string
	form     valueForm
}

type valueForm int

const (
	formAbsent valueForm = iota
	formStatic
	formVariable
	formSecret
)

// environment looks a variable up, as os.LookupEnv does.
type environment func(name string) (string, bool)

// secrets resolves a secret's name.
type secrets func(name string) (string, error)

// parseValue reads one of the forms. A literal must have the field's own type.
func parseValue(raw any, want scalar) (configValue, error) {
	val := configValue{want: want, form: formStatic}
	switch raw := raw.(type) {
	case string:
		if name, fallback, ok := reference(raw); ok {
			val.form, val.variable, val.fallback = formVariable, name, fallback
			return val, nil
		}
	case map[string]any:
		return objectForm(raw, want)
	}
	static, err := literal(raw, want)
	if err != nil {
		return val, failf("Failed to deserialize as static value: %v", err)
	}
	val.static = static
	return val, nil
}

// reference splits "${NAME}" and "${NAME:-default}": whatever starts with "${"
// and ends with "}" is one.
func reference(text string) (name string, fallback *string, ok bool) {
	if !strings.HasPrefix(text, "${") || !strings.HasSuffix(text, "}") || len(text) < 3 {
		return "", nil, false
	}
	name, rest, has := strings.Cut(text[2:len(text)-1], ":-")
	if has {
		fallback = &rest
	}
	return name, fallback, true
}

func objectForm(raw map[string]any, want scalar) (configValue, error) {
	val := configValue{want: want}
	name, _ := raw["name"].(string)
	switch raw["kind"] {
	case "EnvironmentVariable":
		val.form, val.variable = formVariable, name
		if fallback, ok := raw["default"].(string); ok {
			val.fallback = &fallback
		}
	case "Secret":
		val.form, val.secret = formSecret, name
	default:
		return val, failf("Failed to deserialize as static value: invalid type: map, expected %s", want)
	}
	if name == "" && raw["name"] == nil {
		return val, errors.New("missing field `name`")
	}
	return val, nil
}

// literal checks that a value has the wanted type.
func literal(raw any, want scalar) (any, error) {
	if want == wantString || want == wantBool {
		_, isString := raw.(string)
		_, isBool := raw.(bool)
		if isString && want == wantString || isBool && want == wantBool {
			return raw, nil
		}
		return nil, wrongType(raw, want)
	}
	whole, ok := wholeNumber(raw)
	if !ok {
		return nil, wrongType(raw, want)
	}
	if whole > limit(want) {
		return nil, fmt.Errorf("invalid value: integer `%v`, expected %s", raw, want)
	}
	return whole, nil
}

func wholeNumber(raw any) (uint64, bool) {
	switch raw := raw.(type) {
	case int64:
		return uint64(raw), true // a negative one lands beyond every limit but u64's
	case uint64:
		return raw, true
	}
	return 0, false
}

func limit(want scalar) uint64 {
	switch want {
	case wantU16:
		return math.MaxUint16
	case wantU32:
		return math.MaxUint32
	}
	return math.MaxInt64
}

// wrongType says what serde says.
func wrongType(raw any, want scalar) error {
	return fmt.Errorf("invalid type: %s, expected %s", describe(raw), want)
}

func describe(raw any) string {
	switch raw := raw.(type) {
	case nil:
		return "unit value"
	case bool:
		return fmt.Sprintf("boolean `%v`", raw)
	case int64, uint64:
		return fmt.Sprintf("integer `%v`", raw)
	case float64:
		return fmt.Sprintf("floating point `%v`", raw)
	case string:
		quoted, err := json.Marshal(raw)
		if err == nil {
			return "string " + string(quoted)
		}
	case []any:
		return "sequence"
	}
	return "map"
}

// resolve gives the value that the field has in this environment.
func (v configValue) resolve(env environment, store secrets) (any, error) {
	switch v.form {
	case formVariable:
		text, ok := env(v.variable)
		if !ok {
			if v.fallback == nil {
				return nil, failf("Environment variable '%s' not found and no default provided", v.variable)
			}
			text = *v.fallback
		}
		return v.parse(text)
	case formSecret:
		if store == nil {
			return nil, failf("Not implemented: Secret resolution not yet implemented for '%s'", v.secret)
		}
		text, err := store(v.secret)
		if err != nil {
			return nil, failf("Secret resolution failed: Host config resolver failed: Secret resolution failed: Failed to resolve secret '%s': %v", v.secret, err)
		}
		return v.parse(text)
	}
	return v.static, nil
}

func (v configValue) parse(text string) (any, error) {
	name := v.variable + v.secret
	switch v.want {
	case wantString:
		return text, nil
	case wantBool:
		if text == "true" || text == "false" {
			return text == "true", nil
		}
		return nil, parseFailure(name, "provided string was not `true` or `false`")
	}
	digits := strings.TrimPrefix(text, "+")
	whole, err := strconv.ParseUint(digits, 10, 64)
	switch {
	case text == "":
		return nil, parseFailure(name, "cannot parse integer from empty string")
	case errors.Is(err, strconv.ErrSyntax):
		return nil, parseFailure(name, "invalid digit found in string")
	case err != nil || whole > limit(v.want):
		return nil, parseFailure(name, "number too large to fit in target type")
	}
	return whole, nil
}

func parseFailure(name, reason string) error {
	return failf("Failed to parse value: Failed to parse env var '%s': %s", name, reason)
}
