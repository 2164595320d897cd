package instance

import (
	"errors"
	"fmt"
	"time"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/controller/status"
	"github.com/draas-io/draas/internal/platform"
)

// errorClass is what an error of a driver means for a pass.
type errorClass int

const (
	classNone errorClass = iota
	classNotFound
	classTerminal
	classWait
	classUnavailable
	classRetryable
)

func class(err error) errorClass {
	if err == nil {
		return classNone
	}
	if errors.Is(err, platform.ErrNotFound) {
		return classNotFound
	}
	if _, ok := errors.AsType[*platform.TerminalError](err); ok {
		return classTerminal
	}
	if _, ok := errors.AsType[*platform.WaitError](err); ok {
		return classWait
	}
	if _, ok := errors.AsType[*platform.UnavailableError](err); ok {
		return classUnavailable
	}
	return classRetryable
}

// refused is the one place where a driver's error becomes a fact about the instance. It returns what is left for another try.
func refused(facts *status.Facts, err error) error {
	switch class(err) {
	case classNone, classNotFound:
		return nil
	case classUnavailable:
		facts.RuntimeUnknown, facts.Failure = true, err.Error()
		return err
	case classTerminal, classWait:
		note(facts, platform.CodeOf(err), err.Error())
		facts.RetryAfter = retryAfter(err)
		return nil
	case classRetryable:
	}
	facts.Failure = err.Error()
	return fmt.Errorf("drive the runtime: %w", err)
}

// refusedAgain is when a refusal is tried again without another reason: an administrator may have mended the host.
const refusedAgain = 15 * time.Second

// retryAfter says when a refusal is worth another try.
func retryAfter(err error) time.Duration {
	if wait, ok := errors.AsType[*platform.WaitError](err); ok && wait.After > 0 {
		return wait.After
	}
	return refusedAgain
}

// note puts a refusal where the status looks for it.
func note(facts *status.Facts, code platform.Code, message string) {
	switch code {
	case platform.CodeVersionUnavailable:
		facts.Placement = &status.Problem{Reason: v1alpha1.ReasonVersionUnavailable, Message: message}
	case platform.CodePortConflict:
		facts.Placement = &status.Problem{Reason: v1alpha1.ReasonPortConflict, Message: message}
	case platform.CodeLimitsRefused:
		facts.Placement = &status.Problem{Reason: v1alpha1.ReasonNoHost, Message: message}
	case platform.CodePluginsMissing:
		facts.Apply = &status.Problem{Reason: v1alpha1.ReasonPluginsMissing, Message: message}
	case platform.CodeReplaceRefused:
		facts.Apply = &status.Problem{Reason: v1alpha1.ReasonRestartRequired, Message: message}
	case platform.CodeInvalid, platform.CodeForeign:
		facts.Refused = &status.Problem{Reason: v1alpha1.ReasonInvalidConfig, Message: message}
	case platform.CodeStopping:
	}
}
