package plugin

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWrittenPluginsAreReadBack(t *testing.T) {
	dir := t.TempDir()
	if err := WriteSet(dir, All()); err != nil {
		t.Fatalf("write: %v", err)
	}
	for _, ref := range All() {
		want, err := New(ref)
		if err != nil {
			t.Fatalf("%s: %v", ref, err)
		}
		if !IsFileName(want.FileName()) {
			t.Errorf("%s: a server would not look at %s", ref, want.FileName())
		}
		got, err := Read(filepath.Join(dir, want.FileName()))
		if err != nil || got != want || got.Compatible() != nil {
			t.Errorf("%s: got %+v, %v", ref, got, err)
		}
	}
}

func TestOtherABIsAreNotCompatible(t *testing.T) {
	for name, change := range map[string]func(p *Plugin){
		"other minor":  func(p *Plugin) { p.SDK = "0.12.9" },
		"no SDK":       func(p *Plugin) { p.SDK = "" },
		"other target": func(p *Plugin) { p.Target = "x86_64-unknown-linux-musl" },
	} {
		p, err := New("source/mock")
		if err != nil {
			t.Fatal(err)
		}
		change(&p)
		if p.Compatible() == nil {
			t.Errorf("%s is compatible", name)
		}
	}
	p, err := New("source/mock")
	if err != nil {
		t.Fatal(err)
	}
	if p.SDK = "0.13.7"; p.Compatible() != nil {
		t.Error("another patch version is not compatible")
	}
}

func TestJunkIsNoPlugin(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "text": "junk", "no kind": magic + "\ncategory=source\n", "no category": magic + "\nkind=mock\n",
		"large": magic + "\ncategory=source\nkind=mock\n" + string(make([]byte, maxSize)),
	} {
		path := filepath.Join(t.TempDir(), "libdrasi_source_mock.so")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); !errors.Is(err, ErrJunk) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFileNamesOfOthersAreNotLookedAt(t *testing.T) {
	for _, name := range []string{"libother.so", "libdrasi_source_mock.dll", "drasi_source_mock.so", "libdrasi_mock.so", "plugins.lock"} {
		if IsFileName(name) {
			t.Errorf("%s is looked at", name)
		}
	}
}
