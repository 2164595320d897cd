//go:build linux

package launcher_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/draas-io/draas/internal/launcher"
)

// launch is a launcher that has been started.
type launch struct {
	t              *testing.T
	command        *exec.Cmd
	word           *os.File
	status         *os.File
	input          io.Closer
	stdout, stderr bytes.Buffer
	path           string
}

// basic is a specification that only executes something.
func basic(t *testing.T, program string, args ...string) launcher.Spec {
	t.Helper()
	spec := launcher.Spec{FormatVersion: launcher.FormatVersion, Incarnation: "i", Executable: []byte(find(t, program)), Dir: []byte("/"), Umask: 0o022}
	for _, arg := range append([]string{program}, args...) {
		spec.Args = append(spec.Args, []byte(arg))
	}
	return spec
}

func find(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("this host has no %s to be launched: %v", program, err)
	}
	return path
}

// start starts the launcher as the agent does. The arguments before are those of a program that executes it.
func start(t *testing.T, spec launcher.Spec, before ...string) *launch {
	t.Helper()
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	l := &launch{t: t, path: filepath.Join(t.TempDir(), "launch.json")}
	if err := os.WriteFile(l.path, text, 0o400); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if len(before) > 0 {
		l.command = exec.Command(before[0], append(before[1:], self, l.path)...)
	} else {
		l.command = exec.Command(self)
		l.command.Args = []string{launcher.Name, l.path}
	}
	wordIn, word := pipe(t)
	status, statusOut := pipe(t)
	l.word, l.status = word, status
	leaked, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	l.command.ExtraFiles = []*os.File{wordIn, statusOut, leaked, leaked}
	l.command.Env = []string{"CANARY=of-the-agent"}
	l.command.Stdout, l.command.Stderr = &l.stdout, &l.stderr
	if l.input, err = l.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := l.command.Start(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []*os.File{wordIn, statusOut, leaked} {
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func pipe(t *testing.T) (*os.File, *os.File) {
	t.Helper()
	from, into, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = from.Close(), into.Close() })
	return from, into
}

// end gives the word, or dies without, and returns what the launcher said and how it ended.
func (l *launch) end(word bool) (string, int) {
	l.t.Helper()
	if word {
		// A launcher that has failed already does not read it.
		_, _ = l.word.Write([]byte{1})
	}
	if err := l.word.Close(); err != nil {
		l.t.Fatal(err)
	}
	text, err := io.ReadAll(l.status)
	if err != nil {
		l.t.Fatal(err)
	}
	err = l.command.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		l.t.Fatal(err)
	}
	return string(text), l.command.ProcessState.ExitCode()
}

func (l *launch) there() bool {
	_, err := os.Stat(l.path)
	return err == nil
}

func TestWithoutTheWordNothingIsExecuted(t *testing.T) {
	l := start(t, basic(t, "echo", "executed"))
	text, code := l.end(false)
	if code != launcher.ExitNoGo || !strings.Contains(text, "wait for the agent") || l.stdout.Len() != 0 {
		t.Errorf("code %d, text %q, output %q", code, text, l.stdout.String())
	}
	if !l.there() {
		t.Error("the specification was removed although nothing was executed")
	}
}

func TestWithTheWordItBecomesTheServer(t *testing.T) {
	l := start(t, basic(t, "echo", "executed"))
	pid := l.command.Process.Pid
	text, code := l.end(true)
	if code != 0 || text != "" || l.stdout.String() != "executed\n" || l.command.ProcessState.Pid() != pid {
		t.Errorf("code %d, text %q, output %q, stderr %q", code, text, l.stdout.String(), l.stderr.String())
	}
	if l.there() {
		t.Error("the specification, which can hold secrets, is still there")
	}
}

func TestAFailingStepIsToldAndNothingIsExecuted(t *testing.T) {
	cases := map[string]struct {
		spoil func(*launcher.Spec)
		code  int
		text  string
	}{
		"other form":           {func(s *launcher.Spec) { s.FormatVersion++ }, launcher.ExitSpec, "form is 3"},
		"no directory":         {func(s *launcher.Spec) { s.Dir = []byte("/nowhere") }, launcher.ExitStep, "enter the working directory"},
		"no such limit":        {func(s *launcher.Spec) { s.Limits = []launcher.Limit{{Resource: 99}} }, launcher.ExitStep, "set the limits"},
		"no executable":        {func(s *launcher.Spec) { s.Executable = []byte("/nowhere") }, launcher.ExitExec, "/nowhere: no such file"},
		"not executable":       {func(s *launcher.Spec) { s.Executable = []byte("/etc/passwd") }, launcher.ExitExec, "permission denied"},
		"NUL in a variable":    {func(s *launcher.Spec) { s.Env = [][]byte{[]byte("A=b\x00c")} }, launcher.ExitExec, "invalid argument"},
		"impossible OOM score": {func(s *launcher.Spec) { s.OOMScoreAdj = 5000 }, launcher.ExitStep, "out-of-memory"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			spec := basic(t, "echo", "executed")
			c.spoil(&spec)
			l := start(t, spec)
			text, code := l.end(true)
			if code != c.code || !strings.Contains(text, c.text) || l.stdout.Len() != 0 {
				t.Errorf("code %d, text %q, output %q", code, text, l.stdout.String())
			}
		})
	}
}

func TestTheServersEnvironmentIsByteExact(t *testing.T) {
	spec := basic(t, "env", "-0")
	value := "a\"b'c\\d\ne\t${X}$(Y)=\xff\xfe\u0085 " + strings.Repeat("x", 64<<10)
	spec.Env = [][]byte{[]byte("SECRET=" + value), []byte("EMPTY=")}
	l := start(t, spec)
	if text, code := l.end(true); code != 0 {
		t.Fatalf("code %d, text %q", code, text)
	}
	if want := "SECRET=" + value + "\x00EMPTY=\x00"; l.stdout.String() != want {
		t.Errorf("environment is %q", l.stdout.String())
	}
}

func TestTheServerGetsDirectoryUmaskLimitsAndThreeDescriptors(t *testing.T) {
	spec := basic(t, "sh", "-c", "pwd; umask; ulimit -Sn; cat /proc/$$/oom_score_adj; ls /proc/$$/fd")
	spec.Env = [][]byte{[]byte("PATH=/usr/bin:/bin")}
	spec.Dir, spec.Umask, spec.OOMScoreAdj = []byte(t.TempDir()), 0o077, 321
	spec.Limits = []launcher.Limit{{Resource: 7, Soft: 512}}
	l := start(t, spec)
	if text, code := l.end(true); code != 0 {
		t.Fatalf("code %d, text %q", code, text)
	}
	want := string(spec.Dir) + "\n0077\n512\n321\n0\n1\n2\n"
	if l.stdout.String() != want {
		t.Errorf("got %q, want %q", l.stdout.String(), want)
	}
}

func TestALimitThatMayNotBeRaisedIsNoReasonNotToStart(t *testing.T) {
	spec := basic(t, "sh", "-c", "ulimit -Sn")
	spec.Limits = []launcher.Limit{{Resource: 7, Soft: 1 << 40}}
	l := start(t, spec)
	if text, code := l.end(true); code != 0 {
		t.Fatalf("code %d, text %q", code, text)
	}
	if n, err := strconv.Atoi(strings.TrimSpace(l.stdout.String())); err != nil || n <= 0 {
		t.Errorf("limit is %q", l.stdout.String())
	}
}

func TestSignalsAreReset(t *testing.T) {
	find(t, "bash")
	if output, err := exec.Command("env", "--block-signal=USR2", "true").CombinedOutput(); err != nil {
		t.Skipf("this host's env cannot block signals: %s", output)
	}
	// What the agent could have inherited: some signals ignored, one blocked.
	l := start(t, basic(t, "cat", "/proc/self/status"), "env", "--block-signal=USR2", "bash", "-c",
		`trap "" HUP INT USR1 CHLD RTMIN; exec -a `+launcher.Name+` "$0" "$1"`)
	if text, code := l.end(true); code != 0 {
		t.Fatalf("code %d, text %q, stderr %q", code, text, l.stderr.String())
	}
	for _, name := range []string{"SigBlk", "SigIgn", "SigCgt"} {
		if want := name + ":\t0000000000000000\n"; !strings.Contains(l.stdout.String(), want) {
			t.Errorf("%s is not empty in %s", name, l.stdout.String())
		}
	}
}

func TestALauncherWithoutASpecificationEnds(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self)
	command.Args = []string{launcher.Name}
	_ = command.Run()
	if code := command.ProcessState.ExitCode(); code != launcher.ExitSpec {
		t.Errorf("code is %d", code)
	}
}

// Everything that the launcher imports is initialised before each start of a server.
func TestItImportsTheStandardLibraryOnly(t *testing.T) {
	output, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, output)
	}
	for _, path := range strings.Fields(string(output)) {
		if path != "github.com/draas-io/draas/internal/launcher" {
			t.Errorf("it imports %s", path)
		}
	}
}
