//go:build linux

package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/draas-io/draas/internal/rotate"
)

const (
	// rotatorPause is how long after its end a rotator is started again.
	rotatorPause = time.Second
	// rotatorPatience is how long a rotator may take to read what it is told, and to end when it is no longer needed.
	rotatorPatience = 2 * time.Second
)

// outputs has the output files of all servers kept near their limit, by a process that package rotate is.
type outputs struct {
	d *Driver
	// mu guards feed, which leads to the rotator, and stop, which ends it; feed is nil where there is none.
	mu   sync.Mutex
	feed *os.File
	stop context.CancelFunc
}

func newOutputs(d *Driver) *outputs { return &outputs{d: d} }

// add has the files of units looked after, which exist. One who has added them may let a server write to them.
func (b *outputs) add(units ...*unit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.feed == nil {
		// The next rotator is told of all.
		return
	}
	var text strings.Builder
	for _, u := range units {
		text.WriteString(u.home.stdout() + "\x00" + u.home.stderr() + "\x00")
	}
	// A pipe holds more than what is told at a time, so this waits only for a rotator that does not read any more. Such a one is replaced.
	err := b.feed.SetWriteDeadline(time.Now().Add(rotatorPatience))
	if err == nil {
		_, err = b.feed.WriteString(text.String())
	}
	if err != nil {
		b.d.log.Error(err, "cannot tell the rotator of output files")
		b.stop()
		b.detach()
	}
}

// detach closes the feed, at whose end the rotator ends. The caller holds the lock.
func (b *outputs) detach() {
	if b.feed != nil {
		_ = b.feed.Close()
		b.feed = nil
	}
}

// run keeps a rotator running until the driver is closed.
func (b *outputs) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-b.d.done
		cancel()
	}()
	for {
		err := b.rotate(ctx)
		if ctx.Err() != nil {
			return
		}
		b.d.log.Error(err, "output files are not bounded until the rotator is started again", "pause", rotatorPause.String())
		again := make(chan struct{})
		forget := b.d.clock.AfterFunc(rotatorPause, func() { close(again) })
		select {
		case <-ctx.Done():
			forget()
			return
		case <-again:
		}
	}
}

// rotate runs a rotator until it ends or ctx does, and returns why it has ended.
func (b *outputs) rotate(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	rotator := exec.CommandContext(ctx, b.d.launcher)
	rotator.Args = rotate.Command(b.d.logLimit)
	// Nothing of the agent's environment; and what a terminal sends to the agent is not for it.
	rotator.Env, rotator.SysProcAttr = []string{}, &syscall.SysProcAttr{Setsid: true}
	said, err := rotator.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start the rotator: %w", err)
	}
	reads, feed, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start the rotator: %w", err)
	}
	rotator.Stdin, rotator.WaitDelay = reads, rotatorPatience
	// The end of the feed ends it; one that does not notice is killed.
	rotator.Cancel = func() error {
		b.attach(nil, nil)
		return nil
	}
	b.attach(feed, stop)
	defer b.attach(nil, nil)
	err = rotator.Start()
	_ = reads.Close()
	if err != nil {
		return fmt.Errorf("start the rotator: %w", err)
	}
	// One that was started anew knows nothing yet.
	b.add(b.d.all()...)
	b.hear(said)
	if err = rotator.Wait(); err == nil {
		err = errors.New("it ended by itself")
	}
	return fmt.Errorf("run the rotator: %w", err)
}

// attach replaces the feed and what ends the rotator.
func (b *outputs) attach(feed *os.File, stop context.CancelFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.detach()
	b.feed, b.stop = feed, stop
}

// hear logs what the rotator says, until it ends.
func (b *outputs) hear(said io.Reader) {
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		b.d.log.Info("output files may not be bounded as they should be", "why", lines.Text())
	}
}
