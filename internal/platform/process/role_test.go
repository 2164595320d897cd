//go:build linux

package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"

	"github.com/draas-io/draas/internal/platform"
)

// roleVariable makes the test binary an agent of its own, which can be killed.
const roleVariable = "DRAAS_TEST_ROLE"

// script is what such an agent does. It says "done" on standard output, and then waits to be killed.
type script struct {
	Host   installation
	Ensure []platform.Desired
	Stop   []platform.Ref
	Remove []platform.Ref
	// DieBefore is an effect before whose Nth occurrence the agent kills itself, DieAfter one after.
	DieBefore, DieAfter Point
	Nth                 int32
}

// installation are the options that a script can carry.
type installation struct {
	StateDir, Executable, PluginsDir string
	Ports                            PortRange
	UIDs                             UIDRange
	CgroupParent                     string
}

func playRole(text string) int {
	var s script
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		panic(err)
	}
	if err := s.play(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("done")
	select {}
}

func (s *script) play() error {
	ctx := context.Background()
	d, err := Open(ctx, Options{
		StateDir: s.Host.StateDir, Executable: s.Host.Executable, PluginsDir: s.Host.PluginsDir, Ports: s.Host.Ports, UIDs: s.Host.UIDs,
		CgroupParent: s.Host.CgroupParent, Hooks: s.hooks(),
		Log: funcr.New(func(_, text string) { fmt.Fprintln(os.Stderr, "agent:", text) }, funcr.Options{}),
	})
	if err != nil {
		return err
	}
	for _, wanted := range s.Ensure {
		if err := d.Ensure(ctx, wanted); err != nil {
			return err
		}
	}
	for _, ref := range s.Stop {
		if err := d.Stop(ctx, ref, patience); err != nil {
			return err
		}
	}
	for _, ref := range s.Remove {
		poll(patience, time.Millisecond, func() bool {
			err = d.Remove(ctx, ref, false)
			_, wait := errors.AsType[*platform.WaitError](err)
			return !wait
		})
	}
	return err
}

// hooks has the agent die as kill -9 would have it.
func (s *script) hooks() *Hooks {
	var count atomic.Int32
	die := func(at Point) func(Point) {
		return func(point Point) {
			if point == at && count.Add(1) == s.Nth {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	}
	return &Hooks{Before: die(s.DieBefore), After: die(s.DieAfter)}
}

// agent is another process with a driver.
type agent struct {
	t       testing.TB
	command *exec.Cmd
	output  *bufio.Reader
}

// startAgent has an agent of its own play a script on the host, whose own driver must be closed.
func (h *host) startAgent(s script) *agent {
	h.t.Helper()
	s.Host = installation{
		StateDir: h.options.StateDir, Executable: h.options.Executable, PluginsDir: h.options.PluginsDir, Ports: h.options.Ports,
		UIDs: h.options.UIDs, CgroupParent: h.options.CgroupParent,
	}
	text, err := json.Marshal(s)
	if err != nil {
		h.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(os.Environ(), roleVariable+"="+string(text), "CANARY=of-the-agent")
	command.Stderr = os.Stderr
	pipe, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	a := &agent{t: h.t, command: command, output: bufio.NewReader(pipe)}
	h.t.Cleanup(a.kill)
	return a
}

// done waits until the script was played.
func (a *agent) done() {
	a.t.Helper()
	line, err := a.output.ReadString('\n')
	if strings.TrimSpace(line) != "done" {
		a.t.Fatalf("the agent said %q: %v", line, err)
	}
}

// kill kills the agent, if it has not died yet.
func (a *agent) kill() {
	_ = a.command.Process.Kill()
	_ = a.command.Wait()
}
