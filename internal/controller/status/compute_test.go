package status

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/drasi"
	"github.com/draas-io/draas/internal/platform"
)

var now = time.Unix(1_700_000_000, 123)

// mutation makes one thing different from a server that runs well.
type mutation func(*Facts)

// wellRunning are the facts of a server with which all is well.
func wellRunning() *Facts {
	api := netip.MustParseAddrPort("127.0.0.1:20000")
	expectation := drasi.Expectation{
		InstanceID: "orders",
		Listeners:  []drasi.Listener{{Name: "stream", Component: "stream", Address: api.Addr(), Port: 8081, Scheme: "http", Path: "/events"}},
	}
	return &Facts{
		Instance: &v1alpha1.DrasiInstance{ObjectMeta: metav1.ObjectMeta{Name: "orders", Generation: 3}},
		Now:      now, Host: "node-a", HostAddress: "10.0.0.4", Plan: &drasi.Plan{}, WantedHash: "h3",
		Runtime: &platform.Observed{
			State: platform.StateRunning, Hash: "h3", Incarnation: "run-1", PID: 4711, API: api, StartedAt: now.Add(-time.Minute), LogDirectory: "/logs",
		},
		Probe: &Probe{
			Incarnation: "run-1", APIBound: true, Expectation: expectation, Bound: []netip.AddrPort{api, netip.MustParseAddrPort("127.0.0.1:8081")},
			Assessment: drasi.Assessment{
				Loaded: true, Ready: 1, Wanted: 1,
				Components: []drasi.ComponentState{{ID: "stream", Type: v1alpha1.ComponentReaction, Status: "Running", AutoStart: true}},
			},
		},
	}
}

func waiting(exit platform.Exit) mutation {
	return func(f *Facts) {
		exit.Hash = f.WantedHash
		f.Runtime.State, f.Runtime.Incarnation, f.Runtime.PID, f.Runtime.LastExit, f.Runtime.Restarts = platform.StateWaiting, "", 0, &exit, 1
		f.Probe = nil
	}
}

func problem(p drasi.Problem) mutation {
	return func(f *Facts) { f.Probe.Assessment.Problem, f.Probe.Assessment.Message = p, "component stream: words" }
}

func starts(f *Facts)   { f.Probe = nil }
func nothing(f *Facts)  { f.Runtime, f.Probe = nil, nil }
func unplaced(f *Facts) { nothing(f); f.Host = "" }
func stopped(f *Facts)  { f.Instance.Spec.State = v1alpha1.StateStopped }
func deleted(f *Facts)  { at := metav1.NewTime(now); f.Instance.DeletionTimestamp = &at }
func invalid(f *Facts) {
	f.Plan.Findings, f.WantedHash = []drasi.Finding{{Field: "spec.config.sources[0].id", Message: "is wrong"}}, ""
}

// paused is a pause that holds something back, or nothing.
func paused(held string) mutation { return func(f *Facts) { f.Paused, f.Held = true, held } }

func clash(f *Facts) {
	f.Plan.Findings, f.WantedHash = []drasi.Finding{{Field: "spec.config.sources[1].port", Message: "is taken", Conflict: true}}, ""
}
func with(mutations ...mutation) []mutation { return mutations }

var cases = []struct {
	name      string
	with      []mutation
	ready     metav1.ConditionStatus
	reason    string
	message   string
	live      metav1.ConditionStatus
	component metav1.ConditionStatus
}{
	{"all is well", nil, "True", "Running", "", "True", "True"},
	{"not placed yet", with(unplaced), "False", "Pending", "not started", "False", "Unknown"},
	{"no host", with(unplaced, func(f *Facts) { f.Placement = &Problem{v1alpha1.ReasonNoHost, "there is none"} }), "False", "NoHost", "there is none", "False", "Unknown"},
	{"placed, nothing runs", with(nothing), "False", "Pending", "", "False", "Unknown"},
	{"starts", with(starts), "False", "Starting", "", "False", "Unknown"},
	{"starts for too long", with(starts, func(f *Facts) { f.Runtime.StartedAt = now.Add(-time.Hour) }), "False", "StartupDeadlineExceeded", "600 s", "False", "Unknown"},
	{"the API was there and is gone", with(func(f *Facts) { f.Probe.APIBound, f.Probe.WasBound = false, true }), "False", "ComponentError", "not listen any more", "False", "Unknown"},
	{"a failed first start of long ago counts for nothing", with(func(f *Facts) {
		f.Probe.WasBound = true
		f.Runtime.LastExit = &platform.Exit{Reason: platform.ExitError, Code: ptr.To(int32(1)), Stderr: "Error: Failed to create source 'm': x", Hash: f.WantedHash}
	}), "True", "Running", "", "True", "True"},
	{"what cannot be done says why", with(nothing, func(f *Facts) { f.Failure = "no space left on device" }), "False", "Pending", "no space left", "False", "Unknown"},
	{"an answer of an earlier run counts for nothing", with(func(f *Facts) { f.Probe.Incarnation = "run-0" }), "False", "Starting", "", "False", "Unknown"},
	{"a component starts", with(problem(drasi.ProblemStarting)), "False", "Starting", "stream", "True", "False"},
	{"a component is in Error", with(problem(drasi.ProblemComponentError)), "False", "ComponentError", "stream", "True", "False"},
	{"a bootstrap failed", with(problem(drasi.ProblemBootstrapFailed)), "False", "BootstrapFailed", "stream", "True", "False"},
	{"a listener is not bound", with(problem(drasi.ProblemPortConflict)), "False", "PortConflict", "stream", "True", "False"},
	{"another configuration is loaded", with(problem(drasi.ProblemNotLoaded)), "False", "ComponentError", "stream", "True", "False"},
	{"a query's text is wrong", with(problem(drasi.ProblemInvalidQuery)), "False", "InvalidConfig", "stream", "True", "False"},
	{"invalid over a good server", with(invalid), "False", "InvalidConfig", "spec.config.sources[0].id", "True", "True"},
	{"a clash over a good server", with(clash), "False", "PortConflict", "spec.config.sources[1].port", "True", "True"},
	{"unsupported over a good server", with(func(f *Facts) { f.Unsupported = []string{"spec.files: no"} }), "False", "NotSupported", "spec.files", "True", "True"},
	{"plugins missing over a good server", with(func(f *Facts) {
		f.WantedHash, f.Apply = "h4", &Problem{v1alpha1.ReasonPluginsMissing, "reaction/x"}
	}), "False", "PluginsMissing", "reaction/x", "True", "True"},
	{"crashed", with(waiting(platform.Exit{Reason: platform.ExitError, Code: ptr.To(int32(1)), Stderr: "Error: words"})), "False", "CrashLoopBackOff", "words", "False", "Unknown"},
	{"killed", with(waiting(platform.Exit{Reason: platform.ExitKilled, Signal: 9})), "False", "CrashLoopBackOff", "signal 9", "False", "Unknown"},
	{"killed for memory", with(waiting(platform.Exit{Reason: platform.ExitOOMKilled, Signal: 9})), "False", "OOMKilled", "for want of memory; whether for a limit of its own is not known", "False", "Unknown"},
	{"killed for a memory limit that is not known", with(waiting(platform.Exit{Reason: platform.ExitOOMKilled, Signal: 9, OwnLimit: ptr.To(true)})), "False", "OOMKilled", "for its memory limit", "False", "Unknown"},
	{"killed for the host's memory", with(waiting(platform.Exit{Reason: platform.ExitOOMKilled, Signal: 9, OwnLimit: ptr.To(false)})), "False", "OOMKilled", "not for a limit of its own: the host had none left", "False", "Unknown"},
	{"ended unseen", with(waiting(platform.Exit{Reason: platform.ExitUnknown})), "False", "CrashLoopBackOff", "not known", "False", "Unknown"},
	{"refused by the server", with(waiting(platform.Exit{Reason: platform.ExitError, Code: ptr.To(int32(1)), Stderr: "Error: Failed to create source 'm': unknown field"})), "False", "InvalidConfig", "Failed to create source", "False", "Unknown"},
	{"refused by the server and tried again", with(
		waiting(platform.Exit{Reason: platform.ExitError, Code: ptr.To(int32(1)), Stderr: "Error: Failed to create source 'm': unknown field"}),
		func(f *Facts) { f.Runtime.State, f.Runtime.Incarnation = platform.StateRunning, "run-2" },
	), "False", "InvalidConfig", "Failed to create source", "False", "Unknown"},
	{"could not be started", with(waiting(platform.Exit{}), func(f *Facts) { f.Runtime.StartError = errors.New("no space left") }), "False", "CrashLoopBackOff", "no space left", "False", "Unknown"},
	{"stopping as asked", with(stopped, func(f *Facts) { f.Runtime.State = platform.StateStopping }), "False", "Stopping", "", "False", "Unknown"},
	{"stopped as asked", with(stopped, func(f *Facts) { f.Runtime.State, f.Runtime.Incarnation = platform.StateStopped, "" }), "True", "Stopped", "", "False", "False"},
	{"stopped and never placed", with(stopped, unplaced), "True", "Stopped", "", "False", "False"},
	{"host lost", with(func(f *Facts) { f.HostLost, f.Runtime, f.Probe = true, nil, nil }), "Unknown", "HostLost", "node-a", "Unknown", "Unknown"},
	{"the platform does not answer", with(func(f *Facts) { f.RuntimeUnknown, f.Runtime, f.Probe = true, nil, nil }), "Unknown", "Pending", "does not answer", "Unknown", "Unknown"},
	{"killed for the memory limit that it has", with(
		func(f *Facts) {
			f.Instance.Spec.Resources = &v1alpha1.Resources{Limits: &v1alpha1.ResourceAmounts{Memory: ptr.To(resource.MustParse("64Mi"))}}
		},
		waiting(platform.Exit{Reason: platform.ExitOOMKilled, Signal: 9, OwnLimit: ptr.To(true)}),
	), "False", "OOMKilled", "limit of 64Mi", "False", "Unknown"},
	{"killed for the host's memory although it has a limit", with(
		func(f *Facts) {
			f.Instance.Spec.Resources = &v1alpha1.Resources{Limits: &v1alpha1.ResourceAmounts{Memory: ptr.To(resource.MustParse("64Mi"))}}
		},
		waiting(platform.Exit{Reason: platform.ExitOOMKilled, Signal: 9, OwnLimit: ptr.To(false)}),
	), "False", "OOMKilled", "for want of memory, and not for a limit of its own", "False", "Unknown"},
	{"limits refused by the host", with(func(f *Facts) { f.WantedHash, f.Placement = "h4", &Problem{v1alpha1.ReasonNoHost, "no limits here"} }), "False", "NoHost", "no limits", "True", "True"},
	{"paused and nothing held back", with(paused("")), "True", "Running", "", "True", "True"},
	{"paused and crashed", with(waiting(platform.Exit{Reason: platform.ExitKilled, Signal: 9}), paused("")), "False", "CrashLoopBackOff", "signal 9", "False", "Unknown"},
	{"paused over a change", with(func(f *Facts) { f.WantedHash = "h4" }, paused("the change")), "False", "Paused", "the change is held back by the annotation draas.io/paused", "True", "True"},
	{"paused over a stop", with(stopped, paused("the stop")), "False", "Paused", "the stop", "True", "True"},
	{"paused over a start", with(nothing, paused("the start")), "False", "Paused", "the start", "False", "Unknown"},
	{"paused before placement", with(unplaced, paused("the start")), "False", "Paused", "the start", "False", "Unknown"},
	{"paused over an invalid generation", with(invalid, paused("")), "False", "InvalidConfig", "spec.config", "True", "True"},
	{"paused over an invalid generation that asks for a stop", with(invalid, stopped, paused("the stop")), "False", "InvalidConfig", "spec.config", "True", "True"},
	{"paused over a deletion", with(deleted, paused("the deletion")), "False", "Paused", "the deletion", "True", "True"},
	{"paused and host lost", with(func(f *Facts) { f.HostLost, f.Runtime, f.Probe = true, nil, nil }, paused("")), "Unknown", "HostLost", "node-a", "Unknown", "Unknown"},
	{"stopped as asked and paused", with(stopped, func(f *Facts) { f.Runtime.State, f.Runtime.Incarnation = platform.StateStopped, "" }, paused("")), "True", "Stopped", "", "False", "False"},
	{"being deleted", with(deleted, func(f *Facts) { f.Runtime.State = platform.StateStopping }), "False", "Stopping", "deleted", "False", "Unknown"},
}

func TestConditions(t *testing.T) {
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			facts := wellRunning()
			for _, mutate := range test.with {
				mutate(facts)
			}
			got := Compute(facts)
			ready := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionReady)
			if ready.Status != test.ready || ready.Reason != test.reason || !strings.Contains(ready.Message, test.message) {
				t.Errorf("Ready is %s/%s %q, want %s/%s with %q", ready.Status, ready.Reason, ready.Message, test.ready, test.reason, test.message)
			}
			for name, want := range map[string]metav1.ConditionStatus{v1alpha1.ConditionLive: test.live, v1alpha1.ConditionComponentsReady: test.component} {
				if c := meta.FindStatusCondition(got.Conditions, name); c.Status != want {
					t.Errorf("%s is %s/%s, want %s", name, c.Status, c.Reason, want)
				}
			}
			checkInvariants(t, facts, got)
		})
	}
}

// checkInvariants checks what holds of every status.
func checkInvariants(t *testing.T, facts *Facts, got v1alpha1.DrasiInstanceStatus) {
	t.Helper()
	ready := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionReady)
	stalled := meta.IsStatusConditionTrue(got.Conditions, v1alpha1.ConditionStalled)
	reconciling := meta.IsStatusConditionTrue(got.Conditions, v1alpha1.ConditionReconciling)
	if isReady := ready.Status == metav1.ConditionTrue; isReady == (stalled || reconciling) || stalled && reconciling {
		t.Errorf("Ready=%s, Stalled=%v, Reconciling=%v", ready.Status, stalled, reconciling)
	}
	if got.ObservedGeneration != facts.Instance.Generation {
		t.Errorf("observedGeneration is %d", got.ObservedGeneration)
	}
	for _, c := range got.Conditions {
		if c.ObservedGeneration != facts.Instance.Generation || c.Reason == "" || c.LastTransitionTime.IsZero() || len(c.Message) > maxMessage {
			t.Errorf("condition %+v", c)
		}
	}
	if facts.Instance.DeletionTimestamp == nil {
		want := status.InProgressStatus
		if ready.Status == metav1.ConditionTrue {
			want = status.CurrentStatus
		} else if stalled {
			want = status.FailedStatus
		}
		object := facts.Instance.DeepCopy()
		object.Status = got
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			t.Fatal(err)
		}
		if result, err := status.Compute(&unstructured.Unstructured{Object: content}); err != nil || result.Status != want {
			t.Errorf("kstatus says %v (%v), want %s", result, err, want)
		}
	}
	facts.Instance.Status = got
	facts.Now = facts.Now.Add(time.Minute)
	if facts.Runtime == nil || facts.Runtime.State != platform.StateRunning || facts.live() {
		if again := Compute(facts); !equality.Semantic.DeepEqual(again, got) {
			t.Errorf("a second look at the same world a minute later gives another status:\n%+v\n%+v", got, again)
		}
	}
}

func TestTransitionTimesMoveWithTheStatusOnly(t *testing.T) {
	facts := wellRunning()
	facts.Instance.Status = Compute(facts)
	before := meta.FindStatusCondition(facts.Instance.Status.Conditions, v1alpha1.ConditionReady).LastTransitionTime
	facts.Now = now.Add(time.Hour)
	problem(drasi.ProblemComponentError)(facts)
	changed := Compute(facts)
	if after := meta.FindStatusCondition(changed.Conditions, v1alpha1.ConditionReady).LastTransitionTime; !after.Equal(ptr.To(metav1.NewTime(facts.Now.Truncate(time.Second)))) {
		t.Errorf("Ready changed at %v, not %v", after, facts.Now)
	}
	if live := meta.FindStatusCondition(changed.Conditions, v1alpha1.ConditionLive).LastTransitionTime; !live.Equal(&before) {
		t.Errorf("Live did not change but has another time")
	}
}

func TestEndpointsAreThoseThatAnswer(t *testing.T) {
	facts := wellRunning()
	got := Compute(facts).Endpoints
	want := []v1alpha1.Endpoint{
		{Name: "api", Port: 20000, URL: "http://127.0.0.1:20000"},
		{Name: "stream", Component: "stream", Port: 8081, URL: "http://127.0.0.1:8081/events"},
	}
	if !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("endpoints %+v, want %+v", got, want)
	}
	facts.Runtime.API = netip.MustParseAddrPort("0.0.0.0:20000")
	if url := Compute(facts).Endpoints[0].URL; url != "http://10.0.0.4:20000" {
		t.Errorf("an exposed API is at %s", url)
	}
	facts.Probe.Bound = facts.Probe.Bound[:1]
	if got := Compute(facts).Endpoints; len(got) != 1 {
		t.Errorf("a listener that is not bound is listed: %+v", got)
	}
	starts(facts)
	if got := Compute(facts).Endpoints; len(got) != 0 {
		t.Errorf("endpoints of a server that does not answer: %+v", got)
	}
}

func TestAPortThatWasNotToBeHadIsSaid(t *testing.T) {
	facts := wellRunning()
	facts.Plan.APIPort = 8080
	valid := meta.FindStatusCondition(Compute(facts).Conditions, v1alpha1.ConditionConfigValid)
	if valid.Status != metav1.ConditionTrue || !strings.Contains(valid.Message, "8080") || !strings.Contains(valid.Message, "20000") {
		t.Errorf("ConfigValid is %+v", valid)
	}
}

func TestTextsAreBoundedAtCharacters(t *testing.T) {
	long := strings.Repeat("é", 3000)
	if got := Bounded(long, maxMessage); len(got) > maxMessage || !strings.HasSuffix(got, "…") || strings.Contains(got, "\uFFFD") {
		t.Errorf("%d bytes", len(got))
	}
	if got := Bounded("a\xffb", 10); got != "a\uFFFDb" {
		t.Errorf("%q", got)
	}
}

func TestTheLastTerminationHasTheWordsThatExplainIt(t *testing.T) {
	const logged = "2026-01-02T03:04:05.000000Z ERROR drasi_server: cannot reach the database\n2026-01-02T03:04:06.000000Z  INFO drasi_server: waiting\n"
	long := strings.Repeat("a line of noise\n", 1000) + "the last line"
	tests := []struct {
		name   string
		exit   platform.Exit
		has    []string
		hasNot []string
	}{
		{"an error on standard error", platform.Exit{Reason: platform.ExitError, Stderr: "Error: words", Stdout: logged}, []string{"Error: words"}, []string{"database"}},
		{"killed for memory", platform.Exit{Reason: platform.ExitOOMKilled, Signal: 9, Stdout: logged}, []string{"last errors on standard output", "cannot reach the database"}, []string{"waiting"}},
		{"a start that hung", platform.Exit{Reason: platform.ExitKilled, Signal: 9, Stderr: "a warning", Stdout: logged}, []string{"a warning", "cannot reach the database"}, nil},
		{"nothing said", platform.Exit{Reason: platform.ExitKilled, Signal: 9}, nil, []string{"standard output"}},
		{"the end of a long text", platform.Exit{Reason: platform.ExitError, Stderr: long, Stdout: logged}, []string{"the last line", "cannot reach"}, nil},
		{"the end of one long line", platform.Exit{Reason: platform.ExitError, Stderr: strings.Repeat("é", 5000) + "end"}, []string{"end"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			facts := wellRunning()
			waiting(test.exit)(facts)
			got := Compute(facts).LastTermination
			if got.Reason != string(test.exit.Reason) || len(got.Message) > maxTerminationMessage || !utf8.ValidString(got.Message) {
				t.Errorf("%s with %d bytes", got.Reason, len(got.Message))
			}
			for _, words := range test.has {
				if !strings.Contains(got.Message, words) {
					t.Errorf("%q is not in %q", words, got.Message)
				}
			}
			for _, words := range test.hasNot {
				if strings.Contains(got.Message, words) {
					t.Errorf("%q is in %q", words, got.Message)
				}
			}
		})
	}
}
