//go:build linux

package main

import (
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestOnlyServersBelowTheDirectoryAreKilled(t *testing.T) {
	dir := t.TempDir()
	begin := func(config string) (*exec.Cmd, chan struct{}) {
		cmd := exec.Command("/bin/sh", "-c", "read -r _; exit 3", "server", "--config", config)
		if _, err := cmd.StdinPipe(); err != nil { // it waits for ever
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait()
			close(ended)
		}()
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			<-ended
		})
		return cmd, ended
	}
	mine, ended := begin(filepath.Join(dir, "instances", "uid", "config", "server.json"))
	_, othersEnded := begin(filepath.Join(dir, "instances-of-another", "server.json"))
	if err := killBelow(filepath.Join(dir, "instances")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("a server of the directory lives on")
	}
	if status, ok := mine.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended by %v", mine.ProcessState)
	}
	select {
	case <-othersEnded:
		t.Error("a server of another directory was killed")
	default:
	}
}
