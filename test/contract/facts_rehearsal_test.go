package contract

import (
	"strings"
	"testing"
)

// harmless makes a configuration one that connects to nothing (contract 1.4).
func harmless(c object) {
	for _, key := range []string{"sources", "reactions"} {
		list, _ := c[key].([]any)
		for _, item := range list {
			if component, ok := item.(object); ok {
				component["autoStart"] = false
			}
		}
	}
	queries, _ := c["queries"].([]any)
	for _, item := range queries {
		if query, ok := item.(object); ok {
			with(query, "autoStart", true, "sources", []any{}, "enableBootstrap", false)
		}
	}
}

func rehearsal(t *testing.T, change func(c object)) *fixture {
	t.Helper()
	f := newFull(t)
	if change != nil {
		change(f.config)
	}
	harmless(f.config)
	return f
}

// Contract 1.4: a good configuration is up, opens nothing, and its queries end
// in Error for want of sources.
func TestRehearsalOfAGoodConfig(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	holdPort(t, port)
	f := rehearsal(t, func(c object) {
		c["sources"] = []any{object{"kind": "http", "id": "m", "host": "127.0.0.1", "port": port}}
	}).up()
	item := f.status("/api/v1/instances/t/queries/q", "Error")
	text, ok := item["error_message"].(string)
	if !ok || !strings.HasSuffix(text, "Failed to build subscription settings: No sources configured for query") {
		t.Errorf("item: %v", item)
	}
	f.status("/api/v1/instances/t/sources/m", "Added")
	f.stop()
}

// Contract 1.4: a query without labels needs no source and runs; one with a
// label is the canary that ends as good queries do.
func TestRehearsalCanaries(t *testing.T) {
	t.Parallel()
	f := rehearsal(t, func(c object) {
		c["queries"] = []any{
			counting("q"), with(counting("canary"), "query", "MATCH (n) RETURN n"),
			with(counting("labelled"), "query", "MATCH (n:Anything) RETURN n"),
		}
	}).up()
	f.status("/api/v1/instances/t/queries/canary", "Running")
	good := f.status("/api/v1/instances/t/queries/q", "Error")
	canary := f.status("/api/v1/instances/t/queries/labelled", "Error")
	strip := func(item object) string {
		text, ok := item["error_message"].(string)
		if !ok {
			t.Fatalf("item: %v", item)
		}
		return strings.TrimPrefix(text, "Start failed: ")
	}
	if strip(good) != strip(canary) {
		t.Errorf("%q and %q differ", strip(good), strip(canary))
	}
}

// Contract 1.4: what it finds in queries.
func TestRehearsalFindsBadQueries(t *testing.T) {
	t.Parallel()
	table := map[string]struct {
		change object
		want   string
	}{
		"text":       {object{"query": "MATCH (((", "id": "q"}, "Failed to build query: Parser error: "},
		"middleware": {object{"middleware": []any{object{"kind": "nope", "name": "j", "config": object{}}}}, "Unknown middleware kind: nope"},
	}
	for name, c := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := rehearsal(t, func(cfg object) {
				query := counting("q", "m")
				for key, val := range c.change {
					query[key] = val
				}
				cfg["queries"] = []any{query}
			}).up()
			item := f.status("/api/v1/instances/t/queries/q", "Error")
			if text, ok := item["error_message"].(string); !ok || !strings.Contains(text, c.want) {
				t.Errorf("item: %v", item)
			}
		})
	}
}

// Contract 1.4: what ends it with the server's own words.
func TestRehearsalRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(c object)
		stderr string
	}{
		"plugin key": {
			func(c object) { c["sources"] = []any{with(mock("m"), "bogus", 1)} }, "Error: Failed to create source 'm': unknown field `bogus`",
		},
		"unset variable": {
			func(c object) { c["sources"] = []any{with(mock("m"), "intervalMs", "${NOPE}")} },
			"Error: Failed to create source 'm': Environment variable 'NOPE' not found",
		},
		"unknown query": {
			func(c object) { c["reactions"] = []any{logging("l", "zz")} }, "Error: Failed to create DrasiLib: Failed to add reaction 'l': ",
		},
		"duplicate id": {
			func(c object) { c["sources"] = []any{mock("m"), mock("m")} }, "Error: Failed to create DrasiLib: Failed to add source 'm': ",
		},
		"missing plugin": {
			func(c object) { c["sources"] = []any{object{"kind": "nope", "id": "m"}} }, missing + "  - source/nope ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rehearsal(t, c.change).run().refuses(c.stderr)
		})
	}
}

// Contract 1.4: validate sees the server's own faults, and neither missing
// plugins nor plugins' configurations nor queries.
func TestValidateSeesLittle(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(c object)
		code   int
		stdout string
	}{
		"good":          {func(object) {}, 0, "— all valid"},
		"unknown key":   {func(c object) { c["foo"] = 1 }, 1, "[ERR] Failed to parse config file '"},
		"unset":         {func(c object) { c["id"] = "${NOPE}" }, 1, "[ERR] Validation error: Environment variable 'NOPE' not found and no default provided"},
		"unset inside":  {func(c object) { c["sources"] = []any{with(mock("m"), "intervalMs", "${NOPE}")} }, 1, "[ERR] sources['m'].intervalMs: env var 'NOPE' not found and no default provided"},
		"plugin key":    {func(c object) { c["sources"] = []any{with(mock("m"), "bogus", 1)} }, 0, "— all valid"},
		"query text":    {func(c object) { c["queries"] = []any{with(counting("q", "m"), "query", "MATCH (((")} }, 0, "— all valid"},
		"duplicate ids": {func(c object) { c["sources"] = []any{mock("m"), mock("m")} }, 0, "— all valid"},
		"no plugin": {
			func(c object) { c["sources"] = []any{object{"kind": "nope", "id": "m"}} }, 0,
			"[WARN] source/nope — not installed (referenced by source 'm')",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFull(t)
			c.change(f.config)
			f.writeConfig()
			end, stdout, stderr := f.command("validate", "--config", f.path("server.yaml"), "--plugins-dir", f.plugins)
			if end.Code != c.code || !strings.Contains(stdout, c.stdout) || stderr != "" {
				t.Errorf("got %+v, %q, stderr %q", end, stdout, stderr)
			}
		})
	}
}
