package drasi

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// valueType is the type of a key (2.2, 2.5 to 2.9): what a value is once references are resolved, and flags.
type valueType uint16

const (
	// anyType is a value whose type is not known, or has more than one form.
	anyType valueType = iota
	textType
	portType // a whole number of 16 bits
	u32Type
	u64Type
	boolType

	// baseMask covers the types above.
	baseMask valueType = 1<<4 - 1
)

const (
	// plainFlag: the key takes no references; what looks like one is a text.
	plainFlag valueType = 1 << (4 + iota)
	// variableFlag: the text is the name of an environment variable.
	variableFlag
	// onOffFlag: on and off are words of the key, which YAML 1.1 turns into booleans.
	onOffFlag
)

const (
	onOffType    = textType | onOffFlag
	variableType = textType | variableFlag
	textPlain    = textType | plainFlag
	u32Plain     = u32Type | plainFlag
	u64Plain     = u64Type | plainFlag
	boolPlain    = boolType | plainFlag
)

func (t valueType) base() valueType         { return t & baseMask }
func (t valueType) has(flag valueType) bool { return t&flag != 0 }

// maxWhole is the largest whole number of a type; 0: the type is no whole number.
func (t valueType) maxWhole() uint64 {
	switch t.base() {
	case portType:
		return math.MaxUint16
	case u32Type:
		return math.MaxUint32
	case u64Type:
		return math.MaxUint64
	default:
		return 0
	}
}

// reference is a value that is looked up when the server reads it (2.4).
type reference struct {
	name     string
	fallback *string
	secret   bool
}

// parseReference reads the two forms of a reference: the text ${NAME} or ${NAME:-default}, and the object with a kind. A wrong object is an error.
func parseReference(value any) (*reference, error) {
	switch value := value.(type) {
	case string:
		return parseShortReference(value), nil
	case object:
		return parseLongReference(value)
	default:
		return nil, nil
	}
}

func parseShortReference(value string) *reference {
	inner, opened := strings.CutPrefix(value, "${")
	inner, closed := strings.CutSuffix(inner, "}")
	if !opened || !closed {
		return nil
	}
	name, fallback, found := strings.Cut(inner, ":-")
	if !found {
		return &reference{name: name}
	}
	return &reference{name: name, fallback: &fallback}
}

func parseLongReference(value object) (*reference, error) {
	kind, isText := value["kind"].(string)
	if !isText {
		return nil, nil
	}
	if kind != "EnvironmentVariable" && kind != "Secret" {
		return nil, fmt.Errorf("kind %s is neither EnvironmentVariable nor Secret", quoted(kind))
	}
	name, isText := value["name"].(string)
	if !isText {
		return nil, fmt.Errorf("a reference of kind %s needs a name, a text", kind)
	}
	out := &reference{name: name, secret: kind == "Secret"}
	if fallback, there := value["default"]; there && fallback != nil && !out.secret {
		text, isText := fallback.(string)
		if !isText {
			return nil, fmt.Errorf("the default of a reference must be a text: write it in quotes")
		}
		out.fallback = &text
	}
	return out, nil
}

// lookup is the text that a reference stands for.
func (r *reference) lookup(env map[string]string) (text string, found bool) {
	if value, set := env[r.name]; set {
		return value, true
	}
	if r.fallback != nil {
		return *r.fallback, true
	}
	return "", false
}

// values checks values of keys whose types are known.
type values struct {
	env map[string]string
	out *report
	// secrets says that references to secrets can be resolved here; noSecrets says why not.
	secrets   bool
	noSecrets string
}

// scalar checks a value and returns its text where that is known: what is written, or what a reference stands for.
func (v *values) scalar(field string, value any, t valueType) (string, bool) {
	if value == nil {
		return "", false
	}
	if t.has(plainFlag) {
		v.mentionReference(field, value)
		return v.literal(field, value, t)
	}
	ref, err := parseReference(value)
	if err != nil {
		v.out.refuse(field, "%v", err)
		return "", false
	}
	if ref == nil {
		return v.literal(field, value, t)
	}
	return v.resolve(field, ref, t)
}

func (v *values) resolve(field string, ref *reference, t valueType) (string, bool) {
	if ref.secret {
		if !v.secrets {
			v.out.refuse(field, "refers to a secret, %s", v.noSecrets)
		}
		return "", false
	}
	text, found := ref.lookup(v.env)
	if !found {
		v.out.refuse(field, "refers to the variable %s, which is not set and has no default: add it to spec.env", quoted(ref.name))
		return "", false
	}
	if problem := parses(text, t); problem != "" {
		_, set := v.env[ref.name]
		of := "default"
		if set {
			of = "value"
		}
		v.out.refuse(field, "the %s of the variable %s %s", of, quoted(ref.name), problem)
		return "", false
	}
	return text, true
}

// literal checks a value that is no reference.
func (v *values) literal(field string, value any, t valueType) (string, bool) {
	switch t.base() {
	case textType:
		return v.literalText(field, value, t)
	case portType, u32Type, u64Type:
		number, isNumber := value.(json.Number)
		if !isNumber {
			v.out.refuse(field, "must be a whole number%s, not %s%s", v.orReference(t), kindOf(value), unquoteAdvice(value))
			return "", false
		}
		if problem := parses(number.String(), t); problem != "" {
			v.out.refuse(field, "%s %s", number, problem)
			return "", false
		}
		return number.String(), true
	case boolType:
		truth, isBool := value.(bool)
		if !isBool {
			v.out.refuse(field, "must be true or false%s, not %s%s", v.orReference(t), kindOf(value), unquoteAdvice(value))
			return "", false
		}
		return strconv.FormatBool(truth), true
	default:
		text, isText := value.(string)
		return text, isText
	}
}

func (v *values) literalText(field string, value any, t valueType) (string, bool) {
	text, isText := value.(string)
	switch {
	case !isText && (kindOf(value) == "a number" || kindOf(value) == "a boolean"):
		v.out.refuse(field, "must be a text, not %s: write it in quotes", kindOf(value))
	case !isText:
		v.out.refuse(field, "must be a text%s, not %s", v.orReference(t), kindOf(value))
	case t.has(variableFlag):
		v.mentionVariable(field, text)
	}
	return text, isText
}

func (*values) orReference(t valueType) string {
	if t.has(plainFlag) {
		return ""
	}
	return ` or a reference like "${NAME}"`
}

// mentionReference tells of a text that looks like a reference in a key that takes none.
func (v *values) mentionReference(field string, value any) {
	if text, isText := value.(string); isText && parseShortReference(text) != nil {
		v.out.notice("%s is used as it is written: references to variables are not resolved there", field)
	}
}

// mentionVariable tells of a key that names a variable that is not set.
func (v *values) mentionVariable(field, name string) {
	if _, set := v.env[name]; !set {
		v.out.notice("%s names the variable %s, which is not set", field, quoted(name))
	}
}

// unknown looks at a value of a key that is not known: what cannot be resolved is only mentioned.
func (v *values) unknown(field string, value any) {
	ref, err := parseReference(value)
	if err != nil || ref == nil || ref.secret {
		return
	}
	if _, found := ref.lookup(v.env); !found {
		v.out.notice("%s looks like a reference to the variable %s, which is not set", field, quoted(ref.name))
	}
}

// parses says what is wrong with the text of a reference or number for a type, or nothing. It never repeats the text.
func parses(text string, t valueType) string {
	switch t.base() {
	case portType, u32Type, u64Type:
		n, err := strconv.ParseUint(strings.TrimPrefix(text, "+"), 10, 64)
		if err != nil || n > t.maxWhole() || strings.HasPrefix(text, "++") {
			return fmt.Sprintf("is not a whole number from 0 to %d", t.maxWhole())
		}
	case boolType:
		if text != "true" && text != "false" {
			return "is neither true nor false"
		}
	}
	return ""
}

// kindOf names the kind of a value.
func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "a text"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	case object:
		return "an object"
	case []any:
		return "a list"
	default:
		return "null"
	}
}

func unquoteAdvice(value any) string {
	if _, isText := value.(string); isText {
		return ": write it without quotes"
	}
	return ""
}

// logLevels are the server's levels (1.7).
func logLevels() []string { return []string{"trace", "debug", "info", "warn", "error"} }

// isLogLevel says whether a word is one of the server's levels.
func isLogLevel(word string) bool {
	return slices.Contains(logLevels(), strings.ToLower(word))
}
