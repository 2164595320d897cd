//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// effect is something that happened to a file, stamped when the kernel's notice was read.
type effect struct {
	at   instant
	path string
	mask uint32
}

// watcher sees from outside what an agent does on its host: files put in place in the directories of instances, and executables opened.
type watcher struct {
	file  *os.File
	fd    int
	root  string
	ended chan struct{}

	mu      sync.Mutex
	paths   map[int32]string
	effects trail
}

// watchEffects watches a directory of instances and some executables.
func watchEffects(root string, executables ...string) (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch the agent's files: %w", err)
	}
	w := &watcher{file: os.NewFile(uintptr(fd), "inotify"), fd: fd, root: root, ended: make(chan struct{}), paths: map[int32]string{}}
	if err := w.add(root, unix.IN_CREATE); err != nil {
		_ = w.file.Close()
		return nil, err
	}
	for _, path := range executables {
		if err := w.add(path, unix.IN_OPEN); err != nil {
			_ = w.file.Close()
			return nil, err
		}
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		_ = w.file.Close()
		return nil, fmt.Errorf("watch the agent's files: %w", err)
	}
	for _, entry := range entries {
		w.addInstance(filepath.Join(root, entry.Name()))
	}
	go w.run()
	return w, nil
}

func (w *watcher) add(path string, mask uint32) error {
	number, err := unix.InotifyAddWatch(w.fd, path, mask)
	if err != nil {
		return fmt.Errorf("watch %s: %w", path, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paths[int32(number)] = path
	return nil
}

// addInstance watches the directory of an instance; it may be gone again.
func (w *watcher) addInstance(path string) {
	_ = w.add(path, unix.IN_MOVED_TO|unix.IN_CLOSE_WRITE)
}

func (w *watcher) run() {
	defer close(w.ended)
	buffer := make([]byte, 64<<10)
	for {
		n, err := w.file.Read(buffer)
		if err != nil {
			return
		}
		at := now()
		for rest := buffer[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			number, mask := int32(binary.NativeEndian.Uint32(rest)), binary.NativeEndian.Uint32(rest[4:])
			length := int(binary.NativeEndian.Uint32(rest[12:]))
			name := strings.TrimRight(string(rest[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+length]), "\x00")
			rest = rest[unix.SizeofInotifyEvent+length:]
			w.note(at, number, mask, name)
		}
	}
}

func (w *watcher) note(at instant, number int32, mask uint32, name string) {
	w.mu.Lock()
	path := filepath.Join(w.paths[number], name)
	w.effects = append(w.effects, effect{at: at, path: path, mask: mask})
	w.mu.Unlock()
	if mask&unix.IN_CREATE != 0 && filepath.Dir(path) == w.root {
		w.addInstance(path)
	}
}

// take returns what was seen since it was last called.
func (w *watcher) take() trail {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.effects
	w.effects = nil
	return taken
}

func (w *watcher) close() {
	_ = w.file.Close()
	<-w.ended
}

// trail is what was seen, to be gone through in order: under load several effects are read, and stamped, at once.
type trail []effect

// next goes on to the next effect on a path that ends so, and tells when it was seen; 0: it was not, and the trail stays where it is.
func (t *trail) next(suffix string) instant {
	for i, e := range *t {
		if strings.HasSuffix(e.path, suffix) && e.mask&(unix.IN_MOVED_TO|unix.IN_CLOSE_WRITE|unix.IN_OPEN) != 0 {
			*t = (*t)[i+1:]
			return e.at
		}
	}
	return 0
}

// nextBefore is next for what may not be there: it looks no further than the next effect on another path.
func (t *trail) nextBefore(suffix, other string) instant {
	end := slices.IndexFunc(*t, func(e effect) bool { return strings.HasSuffix(e.path, other) })
	if end < 0 {
		return t.next(suffix)
	}
	before := (*t)[:end]
	at := before.next(suffix)
	if at > 0 {
		*t = (*t)[end-len(before):]
	}
	return at
}
