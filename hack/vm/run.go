package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/draas-io/draas/hack/vm/machine"
)

// copies collects -copy FROM[=TO].
type copies []machine.File

// String is what the flag package shows as the default.
func (c *copies) String() string { return "" }

// Set takes one of them.
func (c *copies) Set(text string) error {
	from, to, _ := strings.Cut(text, "=")
	if _, err := os.Stat(from); err != nil {
		return err
	}
	*c = append(*c, machine.File{From: from, To: to})
	return nil
}

// runCommand runs one command in a machine.
func runCommand(ctx context.Context, s settings, args []string) (int, error) {
	var files copies
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.Var(&files, "copy", "a file or directory for the machine, as FROM or FROM=TO below /vm; may be repeated")
	if err := flags.Parse(args); err != nil {
		return 0, fmt.Errorf("%w: %w", errUsage, err)
	}
	if flags.NArg() == 0 {
		return 0, fmt.Errorf("%w: no command to run", errUsage)
	}
	image, err := machine.FindImage(ctx, os.Stderr)
	if err != nil {
		return 0, err
	}
	return s.inMachine(ctx, image, files, "exec "+quote(flags.Args()))
}
