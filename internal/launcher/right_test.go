//go:build linux

package launcher_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/launcher"
)

// stranger is nobody that this host knows.
const stranger = 71_234

func root(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: needs root")
	}
}

// servers is what a launch that waits is asked about as a server.
type servers struct {
	*launch
	pid string
}

// serve launches a server that goes on until its standard input is closed, and waits until it is the server.
func serve(t *testing.T, spec launcher.Spec) *servers {
	t.Helper()
	cat := basic(t, "cat")
	spec.FormatVersion, spec.Incarnation, spec.Executable, spec.Args = cat.FormatVersion, cat.Incarnation, cat.Executable, cat.Args
	if spec.Dir == nil {
		spec.Dir = cat.Dir
	}
	l := start(t, spec)
	input, release := l.word, l.input
	if _, err := input.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 1024)
	if n, err := l.status.Read(text); n > 0 {
		t.Fatalf("%s, %v", text[:n], err)
	}
	t.Cleanup(func() {
		_ = release.Close()
		_ = l.command.Wait()
	})
	return &servers{launch: l, pid: strconv.Itoa(l.command.Process.Pid)}
}

// descriptors are those that the server has open.
func (s *servers) descriptors() []os.DirEntry {
	s.t.Helper()
	entries, err := os.ReadDir("/proc/" + s.pid + "/fd")
	if err != nil {
		s.t.Fatal(err)
	}
	return entries
}

// proc is the text of a file that the kernel keeps about the server.
func (s *servers) proc(name string) string {
	s.t.Helper()
	text, err := os.ReadFile("/proc/" + s.pid + "/" + name)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// fields are those of the server's status.
func (s *servers) fields() map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(s.proc("status")) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.Join(strings.Fields(value), " ")
	}
	return fields
}

func (s *servers) check(want map[string]string) {
	s.t.Helper()
	got := s.fields()
	for name, value := range want {
		if got[name] != value {
			s.t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
}

const noCapabilities = "0000000000000000"

func TestAServerHasNoCapabilitiesAndCanGainNone(t *testing.T) {
	s := serve(t, launcher.Spec{Umask: 0o077})
	uid, gid := strconv.Itoa(os.Geteuid()), strconv.Itoa(os.Getegid())
	want := map[string]string{
		"NoNewPrivs": "1", "CapInh": noCapabilities, "CapPrm": noCapabilities, "CapEff": noCapabilities, "CapAmb": noCapabilities, "Umask": "0077",
		"Uid": strings.Join([]string{uid, uid, uid, uid}, " "), "Gid": strings.Join([]string{gid, gid, gid, gid}, " "),
	}
	held, err := strconv.ParseUint((&servers{launch: &launch{t: t}, pid: "self"}).fields()["CapEff"], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	if held&(1<<unix.CAP_SETPCAP) != 0 {
		want["CapBnd"] = noCapabilities
	} else {
		t.Log("SKIPPED: the bounding set cannot be dropped here")
	}
	s.check(want)
}

func TestAServerIsItsOwnUserWithoutGroups(t *testing.T) {
	root(t)
	folder := t.TempDir()
	data := filepath.Join(folder, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	open(t, folder)
	if err := os.Chown(data, stranger, stranger+1); err != nil {
		t.Fatal(err)
	}
	s := serve(t, launcher.Spec{Umask: 0o077, Dir: []byte(data), User: &launcher.User{UID: stranger, GID: stranger + 1}})
	s.check(map[string]string{
		"Uid": "71234 71234 71234 71234", "Gid": "71235 71235 71235 71235", "Groups": "", "NoNewPrivs": "1", "Umask": "0077",
		"CapInh": noCapabilities, "CapPrm": noCapabilities, "CapEff": noCapabilities, "CapBnd": noCapabilities, "CapAmb": noCapabilities,
	})
	if cwd, err := os.Readlink("/proc/" + s.pid + "/cwd"); err != nil || cwd != data {
		t.Errorf("working directory is %q, %v", cwd, err)
	}
	if s.there() {
		t.Error("the specification, which can hold secrets, is still there")
	}
}

// open lets everybody go through the folders above a temporary one.
func open(t *testing.T, folder string) {
	t.Helper()
	for folder != os.TempDir() && folder != "/" {
		if err := os.Chmod(folder, 0o711); err != nil {
			t.Fatal(err)
		}
		folder = filepath.Dir(folder)
	}
}

func TestRootWithoutAnotherUserHasNoCapabilitiesEither(t *testing.T) {
	root(t)
	// The file belongs to somebody else, and only capabilities would get root past its mode.
	path := filepath.Join(t.TempDir(), "foreign")
	if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, stranger, stranger); err != nil {
		t.Fatal(err)
	}
	l := start(t, basic(t, "cat", path))
	if text, code := l.end(true); code != 1 || text != "" || strings.Contains(l.stdout.String(), "secret") {
		t.Errorf("code %d, text %q, output %q", code, text, l.stdout.String())
	}
}

func TestASetuidProgramGivesNothingBack(t *testing.T) {
	root(t)
	folder := t.TempDir()
	open(t, folder)
	text, err := os.ReadFile(find(t, "cat"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "cat")
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	spec := basic(t, "cat", "/proc/self/status")
	spec.Executable, spec.User = []byte(path), &launcher.User{UID: stranger, GID: stranger}
	l := start(t, spec)
	if text, code := l.end(true); code != 0 || !strings.Contains(l.stdout.String(), "Uid:\t71234\t71234\t71234\t71234\n") {
		t.Errorf("code %d, text %q, output %q", code, text, l.stdout.String())
	}
}

func TestAServerHasItsLimitsAndOnlyItsDescriptors(t *testing.T) {
	s := serve(t, launcher.Spec{Umask: 0o022, Limits: []launcher.Limit{
		{Resource: unix.RLIMIT_CORE, Soft: 0, Cap: true, Required: true}, {Resource: unix.RLIMIT_NOFILE, Soft: 65_536},
	}})
	var most unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &most); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(s.proc("limits")) {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "Max core file size") && (fields[4] != "0" || fields[5] != "0"):
			t.Errorf("%s", line)
		case strings.HasPrefix(line, "Max open files"):
			soft, err := strconv.ParseUint(fields[3], 10, 64)
			if want := min(65_536, max(most.Max, 65_536)); err != nil || soft != want && soft != most.Max {
				t.Errorf("%s", line)
			}
		}
	}
	// It may have only just been executed: the dynamic linker has files open for a moment.
	deadline, tick := time.After(30*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for descriptors := s.descriptors(); len(descriptors) != 3; descriptors = s.descriptors() {
		select {
		case <-deadline:
			t.Fatalf("descriptors are %v", descriptors)
		case <-tick.C:
		}
	}
	if environ := s.proc("environ"); environ != "" {
		t.Errorf("environment is %q", environ)
	}
}

func TestARequiredLimitThatMayNotBeSetIsAnError(t *testing.T) {
	spec := basic(t, "echo", "executed")
	// Not even root may open more files than the kernel can count.
	spec.Limits = []launcher.Limit{{Resource: unix.RLIMIT_NOFILE, Soft: 1 << 40, Required: true}}
	l := start(t, spec)
	if text, code := l.end(true); code != launcher.ExitStep || !strings.Contains(text, "set the limits: limit 7") || l.stdout.Len() > 0 {
		t.Errorf("code %d, text %q, output %q", code, text, l.stdout.String())
	}
}

func TestItHasJoinedBeforeTheWord(t *testing.T) {
	// Any file will do to see what is written and when.
	path := filepath.Join(t.TempDir(), "cgroup.procs")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	spec := basic(t, "echo", "executed")
	spec.CgroupProcs = [][]byte{[]byte(path)}
	l := start(t, spec)
	if text, code := l.end(false); code != launcher.ExitNoGo {
		t.Fatalf("code %d, text %q", code, text)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "0" {
		t.Errorf("written is %q, %v", text, err)
	}
}

func TestAServerIsBornInItsGroup(t *testing.T) {
	root(t)
	var dir string
	for _, mount := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		dir = filepath.Join(mount, "draas-launcher-test-"+strconv.Itoa(os.Getpid()))
		if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err == nil && os.Mkdir(dir, 0o755) == nil {
			break
		}
		dir = ""
	}
	if dir == "" {
		t.Skip("SKIPPED: this host lets no group of cgroup2 be made")
	}
	// Done last, when the server has ended.
	t.Cleanup(func() {
		if err := syscall.Rmdir(dir); err != nil {
			t.Error(err)
		}
	})
	s := serve(t, launcher.Spec{CgroupProcs: [][]byte{[]byte(dir + "/cgroup.procs")}})
	if text := s.proc("cgroup"); !strings.Contains(text, "0::/"+filepath.Base(dir)+"\n") {
		t.Errorf("its groups are %s", text)
	}
}

func TestAStepThatFailsLeavesNoServer(t *testing.T) {
	folder := t.TempDir()
	closed := filepath.Join(folder, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		spoil func(*launcher.Spec)
		root  bool
		text  string
		there bool
	}{
		"no such group": {
			func(s *launcher.Spec) { s.CgroupProcs = [][]byte{[]byte(folder + "/none/cgroup.procs")} }, false,
			"join the cgroup: " + folder + "/none/cgroup.procs: no such file", true,
		},
		"user that is none": {
			func(s *launcher.Spec) { s.User = &launcher.User{UID: ^uint32(0), GID: 1} }, false, "become the server's user: user 4294967295", false,
		},
		"group that is none": {
			func(s *launcher.Spec) { s.User = &launcher.User{UID: 1, GID: ^uint32(0)} }, false, "become the server's user: user 1, group 4294967295", false,
		},
		"directory of somebody else": {
			func(s *launcher.Spec) {
				s.User, s.Dir = &launcher.User{UID: stranger, GID: stranger}, []byte(closed)
			}, true, "enter the working directory as the server's user: permission denied", false,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.root {
				root(t)
			}
			spec := basic(t, "echo", "executed")
			c.spoil(&spec)
			l := start(t, spec)
			text, code := l.end(true)
			if code != launcher.ExitStep || !strings.HasPrefix(text, c.text) || l.stdout.Len() > 0 || l.there() != c.there {
				t.Errorf("code %d, text %q, output %q, specification %t", code, text, l.stdout.String(), l.there())
			}
		})
	}
}

func TestWhoMayNotChangeTheUserStartsNothing(t *testing.T) {
	spec := basic(t, "echo", "executed")
	spec.User = &launcher.User{UID: stranger, GID: stranger}
	var l *launch
	if os.Geteuid() == 0 {
		// Root without the capabilities for it.
		l = start(t, spec, find(t, "setpriv"), "--bounding-set=-setuid,-setgid", "bash", "-c", `exec -a `+launcher.Name+` "$0" "$1"`)
	} else {
		l = start(t, spec)
	}
	text, code := l.end(true)
	if code != launcher.ExitStep || !strings.Contains(text, "become the server's user: supplementary groups: operation not permitted") || l.stdout.Len() > 0 {
		t.Errorf("code %d, text %q, output %q", code, text, l.stdout.String())
	}
}

func TestWithoutTheRightToDropTheBoundingSetNothingCanBeGainedFromIt(t *testing.T) {
	root(t)
	l := start(t, basic(t, "cat", "/proc/self/status"), find(t, "setpriv"), "--bounding-set=-setpcap", "bash", "-c", `exec -a `+launcher.Name+` "$0" "$1"`)
	text, code := l.end(true)
	for _, want := range []string{"CapPrm:\t" + noCapabilities, "CapEff:\t" + noCapabilities, "NoNewPrivs:\t1"} {
		if code != 0 || !strings.Contains(l.stdout.String(), want+"\n") {
			t.Errorf("code %d, text %q: no %q in %s", code, text, want, l.stdout.String())
		}
	}
}

func TestTheAgentsGroupsAreNotTheServers(t *testing.T) {
	root(t)
	for _, user := range []*launcher.User{nil, {UID: stranger, GID: stranger}} {
		spec, want := basic(t, "cat", "/proc/self/status"), "5 6"
		if user != nil {
			spec.User, want = user, ""
		}
		l := start(t, spec, find(t, "setpriv"), "--groups=5,6", "bash", "-c", `exec -a `+launcher.Name+` "$0" "$1"`)
		text, code := l.end(true)
		_, after, found := strings.Cut(l.stdout.String(), "\nGroups:")
		line, _, _ := strings.Cut(after, "\n")
		if got := strings.TrimSpace(line); code != 0 || !found || got != want {
			t.Errorf("user %v: code %d, text %q: groups are %q, want %q", user, code, text, got, want)
		}
	}
}

func TestProbeSaysWhatIsPermitted(t *testing.T) {
	rights, err := launcher.Probe()
	if err != nil {
		t.Fatal(err)
	}
	err = rights.MayBecome(launcher.User{UID: stranger, GID: stranger})
	if os.Geteuid() != 0 {
		if err == nil || !strings.Contains(err.Error(), "CAP_SETUID") {
			t.Errorf("error is %v", err)
		}
		return
	}
	if err != nil {
		t.Skipf("SKIPPED: root may not become others here: %v", err)
	}
	if err := rights.MayBecome(launcher.User{UID: ^uint32(0), GID: 1}); err == nil {
		t.Error("it may become who means nobody")
	}
	// What was found out is what comes of it.
	spec := basic(t, "true")
	spec.User = &launcher.User{UID: stranger, GID: stranger}
	l := start(t, spec)
	if text, code := l.end(true); code != 0 {
		t.Errorf("code %d, text %q", code, text)
	}
}
