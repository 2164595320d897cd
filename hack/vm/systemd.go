package main

import (
	"context"
	"fmt"
	"os"

	"github.com/draas-io/draas/hack/vm/machine"
	"github.com/draas-io/draas/hack/vm/trial"
)

// systemdCommand tries the units and the page about hosts.
func systemdCommand(ctx context.Context, s settings, args []string) (int, error) {
	if len(args) > 0 {
		return 0, fmt.Errorf("%w: systemd takes none", errUsage)
	}
	image, err := machine.FindImage(ctx, os.Stderr)
	if err != nil {
		return 0, err
	}
	if err := trial.Run(ctx, s.options(image, nil), os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "vm: FAILED:", err)
		return 1, nil
	}
	return 0, nil
}
