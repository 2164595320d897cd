package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestThePathOfAnInstanceEndsAtAPrivateDirectory(t *testing.T) {
	open, err := os.MkdirTemp(os.TempDir(), "draas-run-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(open) })
	private := filepath.Join(open, "home")
	below := filepath.Join(private, "checkout")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{open: 0o755, private: 0o700} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if got := closedAbove(below); got != private {
		t.Errorf("got %q, want %q", got, private)
	}
	if err := os.Chmod(private, 0o711); err != nil {
		t.Fatal(err)
	}
	if got := closedAbove(below); got == private || got == below {
		t.Errorf("got %q, which lets others in", got)
	}
}
