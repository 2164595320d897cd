package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadYAMLFollowsTheCoreSchema(t *testing.T) {
	for text, want := range map[string]any{
		"yes": "yes", "on": "on", "true": true, "FALSE": false, "null": nil, "~": nil, "": nil,
		"12": int64(12), "-3": int64(-3), "0x1f": int64(31), "0o17": int64(15), "0b11": int64(3),
		"0777": "0777", "1_000": "1_000", "18446744073709551615": uint64(18446744073709551615),
		"1e3": 1000.0, "1.5": 1.5, "e": "e", "1.2.3": "1.2.3", "2026-11-22": "2026-11-22",
		`"12"`: "12", "'true'": "true", "${P:-8080}": "${P:-8080}",
	} {
		got, err := readYAML([]byte("a: " + text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(any(map[string]any{"a": want}), got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestBothReadersRefuseDuplicatesAndDepth(t *testing.T) {
	deep := strings.Repeat(`{"a":`, maxDepth+2) + "1" + strings.Repeat("}", maxDepth+2)
	for _, text := range []string{`{"a":1,"a":2}`, `{"b":{"a":1,"a":2}}`, deep} {
		if _, err := readYAML([]byte(text)); err == nil {
			t.Errorf("YAML took %.40s", text)
		}
		if _, err := readJSON([]byte(text)); err == nil {
			t.Errorf("JSON took %.40s", text)
		}
	}
}

func TestReadJSONWantsOneWholeValue(t *testing.T) {
	for _, text := range []string{"", "{", `{"a"`, `{"a":1}}`, `[1,]x`, "id: x"} {
		if got, err := readJSON([]byte(text)); err == nil {
			t.Errorf("%q gave %v", text, got)
		}
	}
}

func TestEmptyDocumentIsAnEmptyMap(t *testing.T) {
	for _, text := range []string{"", "# only a comment\n", "---\n", "null"} {
		got, err := readYAML([]byte(text))
		if diff := cmp.Diff(any(map[string]any{}), got); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", text, err, diff)
		}
	}
}
