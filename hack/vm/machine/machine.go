package machine

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options say what a machine is like.
type Options struct {
	Image Image
	// Files are what the guest finds below /vm.
	Files []File
	// MemoryMiB and CPUs are its size.
	MemoryMiB, CPUs int
	// Network gives it qemu's user network, on which this machine's loopback is HostAddress, and there is nothing else.
	Network bool
	// Emulate never uses the processor itself.
	Emulate bool
	// Log receives what the tool has to say; never the guest's output.
	Log io.Writer
}

// HostAddress is this machine's loopback as the guest sees it.
const HostAddress = "10.0.2.2"

// Machine is a guest that runs.
type Machine struct {
	dir     string
	conn    net.Conn
	from    *bufio.Reader
	process *exec.Cmd
	ended   chan struct{}
	log     io.Writer
}

// Boot starts a machine and waits until it takes commands. Call it on a locked thread: the guest ends with the thread that started it.
func Boot(ctx context.Context, o Options) (*Machine, error) {
	begun := time.Now()
	dir, err := os.MkdirTemp("", "draas-vm-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the machine: %w", err)
	}
	m := &Machine{dir: dir, ended: make(chan struct{}), log: o.Log}
	if err := m.start(ctx, o); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := m.WaitReady(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	say(m.log, "the machine is up after %s", time.Since(begun).Round(100*time.Millisecond))
	return m, nil
}

func (m *Machine) start(ctx context.Context, o Options) error {
	share := filepath.Join(m.dir, "share.img")
	if err := shareFiles(ctx, o.Files, m.dir, share); err != nil {
		return err
	}
	socket := filepath.Join(m.dir, "shell")
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("listen for the guest: %w", err)
	}
	defer func() { _ = l.Close() }()
	m.process = exec.Command(emulator, m.arguments(o, share, socket)...) //nolint:noctx // it outlives this call; Close ends it
	m.process.Stderr = m.log
	m.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := m.process.Start(); err != nil {
		return fmt.Errorf("start the machine: %w", err)
	}
	go func() {
		_ = m.process.Wait() // why it ended is on its standard error
		close(m.ended)
		_ = l.Close() // who still waits for it need not
	}()
	if m.conn, err = l.Accept(); err != nil {
		return errors.Join(fmt.Errorf("wait for the machine's serial port: %w", err), m.process.Process.Kill())
	}
	m.from = bufio.NewReader(m.conn)
	return nil
}

func (m *Machine) arguments(o Options, share, socket string) []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35",
		"-m", strconv.Itoa(o.MemoryMiB), "-smp", strconv.Itoa(o.CPUs),
		"-kernel", filepath.Join(o.Image.Dir, kernelFile), "-initrd", filepath.Join(o.Image.Dir, initrdFile),
		"-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off panic=-1 systemd.unified_cgroup_hierarchy=1 systemd.show_status=no",
		"-drive", "file=" + filepath.Join(o.Image.Dir, diskFile) + ",if=virtio,format=raw,snapshot=on,cache=unsafe",
		"-drive", "file=" + share + ",if=virtio,format=raw,cache=unsafe",
		"-serial", "file:" + m.console(),
		"-chardev", "socket,id=shell,path=" + socket, "-serial", "chardev:shell",
	}
	if o.Network {
		args = append(args, "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=")
	}
	if hardware() && !o.Emulate {
		return append(args, "-accel", "kvm", "-cpu", "host")
	}
	say(m.log, "no hardware virtualization is used: the processor is EMULATED, and everything takes about ten times as long")
	return append(args, "-accel", "tcg,thread=multi", "-cpu", "max")
}

func (m *Machine) console() string { return filepath.Join(m.dir, "console.log") }

// The guest says these after a record separator; everything before it is output.
const (
	separator = '\x1e'
	readyWord = "ready"
	exitWord  = "exit "
)

// WaitReady waits until the guest has booted; after a reboot again.
func (m *Machine) WaitReady(ctx context.Context) error {
	word, err := m.next(ctx, io.Discard)
	if err == nil && word != readyWord {
		err = fmt.Errorf("it said %q", word)
	}
	if err != nil {
		return fmt.Errorf("wait until the machine is up: %w; the end of its console:\n%s", err, m.Console())
	}
	return nil
}

// Run runs a shell script as root and returns its exit code; its output, both kinds in one, goes to out.
func (m *Machine) Run(ctx context.Context, script string, out io.Writer) (int, error) {
	if err := m.send(script); err != nil {
		return 0, err
	}
	word, err := m.next(ctx, out)
	if err != nil {
		return 0, err
	}
	code, err := strconv.Atoi(strings.TrimPrefix(word, exitWord))
	if err != nil {
		return 0, fmt.Errorf("the machine said %q instead of an exit code; it may have crashed: the end of its console:\n%s", word, m.Console())
	}
	return code, nil
}

// Reboot restarts the guest and waits until it takes commands again.
func (m *Machine) Reboot(ctx context.Context) error {
	// The shell that would tell the exit code is stopped by what it runs: no answer may come before the next start.
	if err := m.send("systemctl start --no-block --job-mode=replace-irreversibly reboot.target; exec sleep infinity"); err != nil {
		return err
	}
	for {
		word, err := m.next(ctx, io.Discard)
		if err != nil {
			return fmt.Errorf("wait for the reboot: %w; the end of the console:\n%s", err, m.Console())
		}
		if word == readyWord {
			return nil
		}
	}
}

func (m *Machine) send(script string) error {
	if _, err := io.WriteString(m.conn, base64.StdEncoding.EncodeToString([]byte(script))+"\n"); err != nil {
		return fmt.Errorf("send a command to the machine: %w", err)
	}
	return nil
}

// next passes on output until the guest has something to say itself.
func (m *Machine) next(ctx context.Context, out io.Writer) (string, error) {
	stop := context.AfterFunc(ctx, func() { _ = m.conn.SetReadDeadline(time.Unix(1, 0)) }) // it ends a read that waits
	defer stop()
	for {
		b, err := m.from.ReadByte()
		if err == nil && b == separator {
			word, err := m.from.ReadString('\n')
			return strings.TrimSuffix(word, "\n"), m.why(ctx, err)
		}
		if err != nil {
			return "", m.why(ctx, err)
		}
		// What cannot be written must not hang the guest.
		_, _ = out.Write([]byte{b})
	}
}

// why says what a failed read means.
func (m *Machine) why(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return fmt.Errorf("the machine ended unasked: %w; the end of its console:\n%s", err, m.Console())
	}
}

// Console is the end of what the kernel and systemd said.
func (m *Machine) Console() string {
	text, err := os.ReadFile(m.console())
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text), 25)
}

// Close switches the machine off, whatever it does.
func (m *Machine) Close() error {
	_ = m.process.Process.Kill() // it may have ended already
	<-m.ended
	return errors.Join(m.conn.Close(), os.RemoveAll(m.dir))
}
