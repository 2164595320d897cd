package contract

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is one run of the server under test.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	ended  chan struct{}
	outDir string
}

// launch describes a run.
type launch struct {
	dir  string
	args []string
	env  map[string]string
	// user runs as uid 65534 where this process may choose.
	user bool
}

// nobody is the user of scenarios that must not be root.
const nobody = 65534

func start(t *testing.T, l launch) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan struct{}), outDir: openDir(t)}
	p.cmd = exec.Command(subject(t).server, l.args...)
	p.cmd.Dir = l.dir
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.dir, "NO_COLOR=1"}
	for name, val := range l.env {
		p.cmd.Env = append(p.cmd.Env, name+"="+val)
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if l.user && os.Getuid() == 0 {
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	stdout, stderr := p.create("stdout"), p.create("stderr")
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start server: %v", err)
	}
	closeFile(t, stdout)
	closeFile(t, stderr)
	go func() {
		// The outcome is read from the process state.
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		// A server that ended by itself cannot be killed any more.
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// openDir is a temporary directory that every user may enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(workDir, "run")
	if err != nil {
		t.Fatalf("make directory: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove directory: %v", err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatalf("open directory: %v", err)
	}
	return dir
}

func (p *process) create(name string) *os.File {
	p.t.Helper()
	file, err := os.OpenFile(filepath.Join(p.outDir, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		p.t.Fatalf("create %s: %v", name, err)
	}
	return file
}

func closeFile(t *testing.T, file *os.File) {
	t.Helper()
	if err := file.Close(); err != nil {
		t.Fatalf("close file: %v", err)
	}
}

func (p *process) output(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.outDir, name))
	if err != nil {
		p.t.Fatalf("read %s: %v", name, err)
	}
	return string(text)
}

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatalf("send %v: %v", sig, err)
	}
}

// wait gives how the process ended.
func (p *process) wait(limit time.Duration) outcome {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.t.Fatalf("the server still runs after %v; stderr: %s; stdout: %s", limit, p.output("stderr"), p.output("stdout"))
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		p.t.Fatal("no wait status")
	}
	if status.Signaled() {
		return outcome{Code: -1, Signal: signalName(status.Signal())}
	}
	return outcome{Code: status.ExitStatus()}
}

// outcome is an exit code, or -1 and the signal that ended the process.
type outcome struct {
	Code   int
	Signal string
}

func signalName(sig syscall.Signal) string {
	names := map[syscall.Signal]string{
		syscall.SIGINT: "SIGINT", syscall.SIGTERM: "SIGTERM", syscall.SIGHUP: "SIGHUP",
		syscall.SIGUSR1: "SIGUSR1", syscall.SIGKILL: "SIGKILL",
	}
	if name, ok := names[sig]; ok {
		return name
	}
	return sig.String()
}

// catches tells whether the process has a handler for SIGINT (contract 1.6).
func (p *process) catches() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(text), "\n") {
		if mask, ok := strings.CutPrefix(line, "SigCgt:"); ok {
			var bits uint64
			if _, err := fmt.Sscanf(strings.TrimSpace(mask), "%x", &bits); err != nil {
				p.t.Fatalf("read SigCgt %q: %v", mask, err)
			}
			return bits&2 != 0
		}
	}
	return false
}

// poll is the time between two looks at something.
const poll = 5 * time.Millisecond

// eventually polls until a condition holds.
func eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		<-time.After(poll)
	}
}

// holdPort listens on a loopback port for as long as the test runs.
func holdPort(t *testing.T, port int) {
	t.Helper()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatalf("hold port: %v", err)
	}
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Errorf("release port: %v", err)
		}
	})
}
