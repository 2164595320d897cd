package platform

import (
	"errors"
	"fmt"
	"time"
)

// ErrNotFound says that nothing of the runtime is there. For Stop and Remove that is success, so they never return it.
var ErrNotFound = errors.New("runtime not found")

// Code says in one word what an error is about, for the pipeline to find the condition's reason.
type Code string

const (
	// CodePluginsMissing: a file for a plugin is missing on the host.
	CodePluginsMissing Code = "PluginsMissing"
	// CodeVersionUnavailable: the executable of the version is missing on the host.
	CodeVersionUnavailable Code = "VersionUnavailable"
	// CodePortConflict: no port is free, or a component's port is another runtime's.
	CodePortConflict Code = "PortConflict"
	// CodeInvalid: the desired inputs can never be run.
	CodeInvalid Code = "Invalid"
	// CodeForeign: something that is not ours has our name.
	CodeForeign Code = "Foreign"
	// CodeStopping: a stop must end first.
	CodeStopping Code = "Stopping"
	// CodeLimitsRefused: limits are asked for, and nothing on this host enforces them.
	CodeLimitsRefused Code = "LimitsRefused"
	// CodeReplaceRefused: another hash runs and may not be replaced.
	CodeReplaceRefused Code = "ReplaceRefused"
)

// TerminalError says that the same inputs can never work. Only other inputs help.
type TerminalError struct {
	Code    Code
	Message string
}

// Error returns the message.
func (e *TerminalError) Error() string { return e.Message }

// WaitError says that nothing is wrong with the call but that something must come first.
type WaitError struct {
	Code    Code
	Message string
	// After is when another try is worth while; 0: when notified.
	After time.Duration
}

// Error returns the message.
func (e *WaitError) Error() string { return e.Message }

// UnavailableError says that the platform itself does not answer: the runtime's state is unknown, and nothing may be concluded from it.
type UnavailableError struct {
	Err error
}

// Error tells what does not answer.
func (e *UnavailableError) Error() string { return fmt.Sprintf("platform unavailable: %v", e.Err) }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// CodeOf returns the code of a TerminalError or WaitError in err's chain, or "".
func CodeOf(err error) Code {
	if terminal, ok := errors.AsType[*TerminalError](err); ok {
		return terminal.Code
	}
	if wait, ok := errors.AsType[*WaitError](err); ok {
		return wait.Code
	}
	return ""
}
