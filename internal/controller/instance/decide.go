package instance

import (
	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/platform"
)

// action is what one pass does to the runtime.
type action string

const (
	actionNone    action = "None"
	actionEnsure  action = "Ensure"
	actionResume  action = "Resume"
	actionStop    action = "Stop"
	actionRemove  action = "Remove"
	actionRelease action = "Release"
)

// decide says what is to be done, from what was observed and nothing else. Of a paused instance nothing is.
func decide(f *status.Facts) action {
	if f.Paused {
		return actionNone
	}
	return due(f)
}

// held says what a pause holds back; "" where it holds back nothing. What is under way already goes on by itself.
func held(f *status.Facts) string {
	if !f.Paused {
		return ""
	}
	stopped, stopping := gone(f), f.Runtime != nil && f.Runtime.State == platform.StateStopping
	alive := stopping || f.Runtime != nil && f.Runtime.State == platform.StateRunning && f.Runtime.StartError == nil
	switch act := due(f); {
	case act == actionNone:
		return ""
	case !f.Instance.DeletionTimestamp.IsZero():
		return "the deletion"
	case act == actionStop && (stopping || stopped), act == actionEnsure && alive && f.Runtime.NextHash == f.WantedHash:
		return ""
	case act == actionStop:
		return "the stop"
	case stopped:
		return "the start"
	}
	return "the change"
}

// due says what is to be done where nothing is held back.
func due(f *status.Facts) action {
	if f.RuntimeUnknown {
		return actionNone
	}
	switch {
	case !f.Instance.DeletionTimestamp.IsZero():
		switch {
		case f.Runtime == nil:
			return actionRelease
		case gone(f):
			return actionRemove
		}
		return actionStop
	case f.Instance.Spec.State == v1alpha1.StateStopped:
		if gone(f) && !parked(f) {
			return actionNone
		}
		return actionStop
	case len(f.Unsupported) > 0 || f.Plan == nil || len(f.Plan.Findings) > 0:
		if parked(f) {
			// A generation that can never run disturbs no good server, also not over a restart of the host.
			return actionResume
		}
		return actionNone
	case settled(f):
		return actionNone
	}
	return actionEnsure
}

// gone says that no server runs, nor waits to be started by itself.
func gone(f *status.Facts) bool { return f.Runtime == nil || f.Runtime.State == platform.StateStopped }

// parked says that a restart of the host has ended a server that shall run.
func parked(f *status.Facts) bool { return f.Runtime != nil && f.Runtime.Parked }

// settled says that the driver already does what is wanted.
func settled(f *status.Facts) bool {
	if f.Runtime == nil || f.Runtime.Hash != f.WantedHash {
		return false
	}
	if f.Runtime.NextHash != "" && f.Runtime.NextHash != f.WantedHash {
		return false
	}
	return f.Runtime.State == platform.StateRunning || f.Runtime.State == platform.StateWaiting && f.Runtime.StartError == nil
}
