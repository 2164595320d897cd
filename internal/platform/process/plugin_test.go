//go:build linux

package process

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/draas-io/draas/internal/platform"
)

// ready puts files into the directory with ready-made plugins.
func (h *host) ready(files map[string]string) {
	h.t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(h.options.PluginsDir, name), []byte(text), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
}

func with(d platform.Desired, plugins ...string) platform.Desired {
	for n := 0; n < len(plugins); n += 2 {
		category, kind := plugins[n], plugins[n+1]
		d.Plugins = append(d.Plugins, platform.Plugin{Category: category, Kind: kind, Reference: category + "/" + kind})
	}
	return d
}

func TestAServerSeesJustItsPlugins(t *testing.T) {
	h := newHost(t)
	h.ready(map[string]string{
		"libdrasi_source_mock.so": "m", "libdrasi_reaction_storedproc_postgres.so": "s", "libdrasi_secret_store_file.so": "f",
		"libdrasi_secret-store_keyring.so": "k", "libdrasi_reaction_log.so": "l", "README": "r",
	})
	h.ensure(with(desired("a", "h"), "source", "mock", "reaction", "storedproc-postgres", "secret-store", "file", "secret-store", "keyring", "source", "mock"))
	h.running("a", "h")
	got := h.seen("a")
	want := []string{
		"libdrasi_reaction_storedproc_postgres.so", "libdrasi_secret-store_keyring.so", "libdrasi_secret_store_file.so", "libdrasi_source_mock.so",
	}
	if !slices.Equal(got.Plugins, want) {
		t.Errorf("plugins %v", got.Plugins)
	}
	if found, err := os.Stat(got.PluginsDir); err != nil || found.Mode().Perm() != 0o555 {
		t.Errorf("directory: %v, %v", found.Mode(), err)
	}
	file := filepath.Join(got.PluginsDir, "libdrasi_source_mock.so")
	if found, err := os.Stat(file); err != nil || found.Mode().Perm() != 0o444 {
		t.Errorf("file: %v, %v", found.Mode(), err)
	}

	// Whoever overwrites the ready-made file hurts no server that has mapped its copy, not even by a restart.
	h.ready(map[string]string{"libdrasi_source_mock.so": "another"})
	if text, err := os.ReadFile(file); err != nil || string(text) != "m" {
		t.Errorf("file %q, %v", text, err)
	}
	h.ensure(with(desired("b", "h"), "source", "mock"))
	h.running("b", "h")
	if text, err := os.ReadFile(filepath.Join(h.seen("b").PluginsDir, "libdrasi_source_mock.so")); err != nil || string(text) != "another" {
		t.Errorf("file of a new set %q, %v", text, err)
	}
}

func TestMissingPluginsAreAllNamedAndWhatRunsIsNotTouched(t *testing.T) {
	h := newHost(t)
	h.ready(map[string]string{"libdrasi_source_mock.so": "m"})
	h.ensure(desired("a", "h"))
	before := h.running("a", "h")
	err := h.d.Ensure(t.Context(), with(desired("a", "h2"), "source", "postgres", "source", "mock", "bootstrap", "postgres"))
	terminal, ok := errors.AsType[*platform.TerminalError](err)
	if !ok || terminal.Code != platform.CodePluginsMissing {
		t.Fatalf("Ensure: %v", err)
	}
	if want := "plugins are missing: bootstrap/postgres, source/postgres; they are not in " + h.options.PluginsDir + ", or cannot be read there"; terminal.Message != want {
		t.Errorf("message %q, want %q", terminal.Message, want)
	}
	if after := h.running("a", "h"); after.PID != before.PID {
		t.Error("what ran was touched")
	}
}

func TestPluginNamesThatArePathsAreRefused(t *testing.T) {
	h := newHost(t)
	for _, kind := range []string{"../x", "a/b", "", "a\x00"} {
		if err := h.d.Ensure(t.Context(), with(desired("a", "h"), "source", kind)); platform.CodeOf(err) != platform.CodeInvalid {
			t.Errorf("%q: %v", kind, err)
		}
	}
}

// sets are the prepared directories.
func (h *host) sets() []string {
	h.t.Helper()
	entries, err := os.ReadDir(layout{root: h.options.StateDir}.plugins())
	if err != nil {
		h.t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestASetIsMadeOnceAndRemovedWithItsLastUser(t *testing.T) {
	h := newHost(t)
	h.ready(map[string]string{"libdrasi_source_mock.so": "m", "libdrasi_source_http.so": "h"})
	for _, uid := range []string{"a", "b"} {
		h.ensure(with(desired(uid, "h"), "source", "mock"))
		h.running(uid, "h")
	}
	h.ensure(with(desired("c", "h"), "source", "http"))
	h.running("c", "h")
	if sets := h.sets(); len(sets) != 2 {
		t.Errorf("sets %v", sets)
	}
	gone := func(uid string, left int) {
		t.Helper()
		h.stop(uid, patience)
		h.in(uid, platform.StateStopped)
		if err := h.d.Remove(t.Context(), ref(uid), false); err != nil {
			t.Fatal(err)
		}
		if sets := h.sets(); len(sets) != left {
			t.Errorf("after %s sets %v", uid, sets)
		}
	}
	gone("a", 2)
	gone("c", 1)
	h.close()
	if err := os.Mkdir(filepath.Join(layout{root: h.options.StateDir}.plugins(), ".new-half"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.open()
	if sets := h.sets(); len(sets) != 1 {
		t.Errorf("after a restart sets %v", sets)
	}
	gone("b", 0)
}

func TestARestartNeedsNoReadyMadePlugins(t *testing.T) {
	h := newHost(t)
	h.ready(map[string]string{"libdrasi_source_mock.so": "m"})
	h.ensure(with(desired("a", "h"), "source", "mock"))
	o := h.running("a", "h")
	if err := os.Remove(filepath.Join(h.options.PluginsDir, "libdrasi_source_mock.so")); err != nil {
		t.Fatal(err)
	}
	if err := h.d.Ensure(t.Context(), with(desired("a", "h"), "source", "mock")); err != nil {
		t.Errorf("Ensure of what runs: %v", err)
	}
	kill(t, o.PID, 9)
	until(t, "it is started again", func() bool { return len(h.lines("a", "starts")) == 2 })
	h.running("a", "h")
}
