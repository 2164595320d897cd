//go:build linux

package process

import (
	"encoding/binary"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// outputs keeps the output files of all servers near their limit. The kernel tells of the first write to a file that was quiet; while it is
// written to, it is looked at.
type outputs struct {
	d     *Driver
	known map[string]*output
	// started is told of each start of a server, and written of each watch that has fired.
	started chan struct{}
	written chan int32
	// inotify is nil where the kernel gives none: then every file is looked at from time to time.
	inotify *os.File
	fd      int
	watches map[int32]*output
}

func newOutputs(d *Driver) *outputs {
	b := &outputs{d: d, known: map[string]*output{}, started: make(chan struct{}, 1), written: make(chan int32), watches: map[int32]*output{}}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		d.log.Error(err, "output files are looked at from time to time only")
		return b
	}
	b.fd, b.inotify = fd, os.NewFile(uintptr(fd), "inotify")
	return b
}

// poke has the files looked at that nobody watches yet.
func (b *outputs) poke() {
	select {
	case b.started <- struct{}{}:
	default:
	}
}

// run keeps the files near their limit until the driver is closed.
func (b *outputs) run() {
	due := make(chan struct{}, 1)
	fresh := true
	for {
		cancel := b.d.clock.AfterFunc(b.lookAll(fresh), func() {
			select {
			case due <- struct{}{}:
			default:
			}
		})
		fresh = false
		select {
		case <-b.d.done:
			cancel()
			if b.inotify != nil {
				_ = b.inotify.Close()
			}
			return
		case <-due:
		case <-b.started:
			fresh = true
		case watch := <-b.written:
			if o := b.watches[watch]; o != nil {
				delete(b.watches, watch)
				o.stir(b.d.clock.Now())
			}
		}
		cancel()
	}
}

// lookAll looks at each file that is due, and returns the time until the next one is. With fresh, a file that is not watched yet is due.
func (b *outputs) lookAll(fresh bool) time.Duration {
	pause, now := outputLatest, b.d.clock.Now()
	present := map[string]*output{}
	for _, u := range b.d.all() {
		for _, path := range []string{u.home.stdout(), u.home.stderr()} {
			o := b.known[path]
			if o == nil {
				o = u.output(path)
			}
			present[path] = o
			if left := o.seen.Add(o.wait).Sub(now); left <= 0 || left > outputLatest || fresh && !o.armed {
				b.look(o, now)
			}
			pause = min(pause, max(o.seen.Add(o.wait).Sub(now), 0))
		}
	}
	b.known = present
	return pause
}

// look looks at one file, and has the kernel tell of the next write to it.
func (b *outputs) look(o *output, now time.Time) {
	if err := o.look(now); err != nil {
		b.d.log.Error(err, "cannot bound an output file", "file", o.path)
	}
	if o.armed || b.inotify == nil {
		return
	}
	watch, err := unix.InotifyAddWatch(b.fd, o.path, unix.IN_MODIFY|unix.IN_ONESHOT)
	if err != nil {
		return
	}
	b.watches[int32(watch)], o.armed = o, true
}

// read passes on which watches have fired.
func (b *outputs) read() {
	if b.inotify == nil {
		return
	}
	buffer := make([]byte, 4096)
	for {
		n, err := b.inotify.Read(buffer)
		if err != nil {
			return
		}
		for rest := buffer[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			const nameLength = 12
			watch := int32(binary.NativeEndian.Uint32(rest))
			rest = rest[unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(rest[nameLength:])):]
			select {
			case b.written <- watch:
			case <-b.d.done:
				return
			}
		}
	}
}
