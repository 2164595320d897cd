package machine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// guestSays makes a machine whose guest answers a script with the text.
func guestSays(t *testing.T, answer string) (m *Machine, script func() string) {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	got := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(there).ReadString('\n')
		text, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		got <- string(text)
		_, _ = io.WriteString(there, answer)
		_ = there.Close()
	}()
	return &Machine{dir: t.TempDir(), conn: here, from: bufio.NewReader(here)}, func() string { return <-got }
}

func TestACommandsOutputAndExitCodeComeBack(t *testing.T) {
	m, script := guestSays(t, "one\ntwo\n\x1eexit 3\n")
	var out bytes.Buffer
	code, err := m.Run(t.Context(), "echo 'one\ntwo'; exit 3", &out)
	if err != nil || code != 3 || out.String() != "one\ntwo\n" {
		t.Errorf("got %d, %v and output %q", code, err, &out)
	}
	if got := script(); got != "echo 'one\ntwo'; exit 3" {
		t.Errorf("the guest got %q", got)
	}
}

func TestAGuestThatCrashesOrRestartsIsNoResult(t *testing.T) {
	for name, answer := range map[string]string{"it ended": "half\n", "it restarted": "half\n\x1eready\n"} {
		t.Run(name, func(t *testing.T) {
			m, _ := guestSays(t, answer)
			if err := os.WriteFile(m.console(), []byte("Kernel panic\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			code, err := m.Run(t.Context(), "true", io.Discard)
			if err == nil || !strings.Contains(err.Error(), "Kernel panic") {
				t.Errorf("got %d, %v, want an error with the console", code, err)
			}
		})
	}
}

func TestTheDeadlineEndsACommandThatHangs(t *testing.T) {
	here, there := net.Pipe()
	defer func() { _, _ = here.Close(), there.Close() }()
	late := errors.New("late")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		_, _ = bufio.NewReader(there).ReadString('\n')
		cancel(late)
	}()
	m := &Machine{dir: t.TempDir(), conn: here, from: bufio.NewReader(here)}
	if _, err := m.Run(ctx, "sleep infinity", io.Discard); !errors.Is(err, late) {
		t.Errorf("got %v, want %v", err, late)
	}
}

func TestFilesKeepTheirPlacesAndModes(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	if err := errors.Join(
		os.MkdirAll(filepath.Join(from, "a", "b"), 0o700),
		os.WriteFile(filepath.Join(from, "a", "b", "run"), []byte("text"), 0o755),
	); err != nil {
		t.Fatal(err)
	}
	n, err := stageTree(from, filepath.Join(to, "x"))
	if err != nil || n != 4 {
		t.Fatalf("got %d, %v", n, err)
	}
	info, err := os.Stat(filepath.Join(to, "x", "a", "b", "run"))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("got %v, %v", info, err)
	}
}
