package machine

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/draas-io/draas/hack/controlplane/asset"
	"github.com/draas-io/draas/hack/proc"
)

//go:embed guest
var guest embed.FS

// packages are what the guest has beside the essential ones.
const packages = "systemd,systemd-sysv,udev,iproute2,procps,kmod,initramfs-tools,linux-image-cloud-amd64"

const (
	diskFile   = "root.img"
	kernelFile = "vmlinuz"
	initrdFile = "initrd"
	diskSize   = "4G" // most of it a hole
)

// Image is a guest's disk, kernel and initramfs, in one directory.
type Image struct{ Dir string }

func (i Image) complete() bool {
	for _, name := range []string{diskFile, kernelFile, initrdFile} {
		if _, err := os.Stat(filepath.Join(i.Dir, name)); err != nil {
			return false
		}
	}
	return true
}

// FindImage returns the image of the cache, and makes it where there is none yet.
func FindImage(ctx context.Context, log io.Writer) (Image, error) {
	if err := missing(emulator, "mke2fs"); err != nil {
		return Image{}, err
	}
	cache, err := asset.DefaultCache()
	if err != nil {
		return Image{}, err
	}
	from := readArchive(ctx)
	name, err := imageName(from.suite)
	if err != nil {
		return Image{}, err
	}
	image := Image{filepath.Join(cache, "vm", name)}
	if image.complete() {
		return image, nil
	}
	unlock, err := lock(ctx, filepath.Join(cache, "vm", "lock"))
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	if image.complete() { // somebody else made it while we waited
		return image, nil
	}
	return image, image.make(ctx, from, log)
}

// lock waits for whoever makes an image now.
func lock(ctx context.Context, path string) (func(), error) {
	const interval = 500 * time.Millisecond
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		unlock, err := proc.TryLock(path)
		if !errors.Is(err, proc.ErrLocked) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another run that makes the image: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// imageName changes with everything that the image is made of.
func imageName(suite string) (string, error) {
	sum := sha256.New()
	_, _ = fmt.Fprintln(sum, packages, diskSize) // a hash never fails
	err := fs.WalkDir(guest, "guest", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := guest.ReadFile(path)
		_, _ = fmt.Fprintln(sum, path, string(text))
		return err
	})
	const enough = 6
	return fmt.Sprintf("%s-amd64-%s", suite, hex.EncodeToString(sum.Sum(nil)[:enough])), err
}

// make builds the image beside its place and moves it there whole.
func (i Image) make(ctx context.Context, from archive, log io.Writer) error {
	if err := missing(emulator, "mke2fs", "mmdebstrap"); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return &MissingError{[]string{"there is no image yet at " + i.Dir + ", and making it needs root once"}}
	}
	begun := time.Now()
	say(log, "making the image of Debian %s, once per user: a minute or two", from.suite)
	tmp, err := os.MkdirTemp(filepath.Dir(i.Dir), "new-")
	if err != nil {
		return fmt.Errorf("make a directory for the image: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if err := os.CopyFS(tmp, guest); err != nil {
		return fmt.Errorf("write the guest's files: %w", err)
	}
	root, out := filepath.Join(tmp, "root"), filepath.Join(tmp, "out")
	if err := bootstrap(ctx, from, root, filepath.Join(tmp, "guest")); err != nil {
		return err
	}
	if err := os.Mkdir(out, 0o700); err != nil {
		return fmt.Errorf("make a directory for the image: %w", err)
	}
	for pattern, name := range map[string]string{"vmlinuz-*": kernelFile, "initrd.img-*": initrdFile} {
		found, err := filepath.Glob(filepath.Join(root, "boot", pattern))
		if err != nil || len(found) != 1 {
			return fmt.Errorf("the guest has %d files boot/%s, want 1 (%w)", len(found), pattern, err)
		}
		if err := os.Rename(found[0], filepath.Join(out, name)); err != nil {
			return fmt.Errorf("take the guest's kernel: %w", err)
		}
	}
	if err := makeDisk(ctx, filepath.Join(out, diskFile), root, diskSize); err != nil {
		return err
	}
	if err := os.Rename(out, i.Dir); err != nil {
		return fmt.Errorf("put the image in its place: %w", err)
	}
	say(log, "made the image in %s: %s", time.Since(begun).Round(time.Second), i.Dir)
	return nil
}

// bootstrap installs Debian into a directory. That the archive cannot be reached is this machine's lack, not the tool's failure.
func bootstrap(ctx context.Context, from archive, root, files string) error {
	args := make([]string, 0, len(from.options)+len(from.lines)+8)
	args = append(args, "--quiet", "--mode=root", "--format=directory", "--variant=minbase", "--include="+packages, "--architectures=amd64",
		fmt.Sprintf("--customize-hook=sh '%s/customize.sh' \"$1\" '%s'", files, files))
	for _, option := range from.options {
		args = append(args, "--aptopt="+option)
	}
	args = append(append(args, from.suite, root), from.lines...)
	out, err := exec.CommandContext(ctx, "mmdebstrap", args...).CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("install Debian: %w", context.Cause(ctx))
	}
	for _, sign := range []string{"Could not resolve", "Could not connect", "Unable to connect", "Failed to fetch", "Connection failed"} {
		if strings.Contains(string(out), sign) {
			return &MissingError{[]string{"the Debian archive cannot be reached: " + lastLines(string(out), 5)}}
		}
	}
	return fmt.Errorf("install Debian with mmdebstrap: %w\n%s", err, lastLines(string(out), 40))
}

// makeDisk makes a file with a file system that holds a directory, without mounting anything.
func makeDisk(ctx context.Context, file, dir, size string) error {
	mke2fs, err := find("mke2fs")
	if err != nil {
		return err
	}
	// Without a journal: nobody reads the disk after a crash.
	out, err := exec.CommandContext(ctx, mke2fs, "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", dir, file, size).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make disk %s: %w\n%s", file, err, out)
	}
	return nil
}

func say(log io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(log, "vm: "+format+"\n", args...) // who reads no more misses nothing else
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
