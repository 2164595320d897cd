// Package process runs servers as bare processes of the host. What it does outlives it: servers run on when the driver is closed or killed,
// and the next one finds them by their journals. Linux only; elsewhere Open says so.
//
// Each instance has a directory of its own (layout.go), a journal in it (journal.go) and one goroutine that alone starts and stops its
// process (unit.go). A launcher stands between fork and exec (package launcher).
package process

import (
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
)

// Options are what a Driver needs.
type Options struct {
	// StateDir is the directory that holds all that the driver knows. It is made where missing; one driver at a time can have it.
	StateDir string
	// Executable is the path of drasi-server. It may hold {version}, else the executable is asked for its version.
	Executable string
	// PluginsDir is a directory with ready-made plugins. It may hold {version}. Empty: there are none.
	PluginsDir string
	// Ports is where API ports are taken from; the zero value is DefaultPorts.
	Ports PortRange
	// UIDs is where each instance has a user of its own from, if the agent may run programs as other users. The zero value is none: servers run
	// as the agent's user.
	UIDs UIDRange
	// CgroupParent is the cgroup below which each instance has its own, as package cgroup takes it; empty: draas; "none": there are no cgroups.
	CgroupParent string
	// AllowUnenforcedLimits takes instances with limits also where nothing enforces them.
	AllowUnenforcedLimits bool
	// Launcher is the executable that is started as the launcher: one that contains package launcher. Empty: this one.
	Launcher string
	// LogLimit is how big an output file of a server may become before it is cut; 0: 8 MiB. As much is kept of what was cut off.
	LogLimit int64
	// Clock is the driver's time; nil: the machine's.
	Clock Clock
	// Random is where unique names come from; nil: the kernel.
	Random io.Reader
	// Log is where the driver tells what it does.
	Log logr.Logger
	// Hooks is for tests that crash the driver; nil: none.
	Hooks *Hooks
}

// Clock is where a driver has its time from.
type Clock interface {
	// Now is the present time.
	Now() time.Time
	// AfterFunc calls f once, d from now, unless the returned function is called before. It does not call f itself.
	AfterFunc(d time.Duration, f func()) (cancel func())
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) func() {
	timer := time.AfterFunc(d, f)
	return func() { timer.Stop() }
}

// DefaultPorts is the range of API ports where none is given.
var DefaultPorts = PortRange{First: 20000, Last: 20999}

// PortRange is a range of TCP ports.
type PortRange struct {
	First, Last uint16
}

// ParsePortRange reads a range in the form 20000-20999.
func ParsePortRange(text string) (PortRange, error) {
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		return PortRange{}, fmt.Errorf("port range %q is not of the form FIRST-LAST", text)
	}
	from, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return PortRange{}, fmt.Errorf("port range %q: %w", text, err)
	}
	to, err := strconv.ParseUint(last, 10, 16)
	if err != nil {
		return PortRange{}, fmt.Errorf("port range %q: %w", text, err)
	}
	parsed := PortRange{First: uint16(from), Last: uint16(to)}
	return parsed, parsed.validate()
}

// String returns the form that ParsePortRange reads.
func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.First, r.Last) }

func (r PortRange) validate() error {
	if r.First == 0 || r.Last < r.First {
		return fmt.Errorf("port range %s is empty", r)
	}
	return nil
}

const (
	defaultLogLimit     = 8 << 20
	defaultCgroupParent = "draas"
)

// complete returns the options with what was left out.
func (o Options) complete() Options {
	if o.Ports == (PortRange{}) {
		o.Ports = DefaultPorts
	}
	if o.CgroupParent == "" {
		o.CgroupParent = defaultCgroupParent
	}
	if o.Launcher == "" {
		// The link leads to this program even after its file was replaced by a newer one.
		o.Launcher = "/proc/self/exe"
	}
	if o.LogLimit <= 0 {
		o.LogLimit = defaultLogLimit
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	return o
}
