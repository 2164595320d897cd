package drasi

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/draas-io/draas/api/v1alpha1"
)

// wantOfFour is the expectation of a source, two queries and an sse reaction, of which the query "lazy" does not start by itself.
func wantOfFour(t *testing.T) Expectation {
	t.Helper()
	p := planOf(t, `
id: t
sources: [{kind: http, id: m, port: 9000}]
queries:
- {id: q, query: MATCH (n) RETURN n, queryLanguage: Cypher, sources: [{sourceId: m}]}
- {id: lazy, query: MATCH (m) RETURN m, sources: [{sourceId: m}], autoStart: false}
reactions: [{kind: sse, id: r, queries: [q, lazy], port: 8081}]`, nil)
	if len(p.Findings) > 0 {
		t.Fatal(findingTexts(p))
	}
	return p.Expectation()
}

// snapshotOfFour is the snapshot of a server that has loaded it and runs.
func snapshotOfFour() *Snapshot {
	return &Snapshot{
		InstanceID: "t",
		Sources: []SnapshotSource{
			{ID: "__component_graph__", Kind: "component_graph", Status: "Running", AutoStart: true},
			{ID: "m", Kind: "http", Status: "Running", AutoStart: true},
		},
		Queries: []SnapshotQuery{
			{ID: "lazy", Status: "Added", Config: SnapshotQueryConfig{Query: "MATCH (m) RETURN m", Language: "GQL", Sources: []SnapshotQuerySource{{"m"}}}},
			{ID: "q", Status: "Running", Config: SnapshotQueryConfig{Query: "MATCH (n) RETURN n", Language: "Cypher", Sources: []SnapshotQuerySource{{"m"}}}},
		},
		Reactions: []SnapshotReaction{
			{ID: "__attach_q_1", Kind: "application", Status: "Running"},
			{ID: "r", Kind: "sse", Status: "Running", Queries: []string{"lazy", "q"}},
		},
	}
}

func sockets(addresses ...string) []netip.AddrPort {
	out := []netip.AddrPort{}
	for _, a := range addresses {
		out = append(out, netip.MustParseAddrPort(a))
	}
	return out
}

func TestAServerIsHeldAgainstWhatItMustHaveLoaded(t *testing.T) {
	bound := sockets("127.0.0.1:9000", "0.0.0.0:8081", "127.0.0.1:20000")
	cases := map[string]struct {
		change   func(*Snapshot) *Snapshot
		messages map[string]string
		bound    []netip.AddrPort
		problem  Problem
		message  string
		ready    int
	}{
		"all well":          {bound: bound, ready: 3},
		"sockets not known": {ready: 3},
		"bound on IPv6":     {bound: sockets("[::]:9000", "[::ffff:127.0.0.1]:8081"), ready: 3},
		"no instance":       {change: func(*Snapshot) *Snapshot { return nil }, problem: ProblemNotLoaded, message: `the server has no instance "t"`},
		"another instance": {
			change:  func(s *Snapshot) *Snapshot { s.InstanceID = "x"; return s },
			problem: ProblemNotLoaded, message: `the server's instance is "x", not "t"`, ready: 3,
		},
		"empty server": {
			change:  func(*Snapshot) *Snapshot { return &Snapshot{InstanceID: "t"} },
			problem: ProblemNotLoaded, message: `source "m" is not loaded`,
		},
		"another kind": {
			change:  func(s *Snapshot) *Snapshot { s.Sources[1].Kind = "mock"; return s },
			problem: ProblemNotLoaded, message: `source "m" is loaded with kind "mock", not "http"`, ready: 3,
		},
		"another text": {
			change:  func(s *Snapshot) *Snapshot { s.Queries[1].Config.Query += " "; return s },
			problem: ProblemNotLoaded, message: `query "q" is loaded with another text`, ready: 3,
		},
		"another language": {
			change:  func(s *Snapshot) *Snapshot { s.Queries[0].Config.Language = "Cypher"; return s },
			problem: ProblemNotLoaded, message: `query "lazy" is loaded with language "Cypher", not GQL`, ready: 3,
		},
		"other sources": {
			change:  func(s *Snapshot) *Snapshot { s.Queries[1].Config.Sources = nil; return s },
			problem: ProblemNotLoaded, message: `query "q" is loaded with other sources`, ready: 3,
		},
		"other queries": {
			change:  func(s *Snapshot) *Snapshot { s.Reactions[1].Queries = []string{"q"}; return s },
			problem: ProblemNotLoaded, message: `reaction "r" is loaded with other queries`, ready: 3,
		},
		"query is missing": {
			change:  func(s *Snapshot) *Snapshot { s.Queries = s.Queries[1:]; return s },
			problem: ProblemNotLoaded, message: `query "lazy" is not loaded`, ready: 3,
		},
		"starting": {
			change:  func(s *Snapshot) *Snapshot { s.Queries[1].Status = "Starting"; return s },
			problem: ProblemStarting, message: `query "q" is Starting`, ready: 2, bound: bound,
		},
		"added": {
			change:  func(s *Snapshot) *Snapshot { s.Queries[1].Status = "Added"; return s },
			problem: ProblemStarting, message: `query "q" is Added`, ready: 2,
		},
		"stopped by somebody": {
			change:  func(s *Snapshot) *Snapshot { s.Sources[1].Status = "Stopped"; return s },
			problem: ProblemComponentError, message: `source "m" is Stopped`, ready: 2,
		},
		"bad query": {
			change:   func(s *Snapshot) *Snapshot { s.Queries[1].Status = "Error"; return s },
			messages: map[string]string{"q": "Start failed: Failed to build query: Parser error: at 1:8\n\x00"},
			problem:  ProblemInvalidQuery, message: `query "q" is Error: Start failed: Failed to build query: Parser error: at 1:8`, ready: 2,
		},
		"bad query, added through the API": {
			change:   func(s *Snapshot) *Snapshot { s.Queries[1].Status = "Error"; return s },
			messages: map[string]string{"q": "Failed to build query: Middleware setup error: x"},
			problem:  ProblemInvalidQuery, message: `query "q" is Error: Failed to build query: Middleware setup error: x`, ready: 2,
		},
		"bootstrap": {
			change:   func(s *Snapshot) *Snapshot { s.Queries[1].Status = "Error"; return s },
			messages: map[string]string{"q": "Bootstrap failed: source 'm': Connection refused"},
			problem:  ProblemBootstrapFailed, message: `query "q" is Error: Bootstrap failed: source 'm': Connection refused`, ready: 2,
		},
		"index": {
			change:   func(s *Snapshot) *Snapshot { s.Queries[1].Status = "Error"; return s },
			messages: map[string]string{"q": "Start failed: Failed to build indexes"},
			problem:  ProblemComponentError, message: `query "q" is Error: Start failed: Failed to build indexes`, ready: 2,
		},
		"error without words": {
			change:  func(s *Snapshot) *Snapshot { s.Sources[1].Status = "Error"; return s },
			problem: ProblemComponentError, message: `source "m" is Error`, ready: 2,
		},
		"error of one that need not run": {
			change: func(s *Snapshot) *Snapshot { s.Queries[0].Status = "Error"; return s }, ready: 3,
		},
		"sse could not bind": {
			bound: sockets("127.0.0.1:9000"), ready: 2,
			problem: ProblemPortConflict, message: `reaction "r" is Running: it does not listen on port 8081: another process may have it`,
		},
		"bound elsewhere": {
			bound: sockets("127.0.0.1:9000", "10.0.0.1:8081"), ready: 2,
			problem: ProblemPortConflict, message: `reaction "r" is Running: it does not listen on port 8081: another process may have it`,
		},
		"listens on nothing": {
			bound: []netip.AddrPort{}, ready: 1,
			problem: ProblemPortConflict, message: `source "m" is Running: it does not listen on port 9000: another process may have it`,
		},
		"the gravest counts": {
			change: func(s *Snapshot) *Snapshot {
				s.Queries[1].Status, s.Sources[1].Status = "Error", "Starting"
				return s
			},
			messages: map[string]string{"q": "Start failed: Failed to build query: x"}, bound: sockets("127.0.0.1:9000"), ready: 0,
			problem: ProblemInvalidQuery, message: `query "q" is Error: Start failed: Failed to build query: x`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := snapshotOfFour()
			if c.change != nil {
				got = c.change(got)
			}
			a := Assess(wantOfFour(t), got, c.messages, c.bound)
			if a.Problem != c.problem || a.Message != c.message {
				t.Errorf("problem %q: %s\nwant    %q: %s", a.Problem, a.Message, c.problem, c.message)
			}
			if a.Ready != c.ready || a.Wanted != 3 {
				t.Errorf("%d of %d ready", a.Ready, a.Wanted)
			}
			if a.Loaded != (c.problem != ProblemNotLoaded) || a.Loaded != (a.Difference == "") {
				t.Errorf("loaded %v, difference %q", a.Loaded, a.Difference)
			}
			if a.Problem == ProblemNone && a.Ready != a.Wanted {
				t.Error("no problem, but not all are ready")
			}
		})
	}
}

func TestComponentsAreListedInTheOrderOfTheConfiguration(t *testing.T) {
	got := snapshotOfFour()
	got.Queries = append(got.Queries, SnapshotQuery{ID: "by-hand", Status: "Running", Config: SnapshotQueryConfig{AutoStart: true}})
	got.Sources = append(got.Sources, SnapshotSource{ID: "z", Kind: "mock", Status: "Added"})
	got.Reactions = got.Reactions[:1]
	a := Assess(wantOfFour(t), got, nil, nil)
	want := []ComponentState{
		{ID: "m", Type: v1alpha1.ComponentSource, Status: "Running", AutoStart: true},
		{ID: "q", Type: v1alpha1.ComponentQuery, Status: "Running", AutoStart: true},
		{ID: "lazy", Type: v1alpha1.ComponentQuery, Status: "Added"},
		{ID: "r", Type: v1alpha1.ComponentReaction, Status: "Missing", AutoStart: true},
		{ID: "z", Type: v1alpha1.ComponentSource, Status: "Added", Message: "is not in the configuration"},
		{ID: "by-hand", Type: v1alpha1.ComponentQuery, Status: "Running", Message: "is not in the configuration", AutoStart: true},
	}
	if diff := cmp.Diff(want, a.Components); diff != "" {
		t.Error(diff)
	}
}

func TestComponentsAddedByHandDoNotUnloadTheSpec(t *testing.T) {
	got := snapshotOfFour()
	got.Sources = append(got.Sources, SnapshotSource{ID: "z", Kind: "mock", Status: "Error"})
	if a := Assess(wantOfFour(t), got, nil, nil); !a.Loaded || a.Problem != ProblemNone {
		t.Errorf("%+v", a)
	}
}

func TestAnEmptyConfigurationIsReadyOnceItsInstanceIsThere(t *testing.T) {
	p := planOf(t, "id: t", nil)
	if a := Assess(p.Expectation(), &Snapshot{InstanceID: "t"}, nil, nil); a.Problem != ProblemNone || !a.Loaded {
		t.Errorf("%+v", a)
	}
	if a := Assess(p.Expectation(), nil, nil, nil); a.Problem != ProblemNotLoaded {
		t.Errorf("%+v", a)
	}
}
