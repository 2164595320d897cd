//go:build linux

package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/testr"

	"github.com/draas-io/draas/internal/platform"
)

// serverPath is the stand-in for drasi-server.
var serverPath string

func TestMain(m *testing.M) { os.Exit(withServer(m)) }

func withServer(m *testing.M) int {
	if role := os.Getenv(roleVariable); role != "" {
		return playRole(role)
	}
	dir, err := os.MkdirTemp("", "draas-process-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o711); err != nil {
		panic(err)
	}
	serverPath = filepath.Join(dir, "drasi-server")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", serverPath, "./testdata/server")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the server for the tests: %v\n%s", err, output)
		return 1
	}
	return m.Run()
}

// nextPorts gives each driver of the tests ports of its own.
var nextPorts atomic.Uint32

const portsEach = 20

func freshPorts() PortRange {
	const lowest, most = 22000, 500
	n := (nextPorts.Add(1) + firstPorts) % most
	first := uint16(lowest + n*portsEach)
	return PortRange{First: first, Last: first + portsEach - 1}
}

// freePort is a port outside of every driver's range on which nobody listens.
func freePort() uint16 {
	for {
		port := freshPorts().First
		if !listening(netip.AddrPortFrom(apiAddress(true), port)) {
			return port
		}
	}
}

// firstPorts differs between test binaries that run at the same time.
var firstPorts = rand.Uint32N(500)

// host is a state directory with what is installed beside it.
type host struct {
	t       testing.TB
	options Options
	d       *Driver
	notes   atomic.Int64
}

// newHost opens a driver on a new state directory. At the end of the test every server is stopped.
func newHost(t testing.TB, change ...func(*Options)) *host {
	t.Helper()
	dir := openDirectory(t)
	h := &host{t: t, options: Options{
		StateDir: filepath.Join(dir, "state"), Executable: serverPath, PluginsDir: filepath.Join(dir, "plugins"), Ports: freshPorts(),
		UIDs: ownUsers(), Log: testLog(t),
	}}
	if err := os.MkdirAll(h.options.PluginsDir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&h.options)
	}
	t.Cleanup(h.end)
	h.open()
	return h
}

// ownUsers is the range of users where the tests may run programs as others; else none.
func ownUsers() UIDRange {
	if os.Geteuid() != 0 {
		return UIDRange{}
	}
	return DefaultUIDs
}

// openDirectory is a directory that servers with users of their own can get to, and write to.
func openDirectory(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o711), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// testLog writes to the test's log at most until the test ends.
func testLog(t testing.TB) logr.Logger {
	return testr.NewWithInterface(t, testr.Options{Verbosity: 1})
}

func (h *host) open() {
	h.t.Helper()
	d, err := openDriver(h.t.Context(), h.options)
	if err != nil {
		h.t.Fatalf("Open: %v", err)
	}
	d.Notify(func(platform.Ref) { h.notes.Add(1) })
	h.d = d
}

// opening is held while a driver is opened: it tries out what cgroups can do, with a name that is the process's.
var opening sync.Mutex

func openDriver(ctx context.Context, options Options) (*Driver, error) {
	opening.Lock()
	defer opening.Unlock()
	return Open(ctx, options)
}

// reopen does what a restart of the agent does.
func (h *host) reopen() {
	h.t.Helper()
	h.close()
	h.open()
}

func (h *host) close() {
	h.t.Helper()
	if err := h.d.Close(); err != nil {
		h.t.Fatalf("Close: %v", err)
	}
}

// end stops everything, whatever state the test left.
func (h *host) end() {
	_ = h.d.Close()
	options := h.options
	options.Clock, options.Hooks, options.Log = nil, nil, logr.Discard()
	d, err := openDriver(context.Background(), options)
	if err != nil {
		return
	}
	if err := d.StopAll(context.Background(), 0); err != nil {
		h.t.Errorf("StopAll: %v", err)
	}
	_ = d.Close()
	h.endGroups(d.groups)
	// Only root removes what is in a directory that nobody may write to.
	sets, err := filepath.Glob(filepath.Join(layout{root: options.StateDir}.plugins(), "*"))
	for _, set := range sets {
		err = errors.Join(err, os.Chmod(set, modePrivate))
	}
	if err != nil {
		h.t.Error(err)
	}
}

// endGroups kills what is left in the cgroups of the host, for instance the servers of spoiled journals, and removes them.
func (h *host) endGroups(left *groups) {
	names, err := left.named()
	if err != nil {
		h.t.Error(err)
	}
	for _, name := range names {
		g, err := left.at(left.placeOf(name))
		if err == nil {
			err = errors.Join(g.Kill(context.Background()), g.Remove(context.Background()))
		}
		if err != nil {
			h.t.Error(err)
		}
	}
}

func ref(uid string) platform.Ref {
	return platform.Ref{UID: uid, Namespace: "shop", Name: "name-of-" + uid}
}

// desired are inputs of which the hash tells everything.
func desired(uid, hash string, env ...string) platform.Desired {
	d := platform.Desired{
		Ref: ref(uid), Hash: hash, Generation: 1, Replace: true, Version: "0.2.2", InstanceID: "id-of-" + uid,
		Config: []byte(`{"id":"` + uid + `","hash":"` + hash + `"}`), Grace: 20 * time.Second,
	}
	d.Env = append(d.Env, platform.EnvVar{Name: "TS_MARK", Value: hash})
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		d.Env = append(d.Env, platform.EnvVar{Name: name, Value: value})
	}
	return d
}

func (h *host) ensure(d platform.Desired) {
	h.t.Helper()
	if err := h.d.Ensure(h.t.Context(), d); err != nil {
		h.t.Fatalf("Ensure %s %s: %v", d.UID, d.Hash, err)
	}
}

func (h *host) stop(uid string, grace time.Duration) {
	h.t.Helper()
	if err := h.d.Stop(h.t.Context(), ref(uid), grace); err != nil {
		h.t.Fatalf("Stop %s: %v", uid, err)
	}
}

func (h *host) inspect(uid string) platform.Observed {
	h.t.Helper()
	o, err := h.d.Inspect(h.t.Context(), ref(uid))
	if err != nil {
		h.t.Fatalf("Inspect %s: %v", uid, err)
	}
	return o
}

const patience = 30 * time.Second

// until waits for what shall come true.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	came := false
	poll(patience, 2*time.Millisecond, func() bool {
		came = f()
		return came
	})
	if !came {
		t.Fatalf("not within %s: %s", patience, what)
	}
}

// running waits until the instance runs with the hash and its handler is there, and returns what is then observed.
func (h *host) running(uid, hash string) platform.Observed {
	h.t.Helper()
	var o platform.Observed
	until(h.t, uid+" runs with "+hash, func() bool {
		o = h.inspect(uid)
		return o.State == platform.StateRunning && o.Hash == hash && h.seen(uid).PID == o.PID && handles(o.PID)
	})
	return o
}

func handles(pid int) bool {
	found, err := handlesInterrupt(pid)
	return err == nil && found
}

// in waits until the instance is in the state.
func (h *host) in(uid string, state platform.State) platform.Observed {
	h.t.Helper()
	var o platform.Observed
	until(h.t, uid+" is "+string(state), func() bool {
		o = h.inspect(uid)
		return o.State == state
	})
	return o
}

func (h *host) home(uid string) home { return layout{root: h.options.StateDir}.instance(uid) }

// seen is what the server of the instance saw when it was started last.
type seen struct {
	PID        int
	Config     []byte
	Env        [][]byte
	Plugins    []string
	PluginsDir string
	Port       int
	Umask      int
	Dir        string
	Args       []string
	Given      struct {
		Status, Limits string
		Descriptors    map[string]string
	}
}

func (h *host) seen(uid string) seen {
	h.t.Helper()
	var s seen
	text, err := os.ReadFile(filepath.Join(h.home(uid).data(), "seen.json"))
	if err != nil {
		return s
	}
	if err := json.Unmarshal(text, &s); err != nil {
		h.t.Fatal(err)
	}
	return s
}

// lines are the lines of a file in the server's working directory.
func (h *host) lines(uid, name string) []string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.home(uid).data(), name))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// kill sends a signal to a process of the test.
func kill(t testing.TB, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatalf("signal %v to %d: %v", sig, pid, err)
	}
}

// lives tells whether a process is there and no zombie.
func lives(pid int) bool {
	now, err := readStat(pid)
	return err == nil && now.alive()
}

func number(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func isUnavailable(err error) bool {
	_, ok := errors.AsType[*platform.UnavailableError](err)
	return ok
}
