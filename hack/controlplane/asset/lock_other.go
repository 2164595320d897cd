//go:build !unix

package asset

import (
	"context"
	"errors"
)

// lock refuses: without a lock two builds could take each other's directory away.
func lock(context.Context, string, func(string, ...any)) (func(), error) {
	return nil, errors.New("the control plane is built on Unix systems only; elsewhere set " + EnvDir)
}
