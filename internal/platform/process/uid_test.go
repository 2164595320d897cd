//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/platform"
	"github.com/draas-io/draas/internal/rotate"
)

func TestParseUIDRange(t *testing.T) {
	for text, want := range map[string]UIDRange{"none": {}, "70000-99999": DefaultUIDs, "65536-65536": {First: 65536, Last: 65536}} {
		if got, err := ParseUIDRange(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "0-0", "1000-2000", "99999-70000", "65535-70000", "70000-4294967295", "70000-4294967296", "a-b", "-1-5"} {
		if got, err := ParseUIDRange(text); err == nil {
			t.Errorf("%s is read as %v", text, got)
		}
	}
}

// owner is who owns a path itself.
func owner(t *testing.T, path string) uint32 {
	t.Helper()
	found, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return found.Sys().(*syscall.Stat_t).Uid
}

func (h *host) user(uid string) uint32 {
	h.t.Helper()
	read, err := loadJournal(h.home(uid), uid)
	if err != nil {
		h.t.Fatal(err)
	}
	return read.User
}

func TestEachInstanceHasAUserOfItsOwn(t *testing.T) {
	needsRoot(t)
	h := newHost(t, func(o *Options) { o.UIDs = UIDRange{First: 70001, Last: 70002} })
	for _, uid := range []string{"a", "b"} {
		d := desired(uid, "h")
		d.Folders = []string{"state/deep", "files"}
		h.ensure(d)
		h.running(uid, "h")
	}
	first, second := h.user("a"), h.user("b")
	if first == second || !h.options.UIDs.holds(first) || !h.options.UIDs.holds(second) {
		t.Fatalf("users %d and %d", first, second)
	}
	home := h.home("a")
	for path, want := range map[string]uint32{
		home.path: 0, home.logs(): 0, home.stdout(): 0, home.stderr(): 0, home.journal(): 0, home.data(): first, home.settings(): first,
		home.config(): first, filepath.Join(home.data(), "state"): first, filepath.Join(home.data(), "state", "deep"): first,
		filepath.Join(home.data(), "starts"): first,
	} {
		if got := owner(t, path); got != want {
			t.Errorf("%s belongs to %d, want %d", path, got, want)
		}
	}
	if err := h.d.Ensure(t.Context(), desired("c", "h")); err == nil || !strings.Contains(err.Error(), "none of 70001-70002 is free") {
		t.Errorf("Ensure without a free user: %v", err)
	}
	h.reopen()
	h.stop("a", patience)
	h.in("a", platform.StateStopped)
	if err := h.d.Remove(t.Context(), ref("a"), false); err != nil {
		t.Fatal(err)
	}
	h.ensure(desired("c", "h"))
	h.running("c", "h")
	if got := h.user("c"); got != first {
		t.Errorf("user %d, want the one that is free, %d", got, first)
	}
	h.ensure(desired("b", "h2"))
	h.running("b", "h2")
	if got := h.user("b"); got != second {
		t.Errorf("the user changed from %d to %d", second, got)
	}
}

func TestAServerCannotReachAnothersFilesOrTheAgents(t *testing.T) {
	needsRoot(t)
	h := newHost(t)
	h.ensure(desired("a", "h", "PASSWORD=x"))
	h.ensure(desired("b", "h"))
	h.running("a", "h")
	h.running("b", "h")
	inputs, err := filepath.Glob(filepath.Join(h.home("a").path, "input-*"))
	if err != nil || len(inputs) != 1 {
		t.Fatal(inputs, err)
	}
	home, own := h.home("a"), h.user("a")
	for path, mayOwn := range map[string]bool{
		home.config(): true, filepath.Join(home.data(), "starts"): true, home.journal(): false, inputs[0]: false, home.stdout(): false,
		filepath.Join(h.options.StateDir, "lock"): false, filepath.Join(h.options.StateDir, "version"): false,
	} {
		if got := opens(t, path, own); got != mayOwn {
			t.Errorf("%s can be opened by its own server: %t", path, got)
		}
		if opens(t, path, h.user("b")) {
			t.Errorf("%s can be opened by another server", path)
		}
	}
}

// opens tells whether a user can read a file.
func opens(t *testing.T, path string, uid uint32) bool {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	process, err := os.StartProcess("/bin/cat", []string{"cat", path}, &os.ProcAttr{
		Dir: "/", Files: []*os.File{null, null, null}, Sys: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}},
	})
	if err != nil {
		t.Skipf("SKIPPED: this host has no cat: %v", err)
	}
	state, err := process.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return state.Success()
}

func TestAnInstanceWithoutAUserRunsOnAndGetsOneAtItsNextStart(t *testing.T) {
	needsRoot(t)
	h := newHost(t, func(o *Options) { o.UIDs, o.CgroupParent = UIDRange{}, noCgroups })
	d := desired("a", "h", "TS_CHILDREN=1")
	d.Folders = []string{"state"}
	h.ensure(d)
	before := h.running("a", "h")
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	data := h.home("a").data()
	if err := errors.Join(os.Symlink(outside, filepath.Join(data, "link")), os.WriteFile(filepath.Join(data, "others"), nil, 0o600),
		os.Chown(filepath.Join(data, "others"), 4711, 4711)); err != nil {
		t.Fatal(err)
	}
	h.close()
	h.options.UIDs, h.options.CgroupParent = DefaultUIDs, ""
	h.open()
	after := h.running("a", "h")
	if after.PID != before.PID || after.Restarts != 0 || h.user("a") != 0 || owner(t, data) != 0 {
		t.Errorf("a running server was touched: %+v, user %d", after, h.user("a"))
	}
	kill(t, before.PID, syscall.SIGKILL)
	until(t, "another run", func() bool { return len(h.lines("a", "starts")) == 2 })
	h.running("a", "h")
	user := h.user("a")
	if user == 0 {
		t.Fatal("it has no user")
	}
	for path, want := range map[string]uint32{
		data: user, filepath.Join(data, "starts"): user, filepath.Join(data, "state"): user, filepath.Join(data, "link"): user,
		filepath.Join(data, "others"): 4711, outside: 0,
	} {
		if got := owner(t, path); got != want {
			t.Errorf("%s belongs to %d, want %d", path, got, want)
		}
	}
	if got := statusLine(t, h.inspect("a").PID, "Uid"); !strings.HasPrefix(got, fmt.Sprint(user)) {
		t.Errorf("it runs as %s", got)
	}
}

func TestWhatAServerPlantsLeadsTheAgentNowhere(t *testing.T) {
	needsRoot(t)
	h := newHost(t)
	d := desired("a", "h")
	d.Folders = []string{"state"}
	h.ensure(d)
	before := h.running("a", "h")
	user, home := h.user("a"), h.home("a")
	outside := filepath.Join(openDirectory(t), "outside")
	if err := os.WriteFile(outside, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(filepath.Dir(outside), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{home.config(), filepath.Join(home.data(), "state")} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	// What the server could do, done as root.
	if err := errors.Join(
		os.Symlink(outside, home.config()), os.Symlink(outside, home.config()+".tmp"), os.MkdirAll(filepath.Join(home.dotenv(), "x"), 0o700),
		os.Symlink(dir, filepath.Join(home.data(), "state")), os.Link(outside, filepath.Join(home.data(), "hard")),
	); err != nil {
		t.Fatal(err)
	}
	kill(t, before.PID, syscall.SIGKILL)
	until(t, "the folder is refused", func() bool { return h.inspect("a").StartError != nil })
	if err := os.Remove(filepath.Join(home.data(), "state")); err != nil {
		t.Fatal(err)
	}
	until(t, "another run", func() bool { return len(h.lines("a", "starts")) == 2 })
	h.running("a", "h")
	h.stop("a", patience)
	h.in("a", platform.StateStopped)
	if err := h.d.Remove(t.Context(), ref("a"), true); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(outside); err != nil || string(text) != "theirs" || owner(t, outside) != 0 || owner(t, dir) != 0 {
		t.Errorf("what lies outside was touched: %q, %v", text, err)
	}
	kept := filepath.Join(layout{root: h.options.StateDir}.retained(), "a-name-of-a")
	for _, path := range []string{kept, filepath.Join(kept, "starts"), filepath.Join(kept, "state")} {
		if got := owner(t, path); got != 0 {
			t.Errorf("%s still belongs to %d, which is to be another instance's one day; it was %d", path, got, user)
		}
	}
	if found, err := os.Stat(kept); err != nil || found.Mode().Perm() != modePrivate {
		t.Errorf("what is kept: %v, %v", found.Mode(), err)
	}
}

func TestAnOutputThatIsNoPlainFileIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Link(target, filepath.Join(dir, "hard")), os.Symlink(target, filepath.Join(dir, "soft")),
		unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600), os.Mkdir(filepath.Join(dir, "dir"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hard", "soft", "pipe", "dir"} {
		if file, err := rotate.Open(filepath.Join(dir, name), os.O_WRONLY|os.O_APPEND|os.O_CREATE); err == nil {
			_ = file.Close()
			t.Errorf("%s was opened", name)
		}
	}
}

func TestAWayThatLetsOthersNotInIsTold(t *testing.T) {
	needsRoot(t)
	h := newHost(t)
	h.ensure(desired("a", "h"))
	o := h.running("a", "h")
	above := filepath.Dir(h.options.StateDir)
	if err := os.Chmod(above, 0o700); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	if again := h.running("a", "h"); again.PID != o.PID {
		t.Error("a running server was touched")
	}
	if found := h.fingerprint(); found.Health != platform.HealthUnhealthy || !strings.Contains(found.Message, "chmod o+x "+above) {
		t.Errorf("%+v", found)
	}
	if err := h.d.Ensure(t.Context(), desired("b", "h")); err == nil || !strings.Contains(err.Error(), "chmod o+x "+above) {
		t.Errorf("Ensure: %v", err)
	}
	kill(t, o.PID, syscall.SIGKILL)
	until(t, "the reason is told", func() bool {
		err := h.inspect("a").StartError
		return err != nil && strings.Contains(err.Error(), "chmod o+x "+above)
	})
	if err := os.Chmod(above, 0o711); err != nil {
		t.Fatal(err)
	}
	until(t, "another run", func() bool { return len(h.lines("a", "starts")) == 2 })
}

func TestAnExecutableThatOthersMayNotExecuteIsTold(t *testing.T) {
	needsRoot(t)
	own := filepath.Join(openDirectory(t), "drasi-server")
	install(t, serverPath, own)
	h := newHost(t, func(o *Options) { o.Executable = own })
	if err := os.Chmod(own, 0o700); err != nil {
		t.Fatal(err)
	}
	if found := h.fingerprint(); found.Health != platform.HealthUnhealthy || !strings.Contains(found.Message, "chmod o+rx "+own) {
		t.Errorf("%+v", found)
	}
	err := h.d.Ensure(t.Context(), desired("a", "h"))
	if platform.CodeOf(err) != platform.CodeVersionUnavailable || !strings.Contains(err.Error(), "chmod o+rx") {
		t.Errorf("Ensure: %v", err)
	}
}
