//go:build linux

package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/platform"
)

// newDiskHost is a host whose state directory is a file system of its own.
func newDiskHost(t *testing.T) (h *host, disk string) {
	t.Helper()
	needsRoot(t)
	disk = filepath.Join(openDirectory(t), "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=8m,mode=0755"); err != nil {
		t.Skipf("SKIPPED: nothing can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return newHost(t, func(o *Options) { o.StateDir, o.LogLimit = filepath.Join(disk, "state"), 1<<20 }), disk
}

// fill leaves no room on the disk. The returned function gives it back.
func fill(t *testing.T, disk string) func() {
	t.Helper()
	path := filepath.Join(disk, "ballast")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for size := 1 << 16; size > 0; {
		if _, err := file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return func() {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// sealed makes the disk read-only for everybody, as far as the kernel can while files are open for writing.
func seal(t *testing.T, disk string) func() {
	t.Helper()
	// A bind mount over itself can be read-only although servers have their output open.
	state := filepath.Join(disk, "state")
	if err := unix.Mount(state, state, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", state, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Unmount(state, unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADiskThatCannotBeWrittenHurtsNoServerAndIsRecoveredFrom(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*testing.T, string) func()
		cause error
	}{"full": {fill, unix.ENOSPC}, "read-only": {seal, unix.EROFS}} {
		t.Run(name, func(t *testing.T) {
			h, disk := newDiskHost(t)
			h.ensure(desired("a", "h"))
			h.ensure(desired("b", "h"))
			a, b := h.running("a", "h"), h.running("b", "h")
			h.close()
			mend := c.spoil(t, disk)
			h.open()
			for uid, before := range map[string]platform.Observed{"a": a, "b": b} {
				if o := h.running(uid, "h"); o.PID != before.PID || o.Restarts != 0 {
					t.Errorf("%s was touched: %+v", uid, o)
				}
			}
			kill(t, a.PID, syscall.SIGKILL)
			// A server that ran for a while is started at once, and then another reason may be told first.
			until(t, "the reason is told", func() bool {
				o := h.inspect("a")
				return o.State == platform.StateWaiting && errors.Is(o.StartError, c.cause) && strings.Contains(o.StartError.Error(), "must be written down")
			})
			if err := h.d.Ensure(t.Context(), desired("c", "h")); !errors.Is(err, c.cause) {
				t.Errorf("Ensure: %v", err)
			}
			mend()
			until(t, "it runs again", func() bool { return len(h.lines("a", "starts")) == 2 })
			if o := h.running("a", "h"); o.StartError != nil || o.Restarts != 1 {
				t.Errorf("%+v", o)
			}
			if o := h.running("b", "h"); o.PID != b.PID {
				t.Error("another server was touched")
			}
		})
	}
}

func TestWhereNoPluginCanBeLoadedThePlatformIsUnhealthy(t *testing.T) {
	h, disk := newDiskHost(t)
	remount := func(flags uintptr) {
		t.Helper()
		if err := unix.Mount("", disk, "", unix.MS_REMOUNT|flags, "size=8m,mode=0755"); err != nil {
			t.Fatal(err)
		}
	}
	healthy := func(want bool) {
		t.Helper()
		found := h.fingerprint()
		sets := layout{root: h.options.StateDir}.plugins()
		said := strings.Contains(found.Message, sets) && strings.Contains(found.Message, "noexec") && strings.Contains(found.Message, "--state-dir")
		if (found.Health == platform.HealthHealthy) != want || said == want {
			t.Errorf("%+v", found)
		}
	}
	healthy(true)
	remount(unix.MS_NOEXEC)
	healthy(false)
	remount(0)
	healthy(true)

	remount(unix.MS_NOEXEC)
	h.close()
	h.options.PluginsDir = "" // so no server has plugins
	h.open()
	healthy(true)
}

func TestAStopNeedsNoDisk(t *testing.T) {
	h, disk := newDiskHost(t)
	h.ensure(desired("a", "h"))
	o := h.running("a", "h")
	mend := fill(t, disk)
	// It is not written down, and done all the same.
	_ = h.d.Stop(t.Context(), ref("a"), patience)
	until(t, "it is stopped", func() bool { return !lives(o.PID) })
	h.in("a", platform.StateStopped)
	mend()
	until(t, "that is written down, although nobody asks again", func() bool {
		read, err := loadJournal(h.home("a"), "a")
		return err == nil && read.Want == wantStopped && read.Run == nil
	})
	h.reopen()
	h.in("a", platform.StateStopped)
	if starts := h.lines("a", "starts"); len(starts) != 1 {
		t.Errorf("starts %v", starts)
	}
}

func TestAStopThatCouldNotBeWrittenDownIsWhenItIsAskedForAgain(t *testing.T) {
	h, disk := newDiskHost(t)
	h.ensure(desired("a", "h", "TS_HANDLER_DELAY=1h"))
	o := h.in("a", platform.StateRunning)
	mend := fill(t, disk)
	if err := h.d.Stop(t.Context(), ref("a"), patience); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Stop: %v", err)
	}
	mend()
	h.stop("a", patience)
	if read, err := loadJournal(h.home("a"), "a"); err != nil || read.Want != wantStopped || !lives(o.PID) {
		t.Errorf("%+v, %v", read, err)
	}
}

func TestOutputIsBoundedOnAFullDisk(t *testing.T) {
	h, disk := newDiskHost(t)
	h.ensure(desired("a", "h"))
	h.running("a", "h")
	stdout := h.home("a").stdout()
	fill(t, disk)
	// What the server could still write before the disk was full.
	if err := errors.Join(os.Remove(filepath.Join(disk, "ballast")), os.Truncate(stdout, 2<<20)); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(stdout, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(make([]byte, 2<<20)); err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	fill(t, disk)
	until(t, "the output is cut", func() bool { return sizeOf(stdout) <= h.options.LogLimit })
}

func TestTheVersionOfTheStateDirectoryIsThereWholeOrNotAtAll(t *testing.T) {
	h := newHost(t)
	h.close()
	path := layout{root: h.options.StateDir}.version()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.open()
	if text, err := os.ReadFile(path); err != nil || string(text) != stateFormat+"\n" {
		t.Errorf("version %q, %v", text, err)
	}
	if _, err := os.Stat(path + ".tmp"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is left beside it: %v", err)
	}
}
