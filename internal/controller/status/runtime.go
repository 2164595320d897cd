package status

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/drasi"
	"github.com/draas-io/draas/internal/platform"
)

const (
	maxComponentMessage   = 1024
	maxComponents         = 768
	maxID                 = 256
	maxURL                = 2048
	maxTerminationMessage = 4096
)

// describeRuntime fills in what is not a condition. Of a lost host, or a platform that does not answer, the last word stands.
func describeRuntime(f *Facts, status *v1alpha1.DrasiInstanceStatus) {
	if f.HostLost || f.RuntimeUnknown {
		old := f.Instance.Status
		status.Restarts, status.LastTermination, status.Runtime, status.StartedAt = old.Restarts, old.LastTermination, old.Runtime, old.StartedAt
		status.Endpoints, status.Components, status.ComponentsReady = old.Endpoints, old.Components, old.ComponentsReady
		return
	}
	if f.Runtime == nil {
		return
	}
	status.Restarts = &f.Runtime.Restarts
	status.LastTermination = termination(f.Runtime.LastExit)
	status.Runtime = runtimeOf(f.Runtime)
	if !f.alive() {
		return
	}
	started := metav1.NewTime(f.Runtime.StartedAt.Truncate(time.Second))
	status.StartedAt = &started
	if probe := f.probe(); probe != nil && probe.APIBound {
		status.Endpoints = endpoints(f, probe)
		status.Components, status.ComponentsReady = components(probe.Assessment)
	}
}

func runtimeOf(observed *platform.Observed) *v1alpha1.Runtime {
	process := v1alpha1.ProcessRuntime{LogDirectory: observed.LogDirectory}
	if observed.State == platform.StateRunning || observed.State == platform.StateStopping {
		process.PID = int32(observed.PID) //nolint:gosec // the kernel's ids fit: pid_max is at most 2^22
	}
	if process == (v1alpha1.ProcessRuntime{}) {
		return nil
	}
	return &v1alpha1.Runtime{Process: &process}
}

func termination(exit *platform.Exit) *v1alpha1.Termination {
	if exit == nil {
		return nil
	}
	return &v1alpha1.Termination{
		ExitCode: exit.Code, Signal: exit.Signal, Reason: string(exit.Reason), FinishedAt: metav1.NewTime(exit.FinishedAt.Truncate(time.Second)),
		Message: lastWords(exit),
	}
}

func components(assessment drasi.Assessment) (list []v1alpha1.ComponentStatus, ready string) {
	seen := make(map[string]bool, len(assessment.Components))
	for _, c := range assessment.Components {
		// Anybody who reaches the server's API may add components to it: what the status cannot hold is left out.
		if seen[c.ID] || c.ID == "" || utf8.RuneCountInString(c.ID) > maxID || len(list) == maxComponents {
			continue
		}
		seen[c.ID] = true
		list = append(list, v1alpha1.ComponentStatus{ID: c.ID, Type: c.Type, Status: cmp.Or(c.Status, "Unknown"), Message: Bounded(c.Message, maxComponentMessage)})
	}
	if len(assessment.Components) == 0 {
		return nil, "0/0"
	}
	return list, fmt.Sprintf("%d/%d", assessment.Ready, assessment.Wanted)
}

// endpoints lists the listeners that answer: the API, and those of components that are bound.
func endpoints(f *Facts, probe *Probe) []v1alpha1.Endpoint {
	api := f.Runtime.API
	list := []v1alpha1.Endpoint{{Name: "api", Port: int32(api.Port()), URL: urlOf("http", f.serverAddress(api.Addr()), api.Port(), "")}}
	seen := map[string]bool{"api": true}
	for _, listener := range probe.Expectation.Listeners {
		name := listener.Name
		if name == "" {
			name = listener.Component
		}
		if seen[name] || !bound(probe.Bound, listener) {
			continue
		}
		seen[name] = true
		list = append(list, v1alpha1.Endpoint{
			Name: name, Component: listener.Component, Port: int32(listener.Port),
			URL: urlOf(listener.Scheme, f.serverAddress(listener.Address), listener.Port, listener.Path),
		})
	}
	return list
}

// bound says whether a listener has a socket, as far as is known.
func bound(sockets []netip.AddrPort, listener drasi.Listener) bool {
	if sockets == nil || listener.UDP {
		return true
	}
	for _, socket := range sockets {
		if socket.Port() == listener.Port {
			return true
		}
	}
	return false
}

func urlOf(scheme, host string, port uint16, path string) string {
	if scheme == "" {
		scheme = "http"
	}
	url := scheme + "://" + net.JoinHostPort(host, strconv.Itoa(int(port))) + path
	if utf8.RuneCountInString(url) > maxURL {
		return ""
	}
	return url
}
