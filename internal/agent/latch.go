package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// latch remembers, also over restarts of the agent, which orphans were held: what was held once is not stopped without leave because another server
// has begun to run meanwhile.
type latch struct {
	// path is the file in the state directory; empty: it is remembered by this process only.
	path string
	kept latched
}

// latched is what is remembered.
type latched struct {
	Reason string   `json:"reason"`
	UIDs   []string `json:"uids"`
}

// openLatch reads what an earlier agent held.
func openLatch(path string) (*latch, error) {
	l := &latch{path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &l.kept)
	}
	if err != nil {
		return nil, fmt.Errorf("read which orphans were held (remove %s to forget them): %w", path, err)
	}
	return l, nil
}

// reason says why one of the orphans was held before; empty: none was.
func (l *latch) reason(orphans []orphan) string {
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
	if next.Reason == l.kept.Reason && slices.Equal(next.UIDs, l.kept.UIDs) {
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
	temporary := l.path + ".tmp"
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, l.path)
}
