//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/launcher"
	"github.com/draas-io/draas/internal/launcher/trial"
)

// permitTimeout bounds the trial, which takes milliseconds.
const permitTimeout = 5 * time.Second

// serverLimits are the resource limits of every server.
func serverLimits() []launcher.Limit {
	return []launcher.Limit{
		{Resource: unix.RLIMIT_NOFILE, Soft: openFiles},
		// What a server holds in its memory is not for a file: its environment may be secret.
		{Resource: unix.RLIMIT_CORE, Soft: 0, Cap: true, Required: true},
	}
}

// permits knows what of the limits and of the score for the out-of-memory killer the host does not permit.
type permits struct {
	mu    sync.Mutex
	known bool
	// short says in words what servers do not get.
	short []string
}

// notes tell what servers do not get. It is tried once, by a launcher that starts no server, and again as long as that fails.
func (p *permits) notes(ctx context.Context, dir string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known {
		ctx, cancel := context.WithTimeout(ctx, permitTimeout)
		defer cancel()
		short, err := tryPermits(ctx, dir)
		if path, ok := errors.AsType[*os.PathError](err); ok {
			err = path.Err // the path has the launcher's PID, and a text that changes is written again and again
		}
		if err != nil {
			return []string{fmt.Sprintf("which limits servers get could not be tried: %v", err)}
		}
		p.known, p.short = true, short
	}
	return p.short
}

// tryPermits starts a launcher and looks at it when it has entered the directory, which comes after limits and score.
func tryPermits(ctx context.Context, dir string) (short []string, err error) {
	there, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	spec := trial.Spec()
	spec.Dir, spec.Limits, spec.OOMScoreAdj = []byte(dir), serverLimits(), oomNeutral
	err = trial.Waiting(ctx, spec, nil, func(pid int) (bool, error) {
		proc := "/proc/" + strconv.Itoa(pid)
		at, err := os.Stat(proc + "/cwd")
		if err != nil || !os.SameFile(at, there) {
			return false, err
		}
		var files unix.Rlimit
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &files); err != nil {
			return false, fmt.Errorf("read the limits of a launcher: %w", err)
		}
		score, err := os.ReadFile(proc + "/oom_score_adj")
		if err != nil {
			return false, err
		}
		short = shortOf(files.Cur, strings.TrimSpace(string(score)))
		return true, nil
	})
	return short, err
}

// shortOf says in words what a server lacks that has this limit of open files and this score.
func shortOf(files uint64, score string) []string {
	var short []string
	if files < openFiles {
		short = append(short, fmt.Sprintf("a server can open %d files, not %d, since the agent may not raise its own limit (LimitNOFILE= of its unit, ulimit -Hn)", files, openFiles))
	}
	if score != strconv.Itoa(oomNeutral) {
		short = append(short, fmt.Sprintf("servers have the agent's own oom_score_adj, %s, which it may not lower to %d", score, oomNeutral))
	}
	return short
}
