package machine

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// MissingError says what this machine lacks for a virtual machine.
type MissingError struct{ What []string }

// Error lists all of it, with the way to get it.
func (e *MissingError) Error() string {
	return "no virtual machine can be had here: " + strings.Join(e.What, "; ")
}

// programs are what is run, with the Debian package that has each.
func programs() map[string]string {
	return map[string]string{emulator: "qemu-system-x86", "mke2fs": "e2fsprogs", "mmdebstrap": "mmdebstrap"}
}

const emulator = "qemu-system-x86_64"

// missing looks for the named programs.
func missing(names ...string) error {
	var lacks []string
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		lacks = append(lacks, fmt.Sprintf("this is %s/%s, the guest is linux/amd64", runtime.GOOS, runtime.GOARCH))
	}
	for _, name := range names {
		if _, err := find(name); err != nil {
			lacks = append(lacks, fmt.Sprintf("%s is not installed (Debian package %s)", name, programs()[name]))
		}
	}
	if len(lacks) > 0 {
		return &MissingError{lacks}
	}
	return nil
}

// find looks in the directories of administrators too: mke2fs is there, and not everybody's PATH has them.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path, nil
		}
	}
	return "", err
}

// hardware tells whether a guest can run on the processor itself. A /dev/kvm alone does not tell: there are ones (pvm) that run only kernels made for them.
func hardware() bool {
	for _, module := range []string{"kvm_intel", "kvm_amd"} {
		if _, err := os.Stat("/sys/module/" + module); err != nil {
			continue
		}
		if f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0); err == nil {
			_ = f.Close() // it was only to see whether we may
			return true
		}
	}
	return false
}
