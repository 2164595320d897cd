package asset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// repository makes a root with the two files of pins, and an empty cache.
func repository(t *testing.T) *Resolver {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "hack", "k8s", "go.mod"), "module x\n\nrequire (\n\tgo.etcd.io/etcd/server/v3 v3.7.3 // indirect\n\tk8s.io/kubernetes v1.37.1\n)\n", 0o600)
	write(t, filepath.Join(root, "hack", "tools.mk"), "SETUP_ENVTEST_VERSION := v0.25.1\n", 0o600)
	return &Resolver{Root: root, Cache: t.TempDir(), Log: &strings.Builder{}}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), mode)); err != nil {
		t.Fatal(err)
	}
}

func fill(t *testing.T, dir string) {
	t.Helper()
	for _, name := range Binaries() {
		write(t, filepath.Join(dir, name), "#!/bin/sh\n", 0o700)
	}
}

func TestEnvironmentWinsWhenComplete(t *testing.T) {
	r, dir := repository(t), t.TempDir()
	fill(t, dir)
	t.Setenv(EnvDir, dir)
	if got, err := r.Find(); err != nil || got != dir {
		t.Errorf("got %q, %v, want %q", got, err, dir)
	}
}

func TestIncompleteEnvironmentIsSaidAndSkipped(t *testing.T) {
	for _, missing := range Binaries() {
		r, dir := repository(t), t.TempDir()
		fill(t, dir)
		if err := os.Remove(filepath.Join(dir, missing)); err != nil {
			t.Fatal(err)
		}
		t.Setenv(EnvDir, dir)
		if got, err := r.Find(); !errors.Is(err, ErrNotFound) {
			t.Errorf("without %s: got %q, %v, want ErrNotFound", missing, got, err)
		}
		if log := fmt.Sprint(r.Log); !strings.Contains(log, "no executable "+missing) {
			t.Errorf("without %s the log says %q", missing, log)
		}
	}
}

func TestInstalledSetIsFoundUntilAPinChanges(t *testing.T) {
	t.Setenv(EnvDir, "")
	r := repository(t)
	v, cache, err := r.versions()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second replaces the first
		dir := filepath.Join(cache, "new")
		fill(t, dir)
		if _, err := v.install(dir, cache); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.Find()
	if err != nil || filepath.Base(got) != filepath.Base(v.dir(cache)) {
		t.Fatalf("got %q, %v", got, err)
	}
	mod := filepath.Join(r.Root, "hack", "k8s", "go.mod")
	text, err := os.ReadFile(mod)
	if err != nil {
		t.Fatal(err)
	}
	write(t, mod, strings.Replace(string(text), "v3.7.3", "v3.7.4", 1), 0o600)
	if got, err := r.Find(); !errors.Is(err, ErrNotFound) {
		t.Errorf("a build of other pins was taken: %q, %v", got, err)
	}
}

func TestHalfFilledDirectoryIsNeverInstalled(t *testing.T) {
	r := repository(t)
	v, cache, err := r.versions()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "new")
	fill(t, dir)
	if err := os.Remove(filepath.Join(dir, "kubectl")); err != nil {
		t.Fatal(err)
	}
	if _, err := v.install(dir, cache); err == nil {
		t.Error("installed without kubectl")
	}
	if _, err := os.Stat(v.dir(cache)); !os.IsNotExist(err) {
		t.Errorf("the final directory exists: %v", err)
	}
}

func TestRepositoryPinsAreReadable(t *testing.T) {
	v, err := readVersions(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	major := strings.SplitN(v.kubernetes, ".", 2)[0]
	if major != "v1" || !strings.Contains(v.ldflags(), "-X k8s.io/component-base/version.gitVersion="+v.kubernetes+" ") {
		t.Errorf("got %+v, %s", v, v.ldflags())
	}
}

func TestProgressTellsDownloadsPackagesAndErrorsApart(t *testing.T) {
	p := &progress{started: time.Now()}
	p.read(strings.NewReader("go: downloading k8s.io/api v0.37.1\nk8s.io/api/core/v1\n# k8s.io/broken\nx.go:1:2: undefined: y\n"))
	if p.downloaded != 1 || p.compiled != 1 {
		t.Errorf("downloaded %d, compiled %d", p.downloaded, p.compiled)
	}
	if got := strings.Join(p.tail(), "|"); got != "# k8s.io/broken|x.go:1:2: undefined: y" {
		t.Errorf("the error is %q", got)
	}
}
