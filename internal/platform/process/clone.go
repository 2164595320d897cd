//go:build linux

package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/launcher"
	"github.com/draas-io/draas/internal/rotate"
)

// launchDeadline is how long a launcher may take from the word to exec. It has next to nothing to do then.
const launchDeadline = 10 * time.Second

// isLauncher tells whether arguments are those of a launcher for the instance.
func isLauncher(args []string, h home) bool {
	return len(args) == 2 && args[0] == launcher.Name && args[1] == h.spec()
}

// child is a launcher that waits for the word.
type child struct {
	*proc
	word   int
	status *os.File
}

// descriptors are what a launcher gets; close closes this side's copies.
type descriptors []int

func (d descriptors) close() {
	for _, fd := range d {
		_ = unix.Close(fd)
	}
}

// clone starts the launcher in a session of its own, and in a group of version 2 where that is given.
func clone(program string, h home, born string) (*child, error) {
	given, err := openOutputs(h)
	defer func() { given.close() }()
	if err != nil {
		return nil, err
	}
	var word, status [2]int
	if err := unix.Pipe2(word[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	if err := unix.Pipe2(status[:], unix.O_CLOEXEC); err != nil {
		descriptors(word[:]).close()
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	given = append(given, word[0], status[1])
	made, err := fork(program, h, given, born)
	if err == nil {
		err = unix.SetNonblock(status[0], true)
	}
	if err != nil {
		if made != nil {
			made.abandon()
		}
		descriptors{word[1], status[0]}.close()
		return nil, err
	}
	return &child{proc: made, word: word[1], status: os.NewFile(uintptr(status[0]), "status of the launcher")}, nil
}

// openOutputs opens what becomes standard input, output and error of the server. It returns what was opened also when something failed.
func openOutputs(h home) (descriptors, error) {
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	opened := descriptors{null}
	for _, path := range []string{h.stdout(), h.stderr()} {
		file, err := rotate.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT)
		if err != nil {
			return opened, err
		}
		fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		_ = file.Close()
		if err != nil {
			return opened, fmt.Errorf("open %s: %w", path, err)
		}
		// O_NONBLOCK was for opening only: nothing is a pipe here, and a server is given what it would have opened.
		if err := unix.SetNonblock(fd, false); err != nil {
			_ = unix.Close(fd)
			return opened, fmt.Errorf("open %s: %w", path, err)
		}
		opened = append(opened, fd)
	}
	return opened, nil
}

// fork makes the process. Its descriptor comes with it, so that there is no moment in which only its number is known.
func fork(program string, h home, given descriptors, born string) (*proc, error) {
	files := make([]uintptr, len(given))
	for i, fd := range given {
		files[i] = uintptr(fd)
	}
	pidfd := -1
	attributes := &syscall.ProcAttr{
		// Nothing of the agent's environment, not even for the launcher's own runtime.
		Env: []string{}, Files: files, Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd},
	}
	if born != "" {
		dir, err := unix.Open(born, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("open the cgroup %s: %w", born, err)
		}
		defer func() { _ = unix.Close(dir) }()
		attributes.Sys.UseCgroupFD, attributes.Sys.CgroupFD = true, dir
	}
	pid, err := syscall.ForkExec(program, []string{launcher.Name, h.spec()}, attributes)
	if err != nil {
		return nil, fmt.Errorf("start the launcher %s: %w", program, err)
	}
	if pidfd < 0 {
		// A child that nobody has waited for keeps its number.
		if pidfd, err = unix.PidfdOpen(pid, 0); err != nil {
			_ = unix.Kill(pid, unix.SIGKILL)
			_, _ = unix.Wait4(pid, nil, 0, nil)
			return nil, fmt.Errorf("open process %d: %w", pid, err)
		}
	}
	_ = unix.SetNonblock(pidfd, true)
	made := newProc(identity{PID: pid}, pidfd)
	made.seen = true
	now, err := readStat(pid)
	if err != nil {
		made.abandon()
		return nil, fmt.Errorf("read the start time of process %d: %w", pid, err)
	}
	made.StartTime = now.startTime
	return made, nil
}

// abandon makes an end of a child that did not become a server.
func (p *proc) abandon() {
	_ = p.signal(unix.SIGKILL)
	_ = p.control(func(fd uintptr) error {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(polled, -1); !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	})
	p.reap()
	p.close()
}

// abandon makes an end of a launcher that has not been given the word, or has failed.
func (c *child) abandon() {
	c.forget()
	c.proc.abandon()
}

// forget closes this side of the pipes. A launcher that still waits takes that for the agent's death.
func (c *child) forget() {
	if c.word >= 0 {
		_ = unix.Close(c.word)
		c.word = -1
	}
	_ = c.status.Close()
}

// release gives the word and waits until the launcher has become the server, or has said why it could not.
func (c *child) release(hooks *Hooks) error {
	err := hooks.around(PointGo, func() error {
		_, err := unix.Write(c.word, []byte{1})
		return err
	})
	_ = unix.Close(c.word)
	c.word = -1
	if err != nil && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("give the launcher the word: %w", err)
	}
	if err := c.status.SetReadDeadline(time.Now().Add(launchDeadline)); err != nil {
		return fmt.Errorf("wait for the launcher: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(c.status, exitLines))
	if err != nil {
		return fmt.Errorf("wait for the launcher: %w", err)
	}
	if len(text) > 0 {
		return fmt.Errorf("start the server: %s", text)
	}
	if err := c.status.Close(); err != nil {
		return fmt.Errorf("wait for the launcher: %w", err)
	}
	c.executed = true
	return nil
}
