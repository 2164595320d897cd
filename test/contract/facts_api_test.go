package contract

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Contract 4.4: the snapshot's shape, with the internal ids that begin with
// "__", and without messages.
func TestSnapshotShape(t *testing.T) {
	t.Parallel()
	f := newFull(t).up()
	f.status("/api/v1/instances/t/queries/q", "Running")
	snapshot := f.item("/api/v1/instances/t/snapshot")
	if snapshot["instance_id"] != "t" {
		t.Errorf("instance id: %v", snapshot["instance_id"])
	}
	sources := objects(t, snapshot["sources"])
	if sources[0]["id"] != "__component_graph__" || sources[0]["source_type"] != "component_graph" {
		t.Errorf("internal source: %v", sources[0])
	}
	want := object{
		"id": "m", "source_type": "mock", "status": "Running", "auto_start": true, "bootstrap_provider": nil,
		"properties": object{"dataType": object{"type": "counter"}, "intervalMs": 300.0},
	}
	if diff := cmp.Diff(want, sources[1]); diff != "" {
		t.Errorf("source (-want +got):\n%s", diff)
	}
	wantReaction := object{
		"id": "l", "reaction_type": "log", "status": "Running", "auto_start": true, "queries": []any{"q"}, "properties": object{},
	}
	if diff := cmp.Diff(wantReaction, objects(t, snapshot["reactions"])[0]); diff != "" {
		t.Errorf("reaction (-want +got):\n%s", diff)
	}
	wantQuery := object{"id": "q", "status": "Running", "config": object{
		"id": "q", "query": "MATCH (c:Counter) RETURN c.value AS v", "queryLanguage": "Cypher", "middleware": []any{},
		"sources":    []any{object{"source_id": "m", "nodes": []any{}, "relations": []any{}, "pipeline": []any{}}},
		"auto_start": true, "enableBootstrap": true, "bootstrapBufferSize": 10000.0, "priority_queue_capacity": 10000.0,
		"dispatch_buffer_capacity": 1000.0, "outboxCapacity": 1000.0, "bootstrapTimeoutSecs": 300.0,
	}}
	if diff := cmp.Diff(wantQuery, objects(t, snapshot["queries"])[0]); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
}

// Contract 4.3: counts include the internal source, links hold ids as they are.
func TestInstanceList(t *testing.T) {
	t.Parallel()
	f := newFull(t).up()
	self := "/api/v1/instances/t"
	want := []object{{
		"id": "t", "source_count": 2.0, "query_count": 1.0, "reaction_count": 1.0,
		"links": object{"self": self, "sources": self + "/sources", "queries": self + "/queries", "reactions": self + "/reactions"},
	}}
	if diff := cmp.Diff(want, f.list("/api/v1/instances")); diff != "" {
		t.Errorf("instances (-want +got):\n%s", diff)
	}
}

// Contract 4.3: the odd answers about what is not there.
func TestUnknownThings(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["queries"] = []any{counting("q", "m"), with(counting("idle", "m"), "autoStart", false)}
	f.up()
	text := reply{Status: http.StatusNotFound, ContentType: "text/plain; charset=utf-8", Body: "Instance 'zz' not found"}
	refused := func(status int, code, message string) reply {
		return reply{Status: status, ContentType: "application/json", Body: object{"code": code, "message": message}}
	}
	for path, want := range map[string]reply{
		"/api/v1/instances/zz/snapshot":            text,
		"/api/v1/instances/zz/sources":             text,
		"/api/v1/instances/zz/sources/m":           refused(500, "INTERNAL_ERROR", "Instance not found"),
		"/api/v1/instances/t/sources/nope":         refused(404, "SOURCE_NOT_FOUND", "source 'nope' not found"),
		"/api/v1/instances/t/queries/nope":         refused(404, "QUERY_NOT_FOUND", "query 'nope' not found"),
		"/api/v1/instances/t/reactions/nope":       refused(404, "REACTION_NOT_FOUND", "reaction 'nope' not found"),
		"/api/v1/instances/t/sources/nope/logs":    refused(404, "SOURCE_NOT_FOUND", "source 'nope' not found"),
		"/api/v1/instances/t/queries/nope/results": refused(500, "INTERNAL_ERROR", "Query 'nope' not found"),
		"/api/v1/instances/t/queries/idle/results": refused(400, "INVALID_REQUEST", "Query 'idle' is not running"),
		"/nope":    {Status: http.StatusNotFound, Body: ""},
		"/metrics": {Status: http.StatusNotFound, Body: ""},
	} {
		if diff := cmp.Diff(want, f.get(path), cmp.AllowUnexported(reply{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// Contract 4.6: events and log lines of a component, the last of them by limit.
func TestEventsAndLogs(t *testing.T) {
	t.Parallel()
	f := newFull(t).up()
	f.status("/api/v1/instances/t/queries/q", "Running")
	statuses := []any{}
	for _, event := range f.list("/api/v1/instances/t/queries/q/events") {
		statuses = append(statuses, event["status"])
		if event["componentId"] != "q" || event["componentType"] != "Query" {
			t.Errorf("event: %v", event)
		}
	}
	if diff := cmp.Diff([]any{"Added", "Starting", "Running"}, statuses); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	logs := f.list("/api/v1/instances/t/sources/m/logs?limit=1")
	if len(logs) != 1 || logs[0]["level"] != "Info" || logs[0]["componentId"] != "m" {
		t.Errorf("logs: %v", logs)
	}
}

// Contract 4.3: ids with odd characters are reached by escaping them, and come
// back unescaped.
func TestOddComponentIds(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["id"] = "a/b ü"
	f.config["sources"] = []any{mock("m/1 x")}
	f.config["queries"] = []any{counting("q", "m/1 x")}
	f.up()
	item := f.item("/api/v1/instances/a%2Fb%20%C3%BC/sources/m%2F1%20x")
	links, ok := item["links"].(map[string]any)
	if !ok || item["id"] != "m/1 x" || links["self"] != "/api/v1/instances/a/b ü/sources/m/1 x" {
		t.Errorf("item: %v", item)
	}
}

// Contract 4.3: short routes are those of the first instance.
func TestShortRoutes(t *testing.T) {
	t.Parallel()
	f := newFull(t).up()
	if diff := cmp.Diff(f.list("/api/v1/instances/t/reactions"), f.list("/api/v1/reactions")); diff != "" {
		t.Errorf("lists differ:\n%s", diff)
	}
}

// Contract 4.3: view=full adds the configuration, for sources without
// autoStart.
func TestFullView(t *testing.T) {
	t.Parallel()
	f := newFull(t).up()
	want := object{"kind": "mock", "id": "m", "dataType": object{"type": "counter"}, "intervalMs": 300.0}
	if diff := cmp.Diff(want, f.item("/api/v1/instances/t/sources/m?view=full")["config"]); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

// Contract 4.8: a file that cannot be appended to makes the API read-only.
func TestReadOnlyMode(t *testing.T) {
	t.Parallel()
	f := newFull(t).readOnly().answering()
	got := request(t, f.port, http.MethodPost, "/api/v1/instances/t/sources", "application/json", []byte(jsonText(t, mock("x"))))
	want := reply{Status: http.StatusConflict, ContentType: "application/json", Body: object{
		"code": "CONFIG_READ_ONLY", "message": "Server is in read-only mode. Cannot create sources.",
	}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(reply{})); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
}
