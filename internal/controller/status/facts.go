// Package status computes the status of a DrasiInstance from what was observed. It is the only place that sets conditions: everything in it is
// a pure function of Facts, so the same world always gives the same status and no status of ours is ever the reason for another.
package status

import (
	"net/netip"
	"time"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/drasi"
	"github.com/draas-io/draas/internal/platform"
)

// Facts is everything that a status is computed from.
type Facts struct {
	// Instance is the object; of its status only host, the placement, is used.
	Instance *v1alpha1.DrasiInstance
	// Now is the time of the observation.
	Now time.Time

	// Host is the name of the host that carries the instance, "" for none.
	Host string
	// HostAddress is where exposed listeners of that host answer.
	HostAddress string
	// Placement is why the generation cannot be placed, or cannot run on Host; nil: it can.
	Placement *Problem
	// HostLost says that the host's agent has not been heard of: nothing below is known.
	HostLost bool

	// Paused says that nothing of the instance is to be touched.
	Paused bool
	// Held names what is not done since the instance is paused; "": nothing is held back.
	Held string

	// Unsupported are the fields that this release does not support, with what is said of them.
	Unsupported []string
	// Plan is the parsed configuration; nil where it was not looked at.
	Plan *drasi.Plan

	// WantedHash is the input hash of the current generation, "" while it cannot be computed.
	WantedHash string
	// Runtime is what the driver tells; nil: nothing is there.
	Runtime *platform.Observed
	// RuntimeUnknown says that the platform does not answer: Runtime is not known.
	RuntimeUnknown bool
	// Refused is why the driver says that the generation can never run; nil: it does not say so.
	Refused *Problem
	// Apply is why the driver did not take the generation; nil: it did or was not asked.
	Apply *Problem

	// Failure is why the driver could not do what was asked, or why what runs cannot be judged, in words; "": nothing failed. It is tried again.
	Failure string
	// RetryAfter is when a refusal of the driver is worth another try; 0: it refused nothing.
	RetryAfter time.Duration

	// Probe is what the running server itself tells; nil: it was not asked yet.
	Probe *Probe

	// Released says that nothing of the instance is left on the host.
	Released bool
}

// Problem is a reason of design's closed list with a message for people.
type Problem struct {
	Reason  string
	Message string
}

// Probe is what a server tells of itself.
type Probe struct {
	// Incarnation is the run of the server that was asked.
	Incarnation string
	// WasBound says that the API of this run has been seen bound at some time.
	WasBound bool
	// APIBound says that the server's API listens on a socket of the server's own process and has answered.
	APIBound bool
	// Assessment compares what is loaded with what was written.
	Assessment drasi.Assessment
	// Expectation is what was written for the run that was asked.
	Expectation drasi.Expectation
	// Bound are the addresses on which the server listens; nil: not known.
	Bound []netip.AddrPort
	// Errors are the last lines that the server marked as errors on its output, for a start that takes long.
	Errors string
}

// deleting says whether the object is being deleted.
func (f *Facts) deleting() bool { return !f.Instance.DeletionTimestamp.IsZero() }

// wantsRunning says whether a running server is asked for.
func (f *Facts) wantsRunning() bool {
	return !f.deleting() && f.Instance.Spec.State != v1alpha1.StateStopped
}

// alive says whether a process is there that shall be.
func (f *Facts) alive() bool { return f.Runtime != nil && f.Runtime.State == platform.StateRunning }

// live says whether the server's own API answers.
func (f *Facts) live() bool { return f.probe() != nil && f.probe().APIBound }

// probe returns what the server that runs now told, or nil.
func (f *Facts) probe() *Probe {
	if !f.alive() || f.Probe == nil || f.Probe.Incarnation != f.Runtime.Incarnation {
		return nil
	}
	return f.Probe
}

// current says whether what runs, or ran last, has the inputs of the current generation.
func (f *Facts) current() bool {
	return f.Runtime != nil && f.WantedHash != "" && f.Runtime.Hash == f.WantedHash
}

// failedStart returns how the current generation's server last ended, while no later run of it has got as far as answering.
func (f *Facts) failedStart() *platform.Exit {
	if f.Runtime == nil || f.Runtime.LastExit == nil || f.Runtime.LastExit.Hash != f.WantedHash {
		return nil
	}
	if probe := f.probe(); probe != nil && probe.WasBound {
		return nil
	}
	return f.Runtime.LastExit
}

// memoryLimit is the memory limit of the run that ended, "" where it is not known.
func (f *Facts) memoryLimit(exit *platform.Exit) string {
	resources := f.Instance.Spec.Resources
	if resources == nil || resources.Limits == nil || resources.Limits.Memory == nil || exit.Hash != f.WantedHash {
		return ""
	}
	return resources.Limits.Memory.String()
}

// serverAddress is the address at which a listener answers.
func (f *Facts) serverAddress(bind netip.Addr) string {
	if bind.IsValid() && !bind.IsUnspecified() {
		return bind.String()
	}
	if f.HostAddress != "" {
		return f.HostAddress
	}
	return "127.0.0.1"
}
