// Package machine runs a small Debian under qemu, for what the kernel and the init system of the machine at hand cannot show: cgroup v2 alone, with all its
// controllers, systemd as process 1, a reboot.
//
// The image is made once per user from the Debian archive that apt knows, and kept outside the checkout. Nothing is ever written to it: what a run changes is gone with it.
package machine
