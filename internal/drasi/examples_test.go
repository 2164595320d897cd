package drasi

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// ignoredByDesign are the top-level keys that are not passed on as they are written.
var ignoredByDesign = []string{
	"apiVersion", "host", "port", "id", "persistConfig", "pluginRegistry", "autoInstallPlugins", "plugins", "verifyPlugins", "trustedIdentities",
	"hotReloadPlugins", "hotReloadDebounceMs", "instances",
}

// expectation of an example: what it listens on and which plugins it needs.
type exampleFacts struct {
	listeners []string
	plugins   string
}

const mockAndLog = "reaction/log source/mock"

var publishedFacts = map[string]exampleFacts{
	"01-fundamentals_first-continuous-query": {plugins: mockAndLog},
	"01-fundamentals_hello-world":            {plugins: mockAndLog},
	"01-fundamentals_mock-with-logging":      {plugins: mockAndLog},
	"02-sources_http-webhook-receiver": {
		listeners: []string{"webhook-receiver http 0.0.0.0:9000/sources/webhook-receiver/events"}, plugins: "reaction/log source/http",
	},
	"02-sources_postgres-cdc-complete": {plugins: "bootstrap/postgres reaction/log source/postgres"},
	"03-reactions_log-with-templates":  {plugins: mockAndLog},
	"03-reactions_sse-browser-streaming": {
		listeners: []string{"live-stream sse 0.0.0.0:8081/events"}, plugins: "reaction/log reaction/sse source/mock",
	},
	"04-query-patterns_aggregation-queries":   {plugins: mockAndLog},
	"04-query-patterns_multi-source-queries":  {plugins: mockAndLog},
	"05-advanced-features_capacity-tuning":    {plugins: "reaction/log reaction/profiler source/mock"},
	"05-advanced-features_persistent-storage": {plugins: mockAndLog},
	"config_server-minimal":                   {},
	"config_server-with-env-vars": {
		listeners: []string{
			"webhook-receiver http 0.0.0.0:9000/sources/webhook-receiver/events", "sse-high-value-orders sse 0.0.0.0:8081/events",
		},
		plugins: "bootstrap/postgres reaction/http reaction/log reaction/sse source/http source/postgres",
	},
	"getting-started_server-config": {
		listeners: []string{"sse-stream sse 0.0.0.0:8081/events"},
		plugins:   "bootstrap/postgres reaction/log reaction/sse source/postgres",
	},
	"github-webhooks_server-config": {
		listeners: []string{"github-webhooks http 0.0.0.0:9000", "sse-github-events sse 0.0.0.0:8081/events"},
		plugins:   "reaction/log reaction/sse source/http",
	},
}

var ownFacts = map[string]exampleFacts{
	"mock": {plugins: "ghcr.io/drasi-project/reaction/log:0.2.1 reaction/profiler source/mock:0.1.8"},
	"http": {
		listeners: []string{
			"ingest http 127.0.0.1:9000/sources/ingest/events", "hooks http 127.0.0.1:9001", "stream sse 127.0.0.1:8081/changes",
			"default-port sse 127.0.0.1:8080/events",
		},
		plugins: "reaction/http reaction/sse source/http",
	},
	"postgres": {
		plugins: "bootstrap/postgres bootstrap/scriptfile identity/aws identity/azure reaction/storedproc-postgres secret-store/file " +
			"source/mock source/postgres",
	},
	"databases": {
		listeners: []string{"lite sqlite 127.0.0.1:8090"},
		plugins: "bootstrap/mssql bootstrap/mysql bootstrap/neo4j bootstrap/oracle bootstrap/sqlite reaction/storedproc-mssql " +
			"reaction/storedproc-mysql source/mssql source/mysql source/neo4j source/oracle source/sqlite",
	},
	"streams": {
		listeners: []string{"in grpc 127.0.0.1:50055", "in-default grpc 127.0.0.1:50051"},
		plugins: "bootstrap/http bootstrap/kafka bootstrap/kubernetes bootstrap/platform reaction/aws-sqs reaction/azure-storage " +
			"reaction/eventgrid reaction/grpc reaction/platform reaction/rabbitmq source/grpc source/kafka source/kubernetes source/mock " +
			"source/platform",
	},
	"boards": {
		listeners: []string{"board dashboard 127.0.0.1:3000", "tools mcp 127.0.0.1:3001"},
		plugins:   "reaction/dashboard reaction/file reaction/loki reaction/mcp source/mock",
	},
	"texts":    {plugins: mockAndLog},
	"instance": {listeners: []string{"s sse 127.0.0.1:8080/events"}, plugins: "reaction/sse source/mock"},
	"unknown":  {plugins: "bootstrap/gtfs-rt reaction/pager secret-store/azure-keyvault source/gtfs-rt source/mock"},
	"minimal":  {plugins: mockAndLog},
}

func TestPublishedConfigurationsArePlannedAsPasted(t *testing.T) {
	texts := configFiles(t, filepath.Join(sharedDir(t), "drasi-examples"))
	const several = "05-advanced-features_multi-instance"
	if len(texts) != len(publishedFacts)+1 {
		t.Errorf("there are %d published configurations, not %d", len(texts), len(publishedFacts)+1)
	}
	for name, facts := range publishedFacts {
		t.Run(name, func(t *testing.T) { checkExample(t, texts[name], facts) })
	}
	t.Run(several, func(t *testing.T) {
		p := planOf(t, texts[several], exampleEnv())
		want := []string{"spec.config.instances: has 3 entries: write one DrasiInstance for each"}
		if diff := cmp.Diff(want, findingTexts(p)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOwnConfigurationsArePlannedAsPasted(t *testing.T) {
	texts := configFiles(t, filepath.Join("testdata", "configs"))
	if len(texts) != len(ownFacts) {
		t.Errorf("there are %d configurations, not %d", len(texts), len(ownFacts))
	}
	for name, facts := range ownFacts {
		t.Run(name, func(t *testing.T) { checkExample(t, texts[name], facts) })
	}
}

func checkExample(t *testing.T, text string, facts exampleFacts) {
	t.Helper()
	p := planOf(t, text, exampleEnv())
	if len(p.Findings) > 0 {
		t.Fatalf("findings: %q", findingTexts(p))
	}
	if diff := cmp.Diff(facts.listeners, listenerTexts(p.Listeners)); diff != "" {
		t.Errorf("listeners:\n%s", diff)
	}
	var plugins []string
	for _, plugin := range p.Plugins {
		plugins = append(plugins, plugin.Reference)
	}
	slices.Sort(plugins)
	if got := strings.Join(plugins, " "); got != facts.plugins {
		t.Errorf("plugins:\n got %s\nwant %s", got, facts.plugins)
	}
	checkNothingLost(t, text, mustReadAlike(t, p.Rendered))

	got, err := ReadExpectation(p.Rendered, exampleEnv(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.Expectation(), got, cmp.Comparer(sameAddress)); diff != "" {
		t.Errorf("the file tells another expectation than the plan:\n%s", diff)
	}
}

func listenerTexts(listeners []Listener) []string {
	var out []string
	for _, l := range listeners {
		out = append(out, fmt.Sprintf("%s %s %s:%d%s", l.Name, l.Kind, l.Address, l.Port, l.Path))
	}
	return out
}

// checkNothingLost holds every key of a configuration against the file.
func checkNothingLost(t *testing.T, text string, file map[string]any) {
	t.Helper()
	_, raw := readConfig(t, text)
	written, _ := parseAsJSON(t, raw).(map[string]any)
	if list, isList := written["instances"].([]any); isList {
		for _, key := range instanceKeys() {
			delete(written, key)
		}
		for key, value := range list[0].(map[string]any) {
			written[key] = value
		}
	}
	for key, value := range written {
		if !slices.Contains(ignoredByDesign, key) {
			checkValue(t, key, value, file[key])
		}
	}
}

func checkValue(t *testing.T, path string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		inner, isObject := got.(map[string]any)
		if !isObject {
			t.Errorf("%s: an object became %v", path, got)
		}
		for key, value := range want {
			checkValue(t, path+"."+key, value, inner[key])
		}
	case []any:
		list, _ := got.([]any)
		if len(list) != len(want) {
			if len(want) > 0 {
				t.Errorf("%s: %d items became %d", path, len(want), len(list))
			}
			return
		}
		for i := range want {
			checkValue(t, fmt.Sprintf("%s[%d]", path, i), want[i], list[i])
		}
	case bool:
		if strings.HasSuffix(path, ".encryption") {
			if got != map[bool]string{true: "on", false: "off"}[want] {
				t.Errorf("%s: %v became %v", path, want, got)
			}
			return
		}
		if got != want {
			t.Errorf("%s: %v became %v", path, want, got)
		}
	default:
		if got != want {
			t.Errorf("%s: %#v became %#v", path, want, got)
		}
	}
}

func TestOwnConfigurationsAreRenderedAsTheGoldenFilesSay(t *testing.T) {
	for name, text := range configFiles(t, filepath.Join("testdata", "configs")) {
		t.Run(name, func(t *testing.T) {
			p := planOf(t, text, exampleEnv())
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, p.Rendered, "", "  "); err != nil {
				t.Fatal(err)
			}
			compareGolden(t, name+".json", pretty.Bytes())
			pretty.Reset()
			if err := json.Indent(&pretty, p.Canonical, "", "  "); err != nil {
				t.Fatal(err)
			}
			compareGolden(t, name+".canonical.json", pretty.Bytes())
			compareGolden(t, name+".notices.txt", []byte(strings.Join(p.Notices, "\n")))
		})
	}
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	got = append(bytes.TrimRight(got, "\n"), '\n')
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (go test -update writes it anew):\n%s", name, diff)
	}
}
