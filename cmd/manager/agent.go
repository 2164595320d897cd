package main

import (
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/agent"
	"github.com/draas-io/draas/internal/platform/process"
)

func newAgentCommand() *cobra.Command {
	var shared common
	options := &agent.Options{PortRange: process.DefaultPorts, UIDs: process.DefaultUIDs, Version: buildVersion()}
	platforms := []string{string(v1alpha1.PlatformProcess)}
	command := &cobra.Command{
		Use:   "agent",
		Short: "Run the servers of this machine",
		Long: `The agent registers this machine as a DrasiHost, keeps its Lease, and runs the drasi-servers of the DrasiInstances that are placed on it.

Servers outlive the agent: it may be stopped, killed or upgraded at any time, and finds them again by the journal in its state directory. While
the API server is away it goes on restarting what crashes.

The paths of --drasi-server and --plugins-dir may hold {version}, which stands for an instance's spec.version:
  --drasi-server /opt/drasi/{version}/drasi-server --plugins-dir /opt/drasi/{version}/plugins
Without {version} the one executable is asked for its version.`,
		Example: `  manager agent --host node-a --kubeconfig agent.kubeconfig --state-dir /var/lib/draas \
    --drasi-server '/opt/drasi/{version}/drasi-server' --plugins-dir '/opt/drasi/{version}/plugins' --address 10.0.0.4`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			log, err := shared.logger()
			if err != nil {
				return err
			}
			options.MetricsAddress, options.HealthAddress = shared.metricsAddress, shared.healthAddress
			options.Platforms = nil
			for _, platform := range platforms {
				options.Platforms = append(options.Platforms, v1alpha1.Platform(platform))
			}
			hooks, wrap := failpoints("agent")
			options.Hooks = hooks
			connect := func() (*rest.Config, error) {
				config, err := shared.connect()
				if err == nil {
					wrap(config)
				}
				return config, err
			}
			return agent.Run(command.Context(), connect, options, log.WithValues("host", options.Host))
		},
	}
	shared.addFlags(command, "127.0.0.1:8082", "127.0.0.1:8083")
	flags := command.Flags()
	flags.StringVar(&options.Host, "host", agent.DefaultHost(), "name of this machine's DrasiHost; in a cluster that of its Node ($NODE_NAME)")
	flags.StringVar(&options.StateDir, "state-dir", "/var/lib/draas", "directory for everything that is kept on disk: servers' data and output, the journal")
	flags.StringVar(&options.DrasiServer, "drasi-server", "", "path of drasi-server's executable; may hold {version}")
	flags.StringVar(&options.PluginsDir, "plugins-dir", "", "directory with ready-made plugins (libdrasi_*.so); may hold {version}")
	flags.StringSliceVar(&platforms, "platforms", platforms, "platforms to serve: Process")
	flags.Var(portRange{&options.PortRange}, "port-range", "ports, as FIRST-LAST, from which servers' APIs get theirs; must not overlap the kernel's ephemeral range")
	flags.Var(uidRange{&options.UIDs}, "uid-range", "users, as FIRST-LAST, of which each instance gets one of its own where the agent is root; none: servers run as the agent's user")
	flags.StringVar(&options.CgroupParent, "cgroup-parent", "draas", "cgroup below which each instance has its own, for limits and to kill all that a server started; none: no cgroups")
	flags.BoolVar(&options.AllowUnenforcedLimits, "allow-unenforced-limits", false, "take instances with spec.resources.limits also where this machine cannot enforce them")
	flags.StringVar(&options.Address, "address", "", "address at which others reach this machine: that of exposed listeners in status.endpoints")
	flags.Int32Var(&options.Capacity, "capacity", 0, "how many instances this machine takes; 0: no limit")
	flags.BoolVar(&options.StopServersOnExit, "stop-servers-on-exit", false, "for development: stop all servers when the agent ends; they start again with it")
	return command
}

// portRange makes a range of ports a flag's value.
type portRange struct{ *process.PortRange }

// Set parses FIRST-LAST.
func (r portRange) Set(text string) (err error) {
	*r.PortRange, err = process.ParsePortRange(text)
	return err
}

// Type names the value in the help.
func (portRange) Type() string { return "first-last" }

// uidRange makes a range of users a flag's value.
type uidRange struct{ *process.UIDRange }

// Set parses FIRST-LAST, or none.
func (r uidRange) Set(text string) (err error) {
	*r.UIDRange, err = process.ParseUIDRange(text)
	return err
}

// Type names the value in the help.
func (uidRange) Type() string { return "first-last" }
