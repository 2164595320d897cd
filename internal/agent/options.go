package agent

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/platform/process"
)

// Options are an agent's settings.
type Options struct {
	// Host is the name of the DrasiHost that the agent serves.
	Host string
	// StateDir holds everything that the agent keeps on disk.
	StateDir string
	// DrasiServer is the path of drasi-server's executable; it may hold {version}.
	DrasiServer string
	// PluginsDir is a directory of ready-made plugins; it may hold {version}.
	PluginsDir string
	// Platforms are the platforms to serve.
	Platforms []v1alpha1.Platform
	// PortRange is where API ports are taken from.
	PortRange process.PortRange
	// UIDs is where each instance has a user of its own from; the zero value: servers run as the agent's user.
	UIDs process.UIDRange
	// CgroupParent is the cgroup below which each instance has its own; empty: the default, "none": there are no cgroups.
	CgroupParent string
	// AllowUnenforcedLimits takes instances with limits also where nothing enforces them.
	AllowUnenforcedLimits bool
	// Address is where exposed listeners of the host's instances answer.
	Address string
	// Capacity is how many instances the host takes; 0: no limit.
	Capacity int32
	// MetricsAddress and HealthAddress are where the agent serves metrics and its own health; "0" turns one off.
	MetricsAddress, HealthAddress string
	// StopServersOnExit stops all servers when the agent ends; for development.
	StopServersOnExit bool
	// Version is the agent's own version.
	Version string
	// Hooks is for tests that crash the agent; nil: none.
	Hooks *process.Hooks
}

// Validate says what is wrong with the options, naming the flag.
func (o *Options) Validate() error {
	if o.Host == "" {
		return fmt.Errorf("--host must not be empty: it is the name of this machine's DrasiHost, in a cluster that of its Node")
	}
	if o.StateDir == "" {
		return fmt.Errorf("--state-dir must not be empty")
	}
	for _, platform := range o.Platforms {
		if platform != v1alpha1.PlatformProcess {
			return fmt.Errorf("--platforms: %s is not supported yet; Process is", platform)
		}
	}
	if len(o.Platforms) == 0 {
		return fmt.Errorf("--platforms must name at least one platform")
	}
	if o.DrasiServer == "" {
		return fmt.Errorf("--drasi-server must not be empty: it is the path of the executable, in which {version} stands for spec.version")
	}
	if o.Address != "" {
		if addr, err := netip.ParseAddr(o.Address); err == nil && addr.IsUnspecified() {
			return fmt.Errorf("--address must not be %s: it is the address that others reach this machine at", o.Address)
		}
	}
	return nil
}

// DefaultHost is the machine's name, or in a cluster that of the Node, which the environment variable NODE_NAME tells.
func DefaultHost() string {
	if name := os.Getenv("NODE_NAME"); name != "" {
		return name
	}
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return strings.ToLower(name)
}
