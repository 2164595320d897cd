//go:build linux

package process

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/draas-io/draas/internal/platform"
)

// simulator builds the simulated server once.
var simulator = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(serverPath), "simulator")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, "github.com/draas-io/draas/test/drasisim")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	output, err := build.CombinedOutput()
	if err != nil {
		return "", &buildError{string(output), err}
	}
	return path, nil
})

type buildError struct {
	output string
	err    error
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + e.output }

// newSimHost is a host with the simulated server.
func newSimHost(t *testing.T, change ...func(*Options)) *host {
	t.Helper()
	path, err := simulator()
	if err != nil {
		t.Fatal(err)
	}
	return newHost(t, append([]func(*Options){func(o *Options) { o.Executable = path }}, change...)...)
}

// sim are inputs for the simulated server, with variables as it takes them.
func sim(uid, hash string, env ...string) platform.Desired {
	d := desired(uid, hash, env...)
	d.Config = []byte(`{"id":"` + d.InstanceID + `","host":"127.0.0.1","persistConfig":false}`)
	return d
}

// simRunning waits until the simulated server takes SIGINT.
func (h *host) simRunning(uid, hash string) platform.Observed {
	h.t.Helper()
	var o platform.Observed
	until(h.t, uid+" runs with "+hash, func() bool {
		o = h.inspect(uid)
		if o.State != platform.StateRunning || o.Hash != hash || !handles(o.PID) {
			return false
		}
		listens, err := listensOn(o.PID, o.API.Port())
		return err == nil && listens
	})
	return o
}

// needsRoot skips what only root can be shown.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: this shows what only an agent of root's can do, and this test does not run as root")
	}
}

// needsGroups skips what needs cgroups.
func (h *host) needsGroups() {
	h.t.Helper()
	if lost := h.d.groups.lost(); lost != nil {
		h.t.Skipf("SKIPPED: no cgroup can be made here: %v", lost)
	}
}

func procPath(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// kernel reads a file of a process.
func kernel(t *testing.T, pid int, name string) string {
	t.Helper()
	text, err := os.ReadFile(procPath(pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// statusLine is a line of a process's status.
func statusLine(t *testing.T, pid int, name string) string {
	t.Helper()
	for line := range strings.Lines(kernel(t, pid, "status")) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	t.Fatalf("process %d has no %s", pid, name)
	return ""
}

func TestTheKernelShowsHowARunningServerIsConfined(t *testing.T) {
	needsRoot(t)
	t.Setenv("CANARY", "of-the-agent")
	h := newSimHost(t)
	h.ensure(sim("a", "h", "PASSWORD=secret"))
	o := h.simRunning("a", "h")
	home := h.home("a")
	user, err := loadJournal(home, "a")
	if err != nil || user.User == 0 {
		t.Fatalf("user %d, %v", user.User, err)
	}
	id := strconv.Itoa(int(user.User))
	four := strings.Join([]string{id, id, id, id}, " ")
	for name, want := range map[string]string{
		"Uid": four, "Gid": four, "Groups": "", "NoNewPrivs": "1", "CapInh": "0000000000000000", "CapPrm": "0000000000000000",
		"CapEff": "0000000000000000", "CapBnd": "0000000000000000", "CapAmb": "0000000000000000", "Umask": "0077",
	} {
		if got := statusLine(t, o.PID, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	limits := strings.Fields(limitLine(t, o.PID, "Max core file size"))
	if limits[4] != "0" || limits[5] != "0" {
		t.Errorf("core files: %v", limits)
	}
	// As many as is permitted where the agent may not raise its own limit.
	most := strings.Fields(limitLine(t, os.Getpid(), "Max open files"))[4]
	if files := strings.Fields(limitLine(t, o.PID, "Max open files")); files[3] != strconv.Itoa(openFiles) && files[3] != most {
		t.Errorf("open files: %v", files)
	}
	var names []string
	for entry := range bytes.SplitSeq([]byte(strings.TrimSuffix(kernel(t, o.PID, "environ"), "\x00")), []byte{0}) {
		name, _, _ := strings.Cut(string(entry), "=")
		names = append(names, name)
	}
	if got := strings.Join(names, " "); got != "PATH HOME NO_COLOR TS_MARK PASSWORD" {
		t.Errorf("environment %s", got)
	}
	if session, err := readStat(o.PID); err != nil || session.session != o.PID {
		t.Errorf("session %d, %v", session.session, err)
	}
	h.files(o.PID, home)
	h.confinedIn(o.PID, "a")
}

func limitLine(t *testing.T, pid int, name string) string {
	t.Helper()
	for line := range strings.Lines(kernel(t, pid, "limits")) {
		if strings.HasPrefix(line, name) {
			return line
		}
	}
	t.Fatalf("process %d has no %s", pid, name)
	return ""
}

// files checks the working directory and the descriptors of a server: those that it was given, and what its runtime made itself.
func (h *host) files(pid int, home home) {
	h.t.Helper()
	if dir, err := os.Readlink(procPath(pid, "cwd")); err != nil || dir != home.data() {
		h.t.Errorf("working directory %s, %v", dir, err)
	}
	entries, err := os.ReadDir(procPath(pid, "fd"))
	if err != nil {
		h.t.Fatal(err)
	}
	want := map[string]string{"0": os.DevNull, "1": home.stdout(), "2": home.stderr()}
	for _, entry := range entries {
		target, err := os.Readlink(procPath(pid, "fd/"+entry.Name()))
		own := strings.HasPrefix(target, "anon_inode:") || strings.HasPrefix(target, "socket:") || strings.HasPrefix(target, "/sys/") ||
			strings.HasPrefix(target, "/proc/")
		if err == nil && !own && want[entry.Name()] != target {
			h.t.Errorf("descriptor %s is %s", entry.Name(), target)
		}
		delete(want, entry.Name())
	}
	if len(want) != 0 {
		h.t.Errorf("it was not given %v", want)
	}
}

// confinedIn checks that a process is in the instance's group, in each hierarchy.
func (h *host) confinedIn(pid int, uid string) {
	h.t.Helper()
	if h.d.groups.lost() != nil {
		h.t.Logf("no cgroup can be made here: %v", h.d.groups.lost())
		return
	}
	where := h.d.groups.placeOf(uid)
	g, err := h.d.groups.at(where)
	if err != nil {
		h.t.Fatal(err)
	}
	in := 0
	for line := range strings.Lines(kernel(h.t.(*testing.T), pid, "cgroup")) {
		if strings.HasSuffix(strings.TrimSpace(line), "/"+where.Parent+"/"+where.Name) {
			in++
		}
	}
	if want := len(g.JoinFiles()); in != want {
		h.t.Errorf("in %d of %d groups:\n%s", in, want, kernel(h.t.(*testing.T), pid, "cgroup"))
	}
	if own := kernel(h.t.(*testing.T), os.Getpid(), "cgroup"); strings.Contains(own, where.Name) {
		h.t.Error("the agent is in the instance's group")
	}
}
