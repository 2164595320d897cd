//go:build linux

package cgroup

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// asOnlyVersion2 makes the test binary run its tests where cgroup2 is all that is mounted.
const asOnlyVersion2 = "DRAAS_TEST_CGROUP_ONLY_2"

// onlyVersion2 mounts cgroup2 over everything, in this process's own mount namespace.
func onlyVersion2() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Unmount("/sys/fs/cgroup", unix.MNT_DETACH); err != nil {
		return err
	}
	return unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, "")
}

// The controllers may be bound to version 1 on this host; what is shown then is membership, freezing, killing and removal.
func TestAllOfItWhereOnlyVersion2IsMounted(t *testing.T) {
	in := tree(t)
	if len(in.all) == 1 && in.unified() != nil {
		t.Skip("SKIPPED: this host has version 2 only, so every other test shows it")
	}
	command := exec.Command("/proc/self/exe", "-test.v", "-test.run", "^(TestA|TestKill|TestSub|TestOpen|TestGroups|TestWhatDoes|TestLimits|TestNo)")
	command.Env = append(os.Environ(), asOnlyVersion2+"=1")
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	output, err := command.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("SKIPPED: no mount namespace may be made")
	}
	if err != nil || !strings.Contains(string(output), "hierarchies [cgroup2]") {
		t.Errorf("%v\n%s", err, output)
	}
	for line := range strings.Lines(string(output)) {
		if strings.Contains(line, "SKIPPED") {
			t.Log("with version 2 only: " + strings.TrimSpace(line))
		}
	}
}
