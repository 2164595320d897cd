//go:build !unix

package proc

import (
	"os"
	"syscall"
)

// ownSession has no meaning here.
func ownSession() *syscall.SysProcAttr { return nil }

// terminate kills: there is no signal that asks.
func terminate(p *os.Process) error { return p.Kill() }
