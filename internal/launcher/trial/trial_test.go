//go:build linux

package trial_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/launcher/trial"
)

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAWaitingLauncherIsLookedAtAndGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cgroup.procs")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	spec := trial.Spec()
	spec.CgroupProcs = [][]byte{[]byte(path)}
	seen := 0
	err := trial.Waiting(soon(t), spec, nil, func(pid int) (bool, error) {
		seen = pid
		text, err := os.ReadFile(path)
		return string(text) == "0", err
	})
	if err != nil || seen == 0 {
		t.Errorf("looked at %d, %v", seen, err)
	}
	if err := unix.Kill(seen, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("process %d: %v", seen, err)
	}
}

func TestWhatAWaitingLauncherSaysIsTheError(t *testing.T) {
	spec := trial.Spec()
	spec.CgroupProcs = [][]byte{[]byte("/nowhere/cgroup.procs")}
	err := trial.Waiting(soon(t), spec, nil, func(int) (bool, error) { return false, nil })
	if err == nil || !strings.Contains(err.Error(), "join the cgroup: /nowhere/cgroup.procs: no such file") {
		t.Errorf("error is %v", err)
	}
}

func TestALookThatFailsIsTheError(t *testing.T) {
	failed := errors.New("failed")
	if err := trial.Waiting(soon(t), trial.Spec(), nil, func(int) (bool, error) { return false, failed }); !errors.Is(err, failed) {
		t.Errorf("error is %v", err)
	}
}

func TestALookThatIsNeverSatisfiedEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	err := trial.Waiting(ctx, trial.Spec(), nil, func(int) (bool, error) {
		cancel()
		return false, nil
	})
	if err == nil {
		t.Error("no error")
	}
}
