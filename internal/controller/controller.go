// Package controller wires the parts of `manager controller`: placement of instances and the watch over hosts.
package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/host"
	"github.com/draas-io/draas/internal/controller/placement"
	"github.com/draas-io/draas/internal/controller/trim"
)

// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,namespace=draas-system,verbs=get;create;update

// Options are the controller's settings.
type Options struct {
	// Namespace holds the Lease of leader election.
	Namespace string
	// LeaderElect lets one of several controllers work.
	LeaderElect bool
	// HostLostAfter is how long a host's Lease may stay unchanged.
	HostLostAfter time.Duration
	// MetricsAddress and HealthAddress are where metrics and the controller's own health are served; "0" turns one off.
	MetricsAddress, HealthAddress string
}

// Validate says what is wrong with the options, naming the flag.
func (o *Options) Validate() error {
	if o.HostLostAfter < host.LeastLostAfter {
		return fmt.Errorf("--host-lost-after: %v is less than %v", o.HostLostAfter, host.LeastLostAfter)
	}
	if o.LeaderElect && o.Namespace == "" {
		return fmt.Errorf("--namespace must not be empty beside --leader-elect")
	}
	return nil
}

// Run runs the controller until ctx ends or its Lease is lost.
func Run(ctx context.Context, config *rest.Config, options Options, log logr.Logger) error {
	if err := options.Validate(); err != nil {
		return err
	}
	manager, err := newManager(config, options, log)
	if err != nil {
		return fmt.Errorf("set up the manager: %w", err)
	}
	recorder := manager.GetEventRecorder("draas-controller")
	placer := placement.New(manager.GetClient(), recorder, clock.RealClock{})
	if err := placer.SetupWithManager(ctx, manager); err != nil {
		return fmt.Errorf("set up placement: %w", err)
	}
	watch := &host.Watch{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Carried: placer, Recorder: recorder, Clock: clock.RealClock{},
		After: options.HostLostAfter,
	}
	if err := manager.Add(watch); err != nil {
		return fmt.Errorf("set up the watch over hosts: %w", err)
	}
	return manager.Start(ctx)
}

func newManager(config *rest.Config, options Options, log logr.Logger) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Logger: log,
		Cache:                  cache.Options{DefaultTransform: trim.Transform, ReaderFailOnMissingInformer: false},
		Metrics:                metricsserver.Options{BindAddress: options.MetricsAddress},
		HealthProbeBindAddress: options.HealthAddress,
		LeaderElection:         options.LeaderElect, LeaderElectionID: "draas-controller", LeaderElectionNamespace: options.Namespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, err
	}
	if err := manager.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	return manager, manager.AddReadyzCheck("ping", healthz.Ping)
}
