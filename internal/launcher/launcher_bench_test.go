//go:build linux

package launcher_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/draas-io/draas/internal/launcher"
)

// BenchmarkLaunch is the time from fork to exec. The word is there from the start.
func BenchmarkLaunch(b *testing.B) {
	path, err := exec.LookPath("true")
	if err != nil {
		b.Skip("SKIPPED: this host has no true")
	}
	spec := launcher.Spec{FormatVersion: launcher.FormatVersion, Executable: []byte(path), Args: [][]byte{[]byte("true")}, Dir: []byte("/")}
	b.Run("plain", func(b *testing.B) { benchmark(b, spec) })
	if os.Geteuid() == 0 {
		spec.User = &launcher.User{UID: 71_234, GID: 71_234}
		b.Run("as a user of its own", func(b *testing.B) { benchmark(b, spec) })
	}
}

func benchmark(b *testing.B, spec launcher.Spec) {
	b.Helper()
	text, err := json.Marshal(spec)
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "launch.json")
	for b.Loop() {
		b.StopTimer()
		if err := os.WriteFile(file, text, 0o400); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		once(b, file)
	}
}

func once(b *testing.B, file string) {
	b.Helper()
	wordIn, word, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	status, statusOut, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	command := exec.Command("/proc/self/exe")
	command.Args, command.Env = []string{launcher.Name, file}, []string{}
	command.ExtraFiles = []*os.File{wordIn, statusOut}
	if _, err := word.Write([]byte{1}); err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	_, _ = wordIn.Close(), statusOut.Close()
	// Exec closes the other end.
	said, err := io.ReadAll(status)
	b.StopTimer()
	if err != nil || len(said) > 0 || command.Wait() != nil {
		b.Fatalf("%s, %v", said, err)
	}
	_, _ = word.Close(), status.Close()
	b.StartTimer()
}
