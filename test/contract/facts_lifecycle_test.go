package contract

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Contract 1.1: the long version names the server's version first.
func TestVersionComesFirst(t *testing.T) {
	t.Parallel()
	end, stdout, _ := newServer(t).command("--version")
	if end.Code != 0 || !strings.HasPrefix(stdout, "drasi-server 0.2.2\n") {
		t.Errorf("got %+v, %q", end, stdout)
	}
}

// Contract 1.4: wrong usage is exit 2.
func TestWrongUsageExitsTwo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--nope"}, {"serve"}, {"--port", "70000"}, {"--port"}, {"--enable-ui", "--disable-ui"}} {
		end, _, stderr := newServer(t).command(args...)
		if end.Code != 2 || !strings.HasPrefix(stderr, "error: ") {
			t.Errorf("%v: got %+v, %q", args, end, stderr)
		}
	}
}

// Contract 1.1: flags before and after run both take effect, and --port wins
// over the file.
func TestPortFlagWins(t *testing.T) {
	t.Parallel()
	for name, after := range map[string][]string{"without run": nil, "before run": {"run"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newServer(t)
			other := f.port
			f.port = freePort(t)
			f.config["port"] = other
			f.args = append([]string{"--port", itoa(f.port)}, after...)
			f.up()
			if listening(t, other) {
				t.Error("the file's port is open as well")
			}
			f.stop()
		})
	}
}

// widerGap keeps the simulator from being up before a busy machine looks; a
// real server does not know it.
const widerGap = "DRASISIM_SLOW_START_MS"

// Contract 1.6 and 6.2: the API is bound after everything else; an http source
// alone costs half a second.
func TestAPIIsBoundLast(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	source := freePort(t)
	f.config["sources"] = []any{object{"kind": "http", "id": "m", "host": "127.0.0.1", "port": source}}
	f.env[widerGap] = "2000"
	f.run()
	eventually(t, settle, "the source listens", func() bool { return listening(t, source) })
	if healthy(t, f.port) {
		t.Error("the API answers although the source has only just begun to listen")
	}
	f.answering()
	f.status("/api/v1/instances/t/sources/m", "Running")
}

// Contract 1.6: the API may answer before SIGINT is caught, and SigCgt tells.
func TestInterruptBeforeTheHandlerKills(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	source := freePort(t)
	f.config["sources"] = []any{object{"kind": "http", "id": "m", "host": "127.0.0.1", "port": source}}
	f.env[widerGap] = "2000"
	f.run()
	eventually(t, settle, "the source listens", func() bool { return listening(t, source) })
	if f.proc.catches() {
		t.Fatal("SigCgt shows SIGINT long before the API is bound")
	}
	f.proc.signal(syscall.SIGINT)
	f.ends(outcome{Code: -1, Signal: "SIGINT"})
	if text := f.proc.output("stderr"); text != "" {
		t.Errorf("stderr: %s", text)
	}
}

// Contract 1.4 and 1.6: SIGINT ends in order with 0, also when sent twice.
func TestInterruptStopsGracefully(t *testing.T) {
	t.Parallel()
	f := newFull(t).up()
	f.proc.signal(syscall.SIGINT)
	f.proc.signal(syscall.SIGINT)
	f.ends(outcome{Code: 0})
	if text := f.proc.output("stderr"); text != "" {
		t.Errorf("stderr: %s", text)
	}
}

// Contract 1.6: no other signal is handled.
func TestOtherSignalsKill(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1} {
		f := newFull(t).up()
		f.proc.signal(sig)
		f.ends(outcome{Code: -1, Signal: signalName(sig)})
	}
}

// Contract 1.4: a missing file is no error; parent folders and a default
// configuration are made, and a healthy empty server runs.
func TestMissingConfigGivesAHealthyEmptyServer(t *testing.T) {
	t.Parallel()
	f := newServer(t)
	f.proc = start(t, launch{dir: f.dir, args: []string{
		"--config", f.path("made", "server.yaml"), "--plugins-dir", f.plugins, "--port", itoa(f.port),
	}})
	f.answering()
	wantEmpty(t, f)
	text, err := os.ReadFile(f.path("made", "server.yaml"))
	if err != nil || !strings.Contains(string(text), "port: "+itoa(f.port)) {
		t.Errorf("default configuration: %v\n%s", err, text)
	}
}

// Contract 1.4: so is an empty one, which stays empty.
func TestEmptyConfigGivesAHealthyEmptyServer(t *testing.T) {
	t.Parallel()
	f := newServer(t)
	f.write("server.yaml", "")
	f.args = []string{"--port", itoa(f.port)}
	f.runWithoutFile().answering()
	wantEmpty(t, f)
	if text, err := os.ReadFile(f.path("server.yaml")); err != nil || len(text) != 0 {
		t.Errorf("file: %v %q", err, text)
	}
}

func wantEmpty(t *testing.T, f *fixture) {
	t.Helper()
	instances := f.list("/api/v1/instances")
	if len(instances) != 1 || instances[0]["source_count"] != 1.0 || instances[0]["query_count"] != 0.0 {
		t.Errorf("instances: %v", instances)
	}
	if id, ok := instances[0]["id"].(string); !ok || !uuidPattern.MatchString(id) {
		t.Errorf("id %v is not random", instances[0]["id"])
	}
}

// Contract 1.4: a folder that cannot be made is exit 1.
func TestUnwritableFolderOfAMissingConfig(t *testing.T) {
	t.Parallel()
	f := newServer(t)
	f.user = true
	end, _, stderr := f.command("--config", "/no-such-dir/server.yaml", "--port", itoa(f.port))
	if end.Code != 1 || stderr != "Error: Permission denied (os error 13)\n" {
		t.Errorf("got %+v, %q", end, stderr)
	}
}

// Contract 1.4: a taken API port is exit 1.
func TestTakenAPIPort(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	holdPort(t, f.port)
	f.run().refuses("Error: Address already in use (os error 98)\n")
}

// Contract 4.1: health is constant from the moment the API is bound, whatever
// the components do.
func TestHealthSaysNothingAboutComponents(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["queries"] = []any{with(counting("q", "m"), "query", "MATCH (((")}
	f.up()
	f.status("/api/v1/instances/t/queries/q", "Error")
	got := f.get("/health")
	body, ok := got.Body.(map[string]any)
	if got.Status != http.StatusOK || !ok || body["status"] != "ok" {
		t.Errorf("health: %+v", got)
	}
}

// Contract 1.5: the file is not rewritten at start, and nothing else appears.
func TestARunWritesNothing(t *testing.T) {
	t.Parallel()
	f := newFull(t).up()
	before := jsonText(t, f.config)
	f.stop()
	text, err := os.ReadFile(f.path("server.yaml"))
	if err != nil || string(text) != before {
		t.Errorf("file: %v\n%s", err, text)
	}
	if left := leftFiles(t, f.dir); len(left) != 1 {
		t.Errorf("files: %v", left)
	}
}

// Contract 1.7: lines have time, level and target; NO_COLOR leaves colours
// out; RUST_LOG overrules the level.
func TestLogLines(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["logLevel"] = "info"
	f.env["RUST_LOG"] = "error"
	f.up()
	f.stop()
	text := f.proc.output("stdout")
	if strings.Contains(text, " INFO ") || strings.Contains(text, "\x1b[") {
		t.Errorf("stdout: %s", text)
	}
	if !strings.Contains(text, "Starting Drasi Server\n  Version: 0.2.2\n") {
		t.Errorf("no banner: %s", text)
	}
}

// Contract 6.4: a reaction waits for its query's bootstrap inside the start,
// up to the query's timeout; here one whose index cannot be made.
func TestAReactionHoldsTheStartUp(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["persistIndex"] = true
	f.config["queries"] = []any{with(counting("q", "m"), "bootstrapTimeoutSecs", 1)}
	f.readOnly()
	begun := time.Now()
	f.answering()
	if waited := time.Since(begun); waited < time.Second {
		t.Errorf("the API answered after %v", waited)
	}
	f.status("/api/v1/instances/t/queries/q", "Starting")
	f.status("/api/v1/instances/t/reactions/l", "Running")
}
