package rotate

import (
	"errors"
	"os"
	"syscall"
	"time"
)

const (
	// late is how late the next look may come, and how long a copy may take: processors have other work, and virtual ones are not always there.
	late = 10 * time.Millisecond
	// leastKept is the part of the limit that is kept at least, however fast the server writes.
	leastKept = 8
)

// file is an output file.
type file struct {
	path  string
	limit int64
	// size is what it had when it was looked at last, and seen when that was.
	size int64
	seen time.Time
	// watched says that the kernel tells of writes.
	watched bool
	// fast says that it grew, when it was looked at last, at a speed at which it is full within a second.
	fast bool
	// failed says that it could not be looked at or cut: the next list tries again.
	failed bool
	// gone says that it was not there.
	gone bool
}

// look cuts the file if it is too big, or will be before long at the speed at which it grows.
func (f *file) look(now time.Time) error {
	passed := now.Sub(f.seen)
	f.seen = now
	size, err := sizeOf(f.path)
	if f.gone = errors.Is(err, os.ErrNotExist); f.gone {
		f.size = 0
		return nil
	}
	if err != nil {
		return err
	}
	grown := max(size-f.size, 0)
	// within is what will be written in a time, if what was written since the last look took at least so long.
	within := func(d, atLeast time.Duration) int64 {
		return int64(float64(grown) * float64(d) / float64(max(passed, atLeast)))
	}
	// A burst is no flood: it is over at the next look.
	least := late
	if f.fast {
		least = pause
	}
	f.size, f.fast = size, within(time.Second, late) > f.limit
	if size <= f.limit/2 || size+within(late, least) <= f.limit {
		return nil
	}
	// Both parts together stay within twice the limit: what is kept leaves room for what is written while it is copied.
	if err := Cut(f.path, max(f.limit-within(late, pause), f.limit/leastKept)); err != nil {
		return err
	}
	f.size, err = sizeOf(f.path)
	return err
}

// sizeOf is how big a file is.
func sizeOf(path string) (int64, error) {
	var found syscall.Stat_t
	if err := syscall.Stat(path, &found); err != nil {
		return 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return found.Size, nil
}
