//go:build linux

package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/draas-io/draas/internal/platform"
)

func (h *host) fingerprint() platform.Fingerprint {
	h.t.Helper()
	found, err := h.d.Fingerprint(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return found
}

func TestOneExecutableTellsItsVersion(t *testing.T) {
	h := newHost(t)
	if found := h.fingerprint(); found.Health != platform.HealthHealthy || !slices.Equal(found.Versions, []string{"0.2.2"}) {
		t.Errorf("%+v", found)
	}
	d := desired("a", "h")
	d.Version = "0.3.0"
	err := h.d.Ensure(t.Context(), d)
	terminal, ok := errors.AsType[*platform.TerminalError](err)
	if !ok || terminal.Code != platform.CodeVersionUnavailable || !strings.Contains(terminal.Message, "0.3.0") {
		t.Errorf("Ensure: %v", err)
	}
}

func TestAnExecutableIsAskedOnceAsLongAsItIsTheSame(t *testing.T) {
	dir := openDirectory(t)
	path, asked := filepath.Join(dir, "drasi-server"), filepath.Join(dir, "asked")
	say := func(version string) {
		t.Helper()
		text := "#!/bin/sh\necho x >> " + asked + "\necho 'drasi-server " + version + "'\n"
		if err := errors.Join(os.WriteFile(path+".new", []byte(text), 0o755), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	say("0.2.2")
	h := newHost(t, func(o *Options) { o.Executable = path })
	for _, version := range []string{"0.2.2", "0.2.2", "0.3.0", "0.3.0"} {
		if version == "0.3.0" {
			say(version)
		}
		if found := h.fingerprint(); !slices.Equal(found.Versions, []string{version}) {
			t.Errorf("%+v, want %s", found, version)
		}
	}
	if text, err := os.ReadFile(asked); err != nil || len(text) != len("x\nx\nx\n") {
		t.Errorf("asked %q, %v: want twice for the first file, which was asked again after it had changed", text, err)
	}
}

func TestWithoutAnExecutableThePlatformIsUnhealthy(t *testing.T) {
	dir := openDirectory(t)
	silent := filepath.Join(dir, "silent")
	if err := os.WriteFile(silent, []byte("#!/bin/sh\necho something else\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", filepath.Join(dir, "nothing"), filepath.Join(dir, "{version}", "drasi-server"), dir, plain, silent} {
		h := newHost(t, func(o *Options) { o.Executable = path })
		if found := h.fingerprint(); found.Health != platform.HealthUnhealthy || found.Message == "" || len(found.Versions) != 0 {
			t.Errorf("%q: %+v", path, found)
		}
		if err := h.d.Ensure(t.Context(), desired("a", "h")); err == nil {
			t.Errorf("%q: Ensure found it", path)
		}
	}
}

// The API takes no longer version: with one, every write of the host's status would be invalid.
func TestAVersionThatTheAPIDoesNotTakeIsNone(t *testing.T) {
	const most = 63
	for _, length := range []int{most, most + 1} {
		version := strings.Repeat("1", length)
		dir := openDirectory(t)
		told := filepath.Join(dir, "drasi-server")
		if err := os.WriteFile(told, []byte("#!/bin/sh\necho drasi-server "+version+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		install(t, serverPath, filepath.Join(dir, version, "drasi-server"))
		for _, path := range []string{told, filepath.Join(dir, "{version}", "drasi-server")} {
			h := newHost(t, func(o *Options) { o.Executable = path })
			found := h.fingerprint()
			if healthy := found.Health == platform.HealthHealthy; healthy != (length <= most) || healthy != slices.Equal(found.Versions, []string{version}) {
				t.Errorf("%d characters at %s: %+v", length, path, found)
			}
		}
	}
}

func TestVersionsLiveBesideOneAnother(t *testing.T) {
	dir := openDirectory(t)
	for _, version := range []string{"0.2.2", "0.10.0", "0.9.1"} {
		install(t, serverPath, filepath.Join(dir, "[opt]", version, "drasi-server-"+version))
	}
	install(t, serverPath, filepath.Join(dir, "[opt]", "0.5.0", "drasi-server-0.6.0"))
	h := newHost(t, func(o *Options) {
		o.Executable = filepath.Join(dir, "[opt]", "{version}", "drasi-server-{version}")
		o.PluginsDir = filepath.Join(o.PluginsDir, "{version}")
	})
	if found := h.fingerprint(); !slices.Equal(found.Versions, []string{"0.2.2", "0.9.1", "0.10.0"}) {
		t.Errorf("%+v", found)
	}
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	later := with(desired("a", "h2"), "source", "mock")
	later.Version = "0.10.0"
	if err := h.d.Ensure(t.Context(), later); platform.CodeOf(err) != platform.CodePluginsMissing {
		t.Errorf("Ensure: %v", err)
	}
	install(t, serverPath, filepath.Join(strings.ReplaceAll(h.options.PluginsDir, "{version}", "0.10.0"), "libdrasi_source_mock.so"))
	h.ensure(later)
	after := h.running("a", "h2")
	if after.Version != "0.10.0" || after.PID == before.PID || !strings.Contains(h.seen("a").Args[0], "0.10.0") {
		t.Errorf("%+v", after)
	}
	later.Hash, later.Version = "h3", "../0.2.2"
	if err := h.d.Ensure(t.Context(), later); platform.CodeOf(err) != platform.CodeInvalid {
		t.Errorf("Ensure with a path for a version: %v", err)
	}
}

func TestAGoodServerIsNotStoppedForAVersionThatCannotBeRun(t *testing.T) {
	dir := openDirectory(t)
	install(t, serverPath, filepath.Join(dir, "0.2.2", "drasi-server"))
	broken := filepath.Join(dir, "0.3.0", "drasi-server")
	install(t, serverPath, broken)
	if err := os.WriteFile(broken, []byte("\x7fELF for another machine"), 0o755); err != nil {
		t.Fatal(err)
	}
	h := newHost(t, func(o *Options) { o.Executable = filepath.Join(dir, "{version}", "drasi-server") })
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	later := desired("a", "h2")
	later.Version = "0.3.0"
	if err := h.d.Ensure(t.Context(), later); platform.CodeOf(err) != platform.CodeVersionUnavailable || !strings.Contains(err.Error(), broken) {
		t.Errorf("Ensure: %v", err)
	}
	if o := h.running("a", "h"); o.PID != before.PID || o.NextHash != "" {
		t.Errorf("%+v", o)
	}
}

// asking is a host whose executables are called by version, and a way to replace what the one of a version does when it is asked.
func asking(t *testing.T) (h *host, say func(version, script string)) {
	t.Helper()
	dir := openDirectory(t)
	path := filepath.Join(dir, "{version}", "drasi-server")
	say = func(version, script string) {
		t.Helper()
		server := filepath.Join(dir, version, "real")
		if !there(server) {
			install(t, serverPath, server)
		}
		text := "#!/bin/sh\nif [ \"$1\" = --version ]; then " + script + "; fi\nexec " + server + " \"$@\"\n"
		target := expand(path, version)
		if err := errors.Join(os.WriteFile(target+".new", []byte(text), 0o755), os.Rename(target+".new", target)); err != nil {
			t.Fatal(err)
		}
	}
	say("0.2.2", "true")
	return newHost(t, func(o *Options) { o.Executable = path }), say
}

func TestAnAnswerThatTheHostKeepsAwayIsNoRefusal(t *testing.T) {
	h, say := asking(t)
	say("0.3.0", "kill -9 $$")
	later := desired("a", "h")
	later.Version = "0.3.0"
	if err := h.d.Ensure(t.Context(), later); err == nil || platform.CodeOf(err) == platform.CodeVersionUnavailable {
		t.Errorf("Ensure: %v", err)
	}
	for _, script := range []string{"exit 1", "kill -4 $$"} {
		say("0.3.0", script)
		if err := h.d.Ensure(t.Context(), later); platform.CodeOf(err) != platform.CodeVersionUnavailable {
			t.Errorf("%s: Ensure: %v", script, err)
		}
	}
}

func TestWhatRanIsStartedAgainThoughItsExecutableTellsNoVersion(t *testing.T) {
	h, say := asking(t)
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	h.close()
	say("0.2.2", "exit 1")
	h.open()
	kill(t, before.PID, 9)
	until(t, "another run", func() bool { return h.running("a", "h").PID != before.PID })
}

func TestWhatRanBeforeARebootIsStartedAgainThoughItsExecutableTellsNoVersion(t *testing.T) {
	h, say := asking(t)
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	h.close()
	kill(t, before.PID, 9)
	until(t, "it is dead", func() bool { return !lives(before.PID) })
	h.rebooted("a")
	say("0.2.2", "exit 1")
	h.open()
	h.ensure(desired("a", "h"))
	h.running("a", "h")
}

func TestAReplacementThatTellsNoVersionTakesNoPlaceOfAServerThatHasCrashed(t *testing.T) {
	h, say := asking(t)
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	h.close()
	file, err := loadInput(h.home("a"), 1)
	if err == nil {
		err = writer{}.saveInput(h.home("a"), 2, file)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.rewrite("a", func(r *record) {
		next := *r.Current
		next.Seq, next.Hash, next.Version = 2, "h2", "0.3.0"
		r.LastSeq, r.Next, r.Replacing = 2, &next, true
	})
	say("0.3.0", "exit 1")
	kill(t, before.PID, 9)
	until(t, "it is dead", func() bool { return !lives(before.PID) })
	h.open()
	if o := h.running("a", "h"); o.NextHash != "h2" || platform.CodeOf(o.StartError) != platform.CodeVersionUnavailable {
		t.Errorf("%+v", o)
	}
}

func TestAServerThatCrashesWhileAnotherVersionIsAskedIsStartedAgain(t *testing.T) {
	h, say := asking(t)
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	say("0.3.0", "exec sleep 60")
	later := desired("a", "h2")
	later.Version = "0.3.0"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- h.d.Ensure(ctx, later) }()
	until(t, "it is asked", func() bool {
		h.d.executables.mu.Lock()
		defer h.d.executables.mu.Unlock()
		return h.d.executables.asked[expand(h.options.Executable, "0.3.0")] != nil
	})
	kill(t, before.PID, 9)
	until(t, "another run", func() bool { return h.running("a", "h").PID != before.PID })
	select {
	case err := <-ended:
		t.Errorf("Ensure had ended: %v", err)
	default:
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Ensure: %v", err)
	}
}
