//go:build linux

package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/draas-io/draas/internal/platform"
)

// needsMemory skips what needs a memory limit that is enforced.
func (h *host) needsMemory() {
	h.t.Helper()
	h.needsGroups()
	if support := h.d.groups.support(); !support.Memory {
		h.t.Skipf("SKIPPED: no memory limit is enforced here: %s", support.Why)
	}
}

// hungry takes more memory than it may have, once.
func hungry(env ...string) platform.Desired {
	d := desired("a", "h", append(env, "TS_EAT=268435456")...)
	d.Resources = platform.Resources{Memory: 64 << 20, CPU: 1500}
	return d
}

func TestWhatTheKernelKilledForTheMemoryLimitIsToldApart(t *testing.T) {
	h := newHost(t)
	h.needsMemory()
	if found := h.fingerprint(); found.Limits != platform.LimitsEnforced {
		t.Skipf("SKIPPED: not every limit is enforced here: %+v", found)
	}
	h.ensure(hungry())
	until(t, "it is killed and runs again", func() bool { return len(h.lines("a", "starts")) == 2 })
	o := h.running("a", "h")
	if exit := o.LastExit; exit == nil || exit.Reason != platform.ExitOOMKilled || exit.Signal != 9 || exit.Code != nil {
		t.Fatalf("exit %+v", exit)
	}
	kill(t, o.PID, syscall.SIGKILL)
	until(t, "it runs again", func() bool { return len(h.lines("a", "starts")) == 3 })
	if exit := h.running("a", "h").LastExit; exit.Reason != platform.ExitKilled {
		t.Errorf("a kill by somebody else is told as %+v", exit)
	}
}

func TestWhatTheKernelKilledWhileNobodyLookedIsToldApart(t *testing.T) {
	h := newHost(t)
	h.needsMemory()
	hold := filepath.Join(openDirectory(t), "hold")
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.ensure(hungry("TS_EAT_HOLD=" + hold))
	until(t, "it runs", func() bool { return len(h.lines("a", "starts")) == 1 })
	pid := h.inspect("a").PID
	h.close()
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	until(t, "it is killed", func() bool { return !lives(pid) })
	h.open()
	until(t, "it runs again", func() bool { return len(h.lines("a", "starts")) == 2 })
	exit := h.running("a", "h").LastExit
	if exit == nil || exit.Reason != platform.ExitOOMKilled || exit.Code != nil || exit.Signal != 0 && exit.Signal != 9 {
		t.Errorf("exit %+v", exit)
	}
}

func TestAnInstanceWithLimitsThatNothingEnforcesIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	for _, resources := range []platform.Resources{{Memory: 1 << 30}, {CPU: 500}, {Memory: 1 << 30, CPU: 500}} {
		h := newHost(t, func(o *Options) { o.CgroupParent = noCgroups })
		if found := h.fingerprint(); found.Limits != platform.LimitsRefused || found.Health != platform.HealthHealthy {
			t.Errorf("%+v", found)
		}
		d := desired("a", "h")
		d.Resources = resources
		err := h.d.Ensure(t.Context(), d)
		terminal, ok := errors.AsType[*platform.TerminalError](err)
		if !ok || terminal.Code != platform.CodeLimitsRefused || !strings.Contains(terminal.Message, "--allow-unenforced-limits") {
			t.Fatalf("Ensure: %v", err)
		}
		if got := strings.Contains(terminal.Message, "spec.resources.limits.memory"); got != (resources.Memory != 0) {
			t.Errorf("message %q", terminal.Message)
		}
		if got := strings.Contains(terminal.Message, "spec.resources.limits.cpu"); got != (resources.CPU != 0) {
			t.Errorf("message %q", terminal.Message)
		}
		if _, err := os.Stat(h.home("a").path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("something was touched: %v", err)
		}
		h.close()
		h.options.AllowUnenforcedLimits = true
		h.open()
		if found := h.fingerprint(); found.Limits != platform.LimitsUnenforced {
			t.Errorf("%+v", found)
		}
		h.ensure(d)
		h.running("a", "h")
	}
}

func TestALimitThatIsNoLongerEnforcedIsToldAtTheNextStart(t *testing.T) {
	h := newHost(t)
	h.needsMemory()
	d := desired("a", "h")
	d.Resources = platform.Resources{Memory: 256 << 20}
	h.ensure(d)
	o := h.running("a", "h")
	h.close()
	h.options.CgroupParent = noCgroups
	h.open()
	if again := h.running("a", "h"); again.PID != o.PID {
		t.Error("a running server was touched")
	}
	kill(t, o.PID, syscall.SIGKILL)
	until(t, "the refusal is told", func() bool {
		return platform.CodeOf(h.inspect("a").StartError) == platform.CodeLimitsRefused
	})
}
