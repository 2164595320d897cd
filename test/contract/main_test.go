// Package contract holds any executable against what is known of drasi-server
// 0.2.2: it replays the recordings of the real one, and pins each fact that
// the product relies on by a case of its own.
//
// DRASI_SERVER and PLUGINS_DIR name the executable and a directory with its
// plugins; without them the simulator and its stand-ins are built and used.
package contract

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/draas-io/draas/test/drasisim/plugin"
)

// target is what this run examines.
type target struct {
	server  string
	plugins string
	// simulated tells whether it is the simulator.
	simulated bool
}

// parallel bounds how many servers run at once: they mostly wait.
const parallel = "12"

// workDir holds what a run makes. TestMain sets it before any test runs.
var workDir string

// prepared makes the target once, while tests run: what is read before is not
// seen by go test's cache, which would answer for another executable.
var prepared = sync.OnceValues(func() (target, error) { return prepare(workDir) })

// subject is the target of this run.
func subject(t *testing.T) target {
	t.Helper()
	made, err := prepared()
	if err != nil {
		t.Fatalf("prepare: %v", err)
	}
	return made
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	if err := flag.Set("test.parallel", parallel); err != nil {
		fmt.Fprintln(os.Stderr, "contract:", err)
		return 1
	}
	// An ignored signal, as a shell gives SIGINT to what runs in its background
	// and nohup gives SIGHUP, would be handed down to the servers; a caught one
	// is not.
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	var err error
	if workDir, err = os.MkdirTemp("", "contract"); err != nil {
		fmt.Fprintln(os.Stderr, "contract:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(workDir) }()
	return m.Run()
}

// prepare finds the executable and the plugins, or makes them.
func prepare(dir string) (target, error) {
	// Some scenarios run as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		return target{}, fmt.Errorf("open work directory: %w", err)
	}
	t := target{server: os.Getenv("DRASI_SERVER"), plugins: os.Getenv("PLUGINS_DIR")}
	var err error
	if t.server == "" {
		t.simulated = true
		if t.server, err = buildSimulator(dir); err != nil {
			return t, err
		}
	}
	if t.server, err = filepath.Abs(t.server); err != nil {
		return t, fmt.Errorf("find server: %w", err)
	}
	t.plugins, err = preparePlugins(filepath.Join(dir, "recorded-set"), t.plugins)
	return t, err
}

// preparePlugins makes a directory with just the plugins that the recordings
// had: links to those given, else stand-ins.
func preparePlugins(dir, given string) (string, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", fmt.Errorf("make plugin directory: %w", err)
	}
	if given == "" {
		return dir, plugin.WriteSet(dir, plugin.Recorded())
	}
	given, err := filepath.Abs(given)
	if err != nil {
		return "", fmt.Errorf("find plugins: %w", err)
	}
	for _, ref := range plugin.Recorded() {
		p, err := plugin.New(ref)
		if err != nil {
			return "", err
		}
		from := filepath.Join(given, p.FileName())
		if _, err := os.Stat(from); err != nil {
			return "", fmt.Errorf("find plugin %s: %w", ref, err)
		}
		if err := os.Symlink(from, filepath.Join(dir, p.FileName())); err != nil {
			return "", fmt.Errorf("link plugin %s: %w", ref, err)
		}
	}
	return dir, nil
}

func buildSimulator(dir string) (string, error) {
	if err := touchSources(filepath.Join("..", "drasisim")); err != nil {
		return "", err
	}
	out := filepath.Join(dir, "bin", "drasi-server")
	cmd := exec.Command("go", "build", "-o", out, "github.com/draas-io/draas/test/drasisim")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build simulator: %w\n%s", err, text)
	}
	if err := os.Chmod(filepath.Dir(out), 0o755); err != nil {
		return "", fmt.Errorf("open build directory: %w", err)
	}
	return out, nil
}

// touchSources makes go test's cache depend on the simulator, which is built
// and run but not imported.
func touchSources(dir string) error {
	sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return fmt.Errorf("list sources: %w", err)
	}
	for _, source := range append(sources, dir) {
		if _, err := os.Stat(source); err != nil {
			return fmt.Errorf("find sources: %w", err)
		}
	}
	return nil
}
