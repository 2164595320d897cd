package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/platform"
)

// Demand is what an instance demands of a host.
type Demand struct {
	Key       types.NamespacedName
	Platform  v1alpha1.Platform
	Pin       string
	Version   string
	Listeners []platform.Listener
	// Limited says that the instance has limits, which the host must keep.
	Limited bool
}

// Claim is what an instance that is placed holds on its host.
type Claim struct {
	Key       types.NamespacedName
	Listeners []platform.Listener
}

// Candidate is a host with what it carries.
type Candidate struct {
	Host   *v1alpha1.DrasiHost
	Ready  bool
	Claims []Claim
}

// filter takes a host or says with which reason and words it does not.
type filter func(demand *Demand, candidate *Candidate) (reason, words string)

// filters in the order in which they are applied: where all hosts fall out, the filter at which the last of them did names the reason.
var filters = []filter{serves, limits, schedulable, admits, hasVersion, portsFree, hasRoom}

// Choose picks the host for an instance, or says why there is none. Of the hosts that can take it the one with the fewest instances is chosen, of
// those the first by name, so that the same world always gives the same choice.
func Choose(demand *Demand, candidates []Candidate) (string, *status.Problem) {
	if demand.Pin != "" {
		candidates = slices.DeleteFunc(slices.Clone(candidates), func(c Candidate) bool { return c.Host.Name != demand.Pin })
		if len(candidates) == 0 {
			return "", &status.Problem{Reason: v1alpha1.ReasonHostNotFound, Message: fmt.Sprintf("spec.placement.host: there is no DrasiHost %s", demand.Pin)}
		}
	}
	if len(candidates) == 0 {
		return "", &status.Problem{Reason: v1alpha1.ReasonNoHost, Message: "there is no DrasiHost: is an agent running?"}
	}
	slices.SortFunc(candidates, func(a, b Candidate) int { return cmp.Compare(a.Host.Name, b.Host.Name) })
	for _, f := range filters {
		var left []Candidate
		var reason string
		var said []string
		for i := range candidates {
			r, words := f(demand, &candidates[i])
			if r == "" {
				left = append(left, candidates[i])
				continue
			}
			reason = r
			said = append(said, words)
		}
		if len(left) == 0 {
			return "", &status.Problem{Reason: reason, Message: few(said)}
		}
		candidates = left
	}
	best := slices.MinFunc(candidates, func(a, b Candidate) int { return cmp.Compare(len(a.Claims), len(b.Claims)) })
	return best.Host.Name, nil
}

// maxHostsSaid is how many hosts a message speaks of.
const maxHostsSaid = 5

// few joins what is said of hosts, of the first ones only.
func few(said []string) string {
	if more := len(said) - maxHostsSaid; more > 0 {
		said = append(said[:maxHostsSaid:maxHostsSaid], fmt.Sprintf("and %d more hosts", more))
	}
	return strings.Join(said, "; ")
}

// offer returns what the host offers on the platform, or nil.
func offer(demand *Demand, candidate *Candidate) *v1alpha1.HostPlatform {
	for i := range candidate.Host.Status.Platforms {
		if p := &candidate.Host.Status.Platforms[i]; p.Type == demand.Platform {
			return p
		}
	}
	return nil
}

func serves(demand *Demand, candidate *Candidate) (reason, words string) {
	name := candidate.Host.Name
	platform := offer(demand, candidate)
	switch {
	case candidate.Host.Spec.OutOfService != nil && *candidate.Host.Spec.OutOfService:
		return v1alpha1.ReasonNoHost, fmt.Sprintf("host %s is out of service", name)
	case !candidate.Ready:
		return v1alpha1.ReasonNoHost, fmt.Sprintf("host %s is not ready", name)
	case platform == nil:
		return v1alpha1.ReasonNoHost, fmt.Sprintf("host %s does not serve the platform %s", name, demand.Platform)
	case platform.Health != v1alpha1.PlatformHealthy:
		return v1alpha1.ReasonNoHost, fmt.Sprintf("the platform %s of host %s is not healthy", demand.Platform, name)
	}
	return "", ""
}

// limits refuses hosts that would run an instance without the limits that it has, or that do not say what becomes of them.
func limits(demand *Demand, candidate *Candidate) (reason, words string) {
	if !demand.Limited {
		return "", ""
	}
	switch offer(demand, candidate).Limits {
	case v1alpha1.LimitsEnforced, v1alpha1.LimitsUnenforced:
		return "", ""
	case v1alpha1.LimitsRefused:
	}
	return v1alpha1.ReasonNoHost, fmt.Sprintf("spec.resources.limits: host %s cannot enforce limits and takes no instance that has them", candidate.Host.Name)
}

func schedulable(_ *Demand, candidate *Candidate) (reason, words string) {
	if candidate.Host.Spec.Unschedulable != nil && *candidate.Host.Spec.Unschedulable {
		return v1alpha1.ReasonHostCordoned, fmt.Sprintf("host %s is cordoned (spec.unschedulable)", candidate.Host.Name)
	}
	return "", ""
}

// admits refuses hosts with a selector of namespaces: this release cannot evaluate it, and to ignore it would place an instance where it must not be.
func admits(_ *Demand, candidate *Candidate) (reason, words string) {
	if candidate.Host.Spec.NamespaceSelector != nil {
		return v1alpha1.ReasonNamespaceNotAdmitted,
			fmt.Sprintf("host %s has a spec.namespaceSelector, which is not supported yet: it takes no instance", candidate.Host.Name)
	}
	return "", ""
}

func hasVersion(demand *Demand, candidate *Candidate) (reason, words string) {
	versions := offer(demand, candidate).Versions
	if slices.Contains(versions, demand.Version) {
		return "", ""
	}
	return v1alpha1.ReasonVersionUnavailable, fmt.Sprintf("spec.version: host %s does not have drasi-server %s; it has %s",
		candidate.Host.Name, demand.Version, cmp.Or(strings.Join(versions, ", "), "none"))
}

func portsFree(demand *Demand, candidate *Candidate) (reason, words string) {
	for i := range candidate.Claims {
		claim := &candidate.Claims[i]
		held, wanted := clash(claim, demand)
		if held == nil {
			continue
		}
		said := fmt.Sprintf("host %s: port %d of component %q is taken by component %q of DrasiInstance %s",
			candidate.Host.Name, wanted.Port, wanted.Component, held.Component, claim.Key)
		if words == "" || said < words { // the claims are in no order, and a message is always the same
			reason, words = v1alpha1.ReasonPortConflict, said
		}
	}
	return reason, words
}

// clash returns the first listener of a claim that has the address of a wanted one, and that one.
func clash(claim *Claim, demand *Demand) (held, wanted *platform.Listener) {
	for i := range claim.Listeners {
		for j := range demand.Listeners {
			if claim.Listeners[i].Overlaps(demand.Listeners[j]) {
				return &claim.Listeners[i], &demand.Listeners[j]
			}
		}
	}
	return nil, nil
}

func hasRoom(demand *Demand, candidate *Candidate) (reason, words string) {
	capacity := offer(demand, candidate).Capacity
	if capacity != nil && len(candidate.Claims) >= int(*capacity) {
		return v1alpha1.ReasonCapacityExhausted, fmt.Sprintf("host %s carries %d instances and takes no more", candidate.Host.Name, *capacity)
	}
	return "", ""
}
