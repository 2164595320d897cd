package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseQueryTakesGoodTexts(t *testing.T) {
	for text, labels := range map[string][]string{
		"MATCH (n) RETURN n": nil,
		"match (n) return n": nil,
		"MATCH (m:message {message: 'Hello (World'}) RETURN m.from AS F":                              {"message"},
		"MATCH (a:A)-[r:KNOWS]->(b:B), (c:`odd label`) WHERE a.x <> ')' RETURN count(a) AS n":         {"A", "KNOWS", "B", "odd label"},
		"MATCH (a:A|B) WITH a, max(drasi.changeDateTime(a)) AS m WHERE m <= datetime() RETURN a, [1]": {"A", "B"},
		"MATCH\n  (n:N WHERE n.x > 1) // a remark with ' and (\nRETURN n.x AS x":                      {"N"},
		"MATCH (o:Order) WHERE o.state = \"it's\" RETURN {a: o.id} AS a":                              {"Order"},
	} {
		got, err := parseQuery(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(labels, got.labels); diff != "" {
			t.Errorf("%q labels (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseQueryRefusesBrokenTexts(t *testing.T) {
	for text, at := range map[string]string{
		"MATCH (((":              "1:8",
		"":                       "1:1",
		"SELECT 1":               "1:1",
		"MATCH (n)":              "1:10",
		"MATCH (n RETURN n":      "1:18",
		"MATCH (n) RETURN n)":    "1:19",
		"MATCH (n) RETURN 'open": "1:23",
		"MATCH (n)\nRETURN [1)":  "2:10",
		"MATCH (1) RETURN n":     "",
	} {
		_, err := parseQuery(text)
		if err == nil {
			t.Errorf("%q was taken", text)
			continue
		}
		if want := "Parser error: parser error: error at " + at; at != "" && err.Error()[:len(want)] != want {
			t.Errorf("%q: %v, want it at %s", text, err, at)
		}
	}
}
