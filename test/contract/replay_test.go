package contract

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// settle is what a reply may take longer than it took the recorder.
const settle = 10 * time.Second

// TestReplay does what each recording did and compares what came of it.
func TestReplay(t *testing.T) {
	found := recordings(t)
	for name := range pending {
		if found[name] == "" {
			t.Errorf("%s is listed as not yet simulated, but there is no such recording", name)
		}
	}
	list := make([]string, 0, len(found))
	for name := range found {
		list = append(list, name)
	}
	sort.Strings(list)
	t.Logf("%d recordings, of which %d are not yet simulated", len(found), len(pending))
	for _, name := range list {
		t.Run(name, func(t *testing.T) {
			if reason := pending[name]; reason != "" {
				t.Skipf("SKIPPED, not yet simulated: %s", reason)
			}
			if slow[name] && os.Getenv("CONTRACT_SLOW") == "" {
				t.Skip("SKIPPED: takes five minutes by its nature; set CONTRACT_SLOW=1 to replay it")
			}
			t.Parallel()
			replay(t, name, readRecording(t, found[name]))
		})
	}
}

// run is a replay under way.
type run struct {
	t     *testing.T
	name  string
	rec   *recording
	names names
	proc  *process
	// slept is what the recorder waited for since its last request.
	slept time.Duration
}

func replay(t *testing.T, name string, rec *recording) {
	r := &run{t: t, name: name, rec: rec}
	r.lay()
	r.proc = start(t, r.launch())
	for i, s := range rec.Steps {
		if !t.Failed() {
			r.step(i, s)
		}
	}
	if !t.Failed() {
		r.end()
	}
}

// lay prepares the working directory and the ports.
func (r *run) lay() {
	r.names = names{
		dir: openDir(r.t), plugins: subject(r.t).plugins, bin: filepath.Dir(subject(r.t).server), ports: map[string]int{},
	}
	for _, name := range append([]string{"API"}, r.rec.Ports...) {
		if r.names.ports[name] == 0 {
			r.names.ports[name] = freePort(r.t)
		}
	}
	for _, name := range r.rec.Hold {
		holdPort(r.t, r.names.ports[name])
	}
	if r.rec.Plugins != nil {
		r.copyPlugins()
	}
	if r.rec.Example != "" {
		r.write("server.yaml", loopback(r.t, r.rec.Example))
	}
	for path, content := range r.rec.Files {
		if text, ok := content.(string); ok {
			r.write(path, r.names.fill(text))
		} else {
			r.write(path, r.names.fillJSON(jsonText(r.t, content)))
		}
	}
	r.own()
}

func (r *run) copyPlugins() {
	from := r.names.plugins
	r.names.plugins = filepath.Join(r.names.dir, "plugins")
	for _, name := range r.rec.Plugins {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			r.t.Fatalf("copy plugin: %v", err)
		}
		r.write("plugins/"+name, string(text))
	}
}

func (r *run) write(path, text string) {
	r.t.Helper()
	full := filepath.Join(r.names.dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		r.t.Fatalf("write %s: %v", path, err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		r.t.Fatalf("write %s: %v", path, err)
	}
}

// own gives the directory to the user that the scenario wants, and modes.
func (r *run) own() {
	if r.rec.AsUser && os.Getuid() == 0 && !r.rec.ReadonlyDir {
		err := filepath.Walk(r.names.dir, func(path string, _ os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			return os.Chown(path, nobody, nobody)
		})
		if err != nil {
			r.t.Fatalf("give directory away: %v", err)
		}
	}
	for path, mode := range r.rec.Modes {
		if err := os.Chmod(filepath.Join(r.names.dir, path), os.FileMode(mode)); err != nil {
			r.t.Fatalf("set mode: %v", err)
		}
	}
	if r.rec.ReadonlyDir {
		if err := os.Chmod(r.names.dir, 0o555); err != nil {
			r.t.Fatalf("set mode: %v", err)
		}
		r.t.Cleanup(func() {
			if err := os.Chmod(r.names.dir, 0o755); err != nil {
				r.t.Errorf("set mode: %v", err)
			}
		})
	}
}

func (r *run) launch() launch {
	argv := r.rec.Argv
	if argv == nil {
		argv = []string{"--config", "@DIR@/server.yaml", "--plugins-dir", "@PLUGINS@", "--disable-ui"}
	}
	l := launch{dir: r.names.dir, env: map[string]string{}, user: r.rec.AsUser}
	for _, arg := range argv {
		l.args = append(l.args, r.names.fill(arg))
	}
	for name, val := range r.rec.Env {
		l.env[name] = r.names.fill(val)
	}
	for name, val := range faults[r.name] {
		l.env[name] = val
	}
	return l
}

var (
	anyAddress  = regexp.MustCompile(`\b0\.0\.0\.0\b`)
	knownListen = regexp.MustCompile(`\b(9000|8081|5432)\b`)
)

// loopback reads a published configuration and moves its listeners, and the
// database that is not there, to free ports of the loopback interface.
func loopback(t *testing.T, example string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sharedDir(t), "drasi-examples", example))
	if err != nil {
		t.Fatalf("read example: %v", err)
	}
	ports := map[string]string{}
	moved := knownListen.ReplaceAllStringFunc(string(text), func(port string) string {
		if ports[port] == "" {
			ports[port] = fmt.Sprint(freePort(t))
		}
		return ports[port]
	})
	return anyAddress.ReplaceAllString(moved, "127.0.0.1")
}

func (r *run) step(i int, s step) {
	r.t.Helper()
	switch {
	case s.Health != nil:
		r.health(s)
	case s.HTTP != "":
		r.http(i, s)
	case s.Until != "":
		r.until(s)
	case s.Read != "":
		r.read(s)
	case s.Signal != "":
		// What happens before the signal is the point: this waits in earnest.
		<-time.After(r.slept)
		r.proc.signal(map[string]syscall.Signal{
			"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1,
		}[s.Signal])
	case s.Exit != nil:
		r.proc.wait(time.Duration(*s.Exit)*time.Second + settle)
	case s.SleepMs > 0:
		r.slept += time.Duration(s.SleepMs) * time.Millisecond
		return
	default:
		r.t.Fatalf("step %d: nothing of it is replayed", i)
	}
	r.slept = 0
}

func (r *run) health(s step) {
	r.t.Helper()
	limit := time.Duration(*s.Health)*time.Second + settle
	reached := false
	eventually(r.t, limit, "the API answers, or the server ended", func() bool {
		reached = healthy(r.t, r.names.ports["API"])
		return reached || !r.proc.alive()
	})
	if reached != s.Reached {
		r.t.Fatalf("API reached: %v, recorded %v; stderr: %s", reached, s.Reached, r.proc.output("stderr"))
	}
	if reached {
		// SIGINT before this would not be what was recorded (contract 1.6).
		eventually(r.t, settle, "the handler is there", r.proc.catches)
	}
}

// http repeats a reading request until it gets the recorded reply, within what
// the recorder slept before and some more.
func (r *run) http(i int, s step) {
	r.t.Helper()
	method, path, _ := strings.Cut(s.HTTP, " ")
	if reason := laterStep(path); reason != "" {
		r.t.Logf("step %d, %s, not yet simulated: %s", i, s.HTTP, reason)
		return
	}
	var diff string
	deadline := time.Now().Add(r.slept + settle)
	if method != http.MethodGet {
		<-time.After(r.slept)
		deadline = time.Now()
	}
	for {
		diff = r.ask(method, path, s)
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("step %d, %s (-recorded +got):\n%s", i, s.HTTP, diff)
		}
		<-time.After(poll)
	}
}

func (r *run) ask(method, path string, s step) string {
	r.t.Helper()
	var body []byte
	contentType := s.Type
	switch given := s.Body.(type) {
	case nil:
	case string:
		body = []byte(r.names.fill(given))
	default:
		body = []byte(r.names.fillJSON(jsonText(r.t, given)))
		contentType = "application/json"
	}
	got := request(r.t, r.names.ports["API"], method, r.names.fill(path), contentType, body)
	if s.Reply.Failed != "" {
		if got.failed == nil {
			return "an answer where there was none"
		}
		return ""
	}
	if got.failed != nil {
		return got.failed.Error()
	}
	want := reply{Status: s.Reply.Status, Body: r.names.hideIn(s.Reply.Body)}
	if s.Reply.ContentType != nil {
		want.ContentType = *s.Reply.ContentType
	}
	got.Body = r.names.hideIn(got.Body)
	if strings.HasSuffix(path, "/results") {
		got.Body, want.Body = rowShape(got.Body), rowShape(want.Body)
	}
	return cmp.Diff(want, got, cmp.AllowUnexported(reply{}))
}

func (r *run) until(s step) {
	r.t.Helper()
	eventually(r.t, 30*time.Second, s.Until+" says "+s.Text, func() bool {
		got := request(r.t, r.names.ports["API"], http.MethodGet, s.Until, "", nil)
		return strings.Contains(jsonText(r.t, got.Body), s.Text)
	})
}

func (r *run) read(s step) {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.names.dir, s.Read))
	if s.Content == nil {
		if !os.IsNotExist(err) {
			r.t.Errorf("%s is there", s.Read)
		}
		return
	}
	if err != nil {
		r.t.Fatalf("read %s: %v", s.Read, err)
	}
	if diff := cmp.Diff(*s.Content, r.names.hide(string(text))); diff != "" {
		r.t.Errorf("%s (-recorded +got):\n%s", s.Read, diff)
	}
}

// end compares how the process ended and what it left.
func (r *run) end() {
	r.t.Helper()
	want := outcome{Code: -1}
	if r.rec.End.ExitCode != nil {
		want.Code = *r.rec.End.ExitCode
	}
	if r.rec.End.Signal != nil {
		want.Signal = *r.rec.End.Signal
	}
	if diff := cmp.Diff(want, r.proc.wait(settle)); diff != "" {
		r.t.Errorf("end (-recorded +got):\n%s\nstderr: %s", diff, r.proc.output("stderr"))
	}
	if diff := cmp.Diff(r.names.hide(r.rec.End.Stderr), r.names.hide(r.proc.output("stderr"))); diff != "" {
		r.t.Errorf("stderr (-recorded +got):\n%s", diff)
	}
	wanted := append([]string{}, r.rec.End.Files...)
	sort.Strings(wanted)
	if diff := cmp.Diff(wanted, leftFiles(r.t, r.names.dir)); diff != "" {
		r.t.Errorf("files (-recorded +got):\n%s", diff)
	}
}
