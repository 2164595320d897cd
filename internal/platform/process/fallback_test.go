//go:build linux

package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// unready has inputs be desired whose plugin is there when they are taken and gone when they are prepared. The returned function brings it.
func (h *host) unready(d platform.Desired) func() {
	h.t.Helper()
	h.ready(map[string]string{"libdrasi_source_mock.so": "m"})
	file := filepath.Join(h.options.PluginsDir, "libdrasi_source_mock.so")
	// While this is held nothing is prepared.
	h.d.plugins.mu.Lock()
	err := errors.Join(h.d.Ensure(h.t.Context(), with(d, "source", "mock")), os.Remove(file))
	h.d.plugins.mu.Unlock()
	if err != nil {
		h.t.Fatal(err)
	}
	return func() { h.ready(map[string]string{"libdrasi_source_mock.so": "m"}) }
}

func TestAServerThatCrashesWhileItsReplacementIsNotReadyIsRestarted(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	mend := h.unready(desired("a", "h2"))
	until(t, "the failure is told", func() bool {
		o := h.inspect("a")
		return platform.CodeOf(o.StartError) == platform.CodePluginsMissing && o.State == platform.StateRunning && o.PID == before.PID && o.NextHash == "h2"
	})
	for starts := 2; starts <= 3; starts++ {
		kill(t, h.inspect("a").PID, syscall.SIGKILL)
		until(t, "it runs again with what it had", func() bool { return len(h.lines("a", "starts")) == starts })
		o := h.running("a", "h")
		if o.Restarts != int32(starts-1) || o.LastExit == nil || platform.CodeOf(o.StartError) != platform.CodePluginsMissing || o.NextHash != "h2" {
			t.Fatalf("%+v", o)
		}
		h.reopen()
	}
	mend()
	o := h.running("a", "h2")
	if o.LastExit != nil || o.StartError != nil || o.Restarts != 2 || o.NextHash != "" {
		t.Errorf("%+v", o)
	}
}

func TestAReplacementThatCannotBeStartedBringsBackWhatRan(t *testing.T) {
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Clock = clock })
	h.ensure(desired("a", "h"))
	h.running("a", "h")
	// The checks find the launcher, and then it cannot be executed.
	h.close()
	h.options.Launcher = "/nowhere/launcher"
	h.open()
	h.ensure(desired("a", "h2"))
	until(t, "neither can be started", func() bool {
		o := h.inspect("a")
		return o.StartError != nil && strings.Contains(o.StartError.Error(), "/nowhere/launcher") && o.State == platform.StateWaiting
	})
	h.close()
	h.options.Launcher = ""
	h.open()
	clock.Advance(mostBackoff)
	o := h.running("a", "h2")
	if o.LastExit != nil || o.StartError != nil {
		t.Errorf("%+v", o)
	}
}

func TestWhatCannotBeStartedStopsWhatRunsEverMoreSeldom(t *testing.T) {
	for tries, want := range map[int]time.Duration{
		patientTries: time.Minute, patientTries + 1: 2 * time.Minute, patientTries + 5: 32 * time.Minute, patientTries + 6: time.Hour, 1000: time.Hour,
	} {
		if pause := fallbackAfter(tries); pause != want {
			t.Errorf("after %d tries: %v, want %v", tries, pause, want)
		}
	}
}

func TestAReplacementThatIsTakenBackLeavesTheCrashedOneToItsBackoff(t *testing.T) {
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Clock = clock })
	h.ensure(desired("a", "h"))
	o := h.running("a", "h")
	h.unready(desired("a", "h2"))
	until(t, "the failure is told", func() bool { return h.inspect("a").StartError != nil })
	kill(t, o.PID, syscall.SIGKILL)
	until(t, "it waits", func() bool {
		o := h.inspect("a")
		return o.State == platform.StateWaiting && o.LastExit != nil
	})
	h.ensure(desired("a", "h"))
	if o := h.inspect("a"); o.NextHash != "" || o.StartError != nil || o.LastExit == nil {
		t.Errorf("%+v", o)
	}
	clock.Advance(firstBackoff)
	if o := h.running("a", "h"); o.Restarts != 1 {
		t.Errorf("%+v", o)
	}
}

func TestWhatWasStoppedIsNotBroughtBackByAStartThatFails(t *testing.T) {
	h := newHost(t)
	h.ensure(desired("a", "h"))
	h.running("a", "h")
	h.stop("a", patience)
	h.in("a", platform.StateStopped)
	mend := h.unready(desired("a", "h2"))
	until(t, "the failure is told", func() bool {
		o := h.inspect("a")
		return platform.CodeOf(o.StartError) == platform.CodePluginsMissing && o.State == platform.StateWaiting
	})
	mend()
	h.running("a", "h2")
	if starts := h.lines("a", "starts"); len(starts) != 2 {
		t.Errorf("starts %v", starts)
	}
}

func TestAnExecutableThatDoesNotAnswerHoldsUpNobodyElse(t *testing.T) {
	dir := openDirectory(t)
	path, asked := filepath.Join(dir, "drasi-server"), filepath.Join(dir, "asked")
	hanging := "#!/bin/sh\necho x >> " + asked + "\nexec sleep 1000\n"
	install(t, serverPath, path)
	h := newHost(t, func(o *Options) { o.Executable = path })
	h.ensure(desired("a", "h"))
	o := h.running("a", "h")
	if err := errors.Join(os.WriteFile(path+".new", []byte(hanging), 0o755), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
	returned := make(chan error, 1)
	go func() { returned <- h.d.Ensure(t.Context(), desired("b", "h")) }()
	until(t, "it is asked", func() bool {
		_, err := os.Stat(asked)
		return err == nil
	})
	// While it is asked, everything else goes on.
	h.inspect("a")
	h.stop("a", patience)
	h.in("a", platform.StateStopped)
	if lives(o.PID) {
		t.Error("it was not stopped")
	}
	select {
	case err := <-returned:
		t.Fatalf("Ensure did not wait for the answer: %v", err)
	default:
	}
	if err := <-returned; err == nil || !strings.Contains(err.Error(), "for its version") {
		t.Errorf("Ensure: %v", err)
	}
	// The refusal is known for a while.
	for range 3 {
		if found := h.fingerprint(); found.Health != platform.HealthUnhealthy {
			t.Errorf("%+v", found)
		}
	}
	if text, err := os.ReadFile(asked); err != nil || string(text) != "x\n" {
		t.Errorf("asked %q, %v", text, err)
	}
}

func TestARefusalIsAskedForAgainLater(t *testing.T) {
	dir := openDirectory(t)
	path := filepath.Join(dir, "drasi-server")
	text := "#!/bin/sh\ntest -e " + dir + "/ready || exit 1\necho drasi-server 0.2.2\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	clock := newManual()
	h := newHost(t, func(o *Options) { o.Executable, o.Clock = path, clock })
	if found := h.fingerprint(); found.Health != platform.HealthUnhealthy {
		t.Errorf("%+v", found)
	}
	if err := os.WriteFile(filepath.Join(dir, "ready"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	clock.Advance(refusalKept - time.Millisecond)
	if found := h.fingerprint(); found.Health != platform.HealthUnhealthy {
		t.Errorf("%+v", found)
	}
	clock.Advance(time.Millisecond)
	if found := h.fingerprint(); found.Health != platform.HealthHealthy {
		t.Errorf("%+v", found)
	}
}
