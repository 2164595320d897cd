package drasi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/draas-io/draas/api/v1alpha1"
)

// answering is a client of a server that answers as it is told.
func answering(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := NewClient(netip.MustParseAddrPort(address.Host))
	t.Cleanup(client.Close)
	return client
}

// reply answers everything alike.
func reply(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

const goodSnapshot = `{"success":true,"error":null,"data":{"instance_id":"t","timestamp":"x",
"sources":[{"id":"__component_graph__","source_type":"component_graph","status":"Running","auto_start":true,"properties":{"password":"literal"}},
{"id":"m","source_type":"mock","status":"Running","auto_start":true,"properties":{},"bootstrap_provider":null}],
"queries":[{"id":"q","status":"Error","config":{"id":"q","query":"MATCH (((","queryLanguage":"Cypher","sources":[{"source_id":"m","nodes":[]}],"auto_start":true}}],
"reactions":[{"id":"l","reaction_type":"log","status":"Added","auto_start":false,"queries":["q"],"properties":{}}],"edges":[]}}`

func TestSnapshotIsRead(t *testing.T) {
	client := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() != "/api/v1/instances/a%2Fb%20%C3%BC/snapshot" {
			http.NotFound(w, r)
			return
		}
		reply(200, "application/json", goodSnapshot)(w, r)
	})
	got, err := client.Snapshot(t.Context(), "a/b ü")
	if err != nil {
		t.Fatal(err)
	}
	want := &Snapshot{
		InstanceID: "t",
		Sources: []SnapshotSource{
			{ID: "__component_graph__", Kind: "component_graph", Status: "Running", AutoStart: true},
			{ID: "m", Kind: "mock", Status: "Running", AutoStart: true},
		},
		Queries: []SnapshotQuery{{ID: "q", Status: "Error", Config: SnapshotQueryConfig{
			Query: "MATCH (((", Language: "Cypher", AutoStart: true, Sources: []SnapshotQuerySource{{SourceID: "m"}},
		}}},
		Reactions: []SnapshotReaction{{ID: "l", Kind: "log", Status: "Added", Queries: []string{"q"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOddReplies(t *testing.T) {
	ctx := t.Context()
	snapshot := func(c *Client) error { _, err := c.Snapshot(ctx, "zz"); return err }
	component := func(c *Client) error { _, err := c.Component(ctx, "t", v1alpha1.ComponentSource, "nope"); return err }
	logs := func(c *Client) error { _, err := c.Logs(ctx, "t", v1alpha1.ComponentQuery, "q", 5); return err }
	instances := func(c *Client) error { _, err := c.Instances(ctx); return err }
	cases := map[string]struct {
		handler http.HandlerFunc
		ask     func(*Client) error
		is      error
		says    string
	}{
		"unknown instance":          {reply(404, "text/plain; charset=utf-8", "Instance 'zz' not found"), snapshot, ErrInstanceUnknown, "Instance 'zz' not found"},
		"unknown instance's source": {reply(500, "application/json", `{"code":"INTERNAL_ERROR","message":"Instance not found"}`), component, ErrInstanceUnknown, "Instance not found"},
		"unknown instance, list":    {reply(404, "text/plain", "Instance 'zz' not found"), component, ErrInstanceUnknown, "Instance 'zz' not found"},
		"unknown source":            {reply(404, "application/json", `{"code":"SOURCE_NOT_FOUND","message":"source 'nope' not found"}`), component, ErrComponentUnknown, "SOURCE_NOT_FOUND: source 'nope' not found"},
		"unknown query's logs":      {reply(404, "application/json", `{"code":"QUERY_NOT_FOUND","message":"query 'q' not found"}`), logs, ErrComponentUnknown, "QUERY_NOT_FOUND"},
		"server fault":              {reply(500, "application/json", `{"code":"INTERNAL_ERROR","message":"Internal server error"}`), snapshot, nil, "status 500 INTERNAL_ERROR: Internal server error"},
		"no body":                   {reply(404, "", ""), instances, nil, "status 404"},
		"HTML":                      {reply(200, "text/html", "<html>"), snapshot, nil, "decode drasi-server's reply"},
		"truncated":                 {reply(200, "application/json", goodSnapshot[:200]), snapshot, nil, "decode drasi-server's reply"},
		"no success":                {reply(200, "application/json", `{"success":false,"data":null,"error":"x"}`), snapshot, nil, "no success with data"},
		"no data":                   {reply(200, "application/json", `{"success":true,"data":null}`), instances, nil, "no success with data"},
		"another JSON":              {reply(200, "application/json", `{"status":"ok"}`), component, nil, "no success with data"},
		"empty snapshot":            {reply(200, "application/json", `{"success":true,"data":{}}`), snapshot, nil, "names no instance"},
		"wrong types":               {reply(200, "application/json", `{"success":true,"data":{"instance_id":1}}`), snapshot, nil, "decode drasi-server's reply"},
		"component without status":  {reply(200, "application/json", `{"success":true,"data":{"id":"m"}}`), component, nil, "no id or no status"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/ui/", http.StatusTemporaryRedirect)
		}, instances, nil, "status 307"},
		"too large":                   {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(strings.Repeat(" ", maxReply+1))) }, snapshot, ErrReplyTooLarge, ""},
		"too large, and no success":   {reply(500, "text/plain", strings.Repeat("x", maxReply+1)), snapshot, ErrReplyTooLarge, ""},
		"an error text without bound": {reply(500, "text/plain", strings.Repeat("wörd ", 1<<16)), instances, nil, "status 500: wörd"},
		"closed in the middle": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("{"))
		}, snapshot, nil, "read drasi-server's reply to GET /api/v1/instances/zz/snapshot"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := c.ask(answering(t, c.handler))
			if err == nil {
				t.Fatal("no error")
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
			if c.is == nil && (errors.Is(err, ErrInstanceUnknown) || errors.Is(err, ErrComponentUnknown)) {
				t.Errorf("%v is taken for an unknown instance or component", err)
			}
			if !strings.Contains(err.Error(), c.says) || len(err.Error()) > 2*maxErrorText {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestHealthOnlyAsksWhetherTheAPIAnswers(t *testing.T) {
	if err := answering(t, reply(200, "application/json", `{"status":"ok"}`)).Health(t.Context()); err != nil {
		t.Error(err)
	}
	if err := answering(t, reply(503, "", "")).Health(t.Context()); err == nil {
		t.Error("a 503 is healthy")
	}
}

func TestComponentAndLogsAreRead(t *testing.T) {
	client := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body := map[string]string{
			"/api/v1/instances/t/queries/q%2F1?":           `{"success":true,"data":{"id":"q/1","status":"Error","error_message":"Start failed:\u0000\n x"}}`,
			"/api/v1/instances/t/reactions/r/logs?limit=2": `{"success":true,"data":[{"timestamp":"x","level":"Error","message":"a\u001b[31mb","componentId":"r"}]}`,
			"/api/v1/instances?":                           `{"success":true,"data":[{"id":"t","source_count":2}]}`,
			"/api/v1/instances/t/sources/..?":              `{"success":true,"data":{"id":"..","status":"Running"}}`,
		}[r.URL.EscapedPath()+"?"+r.URL.RawQuery]
		reply(200, "application/json", body)(w, r)
	})
	item, err := client.Component(t.Context(), "t", v1alpha1.ComponentQuery, "q/1")
	if diff := cmp.Diff(&Item{ID: "q/1", Status: "Error", ErrorMessage: "Start failed: x"}, item); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
	lines, err := client.Logs(t.Context(), "t", v1alpha1.ComponentReaction, "r", 2)
	if diff := cmp.Diff([]LogLine{{Timestamp: "x", Level: "Error", Message: "a[31mb"}}, lines); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
	ids, err := client.Instances(t.Context())
	if diff := cmp.Diff([]string{"t"}, ids); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
	if item, err := client.Component(t.Context(), "t", v1alpha1.ComponentSource, ".."); err != nil || item.Status != "Running" {
		t.Errorf("%v %v", item, err)
	}
}

func TestASlowServerIsNotWaitedForLongerThanTheCaller(t *testing.T) {
	release := make(chan struct{})
	client := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client.Snapshot(ctx, "t"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
}

func TestAnAddressWithoutServerIsAnError(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	address, err := url.Parse(server.URL)
	server.Close()
	if err != nil {
		t.Fatal(err)
	}
	client := NewClient(netip.MustParseAddrPort(address.Host))
	defer client.Close()
	if err := client.Health(t.Context()); err == nil {
		t.Error("nobody is healthy")
	}
}

func TestEnvironmentProxiesAreNotUsed(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:9")
	t.Setenv("http_proxy", "http://127.0.0.1:9")
	transport, isTransport := NewClient(netip.MustParseAddrPort("10.0.0.1:1")).http.Transport.(*http.Transport)
	if !isTransport || transport.Proxy != nil {
		t.Error("the client asks the environment for a proxy")
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	remotes := map[string]bool{}
	client := answering(t, func(w http.ResponseWriter, r *http.Request) {
		remotes[r.RemoteAddr] = true
		reply(200, "application/json", `{"status":"ok"}`)(w, r)
	})
	for range 5 {
		if err := client.Health(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(remotes) != 1 {
		t.Errorf("%d connections for five calls", len(remotes))
	}
}
