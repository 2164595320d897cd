package drasi

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// recording is a scenario that ran against the real server.
type recording struct {
	Files   map[string]json.RawMessage `json:"files"`
	Example string                     `json:"example"`
	Env     map[string]string          `json:"env"`
	Steps   []struct {
		HTTP  string `json:"http"`
		Until string `json:"until"`
		Reply struct {
			Status int             `json:"status"`
			Body   json.RawMessage `json:"body"`
		} `json:"reply"`
	} `json:"steps"`
	End struct {
		ExitCode *int   `json:"exitCode"`
		Stderr   string `json:"stderr"`
		Stdout   string `json:"stdout"`
	} `json:"end"`
}

var (
	placeholderNumber = regexp.MustCompile(`"@(API|P\d)@"`)
	placeholder       = regexp.MustCompile(`@(API|P\d)@`)
)

// recordings are those of a name pattern. Names of ports are replaced by numbers.
func recordings(t *testing.T, pattern string) map[string]recording {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(sharedDir(t), "recordings", pattern+".json"))
	if err != nil || len(paths) == 0 {
		t.Skipf("SKIPPED: no recordings %s (%v)", pattern, err)
	}
	out := map[string]recording{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		port := func(name []byte) []byte {
			if strings.Contains(string(name), "API") {
				return []byte("20001")
			}
			return []byte("2100" + strings.Trim(string(name), `"@P`))
		}
		raw = placeholder.ReplaceAllFunc(placeholderNumber.ReplaceAllFunc(raw, port), port)
		var r recording
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out[strings.TrimSuffix(filepath.Base(path), ".json")] = r
	}
	return out
}

// config is a recording's configuration.
func (r recording) config(t *testing.T) (string, bool) {
	t.Helper()
	if r.Example != "" {
		text, err := os.ReadFile(filepath.Join(sharedDir(t), "drasi-examples", r.Example+".yaml"))
		if err != nil {
			text, err = os.ReadFile(filepath.Join(sharedDir(t), "drasi-examples", r.Example))
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(text), true
	}
	raw := r.Files["server.yaml"]
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, true
	}
	return string(raw), len(raw) > 0
}

// recordedProblems are the recordings whose first snapshot is that of a server with a problem. A query without autoStart does not start there
// by itself, which it does with us.
var recordedProblems = map[string]Problem{
	"start_bad-query":                    ProblemInvalidQuery,
	"start_postgres-down-with-bootstrap": ProblemBootstrapFailed,
	"start_scriptfile-bootstrap":         ProblemBootstrapFailed,
	"start_query-autostart-default":      ProblemStarting,
}

func TestRecordedServersAreAssessedAsTheyStood(t *testing.T) {
	seen := 0
	for _, pattern := range []string{"start_*", "example_*", "state_*", "postgres_*", "api_reads"} {
		for name, r := range recordings(t, pattern) {
			snapshot, messages := r.firstSnapshot(t)
			config, there := r.config(t)
			if snapshot == nil || !there {
				continue
			}
			t.Run(name, func(t *testing.T) {
				seen++
				p := planOf(t, config, r.Env)
				if len(p.Findings) > 0 {
					t.Fatalf("findings: %q", findingTexts(p))
				}
				a := Assess(p.Expectation(), snapshot, messages, nil)
				if !a.Loaded {
					t.Errorf("what was written is not loaded: %s", a.Difference)
				}
				if want := recordedProblems[name]; a.Problem != want {
					t.Errorf("the problem is %q (%s), not %q", a.Problem, a.Message, want)
				}
			})
		}
	}
	if seen < 20 {
		t.Errorf("only %d recordings have a snapshot", seen)
	}
}

// firstSnapshot is the first snapshot that the server gave, and the error messages that it gave anywhere.
func (r recording) firstSnapshot(t *testing.T) (*Snapshot, map[string]string) {
	t.Helper()
	var first *Snapshot
	messages := map[string]string{}
	for _, step := range r.Steps {
		path := strings.TrimPrefix(step.HTTP, "GET ") + step.Until
		switch {
		case step.Reply.Status != 200:
		case strings.HasSuffix(path, "/snapshot") && first == nil:
			snapshot, err := decodeSnapshot(step.Reply.Body)
			if err != nil {
				t.Fatal(err)
			}
			first = snapshot
		case strings.HasSuffix(path, "/queries"):
			items, err := decodeReply[[]Item](step.Reply.Body)
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range items {
				messages[item.ID] = item.ErrorMessage
			}
		case strings.Contains(path, "/queries/") && !strings.Contains(path, "logs"):
			if item, err := decodeItem(step.Reply.Body); err == nil {
				messages[item.ID] = item.ErrorMessage
			}
		}
	}
	return first, messages
}

// recordedExits are the recordings that ended by themselves, by the class of their end.
var recordedExits = map[ExitProblem][]string{
	ExitInvalidConfig: {
		"config_bad-host", "config_bad-level", "config_duplicate-instances", "config_garbage", "config_id-bool", "config_id-number",
		"config_json-duplicate-key", "config_port-text", "config_port-zero", "config_query-unknown-key", "config_secret-at-top",
		"config_snake-case-key", "config_source-snake-case", "config_unknown-top-key", "config_unset-id-var", "config_unset-port-var",
		"example_config_server-with-env-vars", "rehearsal_bad-plugin-key", "rehearsal_bad-template", "rehearsal_duplicate-ids",
		"rehearsal_old-http-reaction", "rehearsal_unknown-query", "rehearsal_unset-var", "start_bad-plugin-key", "start_bad-plugin-value",
		"start_bad-template", "start_bad-var-value", "start_duplicate-across", "start_duplicate-query", "start_duplicate-source",
		"start_old-http-reaction", "start_secret-unknown-name", "start_secret-without-store", "start_unknown-backend",
		"start_unknown-bootstrap-id", "start_unknown-identity", "start_unknown-query", "start_unknown-source", "start_unset-var-in-component",
		"state_query-backend",
	},
	ExitPluginsMissing: {
		"plugin_lock-hash-mismatch-verified", "rehearsal_missing-plugin", "start_junk-plugin", "start_missing-plugins", "start_no-plugins-dir",
		"start_no-plugins-flag", "start_secret-store-missing-plugin", "start_verify-default",
	},
	ExitPortConflict: {"start_http-port-taken"},
	ExitAPIPortTaken: {"start_api-port-taken"},
	ExitOther: {
		"example_05-advanced-features_multi-instance", "example_05-advanced-features_persistent-storage", "postgres_wrong-password-no-bootstrap",
		"start_postgres-down-no-bootstrap", "state_state-store-no-parent",
	},
}

func TestRecordedExitsAreClassified(t *testing.T) {
	want := map[string]ExitProblem{}
	for problem, names := range recordedExits {
		for _, name := range names {
			want[name] = problem
		}
	}
	for name, r := range recordings(t, "*") {
		if r.End.ExitCode == nil || *r.End.ExitCode != 1 || strings.HasPrefix(name, "plugin_install") || strings.HasPrefix(name, "validate_") ||
			strings.HasPrefix(name, "cli_") {
			continue
		}
		got := ClassifyExit(r.End.Stderr)
		if got.Problem != want[name] {
			t.Errorf("%s: %s is not %q: %s", name, got.Problem, want[name], got.Message)
		}
		if got.Message == "" || len(got.Message) > maxExitMessage || strings.Contains(got.Message, "\n") {
			t.Errorf("%s: the message is %q", name, got.Message)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s has not ended with exit code 1", name)
	}
}

func TestRecordedHangNamesItsReason(t *testing.T) {
	for name, r := range recordings(t, "state_unwritable-cwd") {
		const want = "Failed to start query q: Failed to build indexes"
		stdout := strings.ReplaceAll(r.End.Stdout, "@TIME@", "2026-11-22T10:00:00.123456Z")
		if got := LastErrors(stdout); !strings.HasSuffix(got, want) || strings.Contains(got, "2026") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
