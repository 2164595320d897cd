//go:build linux

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const (
	// versionDeadline is how long an executable may take to tell its version.
	versionDeadline = 10 * time.Second
	// refusalKept is how long an executable that did not tell is not asked again.
	refusalKept = 30 * time.Second
)

// errSlow says that an executable was not asked any longer.
var errSlow = fmt.Errorf("no answer within %s", versionDeadline)

// versionLine is how an executable tells its version (contract 1.1).
var versionLine = regexp.MustCompile(`^drasi-server (` + versionPattern + `)$`)

// question is what an executable was asked, once for all who want to know.
type question struct {
	of fileID
	// answered is closed when the rest is known.
	answered chan struct{}
	version  string
	err      error
	at       time.Time
}

// ask returns the version that an executable tells. Nobody waits for an executable of another path, nor longer than for one answer.
func (e *executables) ask(ctx context.Context, path string) (string, error) {
	id, err := identify(path)
	if err != nil {
		return "", err
	}
	q := e.question(ctx, id)
	select {
	case <-q.answered:
		return q.version, q.err
	case <-ctx.Done():
		return "", fmt.Errorf("ask %s for its version: %w", path, ctx.Err())
	}
}

// question returns what was asked of the file already, or asks.
func (e *executables) question(ctx context.Context, id fileID) *question {
	e.mu.Lock()
	defer e.mu.Unlock()
	if q := e.asked[id.path]; q != nil && q.of == id && !q.stale(e.clock.Now()) {
		return q
	}
	q := &question{of: id, answered: make(chan struct{})}
	e.asked[id.path] = q
	go func() {
		defer close(q.answered)
		q.version, q.err = tellVersion(ctx, id.path)
		q.at = e.clock.Now()
	}()
	return q
}

// stale tells whether a refusal is too old to count.
func (q *question) stale(now time.Time) bool {
	select {
	case <-q.answered:
		kept := refusalKept
		if passing(q.err) {
			kept = time.Second
		}
		return q.err != nil && now.Sub(q.at) >= kept
	default:
		return false
	}
}

// passing tells of an error that says nothing of the executable: the asker gave up, or the host had no process or memory to spare, for which the
// kernel kills too. An executable that does not answer in time is killed by us.
func passing(err error) bool {
	if errors.Is(err, context.Canceled) || exhausted(err) {
		return true
	}
	ended, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := ended.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// known tells whether the executable of a version is found without waiting for anybody, and whether it has told that it can be run here where that
// must be proven.
func (e *executables) known(version string, proven bool) bool {
	if e.path == "" || !proven && strings.Contains(e.path, placeholder) {
		return true
	}
	id, err := identify(expand(e.path, version))
	if err != nil {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	q := e.asked[id.path]
	if q == nil || q.of != id {
		return false
	}
	select {
	case <-q.answered:
		return q.err == nil && (q.version == version || strings.Contains(e.path, placeholder))
	default:
		return false
	}
}

// tellVersion has an executable tell its version. Others may wait for that when the one who asked first does not any more.
func tellVersion(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), versionDeadline)
	defer cancel()
	command := exec.CommandContext(ctx, path, "--version")
	command.Env, command.Dir = []string{fixedPath, "NO_COLOR=1"}, "/"
	command.WaitDelay = time.Second
	output, err := command.Output()
	if err != nil && ctx.Err() != nil {
		return "", fmt.Errorf("ask %s for its version: %w", path, errSlow)
	}
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", path, err)
	}
	line, _, _ := bytes.Cut(output, []byte("\n"))
	match := versionLine.FindSubmatch(bytes.TrimRight(line, "\r"))
	if match == nil {
		return "", fmt.Errorf("ask %s for its version: it does not say \"drasi-server VERSION\"", path)
	}
	return string(match[1]), nil
}
