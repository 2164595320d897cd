package host

import (
	"slices"
	"testing"
	"time"
)

func TestAHostIsLostOnlyAfterItsLeaseStoodStillForTheWholeTime(t *testing.T) {
	start := time.Unix(1000, 0)
	tracker := newTracker(40 * time.Second)
	steps := []struct {
		after  time.Duration
		leases map[string]string
		lost   []string
	}{
		{0, map[string]string{"a": "1", "b": "1"}, nil},
		{39 * time.Second, map[string]string{"a": "1", "b": "2"}, nil},
		{40 * time.Second, map[string]string{"a": "1", "b": "2"}, []string{"a"}},
		{45 * time.Second, map[string]string{"a": "2", "b": "2"}, nil},
		{79 * time.Second, map[string]string{"a": "2", "b": "2"}, []string{"b"}},
		{80 * time.Second, map[string]string{"b": "2"}, []string{"b"}},
		{81 * time.Second, map[string]string{"a": "2", "b": "2"}, []string{"b"}},
	}
	for _, step := range steps {
		lost := tracker.observe(step.leases, start.Add(step.after))
		if !slices.Equal(lost, step.lost) {
			t.Errorf("after %v with %v: lost %v, want %v", step.after, step.leases, lost, step.lost)
		}
	}
}

func TestAFailureOfTheAPIGivesEveryHostItsWholeTimeAgain(t *testing.T) {
	start := time.Unix(1000, 0)
	tracker := newTracker(40 * time.Second)
	leases := map[string]string{"a": "1"}
	tracker.observe(leases, start)
	tracker.reset(start.Add(39 * time.Second))
	if lost := tracker.observe(leases, start.Add(78*time.Second)); len(lost) != 0 {
		t.Errorf("lost %v although the API failed 39 s ago", lost)
	}
	if lost := tracker.observe(leases, start.Add(79*time.Second)); len(lost) != 1 {
		t.Errorf("not lost 40 s after the API came back")
	}
}
