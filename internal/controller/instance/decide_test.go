package instance

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/drasi"
	"github.com/draas-io/draas/internal/platform"
)

func TestDecisions(t *testing.T) {
	const wanted, other = "wanted", "other"
	runtime := func(state platform.State, hash, next string) *platform.Observed {
		return &platform.Observed{State: state, Hash: hash, NextHash: next}
	}
	deleted := func(f *status.Facts) { now := metav1.Now(); f.Instance.DeletionTimestamp = &now }
	stopped := func(f *status.Facts) { f.Instance.Spec.State = v1alpha1.StateStopped }
	invalid := func(f *status.Facts) { f.Plan.Findings = []drasi.Finding{{Field: "x"}} }
	unsupported := func(f *status.Facts) { f.Unsupported = []string{"x"} }
	parked := &platform.Observed{State: platform.StateStopped, Hash: other, Parked: true}
	failing := &platform.Observed{State: platform.StateWaiting, Hash: wanted, StartError: errors.New("no inputs")}
	tests := []struct {
		name    string
		runtime *platform.Observed
		with    []func(*status.Facts)
		want    action
	}{
		{"nothing runs", nil, nil, actionEnsure},
		{"what runs is what is wanted", runtime(platform.StateRunning, wanted, ""), nil, actionNone},
		{"what is wanted waits for its next start", runtime(platform.StateWaiting, wanted, ""), nil, actionNone},
		{"something else runs", runtime(platform.StateRunning, other, ""), nil, actionEnsure},
		{"something else waits for its next start", runtime(platform.StateWaiting, other, ""), nil, actionEnsure},
		{"what is wanted comes next", runtime(platform.StateStopping, other, wanted), nil, actionEnsure},
		{"what runs is wanted again while it is replaced", runtime(platform.StateStopping, wanted, other), nil, actionEnsure},
		{"it was stopped", runtime(platform.StateStopped, wanted, ""), nil, actionEnsure},
		{"stop is asked for", runtime(platform.StateRunning, wanted, ""), []func(*status.Facts){stopped}, actionStop},
		{"stop is asked for during a backoff", runtime(platform.StateWaiting, wanted, ""), []func(*status.Facts){stopped}, actionStop},
		{"it is stopped as asked", runtime(platform.StateStopped, wanted, ""), []func(*status.Facts){stopped}, actionNone},
		{"a stop is asked for of what ran before a restart of the host", parked, []func(*status.Facts){stopped}, actionStop},
		{"it never ran and shall not", nil, []func(*status.Facts){stopped}, actionNone},
		{"an invalid generation over a good server", runtime(platform.StateRunning, other, ""), []func(*status.Facts){invalid}, actionNone},
		{"an unsupported generation over a good server", runtime(platform.StateRunning, other, ""), []func(*status.Facts){unsupported}, actionNone},
		{"an invalid generation over a good server, after a restart of the host", parked, []func(*status.Facts){invalid}, actionResume},
		{"a valid one after a restart of the host", parked, nil, actionEnsure},
		{"an invalid generation over a server that was stopped", runtime(platform.StateStopped, other, ""), []func(*status.Facts){invalid}, actionNone},
		{"what is wanted waits, and its start fails", failing, nil, actionEnsure},
		{"an invalid generation that asks for a stop", runtime(platform.StateRunning, other, ""), []func(*status.Facts){invalid, stopped}, actionStop},
		{"deleted while it runs", runtime(platform.StateRunning, wanted, ""), []func(*status.Facts){deleted}, actionStop},
		{"deleted while it waits", runtime(platform.StateWaiting, wanted, ""), []func(*status.Facts){deleted}, actionStop},
		{"deleted and stopped", runtime(platform.StateStopped, wanted, ""), []func(*status.Facts){deleted}, actionRemove},
		{"deleted and nothing is left", nil, []func(*status.Facts){deleted}, actionRelease},
		{"deleted although invalid", runtime(platform.StateRunning, other, ""), []func(*status.Facts){deleted, invalid}, actionStop},
		{"the platform does not answer", nil, []func(*status.Facts){func(f *status.Facts) { f.RuntimeUnknown = true }}, actionNone},
		{"deleted while the platform does not answer", nil, []func(*status.Facts){deleted, func(f *status.Facts) { f.RuntimeUnknown = true }}, actionNone},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			facts := &status.Facts{Instance: &v1alpha1.DrasiInstance{}, Plan: &drasi.Plan{}, WantedHash: wanted, Runtime: test.runtime}
			for _, with := range test.with {
				with(facts)
			}
			if got := decide(facts); got != test.want {
				t.Errorf("decided %s, want %s", got, test.want)
			}
		})
	}
}

func TestAPauseHoldsEverythingBackAndSaysWhat(t *testing.T) {
	const wanted, other = "wanted", "other"
	runtime := func(state platform.State, hash, next string) *platform.Observed {
		return &platform.Observed{State: state, Hash: hash, NextHash: next}
	}
	now := metav1.Now()
	deleted := func(f *status.Facts) { f.Instance.DeletionTimestamp = &now }
	stopped := func(f *status.Facts) { f.Instance.Spec.State = v1alpha1.StateStopped }
	invalid := func(f *status.Facts) { f.Plan.Findings = []drasi.Finding{{Field: "x"}} }
	tests := []struct {
		name    string
		runtime *platform.Observed
		with    func(*status.Facts)
		want    string
	}{
		{"what runs is what is wanted", runtime(platform.StateRunning, wanted, ""), nil, ""},
		{"what is wanted has crashed and is restarted", runtime(platform.StateWaiting, wanted, ""), nil, ""},
		{"nothing runs", nil, nil, "the start"},
		{"it was stopped", runtime(platform.StateStopped, wanted, ""), nil, "the start"},
		{"something else runs", runtime(platform.StateRunning, other, ""), nil, "the change"},
		{"a replacement is under way", runtime(platform.StateStopping, other, wanted), nil, ""},
		{"a replacement is being prepared", runtime(platform.StateRunning, other, wanted), nil, ""},
		{"an invalid generation after a restart of the host", &platform.Observed{State: platform.StateStopped, Hash: other, Parked: true}, invalid, "the start"},
		{"a stop is asked for", runtime(platform.StateRunning, wanted, ""), stopped, "the stop"},
		{"a stop is under way", runtime(platform.StateStopping, wanted, ""), stopped, ""},
		{"it is stopped as asked", runtime(platform.StateStopped, wanted, ""), stopped, ""},
		{"a stop of what ran before a restart of the host", &platform.Observed{State: platform.StateStopped, Hash: other, Parked: true}, stopped, ""},
		{"it is deleted", runtime(platform.StateRunning, wanted, ""), deleted, "the deletion"},
		{"it is deleted and was stopping", runtime(platform.StateStopping, wanted, ""), deleted, "the deletion"},
		{"it is deleted and nothing is left", nil, deleted, "the deletion"},
		{"an invalid generation over a good server", runtime(platform.StateRunning, other, ""), invalid, ""},
		{"the platform does not answer", nil, func(f *status.Facts) { f.RuntimeUnknown = true }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			facts := &status.Facts{
				Instance: &v1alpha1.DrasiInstance{}, Plan: &drasi.Plan{}, WantedHash: wanted, Runtime: test.runtime, Paused: true,
			}
			if test.with != nil {
				test.with(facts)
			}
			if got := decide(facts); got != actionNone {
				t.Errorf("decided %s", got)
			}
			if got := held(facts); got != test.want {
				t.Errorf("held %q, want %q", got, test.want)
			}
			if replacesPredecessor(facts, decide(facts)) {
				t.Error("the server of an earlier object would be stopped")
			}
			facts.Paused = false
			if got := held(facts); got != "" {
				t.Errorf("not paused, and %q is held", got)
			}
		})
	}
}
