package placement

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/draas-io/draas/api/v1alpha1"
)

// carries says what an instance's object of that version says of its host.
func carries(version, host string) *v1alpha1.DrasiInstance {
	return &v1alpha1.DrasiInstance{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders", ResourceVersion: version}, Status: v1alpha1.DrasiInstanceStatus{Host: host},
	}
}

func TestTheIndexBelievesTheCacheButForWhatItHasNotSeenYet(t *testing.T) {
	tests := []struct {
		name string
		do   func(x *index, pass func(time.Duration))
		on   string
	}{
		{name: "seen", do: func(x *index, _ func(time.Duration)) { x.observe(carries("5", "a")) }, on: "a"},
		{name: "moved", do: func(x *index, _ func(time.Duration)) { x.observe(carries("5", "a")); x.observe(carries("6", "b")) }, on: "b"},
		{name: "released", do: func(x *index, _ func(time.Duration)) { x.observe(carries("5", "a")); x.observe(carries("6", "")) }},
		{name: "assumed", do: func(x *index, _ func(time.Duration)) { x.assume(carries("7", "a"), nil) }, on: "a"},
		{name: "assumed, and an older event", do: func(x *index, _ func(time.Duration)) {
			x.assume(carries("7", "a"), nil)
			x.observe(carries("6", ""))
		}, on: "a"},
		{name: "assumed, and a newer event", do: func(x *index, _ func(time.Duration)) {
			x.assume(carries("7", "a"), nil)
			x.observe(carries("8", ""))
		}},
		{name: "assumed after the cache has shown what came of it", do: func(x *index, _ func(time.Duration)) {
			x.observe(carries("8", "b"))
			x.assume(carries("7", "a"), nil)
		}, on: "b"},
		{name: "seen, and the API server restored from a backup", do: func(x *index, _ func(time.Duration)) {
			x.observe(carries("700", "a"))
			x.observe(carries("70", "b"))
		}, on: "b"},
		{name: "assumed long ago, and the API server restored from a backup", do: func(x *index, pass func(time.Duration)) {
			x.assume(carries("700", "a"), nil)
			pass(assumedFor)
			x.observe(carries("70", ""))
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			clock := clocktesting.NewFakePassiveClock(time.Unix(1, 0))
			x := newIndex(clock, func() {})
			test.do(x, func(d time.Duration) { clock.SetTime(clock.Now().Add(d)) })
			if on := strings.Join(x.hosts(), ","); on != test.on {
				t.Errorf("on %q, want %q", on, test.on)
			}
		})
	}
}
