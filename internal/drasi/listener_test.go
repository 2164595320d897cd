package drasi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/draas-io/draas/api/v1alpha1"
)

func TestListenersAreDerived(t *testing.T) {
	cases := map[string]struct {
		sources, reactions string
		expose             bool
		want               []string
	}{
		"http without host":  {sources: "{kind: http, id: s, port: 9000}", want: []string{"s http 127.0.0.1:9000/sources/s/events"}},
		"http exposed":       {sources: "{kind: http, id: s, port: 9000}", expose: true, want: []string{"s http 0.0.0.0:9000/sources/s/events"}},
		"http without port":  {sources: "{kind: http, id: s}"},
		"odd id in the path": {sources: "{kind: http, id: a/b c, port: 9000}", want: []string{"a/b c http 127.0.0.1:9000/sources/a%2Fb%20c/events"}},
		"grpc by default":    {sources: "{kind: grpc, id: s}", want: []string{"s grpc 127.0.0.1:50051"}},
		"null host and port": {sources: "{kind: grpc, id: s, host: null, port: null}", want: []string{"s grpc 127.0.0.1:50051"}},
		"reference":          {sources: "{kind: grpc, id: s, host: '${H:-10.0.0.1}', port: {kind: EnvironmentVariable, name: P, default: '1'}}", want: []string{"s grpc 10.0.0.1:1"}},
		"variable":           {sources: "{kind: grpc, id: s, port: '${PORT}'}", want: []string{"s grpc 127.0.0.1:7000"}},
		"sqlite without api": {sources: "{kind: sqlite, id: s}"},
		"sqlite by default":  {sources: "{kind: sqlite, id: s, restApi: {}}", want: []string{"s sqlite 127.0.0.1:8080"}},
		"sqlite":             {sources: "{kind: sqlite, id: s, restApi: {host: 0.0.0.0, port: 1}}", want: []string{"s sqlite 0.0.0.0:1"}},
		"sse by default":     {reactions: "{kind: sse, id: r}", want: []string{"r sse 127.0.0.1:8080/events"}},
		"sse":                {reactions: "{kind: sse, id: r, port: 1, ssePath: /x}", want: []string{"r sse 127.0.0.1:1/x"}},
		"dashboard":          {reactions: "{kind: dashboard, id: r}", want: []string{"r dashboard 127.0.0.1:3000"}},
		"mcp":                {reactions: "{kind: mcp, id: r, port: 3001}", want: []string{"r mcp 127.0.0.1:3001"}},
		"localhost":          {reactions: "{kind: mcp, id: r, host: localhost}", want: []string{"r mcp 127.0.0.1:3000"}},
		"IPv6":               {reactions: "{kind: mcp, id: r, host: '[::]'}", want: []string{"r mcp :::3000"}},
		"host name":          {reactions: "{kind: mcp, id: r, host: db.example.com}", want: []string{"r mcp invalid IP:3000"}},
		"called api":         {reactions: "{kind: mcp, id: api}", want: []string{"api-mcp mcp 127.0.0.1:3000"}},
		"of another list":    {sources: "{kind: sse, id: s}", reactions: "{kind: grpc, id: r, endpoint: 'x'}"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			config, _ := readConfig(t, "sources: ["+c.sources+"]\nreactions: ["+c.reactions+"]")
			p := NewPlan(Input{Config: config, Name: "demo", Expose: c.expose, Env: map[string]string{"PORT": "7000"}})
			if len(p.Findings) > 0 {
				t.Fatalf("%q", findingTexts(p))
			}
			if diff := cmp.Diff(c.want, listenerTexts(p.Listeners)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAListenerWithoutHostGetsTheAddressOfExpose(t *testing.T) {
	const config = "sources: [{kind: http, id: a, port: 1}, {kind: grpc, id: b}, {kind: sqlite, id: c, restApi: {}}]\n" +
		"reactions: [{kind: sse, id: d}, {kind: dashboard, id: e}, {kind: mcp, id: f, port: 2}]"
	for expose, want := range map[bool]string{false: `"host":"127.0.0.1"`, true: `"host":"0.0.0.0"`} {
		parsed, _ := readConfig(t, strings.Replace(config, "restApi: {}", "restApi: {port: 3}", 1))
		p := NewPlan(Input{Config: parsed, Name: "demo", Expose: expose})
		if got := strings.Count(string(p.Rendered), want); got != 7 {
			t.Errorf("expose %v: %d hosts in %s", expose, got, p.Rendered)
		}
	}
}

func TestPortsOverrideAndAdd(t *testing.T) {
	const config = "sources: [{kind: http, id: in, port: 9000, autoStart: false}, {kind: mock, id: m}]\nreactions: [{kind: sse, id: out, port: 8081}]"
	cases := map[string]struct {
		ports []v1alpha1.Port
		want  []string
	}{
		"override":        {ports: []v1alpha1.Port{{Name: "events", Component: "out", Port: 9999}}, want: []string{"in http 127.0.0.1:9000 /sources/in/events false false", "events http 127.0.0.1:9999 /events true false"}},
		"add to one":      {ports: []v1alpha1.Port{{Name: "metrics", Component: "m", Port: 9100}}, want: []string{"in http 127.0.0.1:9000 /sources/in/events false false", "out http 127.0.0.1:8081 /events true false", "metrics tcp 127.0.0.1:9100  true false"}},
		"add to nobody":   {ports: []v1alpha1.Port{{Name: "dns", Port: 53, Protocol: "UDP"}}, want: []string{"in http 127.0.0.1:9000 /sources/in/events false false", "out http 127.0.0.1:8081 /events true false", "dns udp 127.0.0.1:53  true true"}},
		"name the port":   {ports: []v1alpha1.Port{{Name: "web", Port: 8081}}, want: []string{"in http 127.0.0.1:9000 /sources/in/events false false", "web http 127.0.0.1:8081 /events true false"}},
		"name wins":       {ports: []v1alpha1.Port{{Name: "more", Component: "out", Port: 1}, {Name: "out", Component: "out", Port: 2}}, want: []string{"in http 127.0.0.1:9000 /sources/in/events false false", "out http 127.0.0.1:2 /events true false", "more tcp 127.0.0.1:1  true false"}},
		"of a lazy one":   {ports: []v1alpha1.Port{{Name: "in", Component: "in", Port: 1}, {Name: "in2", Component: "in", Port: 2}}, want: []string{"in http 127.0.0.1:1 /sources/in/events false false", "out http 127.0.0.1:8081 /events true false", "in2 tcp 127.0.0.1:2  false false"}},
		"another UDP one": {ports: []v1alpha1.Port{{Name: "u", Port: 8081, Protocol: "UDP"}}, want: []string{"in http 127.0.0.1:9000 /sources/in/events false false", "out http 127.0.0.1:8081 /events true false", "u udp 127.0.0.1:8081  true true"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			parsed, _ := readConfig(t, config)
			p := NewPlan(Input{Config: parsed, Name: "demo", Ports: c.ports})
			if len(p.Findings) > 0 {
				t.Fatalf("%q", findingTexts(p))
			}
			if diff := cmp.Diff(c.want, wholeListeners(p.Listeners)); diff != "" {
				t.Error(diff)
			}
			read, err := ReadExpectation(p.Rendered, nil, c.ports)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, wholeListeners(read.Listeners)); diff != "" {
				t.Errorf("read back: %s", diff)
			}
		})
	}
}

func TestClashesInsideTheObject(t *testing.T) {
	cases := map[string]struct {
		config   string
		ports    []v1alpha1.Port
		want     string
		conflict bool
		notice   string
	}{
		"same address": {
			config: "sources: [{kind: http, id: a, port: 9000}, {kind: grpc, id: b, port: 9000}]", conflict: true,
			want: `spec.config.sources[1].port: component "a" (http) and component "b" (grpc) both want port 9000: give one of them another`,
		},
		"every address and one": {
			config: "sources: [{kind: http, id: a, host: 10.0.0.1, port: 9000}]\nreactions: [{kind: sse, id: b, host: 0.0.0.0, port: 9000}]", conflict: true,
			want: `spec.config.reactions[0].port: component "a" (http) and component "b" (sse) both want port 9000: give one of them another`,
		},
		"two defaults": {
			config: "sources: [{kind: sqlite, id: a, restApi: {}}]\nreactions: [{kind: sse, id: b}]", conflict: true,
			want: `spec.config.reactions[0].port: component "a" (sqlite) and component "b" (sse) both want port 8080: give one of them another`,
		},
		"inside restApi": {
			config: "sources: [{kind: http, id: a, port: 8080}, {kind: sqlite, id: b, restApi: {}}]", conflict: true,
			want: `spec.config.sources[1].restApi.port: component "a" (http) and component "b" (sqlite) both want port 8080: give one of them another`,
		},
		"host name": {
			config: "sources: [{kind: http, id: a, host: h.example.com, port: 9000}, {kind: grpc, id: b, port: 9000}]", conflict: true,
			want: `spec.config.sources[1].port: component "a" (http) and component "b" (grpc) both want port 9000: give one of them another`,
		},
		"of spec.ports": {
			config: "sources: [{kind: mock, id: m}]", ports: []v1alpha1.Port{{Name: "a", Port: 1}, {Name: "b", Component: "m", Port: 1}}, conflict: true,
			want: `spec.ports[1].port: the listener "a" and component "m" (mock) both want port 1: give one of them another`,
		},
		"same name": {
			config: "reactions: [{kind: sse, id: web, port: 1}]", ports: []v1alpha1.Port{{Name: "web", Port: 2}},
			want: `spec.ports[0].port: the listener "web" and component "web" (sse) have the same name "web": name them apart in spec.ports`,
		},
		"unknown component": {
			config: "sources: []", ports: []v1alpha1.Port{{Name: "a", Component: "zz", Port: 2}},
			want: `spec.ports[0].component: there is no component "zz"`,
		},
		"other addresses": {config: "sources: [{kind: http, id: a, host: 127.0.0.1, port: 9000}, {kind: grpc, id: b, host: 127.0.0.2, port: 9000}]"},
		"other protocol":  {config: "sources: [{kind: http, id: a, port: 9000}]", ports: []v1alpha1.Port{{Name: "u", Port: 9000, Protocol: "UDP"}}},
		"one does not start": {
			config: "sources: [{kind: http, id: a, port: 9000}, {kind: grpc, id: b, port: 9000, autoStart: false}]",
			notice: `component "a" (http) and component "b" (grpc) both want port 9000 and cannot run at the same time`,
		},
		"the API gives way": {
			config: "port: 8081\nreactions: [{kind: sse, id: b, port: 8081}]",
			notice: `spec.config.port is not used for the API: component "b" (sse) has port 8081`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			parsed, _ := readConfig(t, c.config)
			p := NewPlan(Input{Config: parsed, Name: "demo", Ports: c.ports})
			if got := strings.Join(findingTexts(p), "\n"); got != c.want {
				t.Errorf("finding:\n got %s\nwant %s", got, c.want)
			}
			if len(p.Findings) > 0 && p.Findings[0].Conflict != c.conflict {
				t.Errorf("conflict is %v", p.Findings[0].Conflict)
			}
			if c.notice != "" && !strings.Contains(strings.Join(p.Notices, "\n"), c.notice) {
				t.Errorf("notices: %q", p.Notices)
			}
		})
	}
}

func TestTheAPIPortInTheFileIsFree(t *testing.T) {
	cases := map[string]struct {
		config string
		wish   uint16
		file   string
	}{
		"none written":        {config: "sources: []", file: `"port":8080}`},
		"written":             {config: "port: 9", wish: 9, file: `"port":9,`},
		"reference":           {config: "port: '${P:-9}'", wish: 9, file: `"port":9,`},
		"default taken":       {config: "reactions: [{kind: sse, id: a}, {kind: sse, id: b, port: 8081}]", file: `"port":8082,`},
		"wish taken":          {config: "port: 1\nreactions: [{kind: sse, id: a, port: 1}]", file: `"port":8080,`},
		"wish taken for UDP":  {config: "port: 1", wish: 1, file: `"port":1,`},
		"listener, no wishes": {config: "sources: [{kind: http, id: a, port: 8080}]", file: `"port":8081,`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			parsed, _ := readConfig(t, c.config)
			p := NewPlan(Input{Config: parsed, Name: "demo", Ports: []v1alpha1.Port{{Name: "u", Port: 1, Protocol: "UDP"}}})
			if p.APIPort != c.wish {
				t.Errorf("the wish is %d", p.APIPort)
			}
			if !strings.Contains(string(p.Rendered)+"}", strings.TrimSuffix(c.file, "}")) {
				t.Errorf("%s is not in %s", c.file, p.Rendered)
			}
		})
	}
}

func TestOpenListenersAreMentioned(t *testing.T) {
	const config = "sources: [{kind: http, id: a, host: 0.0.0.0, port: 1}, {kind: grpc, id: b}]"
	parsed, _ := readConfig(t, config)
	p := NewPlan(Input{Config: parsed, Name: "demo"})
	if diff := cmp.Diff([]string{`component "a" (http) listens beyond loopback, as its host says`}, p.Notices); diff != "" {
		t.Error(diff)
	}
	if p := NewPlan(Input{Config: parsed, Name: "demo", Expose: true}); len(p.Notices) > 0 {
		t.Errorf("exposed: %q", p.Notices)
	}
}

func TestAFileThatIsNoneIsNoExpectation(t *testing.T) {
	for _, file := range []string{"", "{}", "[]", `{"id":"a"}`, `{"id":"a","host":"x y"}`, `{"id":1,"host":"127.0.0.1"}`} {
		if got, err := ReadExpectation([]byte(file), nil, nil); err == nil {
			t.Errorf("%q is read as %v", file, got)
		}
	}
}
