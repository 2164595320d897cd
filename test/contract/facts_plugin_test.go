package contract

import (
	"os"
	"path/filepath"
	"testing"
)

const missing = "Error: Missing plugins required by configuration:\n"

// onlyPlugins gives the server a directory with just these files of the
// target's.
func (f *fixture) onlyPlugins(files ...string) string {
	f.t.Helper()
	dir := openDir(f.t)
	for _, name := range files {
		if err := os.Symlink(filepath.Join(f.plugins, name), filepath.Join(dir, name)); err != nil {
			f.t.Fatalf("link plugin: %v", err)
		}
	}
	f.plugins = dir
	return dir
}

// Contract 3.1: a set of its own is enough; links are followed.
func TestPluginSet(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.onlyPlugins("libdrasi_source_mock.so", "libdrasi_reaction_log.so")
	f.up()
	f.status("/api/v1/instances/t/sources/m", "Running")
}

// Contract 3.1: whatever else lies in the directory is passed over.
func TestJunkBesidePluginsIsPassedOver(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	dir := f.onlyPlugins("libdrasi_source_mock.so", "libdrasi_reaction_log.so")
	for name, text := range map[string]string{
		"README.md": "notes", "libdrasi_source_junk.so": "junk", "libdrasi_reaction_empty.so": "", "libother.so": "junk", "plugins.lock": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatalf("write junk: %v", err)
		}
	}
	f.up()
	f.stop()
}

// Contract 3.1: all missing kinds are named, with what there is instead.
func TestMissingPluginsAreAllNamed(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.onlyPlugins("libdrasi_source_mock.so")
	f.config["sources"] = []any{object{"kind": "nope", "id": "m", "bootstrapProvider": object{"kind": "nobb"}}}
	f.run().refuses(missing +
		"  - source/nope (referenced by source 'm')\n    available source kinds: mock\n" +
		"  - bootstrap/nobb (referenced by source 'm' bootstrapProvider)\n    available bootstrap kinds: application, noop\n" +
		"  - reaction/log (referenced by reaction 'l')\n    available reaction kinds: application\n" +
		"Install the missing plugins or correct the 'kind' values in your config.\n")
}

// Contract 3.1: a file that is no plugin is no plugin, and so is an absent
// directory.
func TestNoPlugins(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	dir := f.onlyPlugins()
	if err := os.WriteFile(filepath.Join(dir, "libdrasi_source_mock.so"), []byte("junk"), 0o644); err != nil {
		t.Fatalf("write junk: %v", err)
	}
	f.run().refuses(missing + "  - source/mock (referenced by source 'm')\n  - reaction/log ")

	f = newFull(t)
	f.plugins = "/no-such-dir"
	f.run().refuses(missing)
}

// Contract 3.4: verification is on by default, and leaves no plugin without a
// registry; the flag turns it off.
func TestVerificationByDefault(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	delete(f.config, "verifyPlugins")
	f.run().refuses(missing)

	f = newFull(t)
	delete(f.config, "verifyPlugins")
	f.args = []string{"--skip-verification"}
	f.up()
}

// Contract 2.9: a secret store's plugin is not among the required ones, its
// absence has words of its own.
func TestMissingSecretStore(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["secretStore"] = object{"kind": "nostore", "path": "./x"}
	f.run().refuses("Error: No secret store plugin registered for kind 'nostore'. Available: ")
}

// Contract 3.3: without a list nothing is installed.
func TestAutoInstallWithoutAList(t *testing.T) {
	t.Parallel()
	f := newFull(t)
	f.config["autoInstallPlugins"] = true
	f.up()
}
