package contract

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// recording is one scenario of the real server; the folder's README explains
// the keys.
type recording struct {
	Name        string            `json:"name"`
	Files       map[string]any    `json:"files"`
	Modes       map[string]uint32 `json:"modes"`
	Example     string            `json:"example"`
	Argv        []string          `json:"argv"`
	Env         map[string]string `json:"env"`
	Plugins     []string          `json:"plugins"`
	Ports       []string          `json:"ports"`
	Hold        []string          `json:"hold"`
	AsUser      bool              `json:"asUser"`
	ReadonlyDir bool              `json:"readonlyDir"`
	Steps       []step            `json:"steps"`
	End         struct {
		ExitCode *int     `json:"exitCode"`
		Signal   *string  `json:"signal"`
		Stdout   string   `json:"stdout"`
		Stderr   string   `json:"stderr"`
		Files    []string `json:"files"`
	} `json:"end"`
}

// step is one thing that was done, and what came of it.
type step struct {
	Health  *float64       `json:"health"`
	Reached bool           `json:"reached"`
	HTTP    string         `json:"http"`
	Until   string         `json:"until"`
	Text    string         `json:"text"`
	Body    any            `json:"body"`
	Type    string         `json:"type"`
	Reply   *recordedReply `json:"reply"`
	Read    string         `json:"read"`
	Content *string        `json:"content"`
	Signal  string         `json:"signal"`
	Exit    *float64       `json:"exit"`
	SleepMs int            `json:"sleepMs"`
	Stream  string         `json:"stream"`
	World   string         `json:"world"`
}

type recordedReply struct {
	Status      int     `json:"status"`
	ContentType *string `json:"contentType"`
	Body        any     `json:"body"`
	Failed      string  `json:"failed"`
}

// sharedDir is where data lies that is not part of the repository.
func sharedDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("DRAAS_SHARED"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("find repository: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(filepath.Dir(dir), "shared")
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}

// recordings lists the files by the name of their scenario.
func recordings(t *testing.T) map[string]string {
	t.Helper()
	dir := filepath.Join(sharedDir(t), "recordings")
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatalf("list recordings: %v", err)
	}
	if len(paths) == 0 {
		t.Skipf("SKIPPED: no recordings of the real server in %s; the facts of this package still hold the executable", dir)
	}
	found := map[string]string{}
	for _, path := range paths {
		base := filepath.Base(path)
		found[base[:len(base)-len(".json")]] = path
	}
	return found
}

func readRecording(t *testing.T, path string) *recording {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read recording: %v", err)
	}
	var rec recording
	if err := json.Unmarshal(text, &rec); err != nil {
		t.Fatalf("decode recording: %v", err)
	}
	return &rec
}

// jsonText writes a value as the recorder did: UTF-8, not escaped.
func jsonText(t *testing.T, value any) string {
	t.Helper()
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		t.Fatalf("encode: %v", err)
	}
	return string(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
}
