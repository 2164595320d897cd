package drasi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/draas-io/draas/api/v1alpha1"
)

// sharedDir is the folder with what the project shares with others; the test is skipped where it is absent.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("DRAAS_SHARED")
	if dir == "" {
		dir = filepath.Join(repositoryRoot(t), "..", "shared")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED: the shared data is not there: %v", err)
	}
	return dir
}

func repositoryRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

// readConfig reads a configuration as kubectl does: YAML 1.1 into JSON into the API's type.
func readConfig(t *testing.T, text string) (*v1alpha1.ServerConfig, []byte) {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("read YAML: %v", err)
	}
	config := &v1alpha1.ServerConfig{}
	if err := json.Unmarshal(raw, config); err != nil {
		t.Fatalf("decode the configuration: %v", err)
	}
	return config, raw
}

// planOf plans a configuration of an object named demo.
func planOf(t *testing.T, text string, env map[string]string) *Plan {
	t.Helper()
	config, _ := readConfig(t, text)
	return NewPlan(Input{Config: config, Name: "demo", Env: env})
}

// exampleEnv are the variables that the published examples and our own refer to without a default, and no others.
func exampleEnv() map[string]string {
	return maps.Clone(map[string]string{
		"API_TOKEN": "x", "DB_HOST": "127.0.0.1", "DB_NAME": "x", "DB_PASSWORD": "x", "DB_USER": "x", "POSTGRES_PASSWORD": "x",
		"WEBHOOK_URL": "http://127.0.0.1:9", "NOTIFY_URL": "http://127.0.0.1:9", "NOTIFY_TOKEN": "x", "MYSQL_PASSWORD": "x",
		"MSSQL_PASSWORD": "x", "KAFKA_PASSWORD": "x", "REDIS": "redis://127.0.0.1", "MCP_TOKEN": "x",
	})
}

// findingTexts are a plan's findings as people read them.
func findingTexts(p *Plan) []string {
	var out []string
	for _, f := range p.Findings {
		out = append(out, f.String())
	}
	return out
}

// configFiles are the configurations of a folder by name.
func configFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no configurations in %s (%v)", dir, err)
	}
	out := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(path), ".yaml")] = string(text)
	}
	return out
}

func sameAddress(a, b netip.Addr) bool { return a == b }

// wholeListeners are listeners with all that is shown of them.
func wholeListeners(listeners []Listener) []string {
	var out []string
	for _, l := range listeners {
		out = append(out, fmt.Sprintf("%s %s %s:%d %s %v %v", l.Name, l.Scheme, l.Address, l.Port, l.Path, l.AutoStart, l.UDP))
	}
	return out
}
