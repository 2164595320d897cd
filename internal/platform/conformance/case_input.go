package conformance

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/draas-io/draas/internal/platform"
)

func inputCases() []testCase {
	return []testCase{
		{name: "inputs that can never run are terminal and leave nothing", run: wrongInputs},
		{name: "another instance id for a UID is terminal and touches nothing", run: otherInstanceID},
		{name: "a missing version is told before anything is touched", needs: []need{needsMissingVersion}, run: missingVersion},
		{name: "a missing plugin is named before anything is touched", needs: []need{needsMissingPlugin}, run: missingPlugin},
		{name: "a component's port has one owner", needs: []need{needsFreePort}, run: portConflict},
	}
}

// tell puts an error, or that there is none, in words.
func tell(err error) string { return fmt.Sprintf("%v (%T)", err, err) }

// isTerminal tells how err differs from a TerminalError of the code.
func isTerminal(err error, code platform.Code) error {
	terminal, ok := errors.AsType[*platform.TerminalError](err)
	switch {
	case !ok:
		return fmt.Errorf("error is %s, want a TerminalError", tell(err))
	case terminal.Code != code:
		return fmt.Errorf("code is %q (%s), want %q", terminal.Code, terminal.Message, code)
	case terminal.Message == "":
		return errors.New("the error has no message")
	}
	return nil
}

// isWait tells how err differs from a WaitError of the code.
func isWait(err error, code platform.Code) error {
	wait, ok := errors.AsType[*platform.WaitError](err)
	switch {
	case !ok:
		return fmt.Errorf("error is %s, want a WaitError", tell(err))
	case wait.Code != code:
		return fmt.Errorf("code is %q (%s), want %q", wait.Code, wait.Message, code)
	case wait.Message == "":
		return errors.New("the error has no message")
	}
	return nil
}

func wrongInputs(e *env) {
	wrong := map[string]func(*platform.Desired){
		"empty UID":             func(d *platform.Desired) { d.UID = "" },
		"climbing UID":          func(d *platform.Desired) { d.UID = "../" + d.UID },
		"UID with a slash":      func(d *platform.Desired) { d.UID += "/x" },
		"UID that is a dot":     func(d *platform.Desired) { d.UID = "." },
		"UID that is two dots":  func(d *platform.Desired) { d.UID = ".." },
		"endless UID":           func(d *platform.Desired) { d.UID = strings.Repeat("x", 4096) },
		"UID with NUL":          func(d *platform.Desired) { d.UID += "\x00" },
		"empty hash":            func(d *platform.Desired) { d.Hash = "" },
		"climbing folder":       func(d *platform.Desired) { d.Folders = []string{"../outside"} },
		"hidden climbing":       func(d *platform.Desired) { d.Folders = []string{"a/../../outside"} },
		"absolute folder":       func(d *platform.Desired) { d.Folders = []string{"/outside"} },
		"empty folder":          func(d *platform.Desired) { d.Folders = []string{""} },
		"variable without name": func(d *platform.Desired) { d.Env = append(d.Env, platform.EnvVar{Value: "x"}) },
		"name of variable with =": func(d *platform.Desired) {
			d.Env = append(d.Env, platform.EnvVar{Name: "A=B", Value: "x"})
		},
		"name of variable with NUL": func(d *platform.Desired) {
			d.Env = append(d.Env, platform.EnvVar{Name: "A\x00B", Value: "x"})
		},
		"value of variable with NUL": func(d *platform.Desired) {
			d.Env = append(d.Env, platform.EnvVar{Name: "A", Value: "x\x00y"})
		},
	}
	for name, spoil := range wrong {
		e.Run(name, func(t *testing.T) {
			ref := e.ref("wrong")
			desired := e.world.Desired(ref, "a")
			spoil(&desired)
			for range 2 {
				if err := isTerminal(e.ensure(desired), platform.CodeInvalid); err != nil {
					t.Error(err)
				}
			}
			if err := e.isGone(ref); err != nil {
				t.Error(err)
			}
		})
	}
	e.must(e.lists(), "after wrong inputs")
}

func otherInstanceID(e *env) {
	desired := e.world.Desired(e.ref("id"), "a")
	other := e.world.Desired(desired.Ref, "b")
	other.InstanceID += "-other"
	before := e.run(desired)
	for range 2 {
		e.must(isTerminal(e.ensure(other), platform.CodeInvalid), "Ensure with another instance id")
		e.same(desired, before)
		e.reopen()
	}
	e.stopped(desired.Ref)
	e.must(isTerminal(e.ensure(other), platform.CodeInvalid), "Ensure of the stopped with another instance id")
	e.must(e.isDead(desired.Ref), "after the refusal")
	e.gone(desired.Ref)
	e.run(other)
}

// refused checks inputs that must be refused with a code, at first and as a replacement, and returns the message.
func refused(e *env, bad platform.Desired, code platform.Code) string {
	e.Helper()
	good := e.world.Desired(bad.Ref, "good")
	bad.Hash = "bad-" + bad.Hash
	for range 2 {
		if got := platform.CodeOf(e.ensure(bad)); got != code {
			e.Fatalf("code of the first Ensure is %q, want %q", got, code)
		}
	}
	e.must(e.isDead(bad.Ref), "after the refusal")
	before := e.run(good)
	err := e.ensure(bad)
	if got := platform.CodeOf(err); got != code {
		e.Fatalf("replacement: %v, want the code %q", err, code)
	}
	e.same(good, before)
	return err.Error()
}

func missingVersion(e *env) {
	bad := e.world.Desired(e.ref("version"), "bad")
	bad.Version = e.world.MissingVersion
	if message := refused(e, bad, platform.CodeVersionUnavailable); !strings.Contains(message, bad.Version) {
		e.Fatalf("the message %q does not name %s", message, bad.Version)
	}
}

func missingPlugin(e *env) {
	bad := e.world.Desired(e.ref("plugin"), "bad")
	bad.Plugins = append(bad.Plugins, *e.world.MissingPlugin)
	if message := refused(e, bad, platform.CodePluginsMissing); !strings.Contains(message, e.world.MissingPlugin.Reference) {
		e.Fatalf("the message %q does not name %s", message, e.world.MissingPlugin.Reference)
	}
}

func portConflict(e *env) {
	port, err := e.world.FreePort()
	e.must(err, "find a free port")
	listener := platform.Listener{Component: "events", Address: netip.AddrFrom4([4]byte{127, 0, 0, 1}), Port: port}
	owner, other := e.world.Desired(e.ref("owner"), "a"), e.world.Desired(e.ref("other"), "bad")
	owner.Listeners = append(owner.Listeners, listener)
	other.Listeners = append(other.Listeners, listener)
	before := e.run(owner)
	message := refused(e, other, platform.CodePortConflict)
	if !strings.Contains(message, listener.Component) {
		e.Fatalf("the message %q does not name the component", message)
	}
	e.same(owner, before)
	e.stopped(owner.Ref)
	e.must(e.remove(owner.Ref, false), "Remove")
	other.Hash = "bad-" + other.Hash
	e.must(e.ensure(other), "Ensure when the port is free again")
	e.running(other)
}
