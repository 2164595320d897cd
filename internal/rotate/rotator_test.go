//go:build linux

package rotate

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const testLimit = 1 << 20

// process is a rotator.
type process struct {
	*exec.Cmd
	feed io.WriteCloser
	said io.Reader
}

// start starts a rotator, which the test ends.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startAs(t, nil, args...)
}

// startAs starts one as a user; nil: as this one.
func startAs(t *testing.T, user *syscall.Credential, args ...string) *process {
	t.Helper()
	command := exec.CommandContext(t.Context(), "/proc/self/exe")
	command.Args, command.Env, command.Stderr = args, []string{}, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	feed, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return &process{Cmd: command, feed: feed, said: said}
}

// look has it look after files.
func (p *process) look(t *testing.T, paths ...string) {
	t.Helper()
	if _, err := io.WriteString(p.feed, strings.Join(paths, "\x00")+"\x00"); err != nil {
		t.Fatal(err)
	}
}

// end ends it, and returns what it said.
func (p *process) end(t *testing.T) string {
	t.Helper()
	if err := p.feed.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(p.said)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	return string(text)
}

// until waits until something is so.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !f(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// appender opens a file as a server has it.
func appender(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func write(t *testing.T, file *os.File, size int) {
	t.Helper()
	if _, err := file.Write(bytes.Repeat([]byte("0123456789abcde\n"), size/16)); err != nil {
		t.Fatal(err)
	}
}

func TestItKeepsFilesBelowTheLimitUntilTheAgentIsGone(t *testing.T) {
	dir := t.TempDir()
	// Any character can be in a path but NUL.
	first, second := dir+"/first\nfile", dir+"/second"
	one, two := appender(t, first), appender(t, second)
	p := start(t, Command(testLimit)...)
	p.look(t, first, second)
	for _, file := range []*os.File{one, two, one} {
		write(t, file, 2*testLimit)
		until(t, "it is cut", func() bool { return bytesIn(file.Name()) == 0 && bytesIn(Previous(file.Name())) > 0 })
	}
	if said := p.end(t); said != "" {
		t.Errorf("it said %q", said)
	}
	write(t, one, 2*testLimit)
	if size := bytesIn(first); size != 2*testLimit {
		t.Errorf("%d bytes: it goes on", size)
	}
}

func TestAFileThatIsMadeAnewIsLookedAfterOnceItIsToldAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	appender(t, path)
	p := start(t, Command(testLimit)...)
	p.look(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	made := appender(t, path)
	p.look(t, path)
	write(t, made, 2*testLimit)
	until(t, "it is cut", func() bool { return bytesIn(path) == 0 })
	p.end(t)
}

func TestAFileThatCannotBeCutIsToldOnceAndTheOthersAreCut(t *testing.T) {
	dir := t.TempDir()
	bad, good := filepath.Join(dir, "bad"), filepath.Join(dir, "good")
	write(t, appender(t, bad), 2*testLimit)
	if err := os.Link(bad, bad+".twin"); err != nil {
		t.Fatal(err)
	}
	p := start(t, Command(testLimit)...)
	p.look(t, bad, good)
	write(t, appender(t, good), 2*testLimit)
	p.look(t, good)
	until(t, "the other one is cut", func() bool { return bytesIn(good) == 0 })
	lines := strings.Split(strings.TrimSpace(p.end(t)), "\n")
	if !strings.Contains(lines[0], bad) || !strings.Contains(lines[0], "2 names lead to it") {
		t.Errorf("it said %q", lines)
	}
	if size := bytesIn(bad); size != 2*testLimit {
		t.Errorf("%d bytes: it was cut", size)
	}
}

func TestAnAgentThatDoesNotListenHoldsNothingUp(t *testing.T) {
	dir := t.TempDir()
	p := start(t, Command(testLimit)...)
	// More complaints than a pipe holds.
	bad := filepath.Join(dir, strings.Repeat("x", 200))
	write(t, appender(t, bad), 2*testLimit)
	if err := os.Link(bad, bad+".twin"); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		p.look(t, bad)
	}
	good := filepath.Join(dir, "good")
	write(t, appender(t, good), 2*testLimit)
	p.look(t, good)
	until(t, "the other one is cut", func() bool { return bytesIn(good) == 0 })
	p.end(t)
}

func TestItRunsBeforeOthersWhereItMay(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root may have priority")
	}
	p := start(t, Command(testLimit)...)
	until(t, "every thread has priority", func() bool {
		threads, err := filepath.Glob("/proc/" + strconv.Itoa(p.Process.Pid) + "/task/*/stat")
		if err != nil || len(threads) == 0 {
			return false
		}
		for _, thread := range threads {
			text, err := os.ReadFile(thread)
			if err != nil {
				return false
			}
			// After the name, in brackets: the priority is the 16th field, nice the 17th. Real time has negative priorities.
			fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
			if priority, nice := fields[15], fields[16]; !strings.HasPrefix(priority, "-") && nice != "-20" {
				return false
			}
		}
		return true
	})
	p.end(t)
}

func TestWithoutTheRightToPriorityItSaysSoAndCutsAllTheSame(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can start a rotator as another user")
	}
	const nobody = 65534
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "out")
	file := appender(t, path)
	for _, name := range []string{dir, path} {
		if err := os.Chown(name, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	p := startAs(t, &syscall.Credential{Uid: nobody, Gid: nobody}, Command(testLimit)...)
	p.look(t, path)
	write(t, file, 2*testLimit)
	until(t, "it is cut", func() bool { return bytesIn(path) == 0 })
	if said := p.end(t); !strings.Contains(said, "raise the priority") {
		t.Errorf("it said %q", said)
	}
}

func TestWithoutALimitItEndsAndSaysSo(t *testing.T) {
	for _, args := range [][]string{{Name}, {Name, "-1"}, {Name, "much"}, {Name, "1", "2"}} {
		p := start(t, args...)
		line, err := bufio.NewReader(p.said).ReadString('\n')
		if err != nil || !strings.Contains(line, "limit") {
			t.Errorf("%q: it said %q, %v", args, line, err)
		}
		if err := p.Wait(); err == nil || p.ProcessState.ExitCode() != 1 {
			t.Errorf("%q: it ended with %v", args, err)
		}
	}
}

// Everything that it imports is initialised before it starts, and stays in its memory.
func TestItImportsTheStandardLibraryOnly(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, output)
	}
	for path := range strings.FieldsSeq(string(output)) {
		if path != "github.com/draas-io/draas/internal/rotate" {
			t.Errorf("it imports %s", path)
		}
	}
}
