package status

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/drasi"
	"github.com/draas-io/draas/internal/platform"
)

// verdict is a condition before it is stamped.
type verdict struct {
	status  metav1.ConditionStatus
	reason  string
	message string
}

func yes(reason, message string) verdict { return verdict{metav1.ConditionTrue, reason, message} }
func no(reason, message string) verdict  { return verdict{metav1.ConditionFalse, reason, message} }
func unknown(reason, message string) verdict {
	return verdict{metav1.ConditionUnknown, reason, message}
}

// Compute returns the instance's new status. Transition times of conditions that keep their status are kept.
func Compute(f *Facts) v1alpha1.DrasiInstanceStatus {
	verdicts := map[string]verdict{
		v1alpha1.ConditionPlaced:          placed(f),
		v1alpha1.ConditionConfigValid:     configValid(f),
		v1alpha1.ConditionConfigApplied:   configApplied(f),
		v1alpha1.ConditionLive:            live(f),
		v1alpha1.ConditionComponentsReady: componentsReady(f),
		v1alpha1.ConditionReleased:        released(f),
	}
	summary := ready(f, verdicts)
	verdicts[v1alpha1.ConditionReady] = summary
	if summary.status != metav1.ConditionTrue {
		if stalls(summary.reason) {
			verdicts[v1alpha1.ConditionStalled] = yes(summary.reason, summary.message)
		} else {
			verdicts[v1alpha1.ConditionReconciling] = yes(summary.reason, summary.message)
		}
	}

	status := v1alpha1.DrasiInstanceStatus{
		ObservedGeneration: f.Instance.Generation,
		Host:               f.Host,
		Conditions:         stamp(f, verdicts),
	}
	describeRuntime(f, &status)
	return status
}

// order in which conditions are listed: the summary first, what explains it after it.
var order = []string{
	v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionPlaced, v1alpha1.ConditionConfigValid,
	v1alpha1.ConditionConfigApplied, v1alpha1.ConditionLive, v1alpha1.ConditionComponentsReady, v1alpha1.ConditionReleased,
}

// stamp turns verdicts into conditions.
func stamp(f *Facts, verdicts map[string]verdict) []metav1.Condition {
	conditions := make([]metav1.Condition, 0, len(verdicts))
	for _, name := range order {
		v, set := verdicts[name]
		if !set {
			continue
		}
		since := metav1.NewTime(f.Now.Truncate(time.Second))
		if old := meta.FindStatusCondition(f.Instance.Status.Conditions, name); old != nil && old.Status == v.status {
			since = old.LastTransitionTime
		}
		conditions = append(conditions, metav1.Condition{
			Type: name, Status: v.status, Reason: v.reason, Message: Bounded(v.message, maxMessage),
			ObservedGeneration: f.Instance.Generation, LastTransitionTime: since,
		})
	}
	return conditions
}

// stalls says whether no waiting helps against a reason.
func stalls(reason string) bool {
	return reason == v1alpha1.ReasonInvalidConfig || reason == v1alpha1.ReasonNotSupported
}

func placed(f *Facts) verdict {
	switch {
	case f.Placement != nil:
		return no(f.Placement.Reason, f.Placement.Message)
	case f.Runtime != nil && platform.CodeOf(f.Runtime.StartError) == platform.CodeVersionUnavailable:
		return no(v1alpha1.ReasonVersionUnavailable, f.Runtime.StartError.Error())
	case f.Runtime != nil && platform.CodeOf(f.Runtime.StartError) == platform.CodeLimitsRefused:
		return no(v1alpha1.ReasonNoHost, f.Runtime.StartError.Error())
	case conflicts(f) != "":
		return no(v1alpha1.ReasonPortConflict, conflicts(f))
	case f.Host == "" && f.Held != "":
		return unknown(v1alpha1.ReasonPending, "not placed while the instance is paused")
	case f.Host == "" && !f.wantsRunning():
		return unknown(v1alpha1.ReasonPending, "a stopped instance is placed when it is started")
	case f.Host == "":
		return unknown(v1alpha1.ReasonPending, "not placed yet")
	}
	return yes(v1alpha1.ReasonPlaced, "on host "+f.Host)
}

// conflicts tells of ports that two components of the configuration claim.
func conflicts(f *Facts) string {
	findings, _ := split(f)
	return findingsMessage(findings)
}

// split divides the plan's findings into port clashes and all others.
func split(f *Facts) (clashes, faults []drasi.Finding) {
	if f.Plan == nil {
		return nil, nil
	}
	for _, finding := range f.Plan.Findings {
		if finding.Conflict {
			clashes = append(clashes, finding)
		} else {
			faults = append(faults, finding)
		}
	}
	return clashes, faults
}

func configValid(f *Facts) verdict {
	if len(f.Unsupported) > 0 {
		return no(v1alpha1.ReasonNotSupported, strings.Join(f.Unsupported, "; "))
	}
	if _, faults := split(f); len(faults) > 0 {
		return no(v1alpha1.ReasonInvalidConfig, findingsMessage(faults))
	}
	if f.Refused != nil {
		return no(f.Refused.Reason, f.Refused.Message)
	}
	if exit := f.failedStart(); exit != nil {
		if class := drasi.ClassifyExit(exit.Stderr); class.Problem == drasi.ExitInvalidConfig {
			return no(v1alpha1.ReasonInvalidConfig, "the server refused the configuration: "+class.Message)
		}
	}
	if probe := f.probe(); probe != nil && f.current() && probe.APIBound && probe.Assessment.Problem == drasi.ProblemInvalidQuery {
		return no(v1alpha1.ReasonInvalidConfig, probe.Assessment.Message)
	}
	if f.Plan == nil {
		return unknown(v1alpha1.ReasonPending, "not looked at yet")
	}
	return yes(v1alpha1.ReasonValid, strings.Join(notices(f), "; "))
}

// notices are what is worth a mention although nothing is wrong.
func notices(f *Facts) []string {
	said := f.Plan.Notices
	if wish := f.Plan.APIPort; wish != 0 && f.alive() && f.current() && f.Runtime.API.Port() != wish {
		said = append(said[:len(said):len(said)],
			fmt.Sprintf("spec.config.port: %d is taken on the host, the API listens on %d", wish, f.Runtime.API.Port()))
	}
	return said
}

func configApplied(f *Facts) verdict {
	if f.Held != "" {
		return no(v1alpha1.ReasonPaused, fmt.Sprintf("%s is held back by the annotation %s", f.Held, v1alpha1.AnnotationPaused))
	}
	if f.Apply != nil {
		return no(f.Apply.Reason, f.Apply.Message)
	}
	if f.Runtime != nil && platform.CodeOf(f.Runtime.StartError) == platform.CodePluginsMissing {
		return no(v1alpha1.ReasonPluginsMissing, f.Runtime.StartError.Error())
	}
	if exit := f.failedStart(); exit != nil {
		if class := drasi.ClassifyExit(exit.Stderr); class.Problem == drasi.ExitPluginsMissing {
			return no(v1alpha1.ReasonPluginsMissing, class.Message)
		}
	}
	switch {
	case f.HostLost || f.RuntimeUnknown:
		return unknown(v1alpha1.ReasonPending, failing(f, "what runs is not known"))
	case !f.wantsRunning():
		return unknown(v1alpha1.ReasonPending, "applied at the next start")
	case f.alive() && f.current():
		return yes(v1alpha1.ReasonApplied, "")
	case f.alive() && f.Runtime.StartError != nil:
		return unknown(v1alpha1.ReasonPending, "what runs was started with an earlier generation; the next start cannot be prepared: "+f.Runtime.StartError.Error())
	case f.alive():
		return unknown(v1alpha1.ReasonPending, failing(f, "what runs was started with an earlier generation"))
	}
	return unknown(v1alpha1.ReasonPending, failing(f, "no server runs with this generation yet"))
}

func live(f *Facts) verdict {
	switch {
	case f.HostLost:
		return unknown(v1alpha1.ReasonHostLost, fmt.Sprintf("the agent of host %s has not been heard of", f.Host))
	case f.RuntimeUnknown:
		return unknown(v1alpha1.ReasonPending, failing(f, "the platform does not answer"))
	case f.Runtime == nil || f.Runtime.State == platform.StateStopped:
		if f.wantsRunning() {
			return no(v1alpha1.ReasonPending, failing(f, "not started yet"))
		}
		return no(v1alpha1.ReasonStopped, "")
	case f.Runtime.State == platform.StateStopping:
		return no(v1alpha1.ReasonStopping, "")
	case f.Runtime.State == platform.StateWaiting:
		return crashed(f)
	case f.live():
		return yes(v1alpha1.ReasonRunning, "")
	}
	return starting(f)
}

// failing adds why it is so.
func failing(f *Facts, message string) string {
	if f.Failure == "" {
		return message
	}
	return message + ": " + f.Failure
}

// crashed explains why no process is there although one shall be.
func crashed(f *Facts) verdict {
	exit := f.Runtime.LastExit
	switch {
	case f.Runtime.StartError != nil && platform.CodeOf(f.Runtime.StartError) == platform.CodePortConflict:
		return no(v1alpha1.ReasonPortConflict, f.Runtime.StartError.Error())
	case f.Runtime.StartError != nil:
		return no(v1alpha1.ReasonCrashLoopBackOff, "the server could not be started: "+f.Runtime.StartError.Error())
	case exit == nil:
		return no(v1alpha1.ReasonStarting, "")
	case exit.Reason == platform.ExitOOMKilled:
		return no(v1alpha1.ReasonOOMKilled, exitMessage(exit, f.memoryLimit(exit)))
	case drasi.ClassifyExit(exit.Stderr).Problem == drasi.ExitPortConflict:
		return no(v1alpha1.ReasonPortConflict, drasi.ClassifyExit(exit.Stderr).Message)
	}
	return no(v1alpha1.ReasonCrashLoopBackOff, exitMessage(exit, f.memoryLimit(exit)))
}

// deadlineDefault is the default of spec.startupDeadlineSeconds.
const deadlineDefault = 600 * time.Second

// startupDeadline is how long a start may take before it is reported.
func startupDeadline(f *Facts) time.Duration {
	if s := f.Instance.Spec.StartupDeadlineSeconds; s > 0 {
		return time.Duration(s) * time.Second
	}
	return deadlineDefault
}

// Due says when the status will change by the mere passing of time; 0: it will not.
func Due(f *Facts) time.Duration {
	if probe := f.probe(); !f.alive() || probe != nil && probe.WasBound {
		return 0
	}
	return max(0, startupDeadline(f)-f.Now.Sub(f.Runtime.StartedAt))
}

// starting explains a process whose API does not answer yet.
func starting(f *Facts) verdict {
	deadline := startupDeadline(f)
	var words string
	probe := f.probe()
	if probe != nil && probe.Errors != "" {
		words = "the server's last errors: " + probe.Errors
	}
	if probe != nil && probe.WasBound {
		return no(v1alpha1.ReasonComponentError, "the server's process is alive but its API does not listen any more")
	}
	if f.Now.Sub(f.Runtime.StartedAt) >= deadline {
		message := fmt.Sprintf("the server has been starting for more than %d s", int(deadline.Seconds()))
		if words != "" {
			message += "; " + words
		}
		return no(v1alpha1.ReasonStartupDeadlineExceeded, message)
	}
	return no(v1alpha1.ReasonStarting, words)
}

func componentsReady(f *Facts) verdict {
	alive := live(f)
	if alive.status != metav1.ConditionTrue {
		if alive.reason == v1alpha1.ReasonStopped {
			return no(v1alpha1.ReasonStopped, "")
		}
		return unknown(alive.reason, alive.message)
	}
	assessment := f.probe().Assessment
	switch assessment.Problem {
	case drasi.ProblemNone:
		return yes(v1alpha1.ReasonRunning, "")
	case drasi.ProblemStarting:
		return no(v1alpha1.ReasonStarting, assessment.Message)
	case drasi.ProblemBootstrapFailed:
		return no(v1alpha1.ReasonBootstrapFailed, assessment.Message)
	case drasi.ProblemPortConflict:
		return no(v1alpha1.ReasonPortConflict, assessment.Message)
	}
	return no(v1alpha1.ReasonComponentError, assessment.Message)
}

func released(f *Facts) verdict {
	switch {
	case f.Released:
		return yes(v1alpha1.ReasonReleased, "nothing of the instance is left on its host")
	case f.Host == "":
		return unknown(v1alpha1.ReasonPending, "")
	}
	return no(v1alpha1.ReasonPlaced, "held by host "+f.Host)
}

// ready summarises: the first condition that is not as it should be, in the order in which people can do something about it.
func ready(f *Facts, verdicts map[string]verdict) verdict {
	valid, alive := verdicts[v1alpha1.ConditionConfigValid], verdicts[v1alpha1.ConditionLive]
	switch {
	case f.deleting() && f.Held != "":
		return verdicts[v1alpha1.ConditionConfigApplied]
	case f.deleting():
		return no(v1alpha1.ReasonStopping, "the instance is being deleted")
	case valid.status == metav1.ConditionFalse:
		return valid
	case f.HostLost:
		return unknown(alive.reason, alive.message)
	case !f.wantsRunning() && f.Held != "":
		return verdicts[v1alpha1.ConditionConfigApplied]
	case !f.wantsRunning():
		if alive.reason == v1alpha1.ReasonStopped {
			return yes(v1alpha1.ReasonStopped, "")
		}
		return verdict{metav1.ConditionFalse, alive.reason, alive.message}
	}
	for _, name := range []string{
		v1alpha1.ConditionPlaced, v1alpha1.ConditionConfigApplied, v1alpha1.ConditionLive, v1alpha1.ConditionComponentsReady,
	} {
		if v := verdicts[name]; v.status == metav1.ConditionFalse {
			return v
		}
	}
	for _, name := range []string{
		v1alpha1.ConditionPlaced, v1alpha1.ConditionConfigValid, v1alpha1.ConditionLive, v1alpha1.ConditionConfigApplied, v1alpha1.ConditionComponentsReady,
	} {
		if v := verdicts[name]; v.status == metav1.ConditionUnknown {
			return v
		}
	}
	return yes(v1alpha1.ReasonRunning, "")
}
