package rotate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

const (
	// pause is the time between two looks at a file that grows. A server that does nothing but print writes some 3 MiB in that time.
	pause = time.Millisecond
	// relist is the time between two looks at every file, for what the kernel has not told.
	relist = 2 * time.Second
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
	r := &rotator{limit: limit, known: map[string]*file{}, watches: map[int32]*file{}, growing: map[*file]struct{}{}}
	if r.inotify, err = syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK); err != nil {
		r.inotify = -1
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
	// inotify tells of the first write to a file that was quiet; as long as it is written to, it is looked at. -1: there is none.
	inotify int
	known   map[string]*file
	watches map[int32]*file
	// growing are the files that were written to when they were looked at last.
	growing map[*file]struct{}
	// rest is the beginning of a path that has not been read whole.
	rest []byte
}

func (r *rotator) run() {
	for due := time.Now().Add(relist); ; {
		wait := pause
		if len(r.growing) == 0 {
			wait = max(time.Until(due), 0)
		}
		written, asked := poll(r.inotify, syscall.Stdin, wait)
		now := time.Now()
		if asked && !r.read(now) {
			return
		}
		if written {
			r.hear()
		}
		if !now.Before(due) {
			r.list(now)
			due = now.Add(relist)
		}
		r.follow(now)
	}
}

// list looks at every file, and forgets those that are gone.
func (r *rotator) list(now time.Time) {
	for path, f := range r.known {
		f.failed = false
		r.visit(f, now)
		if f.gone {
			delete(r.known, path)
		}
	}
	for watch, f := range r.watches {
		if r.known[f.path] != f {
			delete(r.watches, watch)
		}
	}
}

// visit looks at a file.
func (r *rotator) visit(f *file, now time.Time) {
	if r.grew(f, now) || !r.watch(f, now) {
		r.growing[f] = struct{}{}
	}
}

// follow looks at the files that grow. One that does so no more is left to the kernel.
func (r *rotator) follow(now time.Time) {
	for f := range r.growing {
		if !r.grew(f, now) && r.watch(f, now) {
			delete(r.growing, f)
		}
	}
}

// grew cuts a file that has become too big, and tells whether it was written to since the last look.
func (r *rotator) grew(f *file, now time.Time) bool {
	if f.failed {
		return false
	}
	grew, err := f.look(now)
	if err != nil {
		f.failed = true
		tell(fmt.Errorf("cannot bound the output file %s: %w", f.path, err))
	}
	return grew && err == nil
}

// watch has the kernel tell of the next write to a file, and tells whether none came before that. A file that cannot be watched is found by the
// next list.
func (r *rotator) watch(f *file, now time.Time) bool {
	if f.watched || f.failed || r.inotify < 0 {
		return true
	}
	watch, err := syscall.InotifyAddWatch(r.inotify, f.path, syscall.IN_MODIFY|syscall.IN_ONESHOT)
	if err != nil {
		return true
	}
	r.watches[int32(watch)], f.watched = f, true
	return !r.grew(f, now)
}

// hear reads which files have been written to.
func (r *rotator) hear() {
	buffer := make([]byte, 4096)
	for {
		n, err := syscall.Read(r.inotify, buffer)
		if err != nil || n <= 0 {
			return
		}
		for rest := buffer[:n]; len(rest) >= syscall.SizeofInotifyEvent; {
			const nameLength = 12
			watch := int32(binary.NativeEndian.Uint32(rest))
			rest = rest[syscall.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(rest[nameLength:])):]
			if f := r.watches[watch]; f != nil {
				delete(r.watches, watch)
				f.watched = false
				r.growing[f] = struct{}{}
			}
		}
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
