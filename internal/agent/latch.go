package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/draas-io/draas/api/v1alpha1"
)

// latch remembers, also over restarts of the agent, which orphans were held: what was held once is not stopped without leave because another server
// has begun to run meanwhile.
type latch struct {
	// path is the file in the state directory; empty: it is remembered by this process only.
	path string
	kept latched
	// lost says why it is not known what was held; nil: it is known. Then each orphan is taken for one that was, until leave is given.
	lost error
}

// latched is what is remembered.
type latched struct {
	Reason string   `json:"reason"`
	UIDs   []string `json:"uids"`
}

// openLatch reads what an earlier agent held. A file that cannot be read or understood keeps nobody from the API server.
func openLatch(path string) *latch {
	l := &latch{path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l
	}
	if err == nil {
		err = json.Unmarshal(text, &l.kept)
	}
	if err == nil && (l.kept.Reason == "" || len(l.kept.UIDs) == 0) {
		err = errors.New("it names no orphans")
	}
	if err != nil {
		l.kept, l.lost = latched{}, fmt.Errorf("read which orphans were held, in %s: %w", path, err)
	}
	return l
}

// reason says why one of the orphans was held before; empty: none was.
func (l *latch) reason(orphans []orphan) string {
	if l.lost != nil && len(orphans) > 0 {
		return v1alpha1.ReasonManyOrphaned
	}
	for i := range orphans {
		if slices.Contains(l.kept.UIDs, orphans[i].UID) {
			return l.kept.Reason
		}
	}
	return ""
}

// set remembers which orphans are held, and why; without orphans: none are.
func (l *latch) set(reason string, orphans []orphan) error {
	next := latched{Reason: reason}
	for i := range orphans {
		next.UIDs = append(next.UIDs, orphans[i].UID)
	}
	slices.Sort(next.UIDs)
	same := next.Reason == l.kept.Reason && slices.Equal(next.UIDs, l.kept.UIDs)
	if len(next.UIDs) == 0 && l.lost != nil {
		same, l.lost = false, nil
	}
	if same {
		return nil
	}
	l.kept = next
	if l.path == "" {
		return nil
	}
	if err := l.save(); err != nil {
		return fmt.Errorf("remember which orphans are held: %w", err)
	}
	return nil
}

// save replaces the file whole.
func (l *latch) save() error {
	if len(l.kept.UIDs) == 0 {
		if err := os.Remove(l.path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.Marshal(l.kept)
	if err != nil {
		return err
	}
	return replace(l.path, text)
}
