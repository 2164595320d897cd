// Package proc runs the parts of a local system as processes of their own sessions: a terminal's Ctrl-C reaches only who supervises them, and each is stopped in turn.
package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// maxLog is the size above which a part's log is set aside when the part starts.
const maxLog = 16 << 20

// Spec says what to run.
type Spec struct {
	// Name is what a person calls the part.
	Name string
	// Path is the executable.
	Path string
	// Args come after the executable's name.
	Args []string
	// Env is the whole environment.
	Env []string
	// Dir is the working directory; empty means the caller's.
	Dir string
	// Log is the file that stdout and stderr are appended to.
	Log string
	// PIDFile, when set, lets ReapLeftover find the process after its supervisor was killed.
	PIDFile string
}

// Process is a running part.
type Process struct {
	spec     Spec
	cmd      *exec.Cmd
	logStart int64
	done     chan struct{}
}

// Start runs a part in its own session.
func Start(spec Spec) (*Process, error) {
	log, start, err := openLog(spec.Log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(spec.Path, spec.Args...) //nolint:noctx // a part ends by Stop, in its turn, not when some context does
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = spec.Env, spec.Dir, log, log
	cmd.SysProcAttr = ownSession()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	p := &Process{spec: spec, cmd: cmd, logStart: start, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // what it says is in cmd.ProcessState
		close(p.done)
	}()
	if err := writePIDFile(spec.PIDFile, cmd.Process.Pid); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", spec.Name, err), p.Stop(0))
	}
	return p, nil
}

// Name is what a person calls the part.
func (p *Process) Name() string { return p.spec.Name }

// PID is the process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log is the file with what the part wrote.
func (p *Process) Log() string { return p.spec.Log }

// Done is closed when the process has exited.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exited says how the process ended; nil while it runs.
func (p *Process) Exited() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s exited: %s", p.spec.Name, p.cmd.ProcessState)
	default:
		return nil
	}
}

// Stop asks the process to end (SIGTERM), waits for the grace, then kills it. ErrKilled when it had to.
func (p *Process) Stop(grace time.Duration) error {
	defer func() { _ = os.Remove(p.spec.PIDFile) }()
	if p.Exited() != nil {
		return nil
	}
	if grace > 0 {
		if err := terminate(p.cmd.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop %s: %w", p.spec.Name, err)
		}
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.done:
			return nil
		case <-timer.C:
		}
	}
	return p.Kill()
}

// ErrKilled says that a process did not end within its grace.
var ErrKilled = errors.New("killed")

// Kill ends the process at once. ErrKilled unless it had ended before.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		if errors.Is(err, os.ErrProcessDone) {
			<-p.done
			return nil
		}
		return fmt.Errorf("kill %s: %w", p.spec.Name, err)
	}
	<-p.done
	return fmt.Errorf("%s did not end by itself: %w", p.spec.Name, ErrKilled)
}

// openLog opens a log for appending and says where this run's part of it begins.
func openLog(path string) (*os.File, int64, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, 0, fmt.Errorf("make the log directory: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, 0, fmt.Errorf("set the old log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("open the log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("read the log's size: %w", err), f.Close())
	}
	return f, info.Size(), nil
}
