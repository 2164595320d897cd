//go:build !failpoint

package main

import (
	"k8s.io/client-go/rest"

	"github.com/draas-io/draas/internal/platform/process"
)

// failpoints are where crash tests kill this process. A binary that is not built for them has none.
func failpoints(string) (hooks *process.Hooks, wrap func(*rest.Config)) {
	return nil, func(*rest.Config) {}
}
