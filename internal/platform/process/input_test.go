//go:build linux

package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/draas-io/draas/internal/platform"
)

func TestWhatAServerIsGiven(t *testing.T) {
	t.Setenv("CANARY", "of-the-agent")
	h := newHost(t)
	value := "a\"b'c\\d\ne\t${X} \xff\xfe\u0085 " + strings.Repeat("x", 64<<10)
	d := desired("a", "h")
	d.Env = []platform.EnvVar{{Name: "V", Value: "first"}, {Name: "V", Value: value}, {Name: "NO_COLOR", Value: "0"}, {Name: "EMPTY"}}
	d.Config = []byte("{\"id\":\"\u00e4 \x00\xff\"}")
	d.Folders = []string{"data/state", "files"}
	h.ensure(d)
	o := h.running("a", "h")
	got, home := h.seen("a"), h.home("a")

	env := slices.Clone(got.Env)
	slices.SortFunc(env, bytes.Compare)
	want := [][]byte{[]byte("EMPTY="), []byte("HOME=" + home.data()), []byte("NO_COLOR=0"), []byte(fixedPath), []byte("V=" + value)}
	if !slices.EqualFunc(env, want, bytes.Equal) {
		t.Errorf("environment %q", env)
	}
	if !bytes.Equal(got.Config, d.Config) || got.Dir != home.data() || got.Umask != umask {
		t.Errorf("config %q, directory %s, umask %o", got.Config, got.Dir, got.Umask)
	}
	args := []string{"--config", home.config(), "--plugins-dir", got.PluginsDir, "--port", strings.TrimPrefix(o.API.String(), "127.0.0.1:")}
	if !slices.Equal(got.Args[1:], args) || got.Args[0] != serverPath {
		t.Errorf("arguments %q", got.Args)
	}
	given := map[string]string{"0": os.DevNull, "1": home.stdout(), "2": home.stderr()}
	if len(got.Given.Descriptors) != 3 {
		t.Errorf("descriptors %v", got.Given.Descriptors)
	}
	for fd, path := range given {
		if got.Given.Descriptors[fd] != path {
			t.Errorf("descriptor %s is %q, want %q", fd, got.Given.Descriptors[fd], path)
		}
	}
	for _, name := range []string{"SigBlk", "SigIgn"} {
		if !strings.Contains(got.Given.Status, name+":\t0000000000000000\n") {
			t.Errorf("%s is not empty in %s", name, got.Given.Status)
		}
	}
	for path, mode := range map[string]os.FileMode{home.config(): 0o600, home.path: passageMode(), home.data(): 0o700, home.logs(): 0o700} {
		if found, err := os.Stat(path); err != nil || found.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, found.Mode(), err)
		}
	}
	for _, folder := range d.Folders {
		if found, err := os.Stat(filepath.Join(home.data(), folder)); err != nil || !found.IsDir() {
			t.Errorf("folder %s: %v", folder, err)
		}
	}
	session, err := readStat(o.PID)
	if err != nil || session.session != o.PID {
		t.Errorf("session %d of process %d: %v", session.session, o.PID, err)
	}
}

func TestTheConfigurationIsWrittenBeforeEveryStart(t *testing.T) {
	h := newHost(t)
	d := desired("a", "h")
	h.ensure(d)
	before := h.running("a", "h")
	home := h.home("a")
	for path, text := range map[string]string{home.config(): "# changed by the server", home.dotenv(): "TS_MARK=from a file"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kill(t, before.PID, syscall.SIGKILL)
	until(t, "it is started again", func() bool { return len(h.lines("a", "starts")) == 2 })
	if got := h.seen("a").Config; !bytes.Equal(got, d.Config) {
		t.Errorf("config %q", got)
	}
	if _, err := os.Stat(home.dotenv()); !os.IsNotExist(err) {
		t.Errorf("a file with variables is still beside the configuration: %v", err)
	}
	if o := h.running("a", "h"); !bytes.Equal(o.Config, d.Config) {
		t.Errorf("observed config %q", o.Config)
	}
}

func TestFoldersAreMadeBelowTheDataDirectoryOnly(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	h.running("a", "h")
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(h.home("a").data(), "link")); err != nil {
		t.Fatal(err)
	}
	d := desired("a", "h2")
	d.Folders = []string{"link/escaped"}
	h.ensure(d)
	until(t, "the start is refused", func() bool { return h.inspect("a").StartError != nil })
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	h.ensure(desired("a", "h3"))
	if o := h.running("a", "h3"); o.StartError != nil {
		t.Errorf("%+v", o)
	}
}

func TestAStartThatCannotBeTriedIsToldAndTriedAgain(t *testing.T) {
	h := newHost(t)
	own := filepath.Join(openDirectory(t), "drasi-server")
	install(t, serverPath, own)
	h.close()
	h.options.Executable = own
	h.open()
	h.ensure(desired("a", "h"))
	h.ensure(desired("b", "h"))
	before, other := h.running("a", "h"), h.running("b", "h")
	if err := os.Rename(own, own+".away"); err != nil {
		t.Fatal(err)
	}
	kill(t, before.PID, syscall.SIGKILL)
	until(t, "the failure is told", func() bool {
		o := h.inspect("a")
		return o.State == platform.StateWaiting && platform.CodeOf(o.StartError) == platform.CodeVersionUnavailable
	})
	if found := h.fingerprint(); found.Health != platform.HealthUnhealthy || !strings.Contains(found.Message, own) {
		t.Errorf("%+v", found)
	}
	if err := os.Rename(own+".away", own); err != nil {
		t.Fatal(err)
	}
	if found := h.fingerprint(); found.Health != platform.HealthHealthy {
		t.Errorf("%+v", found)
	}
	if o := h.running("a", "h"); o.StartError != nil || o.Restarts != 1 {
		t.Errorf("%+v", o)
	}
	if o := h.running("b", "h"); o.PID != other.PID {
		t.Error("a running server was touched")
	}
}

func TestDataAreKeptWhenAskedFor(t *testing.T) {
	h := newHost(t)
	for n := range 2 {
		h.ensure(desired("a", "h"))
		h.running("a", "h")
		h.stop("a", patience)
		h.in("a", platform.StateStopped)
		if err := h.d.Remove(t.Context(), ref("a"), true); err != nil {
			t.Fatal(err)
		}
		kept, err := filepath.Glob(filepath.Join(h.options.StateDir, "retained", "a-name-of-a*", "seen.json"))
		if err != nil || len(kept) != n+1 {
			t.Fatalf("kept %v, %v", kept, err)
		}
		if _, err := os.Stat(h.home("a").path); !os.IsNotExist(err) {
			t.Errorf("the instance's directory is still there: %v", err)
		}
	}
}

// install copies an executable.
func install(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// passageMode is the mode of what leads to a server's files.
func passageMode() os.FileMode {
	if ownUsers() == (UIDRange{}) {
		return modePrivate
	}
	return modePassage
}

func TestAnEnvironmentThatLinuxCannotGiveIsRefusedBeforeAnythingIsStopped(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	long := desired("a", "h2", "LONG="+strings.Repeat("x", mostVariable-len("LONG=")))
	if err := h.d.Ensure(t.Context(), long); platform.CodeOf(err) != platform.CodeInvalid || !strings.Contains(err.Error(), "LONG") {
		t.Errorf("one variable: %v", err)
	}
	var many []string
	for n := range 9 {
		many = append(many, fmt.Sprintf("V%d=%s", n, strings.Repeat("x", mostVariable-len("V0=\x00"))))
	}
	if err := h.d.Ensure(t.Context(), desired("a", "h2", many...)); platform.CodeOf(err) != platform.CodeInvalid {
		t.Errorf("all: %v", err)
	}
	if o := h.running("a", "h"); o.PID != before.PID {
		t.Error("the server was replaced")
	}
	h.ensure(desired("a", "h3", many[:7]...))
	h.running("a", "h3")
}

func TestAServerThatRunsIsLookedAtNowAndThen(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	h.running("a", "h")
	until(t, "its next look is the slow one", func() bool {
		pause, again := h.d.unit("a").pass()
		return again && pause == relookEvery
	})
}
