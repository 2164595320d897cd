package contract

import (
	"strings"
	"testing"
	"time"
)

// Contract 2.3: ids share one namespace and references must resolve; all of it
// is exit 1.
func TestIdsAndReferences(t *testing.T) {
	t.Parallel()
	top := func(key string, list ...any) func(object) { return func(c object) { c[key] = list } }
	const begin = "Error: Failed to create DrasiLib: "
	refusals(t, map[string]refusal{
		"duplicate source": {
			change: top("sources", mock("m"), mock("m")),
			stderr: begin + "Failed to add source 'm': Failed to register: source 'm' already exists in the graph\n",
		},
		"duplicate query": {
			change: top("queries", counting("q", "m"), counting("q", "m")),
			stderr: begin + "Validation failed: Duplicate query id: 'q'\n",
		},
		"duplicate reaction": {
			change: top("reactions", logging("l", "q"), logging("l", "q")),
			stderr: begin + "Failed to add reaction 'l': Failed to register: ",
		},
		"query named as a source": {
			change: top("queries", counting("m", "m")), stderr: begin + "query 'm' already exists in the graph\n",
		},
		"unknown source": {
			change: top("queries", counting("q", "zz")),
			stderr: begin + "Cannot register query 'q': referenced source 'zz' does not exist in the graph\n",
		},
		"unknown query": {
			change: top("reactions", logging("l", "zz")),
			stderr: begin + "Failed to add reaction 'l': Failed to register: Cannot register reaction 'l': referenced query 'zz' does not exist in the graph\n",
		},
		"unknown storage backend": {
			change: top("queries", with(counting("q", "m"), "storageBackend", "zz")),
			stderr: begin + "Validation failed: Query 'q' references unknown storage backend 'zz'.",
		},
		"rocksdb without persistIndex": {
			change: top("queries", with(counting("q", "m"), "storageBackend", "rocksdb")),
			stderr: begin + "Validation failed: Query 'q' references unknown storage backend 'rocksdb'.",
		},
		"unknown identity provider": {
			change: top("sources", with(mock("m"), "identityProvider", "zz")),
			stderr: "Error: Source references unknown identityProvider 'zz'. Declared providers: []\n",
		},
	})
}

// Contract 2.5 and 2.7: plugins refuse keys that they do not know; the old form
// of the http reaction is one.
func TestPluginsRefuseUnknownKeys(t *testing.T) {
	t.Parallel()
	refusals(t, map[string]refusal{
		"source": {
			change: func(c object) { c["sources"] = []any{with(mock("m"), "bogus", 1)} },
			stderr: "Error: Failed to create source 'm': unknown field `bogus`, expected `dataType` or `intervalMs`\n",
		},
		"old http reaction": {
			change: func(c object) {
				c["reactions"] = []any{object{
					"kind": "http", "id": "l", "queries": []string{"q"}, "baseUrl": "http://127.0.0.1:1",
					"routes": object{"q": object{"added": object{"url": "/", "method": "POST", "body": "x"}}},
				}}
			},
			stderr: "Error: Failed to create reaction 'l': unknown field `routes`, expected one of `baseUrl`, ",
		},
	})
}

// Contract 6.2: an http source whose port is taken ends the process.
func TestTakenPortOfAnHTTPSource(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	port := freePort(t)
	holdPort(t, port)
	f.config["sources"] = []any{object{"kind": "http", "id": "m", "host": "127.0.0.1", "port": port}}
	f.run().refuses("Error: Failed to start some sources: m: Failed to bind HTTP server to 127.0.0.1:" + itoa(port) +
		": Address already in use (os error 98)")
}

// Contract 6.2 and 6.3: an sse reaction hides that its port is taken; only
// stdout says so, without the reaction's id.
func TestTakenPortOfAnSSEReactionIsHidden(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	port := freePort(t)
	holdPort(t, port)
	f.config["reactions"] = []any{with(logging("l", "q"), "kind", "sse", "host", "127.0.0.1", "port", port)}
	f.up()
	f.status("/api/v1/instances/t/reactions/l", "Running")
	if logs := f.list("/api/v1/instances/t/reactions/l/logs"); len(logs) != 0 {
		t.Errorf("logs: %v", logs)
	}
	f.stop()
	if text := f.proc.output("stdout"); !strings.Contains(text, "ERROR drasi_host_sdk::callbacks: [plugin:sse-reaction] Failed to bind SSE server: ") {
		t.Errorf("stdout: %s", text)
	}
}

// Contract 2.7: a free one is opened.
func TestSSEReactionListens(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	port := freePort(t)
	f.config["reactions"] = []any{with(logging("l", "q"), "kind", "sse", "host", "127.0.0.1", "port", port)}
	f.up()
	eventually(t, settle, "the reaction listens", func() bool { return listening(t, port) })
	f.stop()
	if listening(t, port) {
		t.Error("it listens after the end")
	}
}

// Contract 4.5: what must not start by itself stays Added, and opens nothing.
func TestNotAutoStart(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	port := freePort(t)
	holdPort(t, port)
	f.config["sources"] = []any{object{"kind": "http", "id": "m", "host": "127.0.0.1", "port": port, "autoStart": false}}
	f.config["reactions"] = []any{with(logging("l", "q"), "autoStart", false)}
	f.up()
	f.status("/api/v1/instances/t/sources/m", "Added")
	f.status("/api/v1/instances/t/queries/q", "Running")
	f.status("/api/v1/instances/t/reactions/l", "Added")
}

// Contract 2.6: a bad text puts the query into Error, with the parser's words
// on its item only, and the process lives.
func TestBadQueryText(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["queries"] = []any{with(counting("q", "m"), "query", "MATCH (((")}
	f.up()
	item := f.status("/api/v1/instances/t/queries/q", "Error")
	if text, ok := item["error_message"].(string); !ok || !strings.Contains(text, "Failed to build query: Parser error: ") {
		t.Errorf("item: %v", item)
	}
	query := objects(t, f.item("/api/v1/instances/t/snapshot")["queries"])[0]
	if _, ok := query["error_message"]; ok || query["status"] != "Error" {
		t.Errorf("snapshot: %v", query)
	}
	f.status("/api/v1/instances/t/reactions/l", "Running")
	f.stop()
}

// Contract 6.2: without a database a postgres source ends the process, unless
// it has a bootstrap provider.
func TestPostgresDown(t *testing.T) {
	t.Parallel()
	source := func() object {
		return object{
			"kind": "postgres", "id": "m", "host": "127.0.0.1", "port": freePort(t),
			"database": "d", "user": "u", "password": "p", "tables": []string{"t"},
		}
	}
	f := newFull(t)
	f.config["sources"] = []any{source()}
	f.run().refuses("Error: Failed to start some sources: m: Failed to establish PostgreSQL replication: Connection refused (os error 111)\n")

	f = newFull(t)
	f.config["sources"] = []any{with(source(), "bootstrapProvider", object{"kind": "postgres"})}
	f.up()
	f.status("/api/v1/instances/t/sources/m", "Running")
	item := f.status("/api/v1/instances/t/queries/q", "Error")
	if text, ok := item["error_message"].(string); !ok || !strings.HasPrefix(text, "Bootstrap failed: source 'm': ") {
		t.Errorf("item: %v", item)
	}
	f.status("/api/v1/instances/t/reactions/l", "Running")
	logs := f.list("/api/v1/instances/t/sources/m/logs")
	if last := logs[len(logs)-1]; last["level"] != "Error" {
		t.Errorf("last line: %v", last)
	}
}

// Contract 2.3: with instances the top level's lists are ignored.
func TestInstancesBeatTheTopLevel(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["instances"] = []any{object{"id": "a", "sources": []any{mock("m")}}, object{"id": "b"}}
	f.up()
	list := f.list("/api/v1/instances")
	if len(list) != 2 || list[0]["id"] != "a" || list[0]["query_count"] != 0.0 || list[1]["source_count"] != 1.0 {
		t.Errorf("instances: %v", list)
	}
}

// Contract 6.2: it looks for a bind error for half a second, and the start with
// it.
func TestAnHTTPSourceCostsHalfASecond(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["sources"] = []any{object{"kind": "http", "id": "m", "host": "127.0.0.1", "port": freePort(t)}}
	begun := time.Now()
	f.run().answering()
	if waited := time.Since(begun); waited < 500*time.Millisecond {
		t.Errorf("the API answered after %v", waited)
	}
}
