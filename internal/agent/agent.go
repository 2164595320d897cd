// Package agent is what a host's agent is beside the instance pipeline: it registers its host, keeps the host's Lease, and runs the drivers, which
// go on supervising servers while the API server is away.
package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/platform"
	"github.com/draas-io/draas/internal/platform/process"
)

const (
	// retryFirst and retryMost are the pauses between two tries to work with the API server.
	retryFirst = time.Second
	retryMost  = 15 * time.Second
	// stopAllGrace is how long servers have to stop where the agent stops them at its own end.
	stopAllGrace = 10 * time.Second
)

// Connect gives the configuration of the client of the API server. It is asked again before every try: credentials change.
type Connect func() (*rest.Config, error)

// Run runs an agent until ctx ends. The drivers work before and independently of everything that talks to the API server.
func Run(ctx context.Context, connect Connect, options *Options, log logr.Logger) (err error) {
	if err := options.Validate(); err != nil {
		return err
	}
	driver, err := process.Open(ctx, process.Options{
		StateDir: options.StateDir, Executable: options.DrasiServer, PluginsDir: options.PluginsDir,
		Ports: options.PortRange, UIDs: options.UIDs, CgroupParent: options.CgroupParent, AllowUnenforcedLimits: options.AllowUnenforcedLimits,
		Log: log.WithName("process"), Hooks: options.Hooks,
	})
	if err != nil {
		return fmt.Errorf("open the platform Process: %w", err)
	}
	defer func() {
		err = errors.Join(err, closeDriver(context.WithoutCancel(ctx), driver, options.StopServersOnExit, log))
	}()

	host := &hostAgent{
		options: options, log: log, identity: openIdentity(options.StateDir, log), waker: &waker{}, clock: clock.RealClock{},
		cluster: newBinding(options.StateDir, log), holds: newHolds(),
		drivers: map[v1alpha1.Platform]platform.Driver{v1alpha1.PlatformProcess: driver},
	}
	driver.Notify(host.waker.wake)
	return host.run(ctx, connect)
}

// closeDriver ends supervision, and the servers too where that was asked for.
func closeDriver(ctx context.Context, driver *process.Driver, stopServers bool, log logr.Logger) error {
	var stopped error
	if stopServers {
		ctx, cancel := context.WithTimeout(ctx, 2*stopAllGrace)
		defer cancel()
		log.Info("Stopping all servers, as --stop-servers-on-exit asks")
		stopped = driver.StopAll(ctx, stopAllGrace)
	}
	return errors.Join(stopped, driver.Close())
}

// hostAgent is one agent.
type hostAgent struct {
	options  *Options
	log      logr.Logger
	clock    clock.WithTicker
	identity *identity
	waker    *waker
	cluster  *binding
	holds    *holds
	drivers  map[v1alpha1.Platform]platform.Driver
}

// run works with the API server, again and again: a manager that gives up is replaced by a new one.
func (a *hostAgent) run(ctx context.Context, connect Connect) error {
	pause := retryFirst
	for ctx.Err() == nil {
		began := a.clock.Now()
		err := a.serve(ctx, connect)
		if ctx.Err() != nil {
			break
		}
		if a.clock.Since(began) > retryMost {
			pause = retryFirst
		}
		a.log.Error(err, "Working with the API server failed; servers are supervised all the same", "retryAfter", pause.String())
		select {
		case <-ctx.Done():
		case <-a.clock.After(pause):
		}
		pause = min(2*pause, retryMost)
	}
	return nil
}
