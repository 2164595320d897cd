package drasi

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/draas-io/draas/api/v1alpha1"
)

// addConfigs gives a fuzz target our own configurations as JSON.
func addConfigs(f *testing.F) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "configs", "*.yaml"))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no configurations (%v)", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		raw, err := yaml.YAMLToJSON(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
}

func FuzzRender(f *testing.F) {
	addConfigs(f)
	for _, raw := range []string{
		`{"a":[1e5,-0,0.1e-400,9007199254740993,"\u0085\u2028\ufeff"],"\u0000":1}`,
		`{"instances":[{"id":"a","sources":{"x":[]},"queries":[1,{"sources":[null]}]}]}`,
		`{"port":{"kind":"EnvironmentVariable","name":"A","default":"80"},"id":"${A}","sources":[{"kind":"sqlite","id":"a","restApi":[]}]}`,
		`{"plugins":[{"ref":"a/b:c@d"}],"stateStore":{"kind":"redb","path":{"kind":"Secret","name":"x"}}}`,
		`{"sources":[{"kind":"http","id":"a","port":1},{"kind":"grpc","id":"b","port":1,"host":["x"]}]}`,
		`{"<<":{"a":1},"*a":"&b","!t":"%x","? ":"- ","":null}`,
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		config := &v1alpha1.ServerConfig{}
		if json.Unmarshal(raw, config) != nil {
			t.Skip()
		}
		in := Input{Config: config, Name: "demo", Env: map[string]string{"A": "8080"}, Ports: []v1alpha1.Port{{Name: "x", Component: "a", Port: 2}}}
		p := NewPlan(in)
		checkBounds(t, p)
		again := NewPlan(in)
		if !bytes.Equal(p.Rendered, again.Rendered) || !bytes.Equal(p.Canonical, again.Canonical) {
			t.Fatal("the same configuration gives other bytes")
		}
		if diff := cmp.Diff(p, again, cmp.Comparer(sameAddress)); diff != "" {
			t.Fatal(diff)
		}
		if p.Rendered == nil {
			return
		}
		mustReadAlike(t, p.Rendered)
		read, err := ReadExpectation(p.Rendered, in.Env, in.Ports)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p.Expectation(), read, cmp.Comparer(sameAddress)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func checkBounds(t *testing.T, p *Plan) {
	t.Helper()
	if (p.Rendered == nil) == (len(p.Findings) == 0) {
		t.Fatalf("%d findings and %d bytes", len(p.Findings), len(p.Rendered))
	}
	if len(p.Findings) > maxFindings+1 || len(p.Notices) > maxFindings+1 {
		t.Fatalf("%d findings, %d notices", len(p.Findings), len(p.Notices))
	}
	for _, f := range p.Findings {
		if s := f.String(); len(s) > maxField+maxFindingText+2 || !utf8.ValidString(s) {
			t.Fatalf("a finding of %d bytes: %s", len(s), s)
		}
	}
	for _, n := range p.Notices {
		if len(n) > maxFindingText || !utf8.ValidString(n) {
			t.Fatalf("a notice of %d bytes: %s", len(n), n)
		}
	}
}

// FuzzText holds that every text that is not refused arrives as it was written, as a value and as a key.
func FuzzText(f *testing.F) {
	for _, text := range []string{"a\u0085b", " \u2028 ", "😀", "\ufeff", "\ufffe", "${X}", "\"'#: \n", "\x7f\x1b", "true", "<<", "~", "2001-01-01"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip()
		}
		value, err := json.Marshal(map[string]string{"k" + text: text})
		if err != nil {
			t.Fatal(err)
		}
		config := &v1alpha1.ServerConfig{Extra: v1alpha1.Extra{"extra": {Raw: value}}}
		p := NewPlan(Input{Config: config, Name: "demo"})
		if len(p.Findings) > 0 {
			if !strings.ContainsRune(text, 0) && len(text) < maxKey/6 {
				t.Fatalf("refused: %q", findingTexts(p))
			}
			return
		}
		extra, _ := mustReadAlike(t, p.Rendered)["extra"].(map[string]any)
		if extra["k"+text] != text {
			t.Fatalf("%q became %q", text, extra)
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	f.Add([]byte(goodSnapshot), "m", "words")
	f.Add([]byte(`{"success":true,"data":{"instance_id":"t","sources":[{"id":"m","status":"Error"},null],"queries":null}}`), "q", "Bootstrap failed")
	f.Add([]byte(`{"success":true,"data":[]}`), "", "")
	want := Expectation{InstanceID: "t", Components: []Component{
		{ID: "m", Type: v1alpha1.ComponentSource, Kind: "mock", AutoStart: true}, {ID: "q", Type: v1alpha1.ComponentQuery, AutoStart: true},
	}}
	f.Fuzz(func(t *testing.T, body []byte, id, message string) {
		got, err := decodeSnapshot(body)
		if err != nil {
			if got != nil {
				t.Fatal("an error with a snapshot")
			}
			return
		}
		a := Assess(want, got, map[string]string{id: message}, nil)
		if len(a.Message) > maxMessage || !utf8.ValidString(a.Message) {
			t.Fatalf("a message of %d bytes", len(a.Message))
		}
		if a.Problem == ProblemNone && (!a.Loaded || a.Ready != a.Wanted) {
			t.Fatalf("no problem: %+v", a)
		}
		for _, c := range a.Components {
			if len(c.Status) > 64 || len(c.Message) > maxComponentMessage {
				t.Fatalf("%+v", c)
			}
		}
	})
}

func FuzzItem(f *testing.F) {
	f.Add([]byte(`{"success":true,"data":{"id":"q","status":"Error","error_message":"x"}}`), 200)
	f.Add([]byte(`{"success":true,"data":[{"timestamp":"x","level":"Error","message":"a"}]}`), 404)
	f.Add([]byte(`{"code":"X_NOT_FOUND","message":"\u0000"}`), 500)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if item, err := decodeItem(body); err == nil && (item.ID == "" || len(item.ErrorMessage) > maxErrorText) {
			t.Fatalf("%+v", item)
		}
		if lines, err := decodeLogs(body); err == nil {
			for _, line := range lines {
				if len(line.Message) > maxErrorText {
					t.Fatalf("a line of %d bytes", len(line.Message))
				}
			}
		}
		if text := decodeError(status, body).Error(); len(text) > 2*maxErrorText || !utf8.ValidString(text) {
			t.Fatalf("an error of %d bytes", len(text))
		}
	})
}

func FuzzClassifyExit(f *testing.F) {
	for _, c := range exitTexts {
		f.Add(c.stderr)
	}
	f.Fuzz(func(t *testing.T, stderr string) {
		got := ClassifyExit(stderr)
		if got.Problem == "" || len(got.Message) > maxExitMessage || !utf8.ValidString(got.Message) || strings.ContainsAny(got.Message, "\x1b\n\x00") {
			t.Fatalf("%+v", got)
		}
		if got != ClassifyExit(stderr) {
			t.Fatal("the same text is classified otherwise")
		}
		if lines := LastErrors(stderr); len(lines) > maxExitMessage || strings.Count(lines, "\n") >= maxErrors || strings.ContainsAny(lines, "\x1b\x00") {
			t.Fatalf("%q", lines)
		}
	})
}
