//go:build linux

package cgroup

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asMember makes the test binary a process of the tests: its value is what to do.
const asMember = "DRAAS_TEST_CGROUP_MEMBER"

func TestMain(m *testing.M) {
	if what := os.Getenv(asMember); what != "" {
		member(what)
		return
	}
	if os.Getenv(asOnlyVersion2) != "" {
		if err := onlyVersion2(); err != nil {
			say(err.Error())
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// enterGroups enters groups as the launcher does: by one thread, of which execve makes the whole process.
func enterGroups(files []string) {
	runtime.LockOSThread()
	for _, path := range files {
		if err := os.WriteFile(path, []byte("0"), 0); err != nil {
			say(err.Error())
			os.Exit(1)
		}
	}
	say(syscall.Exec("/proc/self/exe", os.Args[:1], os.Environ()).Error())
	os.Exit(1)
}

// member joins the groups whose files are its arguments, does what it is told, and waits to be killed.
func member(what string) {
	if len(os.Args) > 1 {
		enterGroups(os.Args[1:])
	}
	switch what {
	case "ignore":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	case "setsid":
		// Two generations away, in a session of its own, and the parent gone.
		child := exec.Command("/proc/self/exe")
		child.Env = []string{asMember + "=ignore"}
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			say(err.Error())
			os.Exit(1)
		}
		say(strconv.Itoa(child.Process.Pid))
		os.Exit(0)
	case "eat":
		eat()
	case "fork":
		forkOn()
	case "breed":
		breed()
	case "devices":
		for _, path := range []string{"/dev/null", "/dev/zero", "/dev/urandom"} {
			file, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				say(err.Error())
				os.Exit(1)
			}
			_ = file.Close()
		}
	}
	say("ready")
	for {
		// Without cgo the runtime would call an empty select a deadlock.
		_ = unix.Pause()
	}
}

func say(text string) { _, _ = os.Stdout.WriteString(text + "\n") }

// eat takes memory until it is killed, at most 1 GiB.
func eat() {
	say("ready")
	for range 1 << 10 {
		page, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return
		}
		for i := 0; i < len(page); i += 4096 {
			page[i] = 1
		}
	}
}

// forkOn starts children that start children, which the group's limit bounds, and this count where it does not.
func forkOn() {
	say("ready")
	for range 50 {
		child := exec.Command("/proc/self/exe")
		child.Env = []string{asMember + "=fork"}
		_ = child.Start()
	}
}

// breed starts lines of processes of which each lives for a moment only, and is replaced by its child. It reaps them itself: zombies count for the
// group's limit, and this host's init may be slow. A line ends where the limit is reached; when all have ended others are started.
func breed() {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		say(err.Error())
		os.Exit(1)
	}
	say("ready")
	for {
		lines := exec.Command("/bin/sh", "-c", `f() { sleep 0.02; (f) & }; for i in $(seq 30); do (f) & done`)
		lines.Env = []string{"PATH=/usr/bin:/bin"}
		_ = lines.Start() // or later
		for {
			if _, err := syscall.Wait4(-1, nil, 0, nil); errors.Is(err, syscall.ECHILD) {
				break
			}
		}
	}
}

// tree opens a tree of its own, and removes what is left of it.
func tree(t *testing.T) *Tree {
	t.Helper()
	parent := "draas-test-" + rand.Text()[:8]
	opened, err := Open(parent)
	if errors.Is(err, ErrNotPermitted) {
		t.Skipf("SKIPPED: this host lets no cgroup be made: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("hierarchies %v, limits %+v, born in a group: %t", opened.all, opened.support, opened.cloneInto)
	t.Cleanup(func() {
		names, err := opened.Groups()
		if err != nil {
			t.Error(err)
		}
		for _, name := range names {
			g := group(t, opened, name)
			if err := errors.Join(g.Kill(soon(t)), g.Remove(soon(t))); err != nil {
				t.Error(err)
			}
		}
		for _, h := range opened.all {
			if err := remove(soon(t), h.parent); err != nil {
				t.Error(err)
			}
		}
	})
	return opened
}

func group(t *testing.T, in *Tree, name string) *Group {
	t.Helper()
	g, err := in.Group(name)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// made is a group that exists.
func made(t *testing.T, in *Tree, limits Limits) *Group {
	t.Helper()
	g := group(t, in, "i-"+rand.Text()[:8])
	if err := g.Make(soon(t), limits); err != nil {
		t.Fatal(err)
	}
	return g
}

// soon is a context for what must not take long.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// join starts a process in the group, and returns what it says first.
func join(t *testing.T, files []string, what string) (*exec.Cmd, string) {
	t.Helper()
	command := exec.Command("/proc/self/exe", files...)
	command.Env = []string{asMember + "=" + what}
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatalf("the process in the group says nothing: %v", err)
	}
	return command, strings.TrimSpace(line)
}

// ready is a process in the group that does what it is told, and has said so.
func ready(t *testing.T, g *Group, what string) *exec.Cmd {
	t.Helper()
	command, said := join(t, g.JoinFiles(), what)
	if said != "ready" {
		t.Fatalf("the process in the group says %q", said)
	}
	return command
}

// eventually waits for what must happen soon.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("not after 30 s: %s", what)
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // a pause between two looks
	}
}

// read is the text of a group's file in the hierarchy of a controller.
func read(t *testing.T, g *Group, controller, v1, v2 string) string {
	t.Helper()
	h := g.tree.by[controller]
	file := v1
	if h.unified {
		file = v2
	}
	text, err := os.ReadFile(filepath.Join(g.dir(h), file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
