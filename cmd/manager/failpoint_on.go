//go:build failpoint

package main

import (
	"os"

	"k8s.io/client-go/rest"

	"github.com/draas-io/draas/internal/failpoint"
	"github.com/draas-io/draas/internal/platform/process"
)

// failpoints are where crash tests kill this process.
func failpoints(part string) (hooks *process.Hooks, wrap func(*rest.Config)) {
	dir := os.Getenv(failpoint.Variable)
	if dir == "" {
		return nil, func(*rest.Config) {}
	}
	points := failpoint.New(dir, part)
	hooks = &process.Hooks{
		Before: func(point process.Point) { points.Pass(failpoint.Before, string(point), "") },
		After:  func(point process.Point) { points.Pass(failpoint.After, string(point), "") },
	}
	return hooks, func(config *rest.Config) { config.Wrap(points.Wrap) }
}
