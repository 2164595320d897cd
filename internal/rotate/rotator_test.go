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
	command.Args, command.Env = args, []string{}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	return run(t, command)
}

// startWatching starts one for which the kernel watches only so many files.
func startWatching(t *testing.T, watches int, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skipf("SKIPPED: no bash, which gives a program its argument zero: %v", err)
	}
	// The kernel has such a number for each user namespace.
	command := exec.CommandContext(t.Context(), bash, "-c", `echo "$0" >/proc/sys/user/max_inotify_watches && exec -a "$2" "$1" "${@:3}"`)
	command.Args = append(append(command.Args, strconv.Itoa(watches), self), args...)
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	try := exec.CommandContext(t.Context(), bash, "-c", "echo 1 >/proc/sys/user/max_inotify_watches")
	try.SysProcAttr = command.SysProcAttr
	if text, err := try.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no user namespace with a limit of its own can be made here: %v, %s", err, text)
	}
	return run(t, command)
}

// run runs a rotator's command.
func run(t *testing.T, command *exec.Cmd) *process {
	t.Helper()
	command.Stderr = os.Stderr
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

func TestFilesThatTheKernelDoesNotWatchAreLookedAtMoreOftenAndThatIsToldOnce(t *testing.T) {
	dir := t.TempDir()
	var files []*os.File
	p := startWatching(t, 1, Command(testLimit)...)
	for _, name := range []string{"watched", "first", "second"} {
		file := appender(t, filepath.Join(dir, name))
		files = append(files, file)
		p.look(t, file.Name())
	}
	// Looks that are as far apart as those at files that are watched would take twice the time for which this waits.
	round := 0
	until(t, "30 floods are cut one after the other", func() bool {
		for _, file := range files {
			if bytesIn(file.Name()) > 0 {
				return false
			}
		}
		for _, file := range files {
			write(t, file, 2*testLimit)
		}
		round++
		return round > 30
	})
	if said := p.end(t); strings.Count(said, "inotify_add_watch: no space left") != 1 || !strings.Contains(said, files[1].Name()) || !strings.Contains(said, "max_user_watches") {
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
