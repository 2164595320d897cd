package contract

import (
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

const parseFailed = "Error: Failed to parse config file '"

// refusal is a configuration that must not start, and how stderr begins.
type refusal struct {
	change func(c object)
	text   string
	env    map[string]string
	stderr string
}

func refusals(t *testing.T, table map[string]refusal) {
	t.Helper()
	for name, r := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFull(t)
			if r.change != nil {
				r.change(f.config)
			}
			f.text = r.text
			for name, val := range r.env {
				f.env[name] = val
			}
			f.run().refuses(r.stderr)
			if healthy(t, f.port) {
				t.Error("the API answered")
			}
		})
	}
}

// Contract 2.1: parsing is strict.
func TestParsingIsStrict(t *testing.T) {
	t.Parallel()
	top := func(key string, val any) func(object) { return func(c object) { c[key] = val } }
	source := func(key string, val any) func(object) {
		return func(c object) { c["sources"] = []any{with(mock("m"), key, val)} }
	}
	query := func(key string, val any) func(object) {
		return func(c object) { c["queries"] = []any{with(counting("q", "m"), key, val)} }
	}
	refusals(t, map[string]refusal{
		"garbage":                  {text: "id: [unclosed\n foo: }{", stderr: parseFailed},
		"unknown key":              {change: top("foo", 1), stderr: parseFailed},
		"snake case":               {change: top("log_level", "info"), stderr: parseFailed},
		"unknown key of a query":   {change: query("foo", 1), stderr: parseFailed},
		"snake case in a source":   {change: source("auto_start", true), stderr: parseFailed},
		"unknown instance key":     {change: top("instances", []any{object{"id": "a", "port": 1}}), stderr: parseFailed},
		"wrong type":               {change: top("persistConfig", "yes"), stderr: parseFailed},
		"id is a number":           {change: top("id", 12), stderr: parseFailed},
		"id is a boolean":          {change: top("id", true), stderr: parseFailed},
		"id is an octal number":    {text: "id: 0o17\n", stderr: parseFailed},
		"id is a float":            {text: "id: 1e3\n", stderr: parseFailed},
		"port as text":             {change: top("port", "8080"), stderr: parseFailed},
		"port too large":           {change: top("port", 65536), stderr: parseFailed},
		"duplicate key":            {text: `{"id":"a","host":"127.0.0.1","id":"b"}`, stderr: parseFailed},
		"source without id":        {change: top("sources", []any{object{"kind": "mock"}}), stderr: parseFailed},
		"query without text":       {change: top("queries", []any{object{"id": "q"}}), stderr: parseFailed},
		"reaction without queries": {change: top("reactions", []any{object{"kind": "log", "id": "l"}}), stderr: parseFailed},
		"other query language":     {change: query("queryLanguage", "SQL"), stderr: parseFailed},
		"other state store":        {change: top("stateStore", object{"kind": "sqlite", "path": "x"}), stderr: parseFailed},
	})
}

// Contract 2.1: both parsers' words are in the text.
func TestParseErrorsNameBothParsers(t *testing.T) {
	t.Parallel()
	f := newServer(t)
	f.config["foo"] = 1
	f.run().refuses(parseFailed + f.path("server.yaml") + "': YAML error: ")
	if text := f.proc.output("stderr"); !strings.Contains(text, ", JSON error: ") {
		t.Errorf("stderr: %s", text)
	}
}

// Contract 2.1: too deep a nesting is refused, 100 levels are not.
func TestNestingHasALimit(t *testing.T) {
	t.Parallel()
	deep := func(levels int) any {
		var val any = "x"
		for range levels {
			val = object{"a": val}
		}
		return val
	}
	f := newFull(t)
	f.config["reactions"] = []any{with(logging("l", "q"), "whatever", deep(140))}
	f.run().refuses(parseFailed)
	f = newFull(t)
	f.config["reactions"] = []any{with(logging("l", "q"), "whatever", deep(95))}
	f.up()
}

// Contract 2.3: what the server validates at load.
func TestValidationAtLoad(t *testing.T) {
	t.Parallel()
	top := func(key string, val any) func(object) { return func(c object) { c[key] = val } }
	const begin = "Error: Validation error: "
	refusals(t, map[string]refusal{
		"host":  {change: top("host", "no host!"), stderr: begin + "Invalid host 'no host!': must be a valid hostname or IP address\n\nCaused by:\n"},
		"port":  {change: top("port", 0), stderr: begin + "Invalid port 0: port must be between 1 and 65535\n"},
		"level": {change: top("logLevel", "loud"), stderr: begin + "Invalid log level 'loud': must be one of trace, debug, info, warn, error\n"},
		"instances": {
			change: top("instances", []any{object{"id": "a"}, object{"id": "a"}}),
			stderr: begin + "Duplicate DrasiLib instance id detected: 'a'\n",
		},
		"bootstrap provider": {
			change: top("sources", []any{with(mock("m"), "bootstrapProvider", "zz")}),
			stderr: begin + "Instance 't': source 'm' references unknown bootstrapProvider 'zz'\n",
		},
		"unset variable": {
			change: top("id", "${NOPE}"), stderr: begin + "Environment variable 'NOPE' not found and no default provided\n",
		},
		"secret at the top": {
			change: top("id", object{"kind": "Secret", "name": "x"}),
			stderr: begin + "Not implemented: Secret resolution not yet implemented for 'x'\n",
		},
	})
}

// Contract 2.1: templates that do not parse are refused before all else.
func TestBadTemplateIsRefused(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["reactions"] = []any{with(logging("l", "q"), "defaultTemplate", object{"added": object{"template": "{{#if x}"}})}
	f.run().refuses("Error: Unknown fields in configuration: Template syntax error: reaction[0] (kind=log, id=l) defaultTemplate.added.template: ")
}

// Contract 2.2 and 2.7: levels in any case; the API version is not enforced.
func TestLenientFields(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["logLevel"] = "WARN"
	f.config["apiVersion"] = "nonsense/v9"
	f.config["solutionsDir"] = "./none"
	f.config["reactions"] = []any{with(logging("l", "q"), "bogus", 1)}
	f.up()
	f.stop()
}

// Contract 2.5 to 2.7: sources and reactions start by default, queries do not;
// a query's language is GQL.
func TestDefaultsOfComponents(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["queries"] = []any{object{"id": "q", "query": "MATCH (c:Counter) RETURN c.value AS v", "sources": []any{object{"sourceId": "m"}}}}
	f.up()
	f.status("/api/v1/instances/t/sources/m", "Running")
	f.status("/api/v1/instances/t/reactions/l", "Running")
	snapshot := f.item("/api/v1/instances/t/snapshot")
	query := objects(t, snapshot["queries"])[0]
	cfg, ok := query["config"].(map[string]any)
	if !ok || query["status"] != "Added" || cfg["auto_start"] != false || cfg["queryLanguage"] != "GQL" {
		t.Errorf("query: %v", query)
	}
}

// Contract 2.1: of JSON text only a raw U+0085 does not arrive as written: it
// is folded to a space.
func TestJSONTextArrivesAsWritten(t *testing.T) {
	t.Parallel()
	written := map[string]struct{ text, want string }{
		"U+0085 raw":       {"a\u0085b", "a b"},
		"U+0085 escaped":   {`a\u0085b`, "a\u0085b"},
		"line separator":   {"a\u2028b", "a\u2028b"},
		"byte order mark":  {"a\ufeffb", "a\ufeffb"},
		"control":          {`a\u0001b`, "a\u0001b"},
		"newline and tab":  {`a\n\tb`, "a\n\tb"},
		"emoji raw":        {"a\U0001F600b", "a\U0001F600b"},
		"emoji surrogates": {`a\ud83d\ude00b`, "a\U0001F600b"},
		"slash":            {`a\/b`, "a/b"},
		"quotes":           {`a\"'#: {}[],&*b`, `a"'#: {}[],&*b`},
		"64 KiB":           {strings.Repeat("x", 65536), strings.Repeat("x", 65536)},
	}
	for name, c := range written {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFull(t)
			text := jsonText(t, with(f.config, "reactions", []any{with(logging("l", "q"), "note", "@NOTE@")}))
			f.text = strings.Replace(text, "@NOTE@", c.text, 1)
			f.up()
			reaction := objects(t, f.item("/api/v1/instances/t/snapshot")["reactions"])[0]
			properties, ok := reaction["properties"].(map[string]any)
			if !ok || properties["note"] != c.want {
				t.Errorf("got %q, want %q", properties["note"], c.want)
			}
		})
	}
}

// Contract 2.1: a key of 2,000 bytes is no trouble.
func TestLongKeysArrive(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	key := strings.Repeat("k", 2000)
	f.config["reactions"] = []any{with(logging("l", "q"), key, "v")}
	f.up()
	reaction := objects(t, f.item("/api/v1/instances/t/snapshot")["reactions"])[0]
	if properties, ok := reaction["properties"].(map[string]any); !ok || properties[key] != "v" {
		t.Error("the key did not arrive")
	}
}

// Contract 2.2: what the server takes where nothing is written.
func TestDefaultsOfTheServer(t *testing.T) {
	t.Parallel()
	f := newServer(t)
	f.write("server.yaml", "")
	_, stdout, _ := f.command("validate", "--config", f.path("server.yaml"), "--plugins-dir", f.plugins)
	if !strings.Contains(stdout, "[OK] Server settings valid (host: 0.0.0.0, port: 8080, logLevel: info)\n") {
		t.Errorf("stdout: %s", stdout)
	}
}
