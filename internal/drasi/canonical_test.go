package drasi

import (
	"bytes"
	"strings"
	"testing"
)

func TestWhatChangesNothingHashesAlike(t *testing.T) {
	const plain = "sources: [{kind: mock, id: m}]\nqueries: [{id: q, query: x, sources: [{sourceId: m}]}]\nreactions: [{kind: log, id: l, queries: [q]}]"
	base := planOf(t, plain, nil)
	alike := map[string]string{
		"defaults written out": `
id: demo
logLevel: info
persistIndex: false
enableArchive: false
enableUi: false
defaultPriorityQueueCapacity: 10000
defaultDispatchBufferCapacity: 1000
corsAllowedOrigins: []
identityProviders: []
sources: [{kind: mock, id: m, autoStart: true}]
queries: [{id: q, query: x, queryLanguage: GQL, autoStart: true, enableBootstrap: true, bootstrapBufferSize: 10000, bootstrapTimeoutSecs: 300, dispatchMode: Channel, outboxCapacity: 1000, middleware: [], sources: [{sourceId: m, nodes: [], pipeline: []}]}]
reactions: [{kind: log, id: l, queries: [q], autoStart: true}]`,
		"what is ignored": `
apiVersion: drasi.io/v1
host: 0.0.0.0
persistConfig: true
pluginRegistry: r
autoInstallPlugins: true
plugins: [{ref: source/mock}, {ref: reaction/log}, {ref: reaction/unused:1.0}]
verifyPlugins: true
trustedIdentities: []
hotReloadPlugins: true
hotReloadDebounceMs: 5
` + plain,
		"another order of keys": "reactions: [{queries: [q], id: l, kind: log}]\nqueries: [{sources: [{sourceId: m}], query: x, id: q}]\nsources: [{id: m, kind: mock}]",
		"the instances layout":  "instances:\n- " + strings.ReplaceAll(plain, "\n", "\n  "),
	}
	for name, config := range alike {
		t.Run(name, func(t *testing.T) {
			if got := planOf(t, config, nil); !bytes.Equal(got.Canonical, base.Canonical) {
				t.Errorf("canonical:\n%s\n%s", got.Canonical, base.Canonical)
			}
		})
	}
	const want = `{"queries":[{"id":"q","query":"x","sources":[{"sourceId":"m"}]}],"reactions":[{"id":"l","kind":"log","queries":["q"]}],` +
		`"sources":[{"id":"m","kind":"mock"}]}`
	if got := string(base.Canonical); got != want {
		t.Errorf("canonical:\n got %s\nwant %s", got, want)
	}
}

func TestWhatChangesTheServerHashesOtherwise(t *testing.T) {
	base := planOf(t, oneOfEach, nil)
	for name, config := range map[string]string{
		"id":               "id: other" + oneOfEach,
		"port":             "port: 8080" + oneOfEach,
		"level":            "logLevel: warn" + oneOfEach,
		"a pinned plugin":  "plugins: [{ref: source/mock:0.1.8}, {ref: reaction/log}]" + oneOfEach,
		"an unknown key":   "future: 1" + oneOfEach,
		"order of sources": strings.Replace(oneOfEach, "[{kind: mock, id: m}]", "[{kind: mock, id: o}, {kind: mock, id: m}]", 1),
		"autoStart":        strings.Replace(oneOfEach, "id: q,", "id: q, autoStart: false,", 1),
		"query text":       strings.Replace(oneOfEach, "MATCH (n)", "MATCH  (n)", 1),
		"number's text":    strings.Replace(oneOfEach, "id: m}", "id: m, future: '1'}", 1),
	} {
		if got := planOf(t, config, nil); bytes.Equal(got.Canonical, base.Canonical) {
			t.Errorf("%s: the canonical form is the same", name)
		}
	}
}

func TestExposeAndEnvironmentAreNoPartOfTheCanonicalForm(t *testing.T) {
	config, _ := readConfig(t, "id: '${A:-x}'"+oneOfEach)
	one := NewPlan(Input{Config: config, Name: "demo", Expose: true, Env: map[string]string{"A": "y"}})
	other := NewPlan(Input{Config: config, Name: "demo"})
	if !bytes.Equal(one.Canonical, other.Canonical) {
		t.Errorf("%s\n%s", one.Canonical, other.Canonical)
	}
	if one.InstanceID != "y" || other.InstanceID != "x" {
		t.Errorf("ids %q and %q", one.InstanceID, other.InstanceID)
	}
}
