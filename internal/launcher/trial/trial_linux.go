// Package trial starts the launcher without starting a server, to see what would come of it on this host.
package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/launcher"
)

// self is this program, also when its file has been replaced or removed since. It contains package launcher, which this package imports.
const self = "/proc/self/exe"

// lookEvery is the pause between two looks at a launcher on its way.
const lookEvery = 500 * time.Microsecond

// Waiting starts a launcher, and calls look with its PID until that is satisfied or has failed. The launcher does what comes before the word;
// it never gets the word, and is gone when Waiting returns. What a step of it said is the error. No file is written. It is born in the cgroup of
// version 2 whose directory is given, if one is.
func Waiting(ctx context.Context, spec launcher.Spec, cgroup *os.File, look func(pid int) (bool, error)) error {
	file, err := inMemory(spec)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	t, err := start(ctx, "/proc/self/fd/5", cgroup, file)
	if err != nil {
		return err
	}
	failed := t.watch(ctx, look)
	if said := t.end(); said != "" {
		return errors.New(said)
	}
	return failed
}

// Spec is a specification that becomes this program, which ends at once as a launcher without a specification.
func Spec() launcher.Spec {
	return launcher.Spec{
		FormatVersion: launcher.FormatVersion, Incarnation: "trial", Executable: []byte(self), Args: [][]byte{[]byte(launcher.Name)},
		Dir: []byte("/"), Umask: 0o077,
	}
}

func inMemory(spec launcher.Spec) (*os.File, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("trial", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	file := os.NewFile(uintptr(fd), "trial")
	if _, err := file.Write(text); err != nil {
		return nil, errors.Join(fmt.Errorf("write a file in memory: %w", err), file.Close())
	}
	return file, nil
}

// trial is a launcher that was started.
type trial struct {
	command *exec.Cmd
	word    *os.File
	// said is what the launcher writes until it ends or becomes something else.
	said chan string
}

func start(ctx context.Context, path string, cgroup, spec *os.File) (*trial, error) {
	wordIn, word, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer func() { _ = wordIn.Close() }()
	status, statusOut, err := os.Pipe()
	if err != nil {
		_ = word.Close()
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer func() { _ = statusOut.Close() }()
	command := exec.CommandContext(ctx, self)
	command.Args = []string{launcher.Name, path}
	command.Env = []string{}
	if cgroup != nil {
		command.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	}
	command.ExtraFiles = []*os.File{wordIn, statusOut, spec}
	if err := command.Start(); err != nil {
		_, _ = word.Close(), status.Close()
		return nil, fmt.Errorf("start the launcher: %w", err)
	}
	t := &trial{command: command, word: word, said: make(chan string, 1)}
	go func() {
		text, _ := io.ReadAll(status)
		_ = status.Close()
		t.said <- string(text)
	}()
	return t, nil
}

// watch looks until there is nothing more to see.
func (t *trial) watch(ctx context.Context, look func(pid int) (bool, error)) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if done, err := look(t.command.Process.Pid); done || err != nil {
			return err
		}
		select {
		case text := <-t.said:
			t.said <- text
			return fmt.Errorf("the launcher ended before it waited: %s", text)
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// end lets the launcher go, waits for its end, and returns what it said. That it got no word is no news.
func (t *trial) end() string {
	_ = t.word.Close()
	text := <-t.said
	_ = t.command.Wait()
	if t.command.ProcessState.ExitCode() == launcher.ExitNoGo {
		return ""
	}
	return strings.TrimSpace(text)
}
