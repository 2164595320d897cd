package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/draas-io/draas/internal/failpoint"
)

// crashable builds the product's binary with its failpoints, once.
var crashable = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(world.dir, "bin", "manager-failpoint")
	flags := []string{"build", "-tags", "failpoint", "-o", binary}
	if raceEnabled {
		flags = append(flags, "-race")
	}
	out, err := exec.Command("go", append(flags, "github.com/draas-io/draas/cmd/manager")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the binary with failpoints: %w\n%s", err, out)
	}
	return binary, nil
})

// armable gives a part the binary with failpoints, and a directory to arm it by.
func (p *part) armable() (dir string) {
	GinkgoHelper()
	binary, err := crashable()
	Expect(err).NotTo(HaveOccurred())
	dir = filepath.Join(world.dir, "failpoints-"+p.name)
	Expect(os.MkdirAll(dir, 0o700)).To(Succeed())
	p.binary, p.env = binary, []string{failpoint.Variable + "=" + dir}
	return dir
}

// tended is a part that is started again whenever it dies, as a supervisor would. It dies by SIGKILL only, or ends since it may not lead any more.
type tended struct {
	*part
	// role is the part's name for its failpoints; dir is their directory.
	role, dir string

	mu       sync.Mutex
	stopping bool
	deaths   int
	// since is where in the log the present process began.
	since   int64
	failure error
	ended   chan struct{}
}

// run starts the part and tends it.
func (t *tended) run() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopping, t.ended = false, make(chan struct{})
	if found, err := os.Stat(t.log); err == nil {
		t.since = found.Size()
	}
	if err := t.spawn(); err != nil {
		return err
	}
	go t.tend(t.cmd, t.ended)
	return nil
}

func (t *tended) tend(cmd *exec.Cmd, ended chan struct{}) {
	defer close(ended)
	for {
		err := cmd.Wait()
		t.mu.Lock()
		if t.stopping {
			t.mu.Unlock()
			return
		}
		switch exit, ok := errors.AsType[*exec.ExitError](err); {
		case ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
			t.deaths++
		case ok && strings.Contains(t.said(t.since, 1<<30), "leader election lost"):
			// It could not renew its Lease in time, and was right to end.
		default:
			t.failure = fmt.Errorf("%s ended by itself: %w", t.name, err)
			t.mu.Unlock()
			return
		}
		if found, err := os.Stat(t.log); err == nil {
			t.since = found.Size()
		}
		t.failure = t.spawn()
		cmd = t.cmd
		t.mu.Unlock()
		if t.failure != nil {
			return
		}
	}
}

// halt ends the part as an administrator does, and the tending with it.
func (t *tended) halt() error {
	t.mu.Lock()
	t.stopping = true
	cmd, ended := t.cmd, t.ended
	t.mu.Unlock()
	if ended == nil {
		return nil
	}
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have died this moment
	select {
	case <-ended:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		<-ended
		return fmt.Errorf("%s did not end within %v:\n%s", t.name, patience, t.tail())
	}
	t.cmd, t.ended = nil, nil
	return t.failure
}

// murder kills the part from outside. It is started again.
func (t *tended) murder() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cmd != nil && t.cmd.Process != nil {
		_ = t.cmd.Process.Kill() // it may have died this moment
	}
}

// died is how often the part has died.
func (t *tended) died() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.deaths
}

// arm tells the part where to die, one time after the other.
func (t *tended) arm(crashes ...failpoint.Crash) error {
	var lines []string
	for _, crash := range crashes {
		lines = append(lines, crash.String())
	}
	file := failpoint.Armed(t.dir, t.role)
	if err := os.WriteFile(file+".new", []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// disarm says whether the part has died where it was told to.
func (t *tended) disarm() (reached bool) {
	return errors.Is(os.Remove(failpoint.Armed(t.dir, t.role)), os.ErrNotExist)
}

// working says whether the present process has begun with its work on instances.
func (t *tended) working() bool {
	t.mu.Lock()
	from := t.since
	t.mu.Unlock()
	return strings.Contains(t.said(from, 1<<20), "Starting workers")
}

// said is what the part's log has from a place on, up to so many bytes.
func (t *tended) said(from, most int64) string {
	file, err := os.Open(t.log)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.NewSectionReader(file, from, most))
	if err != nil {
		return ""
	}
	return string(text)
}

// passed counts how often each side of each point was passed, and tells of writes without a name.
func (t *tended) passed() (hits map[string]int, unnamed []string) {
	text, err := os.ReadFile(failpoint.Passed(t.dir, t.role))
	if err != nil {
		return nil, []string{err.Error()}
	}
	hits = map[string]int{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if words[0] == "error" {
			unnamed = append(unnamed, strings.TrimSpace(line))
			continue
		}
		hits[strings.Join(words[:2], " ")]++
	}
	return hits, unnamed
}

// until asks again and again until there is no error any more.
func until(ctx context.Context, what string, f func() error) error {
	return within(ctx, patience, what, f)
}

// within is until with a patience of its own.
func within(ctx context.Context, limit time.Duration, what string, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(polling)
	defer ticker.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-ticker.C:
		}
	}
}
