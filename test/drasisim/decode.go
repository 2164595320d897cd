package main

import (
	"fmt"
	"sort"
	"strings"
)

// reader takes typed fields out of a map and keeps the first error.
type reader struct {
	fields map[string]any
	at     string
	err    error
}

func newReader(raw any, at string) *reader {
	fields, ok := raw.(map[string]any)
	r := &reader{fields: fields, at: at}
	if !ok {
		r.fail(wrongType(raw, "a map"))
	}
	return r
}

func (r *reader) fail(err error) {
	if r.err != nil || err == nil {
		return
	}
	if r.at != "" {
		err = fmt.Errorf("%s: %w", r.at, err)
	}
	r.err = err
}

// onlyKnown refuses every key that is not listed.
func (r *reader) onlyKnown(keys []string) {
	if key := firstUnknown(r.fields, keys); key != "" {
		r.fail(unknownField(key, keys))
	}
}

func firstUnknown(fields map[string]any, keys []string) string {
	unknown := ""
	for key := range fields {
		if !contains(keys, key) && (unknown == "" || key < unknown) {
			unknown = key
		}
	}
	return unknown
}

func unknownField(key string, keys []string) error {
	quoted := make([]string, len(keys))
	for i, k := range keys {
		quoted[i] = "`" + k + "`"
	}
	expected := "there are no fields"
	switch len(keys) {
	case 0:
	case 1:
		expected = "expected " + quoted[0]
	case 2:
		expected = "expected " + quoted[0] + " or " + quoted[1]
	default:
		expected = "expected one of " + strings.Join(quoted, ", ")
	}
	return fmt.Errorf("unknown field `%s`, %s", key, expected)
}

func contains(list []string, item string) bool {
	for _, have := range list {
		if have == item {
			return true
		}
	}
	return false
}

func (r *reader) text(key string) string {
	raw, ok := r.fields[key]
	if !ok || raw == nil {
		return ""
	}
	text, ok := raw.(string)
	if !ok {
		r.fail(fmt.Errorf("%s: %w", key, wrongType(raw, wantString)))
	}
	return text
}

func (r *reader) required(key string) string {
	if raw, ok := r.fields[key]; !ok || raw == nil {
		r.fail(fmt.Errorf("missing field `%s`", key))
		return ""
	}
	return r.text(key)
}

func (r *reader) flag(key string, byDefault bool) bool {
	raw, ok := r.fields[key]
	if !ok {
		return byDefault
	}
	set, ok := raw.(bool)
	if !ok {
		r.fail(fmt.Errorf("%s: %w", key, wrongType(raw, wantBool)))
	}
	return set
}

// count reads a plain whole number.
func (r *reader) count(key string, byDefault uint64) uint64 {
	raw, ok := r.fields[key]
	if !ok || raw == nil {
		return byDefault
	}
	whole, err := literal(raw, wantU64)
	if err != nil {
		r.fail(fmt.Errorf("%s: %w", key, err))
		return byDefault
	}
	return whole.(uint64)
}

func (r *reader) value(key string, want scalar) configValue {
	raw, ok := r.fields[key]
	if !ok || raw == nil {
		return configValue{want: want}
	}
	val, err := parseValue(raw, want)
	r.fail(err)
	return val
}

func (r *reader) list(key string) []any {
	raw, ok := r.fields[key]
	if !ok {
		return nil
	}
	list, ok := raw.([]any)
	if !ok {
		r.fail(fmt.Errorf("%s: %w", key, wrongType(raw, "a sequence")))
	}
	return list
}

func (r *reader) texts(key string) []string {
	texts := []string{}
	for _, raw := range r.list(key) {
		text, ok := raw.(string)
		if !ok {
			r.fail(fmt.Errorf("%s: %w", key, wrongType(raw, wantString)))
		}
		texts = append(texts, text)
	}
	return texts
}

func (r *reader) object(key string) map[string]any {
	raw, ok := r.fields[key]
	if !ok || raw == nil {
		return nil
	}
	object, ok := raw.(map[string]any)
	if !ok {
		r.fail(fmt.Errorf("%s: %w", key, wrongType(raw, "a map")))
	}
	return object
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
