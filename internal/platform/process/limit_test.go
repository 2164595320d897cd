//go:build linux

package process

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	h.starvedBy(true)
	h.reopen()
	h.starvedBy(true)
	kill(t, o.PID, syscall.SIGKILL)
	until(t, "it runs again", func() bool { return len(h.lines("a", "starts")) == 3 })
	if exit := h.running("a", "h").LastExit; exit.Reason != platform.ExitKilled || exit.OwnLimit != nil {
		t.Errorf("a kill by somebody else is told as %+v", exit)
	}
}

// starvedBy checks that the server was last killed for want of memory, and whether for its own limit.
func (h *host) starvedBy(own bool) {
	h.t.Helper()
	exit := h.running("a", "h").LastExit
	if exit == nil || exit.Reason != platform.ExitOOMKilled || exit.OwnLimit == nil || *exit.OwnLimit != own {
		h.t.Errorf("exit %+v, want one for the own limit: %t", exit, own)
	}
}

// limitedTogether is a host on which all servers have a memory limit together. The returned function sets it.
func limitedTogether(t *testing.T) (*host, func(bytes int64)) {
	t.Helper()
	parent := "draas-test-" + rand.Text()[:8]
	var dirs []string
	t.Cleanup(func() {
		for _, dir := range dirs {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		}
	})
	h := newHost(t, func(o *Options) { o.CgroupParent = parent })
	h.needsMemory()
	g, err := h.d.groups.at(h.d.groups.placeOf("a"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range g.JoinFiles() {
		dirs = append(dirs, filepath.Dir(filepath.Dir(file)))
	}
	return h, func(bytes int64) {
		t.Helper()
		set := 0
		for _, dir := range dirs {
			// That of memory and swap together can only be set after that of memory.
			for _, file := range []string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max"} {
				if !there(filepath.Join(dir, file)) {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.FormatInt(bytes, 10)), 0); err != nil {
					t.Fatal(err)
				}
				set++
			}
		}
		if set == 0 {
			t.Fatalf("none of %v has a memory limit", dirs)
		}
	}
}

func TestWhatTheKernelKilledForALimitOfAllServersIsNotToldAsForItsOwn(t *testing.T) {
	for name, own := range map[string]int64{"without a limit": 0, "with a limit": 512 << 20} {
		t.Run(name, func(t *testing.T) {
			h, limit := limitedTogether(t)
			limit(64 << 20)
			d := hungry()
			d.Resources.Memory = own
			h.ensure(d)
			until(t, "it is killed and runs again", func() bool { return len(h.lines("a", "starts")) == 2 })
			h.starvedBy(false)
		})
	}
}

func TestALimitThatAnEarlierRunHitIsNotToldOfALaterOne(t *testing.T) {
	h, limit := limitedTogether(t)
	h.ensure(hungry())
	until(t, "it is killed and runs again", func() bool { return len(h.lines("a", "starts")) == 2 })
	h.starvedBy(true)
	until(t, "it has seen that it has eaten", func() bool { return slices.Contains(h.lines("a", "marks"), "handler") })
	limit(48 << 20)
	if err := os.Remove(filepath.Join(h.home("a").data(), "eaten")); err != nil {
		t.Fatal(err)
	}
	kill(t, h.inspect("a").PID, syscall.SIGKILL)
	until(t, "it is killed and runs again", func() bool { return len(h.lines("a", "starts")) == 4 })
	h.starvedBy(false)
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
	h.starvedBy(true)
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
