//go:build linux

package cgroup

import (
	"bufio"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// BenchmarkJoin is how long it takes until a new process is in its groups: by writing to their files, or by being born in the one of version 2.
// The kernel waits for all processors when nobody has joined a group for a while, so the pause between two is part of it.
func BenchmarkJoin(b *testing.B) {
	in, err := Open("draas-bench")
	if err != nil {
		b.Skipf("SKIPPED: %v", err)
	}
	g, err := in.Group("i")
	if err != nil {
		b.Fatal(err)
	}
	if err := g.Make(b.Context(), Limits{}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := g.Remove(b.Context()); err != nil {
			b.Log(err)
		}
		for _, h := range in.all {
			_ = removeOnce(h.parent)
		}
	})
	for name, pause := range map[string]time.Duration{"at once": 0, "after a pause": 200 * time.Millisecond} {
		b.Run("outside "+name, func(b *testing.B) { enter(b, pause, "", nil) })
		b.Run("by files "+name, func(b *testing.B) { enter(b, pause, "", g.JoinFiles()) })
		dir, files := g.CloneInto()
		if dir != "" {
			b.Run("by birth "+name, func(b *testing.B) { enter(b, pause, dir, files) })
		}
	}
}

func enter(b *testing.B, pause time.Duration, dir string, files []string) {
	b.Helper()
	for b.Loop() {
		b.StopTimer()
		time.Sleep(pause) //nolint:forbidigo // the pause is what is measured
		command := exec.Command("/proc/self/exe", files...)
		command.Env = []string{asMember + "=wait"}
		if dir != "" {
			into, err := os.Open(dir)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = into.Close() })
			command.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(into.Fd())}
		}
		output, err := command.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := command.Start(); err != nil {
			b.Fatal(err)
		}
		line, err := bufio.NewReader(output).ReadString('\n')
		b.StopTimer()
		if line != "ready\n" {
			b.Fatalf("%s, %v", line, err)
		}
		_ = command.Process.Kill()
		_ = command.Wait()
		b.StartTimer()
	}
}
