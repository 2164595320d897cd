package agent

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/draas-io/draas/api/v1alpha1"
)

// damage puts into the latch's place what a power loss, or a disk, can leave there.
var damage = map[string]func(path string) error{
	"empty":      func(path string) error { return os.WriteFile(path, nil, 0o600) },
	"torn":       func(path string) error { return os.WriteFile(path, []byte(`{"reason":"AllOrph`), 0o600) },
	"zeros":      func(path string) error { return os.WriteFile(path, make([]byte, 100), 0o600) },
	"of nobody":  func(path string) error { return os.WriteFile(path, []byte("{}"), 0o600) },
	"unreadable": func(path string) error { return os.Mkdir(path, 0o700) },
}

func TestWhereItIsNotKnownWhatWasHeldEverythingIsUntilLeaveIsGiven(t *testing.T) {
	for name, spoil := range damage {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			path := filepath.Join(t.TempDir(), "held")
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			b.reaper.latch = openLatch(path)
			refs := b.run("a", "b", "c")
			b.gone(refs[0])
			// That this is told on the host does not depend on whether it can be written down.
			_, err := b.look()
			if err != nil && name != "unreadable" {
				t.Fatal(err)
			}
			if b.held == nil || b.held.Reason != v1alpha1.ReasonManyOrphaned || !strings.Contains(b.held.Message, path) {
				t.Fatalf("held %+v", b.held)
			}
			b.gone(refs[1])
			if _, err := b.look(); err != nil && name != "unreadable" {
				t.Fatal(err)
			}
			b.expect(refs...)

			b.live.annotate(strconv.FormatInt(numberOf(b.reaper.held), 10))
			if _, err := b.look(); err != nil {
				t.Fatal(err)
			}
			b.expect(refs[2])
			if _, err := os.Stat(path); !os.IsNotExist(err) || b.held != nil || openLatch(path).lost != nil {
				t.Errorf("still held: %+v, %v", b.held, err)
			}
		})
	}
}

func TestADamagedLatchThatHoldsNothingIsTakenAway(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(t.TempDir(), "held")
	if err := damage["torn"](path); err != nil {
		t.Fatal(err)
	}
	b.reaper.latch = openLatch(path)
	refs := b.run("a", "b")
	if _, err := b.look(); err != nil || b.held != nil {
		t.Fatal(err, b.held)
	}
	b.gone(refs[0])
	if _, err := b.look(); err != nil || b.held != nil {
		t.Fatal(err, b.held)
	}
	b.expect(refs[1])
}
