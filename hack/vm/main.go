// Command vm runs commands and tests in a small Debian machine under qemu, with cgroup v2 alone and systemd as process 1.
//
//	go run ./hack/vm [flags] run [-copy FROM[=TO]]... -- COMMAND [ARGUMENT]...
//	go run ./hack/vm [flags] test PACKAGE... [-- ARGUMENT OF THE TEST BINARY]...
//	go run ./hack/vm [flags] systemd
//
// `run` copies files to /vm in the machine and runs a command there as root. `test` compiles the tests of packages and runs them in their directories. `systemd`
// follows docs/hosts.md and shows what the unit promises. The exit code is the command's; 77 means that this machine lacks what is needed, 124 that the deadline passed.
// `go run` turns each of them into 1: build this where the code matters.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/draas-io/draas/hack/vm/machine"
)

// Exit codes, as of automake and of timeout(1).
const (
	exitUsage    = 2
	exitSkipped  = 77
	exitDeadline = 124
	exitBroken   = 125
)

// A guest ends with the thread that started it, so that none outlives this program: main stays on its own.
func init() { runtime.LockOSThread() }

func main() { os.Exit(run(os.Args[1:])) }

// settings are the flags that all commands have.
type settings struct {
	timeout time.Duration
	memory  int
	cpus    int
	emulate bool
}

var errDeadline = errors.New("the deadline has passed")

func run(args []string) int {
	var s settings
	flags := flag.NewFlagSet("vm", flag.ContinueOnError)
	flags.DurationVar(&s.timeout, "timeout", 15*time.Minute, "deadline for everything, making the image included")
	flags.IntVar(&s.memory, "memory", 1024, "memory in MiB")
	flags.IntVar(&s.cpus, "cpus", 2, "processors")
	flags.BoolVar(&s.emulate, "emulate", false, "do not use hardware virtualization")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	commands := map[string]func(context.Context, settings, []string) (int, error){"run": runCommand, "test": testCommand, "systemd": systemdCommand}
	command, known := commands[flags.Arg(0)]
	if !known {
		_, _ = fmt.Fprintln(os.Stderr, "vm: usage: vm [flags] run|test|systemd ...")
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, fmt.Errorf("%w: %s", errDeadline, s.timeout))
	defer cancel()
	code, err := command(ctx, s, flags.Args()[1:])
	return explain(code, err)
}

// explain turns the end of a command into an exit code.
func explain(code int, err error) int {
	if err == nil {
		return code
	}
	if _, ok := errors.AsType[*machine.MissingError](err); ok {
		bar := strings.Repeat("=", 78)
		_, _ = fmt.Fprintf(os.Stderr, "%s\nvm: SKIPPED, NOTHING WAS TESTED: %v\n%s\n", bar, err, bar)
		return exitSkipped
	}
	_, _ = fmt.Fprintln(os.Stderr, "vm:", err)
	switch {
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errDeadline):
		return exitDeadline
	default:
		return exitBroken
	}
}

var errUsage = errors.New("wrong arguments")

// options are those of a machine with the given files.
func (s settings) options(image machine.Image, files []machine.File) machine.Options {
	return machine.Options{Image: image, Files: files, MemoryMiB: s.memory, CPUs: s.cpus, Emulate: s.emulate, Log: os.Stderr}
}

// inMachine boots a machine with the files, runs the script in it and returns its exit code.
func (s settings) inMachine(ctx context.Context, image machine.Image, files []machine.File, script string) (code int, err error) {
	m, err := machine.Boot(ctx, s.options(image, files))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	return m.Run(ctx, script, os.Stdout)
}

// quote makes words into a command line of the shell.
func quote(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}
