package contract

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// object is a piece of configuration.
type object = map[string]any

// fixture is a server of a fact: a directory, a configuration, a process.
type fixture struct {
	t       *testing.T
	dir     string
	port    int
	config  object
	text    string
	env     map[string]string
	plugins string
	// args are added to --config and --plugins-dir.
	args []string
	user bool
	proc *process
}

// newServer has the configuration that the product would write, without
// components.
func newServer(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: openDir(t), port: freePort(t), env: map[string]string{}, plugins: subject(t).plugins}
	f.config = object{
		"id": "t", "host": "127.0.0.1", "port": f.port, "logLevel": "info",
		"persistConfig": false, "enableUi": false, "verifyPlugins": false,
	}
	return f
}

// newFull has a source, a query and a reaction beside.
func newFull(t *testing.T) *fixture {
	t.Helper()
	f := newServer(t)
	f.config["sources"] = []any{mock("m")}
	f.config["queries"] = []any{counting("q", "m")}
	f.config["reactions"] = []any{logging("l", "q")}
	return f
}

func mock(id string) object {
	return object{"kind": "mock", "id": id, "dataType": object{"type": "counter"}, "intervalMs": 300}
}

func counting(id string, sources ...string) object {
	subs := []any{}
	for _, source := range sources {
		subs = append(subs, object{"sourceId": source})
	}
	return object{
		"id": id, "autoStart": true, "queryLanguage": "Cypher",
		"query": "MATCH (c:Counter) RETURN c.value AS v", "sources": subs,
	}
}

func logging(id string, queries ...string) object {
	return object{"kind": "log", "id": id, "queries": queries}
}

// with sets keys of a component.
func with(base object, keysAndValues ...any) object {
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		key, ok := keysAndValues[i].(string)
		if !ok {
			panic("a key must be a string")
		}
		base[key] = keysAndValues[i+1]
	}
	return base
}

func (f *fixture) path(elem ...string) string {
	return filepath.Join(append([]string{f.dir}, elem...)...)
}

func (f *fixture) write(name, text string) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o755); err != nil {
		f.t.Fatalf("write %s: %v", name, err)
	}
	if err := os.WriteFile(f.path(name), []byte(text), 0o644); err != nil {
		f.t.Fatalf("write %s: %v", name, err)
	}
}

// run writes the configuration and starts the server.
func (f *fixture) run() *fixture {
	f.t.Helper()
	f.writeConfig()
	return f.runWithoutFile()
}

func (f *fixture) writeConfig() {
	f.t.Helper()
	text := f.text
	if text == "" {
		text = jsonText(f.t, f.config)
	}
	f.write("server.yaml", strings.ReplaceAll(text, "@PORT@", strconv.Itoa(f.port)))
}

// readOnly starts the server as a user who may write neither the directory nor
// the file.
func (f *fixture) readOnly() *fixture {
	f.t.Helper()
	f.writeConfig()
	f.user = true
	f.mode("server.yaml", 0o444)
	f.mode(".", 0o555)
	f.t.Cleanup(func() { f.mode(".", 0o755) })
	return f.runWithoutFile()
}

func (f *fixture) mode(name string, mode os.FileMode) {
	f.t.Helper()
	if err := os.Chmod(f.path(name), mode); err != nil {
		f.t.Errorf("set mode: %v", err)
	}
}

func (f *fixture) runWithoutFile() *fixture {
	f.t.Helper()
	args := append([]string{"--config", f.path("server.yaml"), "--plugins-dir", f.plugins}, f.args...)
	f.proc = start(f.t, launch{dir: f.dir, args: args, env: f.env, user: f.user})
	return f
}

// command runs a command line of its own to its end.
func (f *fixture) command(args ...string) (outcome, string, string) {
	f.t.Helper()
	f.proc = start(f.t, launch{dir: f.dir, args: args, env: f.env, user: f.user})
	end := f.proc.wait(settle)
	return end, f.proc.output("stdout"), f.proc.output("stderr")
}

// answering waits for the API.
func (f *fixture) answering() *fixture {
	f.t.Helper()
	eventually(f.t, 2*settle, "the API answers", func() bool {
		if !f.proc.alive() {
			f.t.Fatalf("the server ended; stderr: %s", f.proc.output("stderr"))
		}
		return healthy(f.t, f.port)
	})
	return f
}

// up waits until the server may be stopped as well.
func (f *fixture) up() *fixture {
	f.t.Helper()
	f.run().answering()
	eventually(f.t, settle, "the SIGINT handler is there", f.proc.catches)
	return f
}

func (f *fixture) get(path string) reply {
	f.t.Helper()
	got := request(f.t, f.port, http.MethodGet, path, "", nil)
	if got.failed != nil {
		f.t.Fatalf("GET %s: %v; stderr: %s", path, got.failed, f.proc.output("stderr"))
	}
	return got
}

// data is the envelope's content of a good reply.
func (f *fixture) data(path string) any {
	f.t.Helper()
	got := f.get(path)
	body, ok := got.Body.(map[string]any)
	if got.Status != http.StatusOK || !ok || body["success"] != true {
		f.t.Fatalf("GET %s: %+v", path, got)
	}
	return body["data"]
}

func (f *fixture) item(path string) object {
	f.t.Helper()
	item, ok := f.data(path).(map[string]any)
	if !ok {
		f.t.Fatalf("GET %s: no object", path)
	}
	return item
}

func (f *fixture) list(path string) []object {
	f.t.Helper()
	return objects(f.t, f.data(path))
}

func objects(t *testing.T, value any) []object {
	t.Helper()
	items, ok := value.([]any)
	if !ok {
		t.Fatalf("not a list: %v", value)
	}
	list := []object{}
	for _, item := range items {
		entry, ok := item.(map[string]any)
		if !ok {
			t.Fatalf("not an object: %v", item)
		}
		list = append(list, entry)
	}
	return list
}

// status waits until a component has a status, and gives its item.
func (f *fixture) status(path, want string) object {
	f.t.Helper()
	var item object
	eventually(f.t, settle, path+" is "+want, func() bool {
		item = f.item(path)
		return item["status"] == want
	})
	return item
}

// stop asks for the graceful end and wants it.
func (f *fixture) stop() {
	f.t.Helper()
	f.proc.signal(syscall.SIGINT)
	f.ends(outcome{Code: 0})
}

func (f *fixture) ends(want outcome) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.proc.wait(2*settle)); diff != "" {
		f.t.Errorf("end (-want +got):\n%s\nstderr: %s", diff, f.proc.output("stderr"))
	}
}

// refuses wants an exit 1 whose stderr begins with a text.
func (f *fixture) refuses(beginning string) {
	f.t.Helper()
	f.ends(outcome{Code: 1})
	if text := f.proc.output("stderr"); !strings.HasPrefix(text, beginning) {
		f.t.Errorf("stderr:\n%s\nwant the beginning:\n%s", text, beginning)
	}
}

// listening tells whether somebody listens on a loopback port.
func listening(t *testing.T, port int) bool {
	t.Helper()
	conn, err := dial(port)
	if err != nil {
		return false
	}
	if err := conn.Close(); err != nil {
		t.Fatalf("close connection: %v", err)
	}
	return true
}

// simulatedOnly skips what a real server cannot be told to do.
func simulatedOnly(t *testing.T) {
	t.Helper()
	if !subject(t).simulated {
		t.Skip("SKIPPED: a fault of the simulator; this run examines another executable")
	}
}

// within bounds what is not expected to happen.
const within = 300 * time.Millisecond
