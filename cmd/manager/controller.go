package main

import (
	"github.com/spf13/cobra"

	"github.com/draas-io/draas/internal/controller"
	"github.com/draas-io/draas/internal/controller/host"
)

func newControllerCommand() *cobra.Command {
	var shared common
	options := controller.Options{}
	command := &cobra.Command{
		Use:   "controller",
		Short: "Place instances and watch over hosts",
		Long: `The controller gives every DrasiInstance a host, reports the instances of hosts whose agent has not been heard of, and lets deleted instances go
once their host has released them.

Several may run for fail-over: --leader-elect lets one of them work. One that loses its Lease exits; whoever runs it starts it again.`,
		Example: `  manager controller --kubeconfig controller.kubeconfig --namespace draas-system --leader-elect`,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			log, err := shared.logger()
			if err != nil {
				return err
			}
			config, err := shared.connect()
			if err != nil {
				return err
			}
			_, wrap := failpoints("controller")
			wrap(config)
			options.MetricsAddress, options.HealthAddress = shared.metricsAddress, shared.healthAddress
			return controller.Run(command.Context(), config, options, log)
		},
	}
	shared.addFlags(command, "127.0.0.1:8080", "127.0.0.1:8081")
	flags := command.Flags()
	flags.StringVar(&options.Namespace, "namespace", "draas-system", "namespace of the controller's own Lease")
	flags.BoolVar(&options.LeaderElect, "leader-elect", false, "work only while holding the Lease, for several controllers beside each other")
	flags.DurationVar(&options.HostLostAfter, "host-lost-after", host.LostAfter, "how long a host's Lease may stay unchanged before its instances are reported as HostLost; at least "+host.LeastLostAfter.String())
	return command
}
