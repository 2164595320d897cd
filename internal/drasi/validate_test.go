package drasi

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/draas-io/draas/api/v1alpha1"
)

// oneOfEach is a good configuration that cases below add to.
const oneOfEach = `
sources: [{kind: mock, id: m}]
queries: [{id: q, query: MATCH (n) RETURN n, sources: [{sourceId: m}]}]
reactions: [{kind: log, id: l, queries: [q]}]
`

func TestWhatForbidsRunningIsNamed(t *testing.T) {
	cases := map[string]struct {
		config string
		env    map[string]string
		want   []string
	}{
		"duplicate source":      {config: "sources: [{kind: mock, id: m}, {kind: mock, id: m}]", want: []string{`spec.config.sources[1].id: "m" is the id of spec.config.sources[0] already: sources, queries and reactions share one set of ids`}},
		"duplicate across":      {config: "sources: [{kind: mock, id: m}]\nqueries: [{id: m, query: x}]", want: []string{`spec.config.queries[0].id: "m" is the id of spec.config.sources[0] already: sources, queries and reactions share one set of ids`}},
		"duplicate provider":    {config: "bootstrapProviders: [{kind: noop, id: a}, {kind: noop, id: a}]", want: []string{`spec.config.bootstrapProviders[1].id: "a" is the id of spec.config.bootstrapProviders[0] already`}},
		"internal id":           {config: "sources: [{kind: mock, id: __m}]", want: []string{`spec.config.sources[0].id: "__m" must not begin with __, which marks the server's own components`}},
		"empty id":              {config: "instances: [{sources: [{kind: mock, id: ''}]}]", want: []string{`spec.config.instances[0].sources[0].id: must not be empty`}},
		"missing id":            {config: "instances: [{sources: [{kind: mock}]}]", want: []string{`spec.config.instances[0].sources[0].id: must be set`}},
		"id that is a number":   {config: "instances: [{id: i, sources: [{kind: mock, id: 1}]}]", want: []string{`spec.config.instances[0].sources[0].id: must be a text, not a number: write it in quotes`}},
		"missing kind":          {config: "sources: [{id: m}]", want: []string{`spec.config.sources[0].kind: must be set`}},
		"list of texts":         {config: "instances: [{sources: [m], queries: {a: b}}]", want: []string{`spec.config.instances[0].sources[0]: must be an object, not a text`, `spec.config.instances[0].queries: must be a list, not an object`}},
		"autoStart as text":     {config: "instances: [{sources: [{kind: mock, id: m, autoStart: 'true'}]}]", want: []string{`spec.config.instances[0].sources[0].autoStart: must be true or false, not a text`}},
		"query without text":    {config: "queries: [{id: q}]", want: []string{`spec.config.queries[0].query: must be set`}},
		"unknown source":        {config: "queries: [{id: q, query: x, sources: [{sourceId: zz}]}]", want: []string{`spec.config.queries[0].sources[0].sourceId: there is no source "zz"`}},
		"query as source":       {config: "queries: [{id: q, query: x}, {id: r, query: x, sources: [{sourceId: q}]}]", want: []string{`spec.config.queries[1].sources[0].sourceId: there is no source "q"`}},
		"unknown query":         {config: "reactions: [{kind: log, id: l, queries: [zz]}]", want: []string{`spec.config.reactions[0].queries[0]: there is no query "zz"`}},
		"unknown bootstrap":     {config: "sources: [{kind: mock, id: m, bootstrapProvider: zz}]", want: []string{`spec.config.sources[0].bootstrapProvider: there is no bootstrap provider "zz" in bootstrapProviders`}},
		"bootstrap as number":   {config: "sources: [{kind: mock, id: m, bootstrapProvider: 1}]", want: []string{`spec.config.sources[0].bootstrapProvider: must be the id of a bootstrap provider or an object with a kind, not a number`}},
		"bootstrap without":     {config: "sources: [{kind: mock, id: m, bootstrapProvider: {}}]", want: []string{`spec.config.sources[0].bootstrapProvider.kind: must be set`}},
		"unknown identity":      {config: "sources: [{kind: mock, id: m, identityProvider: zz}]", want: []string{`spec.config.sources[0].identityProvider: there is no identity provider "zz" in identityProviders`}},
		"reaction identity":     {config: "reactions: [{kind: log, id: l, identityProvider: zz}]", want: []string{`spec.config.reactions[0].identityProvider: there is no identity provider "zz" in identityProviders`}},
		"removed http-adaptive": {config: "reactions: [{kind: http-adaptive, id: l}]", want: []string{`spec.config.reactions[0].kind: drasi-server has no kind http-adaptive any more: use http, whose batching is adaptive where its configuration says so`}},
		"removed grpc-adaptive": {config: "reactions: [{kind: grpc-adaptive, id: l}]", want: []string{`spec.config.reactions[0].kind: drasi-server has no kind grpc-adaptive any more: use grpc, whose batching is adaptive where its configuration says so`}},

		"backend unknown":         {config: "persistIndex: true\nqueries: [{id: q, query: x, storageBackend: zz}]", want: []string{`spec.config.queries[0].storageBackend: there is no storage backend "zz": write rocksdb, or an object with a kind`}},
		"rocksdb not on":          {config: "queries: [{id: q, query: x, storageBackend: rocksdb}]", want: []string{`spec.config.queries[0].storageBackend: the storage backend rocksdb is there only while spec.config.persistIndex is true`}},
		"slash in a persisted id": {config: "persistIndex: true\nqueries: [{id: a/b, query: x}]", want: []string{`spec.config.queries[0].id: "a/b" names the folder of the query's index: it must not contain / or \`}},
		"climbing persisted id":   {config: "persistIndex: true\nqueries: [{id: .., query: x}]", want: []string{`spec.config.queries[0].id: ".." names the folder of the query's index: it must not contain / or \`}},
		"backslash with rocksdb":  {config: "persistIndex: true\nqueries: [{id: 'a\\b', query: x, storageBackend: rocksdb}]", want: []string{`spec.config.queries[0].id: "a\\b" names the folder of the query's index: it must not contain / or \`}},

		"absolute store":    {config: "stateStore: {kind: redb, path: /var/state.redb}", want: []string{`spec.config.stateStore.path: must be below the working directory: write a relative path without ..`}},
		"climbing store":    {config: "stateStore: {kind: redb, path: data/../../x.redb}", want: []string{`spec.config.stateStore.path: must be below the working directory: write a relative path without ..`}},
		"resolved climbing": {config: `stateStore: {kind: redb, path: "${P}"}`, env: map[string]string{"P": "../secret-name"}, want: []string{`spec.config.stateStore.path: must be below the working directory: write a relative path without ..`}},
		"store is a folder": {config: "stateStore: {kind: redb, path: data/}", want: []string{`spec.config.stateStore.path: must name a file`}},
		"store is empty":    {config: "stateStore: {kind: redb, path: '${P:-}'}", want: []string{`spec.config.stateStore.path: must name a file`}},

		"several instances":        {config: "instances: [{id: a}, {id: b}]", want: []string{`spec.config.instances: has 2 entries: write one DrasiInstance for each`}},
		"server key in instance":   {config: "instances: [{id: a, logLevel: info}]", want: []string{`spec.config.instances[0].logLevel: is a key of the server, not of an instance: write it as spec.config.logLevel`}},
		"finding in an instance":   {config: "instances: [{id: a, queries: [{id: q, query: x, sources: [{sourceId: zz}]}]}]", want: []string{`spec.config.instances[0].queries[0].sources[0].sourceId: there is no source "zz"`}},
		"id that resolves to more": {config: `id: "${A}"`, env: map[string]string{"A": "${B}"}, want: []string{`spec.config.id: stands for a text that is a reference again, which cannot be used as an id`}},
		"id that resolves to none": {config: `id: "${A}"`, env: map[string]string{"A": ""}, want: []string{`spec.config.id: must not be empty`}},

		"plugins not covering": {config: "plugins: [{ref: source/mock}]" + oneOfEach, want: []string{`spec.config.plugins: reaction/log is in use but not in the list: add {ref: reaction/log}, or leave the list out`}},
		"plugin of no kind":    {config: "plugins: [{ref: mock}, {ref: 'source/*'}]\nsources: []", want: []string{`spec.config.plugins[0].ref: "mock" names no plugin: write category/kind, category/kind:version or a full reference that ends so`, `spec.config.plugins[1].ref: "source/*" names no plugin: write category/kind, category/kind:version or a full reference that ends so`}},

		"port zero":       {config: "port: 0", want: []string{`spec.config.port: must be from 1 to 65535`}},
		"port too large":  {config: "port: 65536", want: []string{`spec.config.port: 65536 is not a whole number from 0 to 65535`}},
		"port as text":    {config: "port: '8080'", want: []string{`spec.config.port: must be a whole number or a reference like "${NAME}", not a text: write it without quotes`}},
		"level unknown":   {config: "logLevel: loud", want: []string{`spec.config.logLevel: must be one of trace, debug, info, warn, error`}},
		"level resolved":  {config: "logLevel: '${L}'", env: map[string]string{"L": "hidden"}, want: []string{`spec.config.logLevel: must be one of trace, debug, info, warn, error`}},
		"capacity":        {config: "defaultPriorityQueueCapacity: '5'", want: []string{`spec.config.defaultPriorityQueueCapacity: must be a whole number or a reference like "${NAME}", not a text: write it without quotes`}},
		"secret on top":   {config: "logLevel: {kind: Secret, name: x}", want: []string{`spec.config.logLevel: refers to a secret, which drasi-server resolves in the configuration of plugins only: use a variable`}},
		"order of config": {config: "reactions: [{kind: log, id: l, queries: [zz]}]\nqueries: [{id: q, query: x, sources: [{sourceId: yy}]}]\nport: 0", want: []string{`spec.config.port: must be from 1 to 65535`, `spec.config.queries[0].sources[0].sourceId: there is no source "yy"`, `spec.config.reactions[0].queries[0]: there is no query "zz"`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := planOf(t, c.config, c.env)
			if diff := cmp.Diff(c.want, findingTexts(p)); diff != "" {
				t.Error(diff)
			}
			if p.Rendered != nil {
				t.Error("there is a file in spite of findings")
			}
			for _, f := range p.Findings {
				for _, value := range c.env {
					if value != "" && strings.Contains(f.String(), value) {
						t.Errorf("%s repeats the value of a variable", f)
					}
				}
			}
		})
	}
}

func TestWhatTheServerTakesIsNotRefused(t *testing.T) {
	cases := map[string]string{
		"the graph's own source":       "queries: [{id: q, query: x, sources: [{sourceId: __component_graph__}]}]",
		"memory with persistIndex":     "persistIndex: true\nqueries: [{id: a/b, query: x, storageBackend: {kind: memory}}]",
		"slash without index":          "queries: [{id: a/b, query: x}]",
		"old http reaction":            "queries: [{id: q, query: x}]\nreactions: [{kind: http, id: h, queries: [q], baseUrl: 'http://x', routes: {q: {added: {body: x}}}}]",
		"reaction without queries":     "reactions: [{kind: log, id: l}]",
		"source that is http-adaptive": "sources: [{kind: http-adaptive, id: s}]",
		"level in capitals":            "logLevel: TRACE",
		"null keys":                    "sources: null\nport: null\nid: null\ninstances: []",
		"secret with a store":          "secretStore: {kind: file, path: s.json}\nsources: [{kind: mock, id: m, intervalMs: {kind: Secret, name: iv}}]",
		"store in the folder itself":   "stateStore: {kind: redb, path: ./state.redb}",
	}
	for name, config := range cases {
		t.Run(name, func(t *testing.T) {
			if p := planOf(t, config, nil); len(p.Findings) > 0 || p.Rendered == nil {
				t.Errorf("findings: %q", findingTexts(p))
			}
		})
	}
}

func TestFindingsAreBounded(t *testing.T) {
	var config strings.Builder
	config.WriteString("queries:\n")
	for range 40 {
		config.WriteString("- {id: q, query: x, sources: [{sourceId: zz}]}\n")
	}
	p := planOf(t, config.String(), nil)
	if len(p.Findings) != maxFindings+1 {
		t.Fatalf("%d findings", len(p.Findings))
	}
	if got, want := p.Findings[maxFindings].String(), "and 63 more"; got != want {
		t.Errorf("the last one says %q, not %q", got, want)
	}
}

func TestAMissingConfigurationIsAnEmptyServer(t *testing.T) {
	p := NewPlan(Input{Name: "demo"})
	if len(p.Findings) > 0 || p.InstanceID != "demo" || p.Rendered == nil {
		t.Errorf("%+v", p)
	}
	if got := string(p.Canonical); got != "{}" {
		t.Errorf("canonical: %s", got)
	}
}

func TestFoldersAreParentsOfTheStateStore(t *testing.T) {
	for path, want := range map[string][]string{
		"./data/state.redb": {"data"}, "a/b/../c/s.redb": {"a/c"}, "s.redb": nil, "./s.redb": nil, "${P:-x/y}": {"x"},
	} {
		p := planOf(t, "stateStore: {kind: redb, path: '"+path+"'}", nil)
		if diff := cmp.Diff(want, p.Folders); diff != "" || len(p.Findings) > 0 {
			t.Errorf("%s: %s %q", path, diff, findingTexts(p))
		}
	}
}

func TestInstanceLayoutIsTheFlatOne(t *testing.T) {
	flat := planOf(t, "id: i\nlogLevel: debug\npersistIndex: true"+oneOfEach, nil)
	inner := strings.ReplaceAll(oneOfEach, "\n", "\n  ")
	nested := planOf(t, "logLevel: debug\ninstances:\n- id: i\n  persistIndex: true"+inner, nil)
	if len(nested.Findings) > 0 {
		t.Fatalf("%q", findingTexts(nested))
	}
	if !bytes.Equal(flat.Rendered, nested.Rendered) || !bytes.Equal(flat.Canonical, nested.Canonical) {
		t.Errorf("they differ:\n%s\n%s", flat.Rendered, nested.Rendered)
	}
}

func TestQueriesStartByThemselvesAndSayTheirLanguage(t *testing.T) {
	p := planOf(t, oneOfEach, nil)
	want := []Component{
		{ID: "m", Type: v1alpha1.ComponentSource, Kind: "mock", AutoStart: true},
		{ID: "q", Type: v1alpha1.ComponentQuery, AutoStart: true, Query: "MATCH (n) RETURN n", Language: "GQL", Upstream: []string{"m"}},
		{ID: "l", Type: v1alpha1.ComponentReaction, Kind: "log", AutoStart: true, Upstream: []string{"q"}},
	}
	if diff := cmp.Diff(want, p.Components); diff != "" {
		t.Error(diff)
	}
	file := mustReadAlike(t, p.Rendered)
	query, _ := file["queries"].([]any)[0].(map[string]any)
	if query["autoStart"] != true || query["queryLanguage"] != "GQL" {
		t.Errorf("the file says %v", query)
	}
}
