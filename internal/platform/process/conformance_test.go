//go:build linux

package process

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/draas-io/draas/internal/platform"
	"github.com/draas-io/draas/internal/platform/conformance"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Harness{NewWorld: newWorld, Parallel: true})
}

// world is a host as the conformance suite looks at it.
type world struct {
	*host
	ledgers string
}

func newWorld(t *testing.T) conformance.World {
	w := &world{host: newHost(t, func(o *Options) { o.Ports = freshPorts() }), ledgers: openDirectory(t)}
	w.close()
	open := func(options Options) (platform.Driver, error) {
		d, err := openDriver(t.Context(), options)
		if err != nil {
			return nil, err
		}
		return d, nil
	}
	unlimited := w.options
	unlimited.CgroupParent = noCgroups
	world := conformance.World{
		Open:         func() (platform.Driver, error) { return open(w.options) },
		Kill:         func(d platform.Driver) { _ = d.(*Driver).Close() },
		Desired:      func(ref platform.Ref, variant string) platform.Desired { return w.desired(ref, variant) },
		Live:         w.live,
		Traces:       w.traces,
		Kept:         w.kept,
		Starts:       w.starts,
		Crash:        w.crash,
		Failing:      w.failing,
		FailingCode:  3,
		FailingWords: "it cannot be done",
		Stubborn: func(ref platform.Ref, variant string) platform.Desired {
			return w.desired(ref, variant, "TS_IGNORE_INT=1")
		},
		PlantForeign:   w.plant,
		MissingVersion: "9.9.9",
		MissingPlugin:  &platform.Plugin{Category: "source", Kind: "missing", Reference: "registry/source/missing:1.2.3"},
		FreePort:       func() (uint16, error) { return freePort(), nil },
	}
	if w.d.groups.support().Memory {
		world.Unlimited = func() (platform.Driver, error) { return open(unlimited) }
		world.Hungry = func(ref platform.Ref, variant string) platform.Desired {
			d := w.desired(ref, variant, "TS_EAT=268435456")
			d.Resources = platform.Resources{Memory: 64 << 20}
			return d
		}
	}
	return world
}

func (w *world) desired(ref platform.Ref, variant string, env ...string) platform.Desired {
	path := filepath.Join(w.ledgers, ref.UID)
	// Whatever user the server has, it appends to this.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
	if err == nil {
		err = errors.Join(file.Close(), os.Chmod(path, 0o666))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	d := desired(ref.UID, "hash-"+variant, append(env, "TS_LEDGER="+path)...)
	d.Ref = ref
	return d
}

func (w *world) failing(ref platform.Ref, variant string) platform.Desired {
	return w.desired(ref, variant, "TS_EXIT=3", "TS_STDERR=Error: it cannot be done\n")
}

// serversOf finds the servers of an instance by what they were started with.
func serversOf(h home) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile("/proc/" + entry.Name() + "/cmdline")
		if err != nil {
			continue
		}
		if slices.ContainsFunc(bytes.Split(line, []byte{0}), func(arg []byte) bool { return string(arg) == h.config() }) && lives(pid) {
			found = append(found, pid)
		}
	}
	return found, nil
}

func (w *world) traces(uid string) ([]string, error) {
	var found []string
	if _, err := os.Lstat(w.home(uid).path); !errors.Is(err, os.ErrNotExist) {
		found = append(found, w.home(uid).path)
	}
	live, err := serversOf(w.home(uid))
	for _, pid := range live {
		found = append(found, "process "+strconv.Itoa(pid))
	}
	return found, err
}

func (w *world) kept(uid string) ([]string, error) {
	return filepath.Glob(filepath.Join(layout{root: w.options.StateDir}.retained(), uid+"-*"))
}

// live returns the living servers, once each of them has written itself down: only then it counts as a start.
func (w *world) live(uid string) ([]int, error) {
	found, err := serversOf(w.home(uid))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(pid int) bool {
		poll(patience, time.Millisecond, func() bool { return !lives(pid) || slices.Contains(w.noted(uid), pid) })
		return !lives(pid)
	}), nil
}

// noted are the servers that have written themselves down.
func (w *world) noted(uid string) []int {
	text, err := os.ReadFile(filepath.Join(w.ledgers, uid))
	if err != nil {
		return nil
	}
	var pids []int
	for line := range strings.Lines(string(text)) {
		first, _, _ := strings.Cut(line, " ")
		pids = append(pids, number(w.t, first))
	}
	return pids
}

func (w *world) starts(uid string) (int, error) { return len(w.noted(uid)), nil }

func (w *world) crash(uid string) error {
	live, err := serversOf(w.home(uid))
	if err != nil {
		return err
	}
	for _, pid := range live {
		err = errors.Join(err, syscall.Kill(pid, syscall.SIGKILL))
	}
	return err
}

// plant puts a directory of somebody else where that of an instance would be.
func (w *world) plant(uid string) (func() error, error) {
	theirs := filepath.Join(w.home(uid).path, "theirs.txt")
	if err := os.MkdirAll(w.home(uid).path, 0o755); err != nil {
		return nil, err
	}
	return func() error {
		entries, err := os.ReadDir(w.home(uid).path)
		if err == nil && len(entries) != 1 {
			err = errors.New("it holds something else")
		}
		if err != nil {
			return err
		}
		_, err = os.Stat(theirs)
		return err
	}, os.WriteFile(theirs, nil, 0o644)
}
