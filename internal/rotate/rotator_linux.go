package rotate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

const (
	// pause is the time between two looks at files that are written to. A server that does nothing but print writes some 3 MiB in that time.
	pause = time.Millisecond
	// calmPause is that time once all files have grown slowly for so many looks in a row: each look wakes a processor.
	calmPause, calmAfter = 4 * time.Millisecond, 3
	// quiet is how long nothing is written until the next write may be the beginning of a flood like any other.
	quiet = 50 * time.Millisecond
	// relist is the time between two looks at every file, for what the kernel has not told, and blindRelist at those of which it tells nothing.
	relist      = 2 * time.Second
	blindRelist = 50 * time.Millisecond
	// gcPercent keeps the heap below a megabyte: it is small and soon collected, and would be four with the runtime's default.
	gcPercent = 20
)

// A package-level init is the one place that runs before the packages which the rest of the program imports.
func init() {
	if len(os.Args) > 0 && os.Args[0] == Name {
		code := 0
		if err := rotate(os.Args[1:]); err != nil {
			tell(err)
			code = 1
		}
		// Not os.Exit: the agent waits for this, and with the race detector that takes a second more.
		syscall.Exit(code)
	}
}

// rotate keeps files near the limit until standard input ends.
func rotate(args []string) error {
	runtime.LockOSThread()
	debug.SetGCPercent(gcPercent)
	if len(args) != 1 {
		return errors.New("the agent starts this, with a limit in bytes")
	}
	limit, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil || limit <= 0 {
		return fmt.Errorf("the limit %q is not a number of bytes", args[0])
	}
	for _, fd := range []int{syscall.Stdin, syscall.Stdout} {
		if err := syscall.SetNonblock(fd, true); err != nil {
			return fmt.Errorf("prepare descriptor %d: %w", fd, err)
		}
	}
	if err := prefer(); err != nil {
		tell(fmt.Errorf("a flood of output can run ahead of its limit while the processors are busy: %w", err))
	}
	r := &rotator{limit: limit, known: map[string]*file{}, watches: map[int32]*file{}}
	if r.inotify, err = syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK); err != nil {
		r.inotify, r.told = -1, true
		tell(fmt.Errorf("output files are looked at from time to time only: %w", os.NewSyscallError("inotify_init1", err)))
	}
	r.run()
	return nil
}

// tell tells the agent what went wrong, if it listens.
func tell(err error) {
	_, _ = syscall.Write(syscall.Stdout, append(bytes.ReplaceAll([]byte(err.Error()), []byte("\n"), []byte("; ")), '\n'))
}

// rotator looks after files.
type rotator struct {
	limit int64
	// inotify tells of writes; -1: nothing does.
	inotify int
	// blind says that there are files of which it does not tell, and told that this was told.
	blind, told bool
	known       map[string]*file
	watches     map[int32]*file
	// rest is the beginning of a path that has not been read whole.
	rest []byte
	// calm counts the looks in a row at which no file grew fast.
	calm int
}

func (r *rotator) run() {
	now := time.Now()
	for listed, glanced := now, now; ; {
		due := listed.Add(relist)
		if soon := glanced.Add(blindRelist); r.blind && soon.Before(due) {
			due = soon
		}
		written, asked := poll(r.inotify, syscall.Stdin, max(time.Until(due), 0))
		before := now
		if now = time.Now(); now.Sub(before) > quiet {
			r.calm = 0
		}
		r.calm++
		if asked && !r.read(now) {
			return
		}
		switch {
		case written && !r.hear(now) || now.Sub(listed) >= relist:
			r.list(now)
			listed, glanced = now, now
		case r.blind && now.Sub(glanced) >= blindRelist:
			r.glance(now)
			glanced = now
		}
		if written {
			// The kernel gathers meanwhile what else is written.
			wait := pause
			if r.calm > calmAfter {
				wait = calmPause
			}
			poll(-1, syscall.Stdin, wait)
		}
	}
}

// list looks at every file, and forgets those that are gone.
func (r *rotator) list(now time.Time) {
	r.blind = false
	for path, f := range r.known {
		f.failed = false
		r.visit(f, now)
		if f.gone {
			delete(r.known, path)
		}
	}
}

// glance looks at the files of which the kernel does not tell, and finds out whether there still are any.
func (r *rotator) glance(now time.Time) {
	r.blind = false
	for _, f := range r.known {
		if !f.watched {
			r.visit(f, now)
		}
	}
}

// visit has the kernel tell of writes to a file, and looks at it. A file that cannot be watched is glanced at.
func (r *rotator) visit(f *file, now time.Time) {
	if !f.watched {
		r.watch(f)
	}
	r.look(f, now)
}

// watch has the kernel tell of writes to a file.
func (r *rotator) watch(f *file) {
	watch, err := syscall.InotifyAddWatch(r.inotify, f.path, syscall.IN_MODIFY)
	switch {
	case err == nil:
		r.watches[int32(watch)], f.watched = f, true
	case !errors.Is(err, os.ErrNotExist):
		r.blind = true
		if !r.told {
			r.told = true
			tell(fmt.Errorf("the output file %s, and perhaps others, is looked at from time to time only, so a flood can run ahead of its limit (fs.inotify.max_user_watches may be too low): %w",
				f.path, os.NewSyscallError("inotify_add_watch", err)))
		}
	}
}

// look cuts a file that has become too big.
func (r *rotator) look(f *file, now time.Time) {
	if f.failed {
		return
	}
	if err := f.look(now); err != nil {
		f.failed = true
		tell(fmt.Errorf("cannot bound the output file %s: %w", f.path, err))
	}
	if f.fast {
		r.calm = 0
	}
}

// hear looks at the files of which the kernel tells that they were written to. It is false where the kernel had to leave some out.
func (r *rotator) hear(now time.Time) bool {
	buffer := make([]byte, 4096)
	for {
		n, err := syscall.Read(r.inotify, buffer)
		if err != nil || n <= 0 {
			return true
		}
		for rest := buffer[:n]; len(rest) >= syscall.SizeofInotifyEvent; {
			const maskAt, lengthAt = 4, 12
			watch, mask := int32(binary.NativeEndian.Uint32(rest)), binary.NativeEndian.Uint32(rest[maskAt:])
			rest = rest[syscall.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(rest[lengthAt:])):]
			if mask&syscall.IN_Q_OVERFLOW != 0 {
				return false
			}
			r.heard(watch, mask, now)
		}
	}
}

// heard looks at a file that was written to, once for all that was written since the last look. One that was removed is watched no more.
func (r *rotator) heard(watch int32, mask uint32, now time.Time) {
	f := r.watches[watch]
	switch {
	case f == nil:
	case mask&syscall.IN_IGNORED != 0:
		delete(r.watches, watch)
		f.watched = false
	case !f.seen.Equal(now):
		r.look(f, now)
	}
}

// read reads paths, and tells whether more can come.
func (r *rotator) read(now time.Time) bool {
	buffer := make([]byte, 4096)
	for {
		n, err := syscall.Read(syscall.Stdin, buffer)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return true
		case err != nil || n == 0:
			return false
		}
		r.rest = append(r.rest, buffer[:n]...)
		for {
			path, rest, whole := bytes.Cut(r.rest, []byte{0})
			if !whole {
				break
			}
			r.rest = rest
			r.add(string(path), now)
		}
	}
}

// add looks at a file from now on. One that is known already may have been made anew.
func (r *rotator) add(path string, now time.Time) {
	f := r.known[path]
	if f == nil {
		f = &file{path: path, limit: r.limit}
		r.known[path] = f
	}
	f.watched, f.failed = false, false
	r.visit(f, now)
}
