package placement

import (
	"net/netip"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/platform"
)

var (
	loopback = netip.MustParseAddr("127.0.0.1")
	every    = netip.MustParseAddr("0.0.0.0")
)

func candidate(name string, mutate ...func(*Candidate)) Candidate {
	host := &v1alpha1.DrasiHost{ObjectMeta: metav1.ObjectMeta{Name: name}}
	host.Status.Platforms = []v1alpha1.HostPlatform{{Type: v1alpha1.PlatformProcess, Health: v1alpha1.PlatformHealthy, Versions: []string{"0.2.2"}}}
	c := Candidate{Host: host, Ready: true}
	for _, m := range mutate {
		m(&c)
	}
	return c
}

func carrying(count int) func(*Candidate) {
	return func(c *Candidate) { c.Claims = append(c.Claims, make([]Claim, count)...) }
}

func TestTheHostIsChosenByFilterThenByLoadThenByName(t *testing.T) {
	cordoned := func(c *Candidate) { c.Host.Spec.Unschedulable = ptr.To(true) }
	holding := func(address netip.Addr) func(*Candidate) {
		return func(c *Candidate) {
			c.Claims = append(c.Claims, Claim{
				Key:       types.NamespacedName{Namespace: "shop", Name: "orders"},
				Listeners: []platform.Listener{{Component: "stream", Address: address, Port: 8081}},
			})
		}
	}
	full := func(c *Candidate) { c.Host.Status.Platforms[0].Capacity = ptr.To(int32(1)) }
	wanted := []platform.Listener{{Component: "mine", Address: loopback, Port: 8081}}
	limits := func(limits v1alpha1.PlatformLimits) func(*Candidate) {
		return func(c *Candidate) { c.Host.Status.Platforms[0].Limits = limits }
	}
	tests := []struct {
		name       string
		pin        string
		version    string
		listeners  []platform.Listener
		limited    bool
		candidates []Candidate
		host       string
		reason     string
		words      []string
	}{
		{name: "no host", reason: v1alpha1.ReasonNoHost, words: []string{"no DrasiHost"}},
		{name: "least loaded", candidates: []Candidate{candidate("a", carrying(2)), candidate("b", carrying(1)), candidate("c", carrying(3))}, host: "b"},
		{name: "first by name among equals", candidates: []Candidate{candidate("b"), candidate("a")}, host: "a"},
		{name: "pinned although loaded", pin: "a", candidates: []Candidate{candidate("a", carrying(9)), candidate("b")}, host: "a"},
		{name: "pin unknown", pin: "x", candidates: []Candidate{candidate("a")}, reason: v1alpha1.ReasonHostNotFound, words: []string{"x", "spec.placement.host"}},
		{name: "not ready", candidates: []Candidate{candidate("a", func(c *Candidate) { c.Ready = false })}, reason: v1alpha1.ReasonNoHost, words: []string{"a", "not ready"}},
		{name: "out of service", candidates: []Candidate{candidate("a", func(c *Candidate) { c.Host.Spec.OutOfService = ptr.To(true) })}, reason: v1alpha1.ReasonNoHost, words: []string{"out of service"}},
		{name: "platform not served", candidates: []Candidate{candidate("a", func(c *Candidate) { c.Host.Status.Platforms = nil })}, reason: v1alpha1.ReasonNoHost, words: []string{"Process"}},
		{name: "platform not healthy", candidates: []Candidate{candidate("a", func(c *Candidate) { c.Host.Status.Platforms[0].Health = v1alpha1.PlatformUnhealthy })}, reason: v1alpha1.ReasonNoHost, words: []string{"not healthy"}},
		{name: "all cordoned", candidates: []Candidate{candidate("a", cordoned), candidate("b", cordoned)}, reason: v1alpha1.ReasonHostCordoned, words: []string{"a", "b"}},
		{name: "another than the cordoned one", candidates: []Candidate{candidate("a", cordoned), candidate("b", carrying(5))}, host: "b"},
		{name: "selector of namespaces", candidates: []Candidate{candidate("a", func(c *Candidate) { c.Host.Spec.NamespaceSelector = &metav1.LabelSelector{} })}, reason: v1alpha1.ReasonNamespaceNotAdmitted, words: []string{"a"}},
		{name: "version", version: "9.9.9", candidates: []Candidate{candidate("a")}, reason: v1alpha1.ReasonVersionUnavailable, words: []string{"9.9.9", "0.2.2"}},
		{name: "port taken", listeners: wanted, candidates: []Candidate{candidate("a", holding(loopback))}, reason: v1alpha1.ReasonPortConflict, words: []string{"8081", "mine", "stream", "shop/orders"}},
		{name: "port taken on every address", listeners: wanted, candidates: []Candidate{candidate("a", holding(every))}, reason: v1alpha1.ReasonPortConflict},
		{name: "port free elsewhere", listeners: wanted, candidates: []Candidate{candidate("a", holding(loopback)), candidate("b", carrying(5))}, host: "b"},
		{name: "full", candidates: []Candidate{candidate("a", full, carrying(1))}, reason: v1alpha1.ReasonCapacityExhausted, words: []string{"a", "1"}},
		{name: "limits enforced", limited: true, candidates: []Candidate{candidate("a", limits(v1alpha1.LimitsRefused)), candidate("b", limits(v1alpha1.LimitsEnforced), carrying(3))}, host: "b"},
		{name: "limits not enforced, and taken all the same", limited: true, candidates: []Candidate{candidate("a", limits(v1alpha1.LimitsUnenforced))}, host: "a"},
		{name: "limits refused", limited: true, candidates: []Candidate{candidate("a", limits(v1alpha1.LimitsRefused))}, reason: v1alpha1.ReasonNoHost, words: []string{"spec.resources.limits", "a"}},
		{name: "limits refused by the pinned host", pin: "a", limited: true, candidates: []Candidate{candidate("a", limits(v1alpha1.LimitsRefused)), candidate("b", limits(v1alpha1.LimitsEnforced))}, reason: v1alpha1.ReasonNoHost, words: []string{"spec.resources.limits", "a"}},
		{name: "nothing known of limits", limited: true, candidates: []Candidate{candidate("a")}, reason: v1alpha1.ReasonNoHost, words: []string{"spec.resources.limits"}},
		{name: "no limits on a host that refuses them", candidates: []Candidate{candidate("a", limits(v1alpha1.LimitsRefused))}, host: "a"},
		{
			name: "the last filter names the reason", version: "0.2.2", candidates: []Candidate{candidate("a", cordoned), candidate("b", full, carrying(1))},
			reason: v1alpha1.ReasonCapacityExhausted, words: []string{"b"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			version := test.version
			if version == "" {
				version = "0.2.2"
			}
			host, problem := Choose(&Demand{Platform: v1alpha1.PlatformProcess, Pin: test.pin, Version: version, Listeners: test.listeners, Limited: test.limited}, test.candidates)
			if host != test.host {
				t.Errorf("host %q, want %q (%v)", host, test.host, problem)
			}
			if (problem == nil) != (test.reason == "") || problem != nil && problem.Reason != test.reason {
				t.Fatalf("problem %+v, want reason %q", problem, test.reason)
			}
			for _, words := range test.words {
				if !strings.Contains(problem.Message, words) {
					t.Errorf("message %q does not say %q", problem.Message, words)
				}
			}
		})
	}
}

func TestAMessageSpeaksOfAFewHostsOnly(t *testing.T) {
	var many []Candidate
	for _, name := range strings.Split("a b c d e f g h", " ") {
		many = append(many, candidate(name, func(c *Candidate) { c.Ready = false }))
	}
	_, problem := Choose(&Demand{Platform: v1alpha1.PlatformProcess, Version: "0.2.2"}, many)
	if !strings.HasSuffix(problem.Message, "and 3 more hosts") {
		t.Errorf("message %q", problem.Message)
	}
}
