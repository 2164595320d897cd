package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
)

// recorder appends a line per start and stop to a file that tests read. What
// it keeps locked while it lives shows two servers of one configuration.
type recorder struct {
	path   string
	config string
	lock   *os.File
}

// begin writes "start PID NANOSECONDS CONFIG", preceded by "overlap …" when
// another process with the same configuration still runs.
func (r *recorder) begin() error {
	if r.path == "" {
		return nil
	}
	abs, err := filepath.Abs(r.config)
	if err != nil {
		return fmt.Errorf("record start: %w", err)
	}
	r.config = abs
	held, free, err := tryLock(lockPath(r.path, abs))
	if err != nil {
		return fmt.Errorf("record start: %w", err)
	}
	r.lock = held
	if !free {
		if err := r.write("overlap"); err != nil {
			return err
		}
	}
	return r.write("start")
}

// end writes "stop PID NANOSECONDS CONFIG EXITCODE"; a process that is killed
// leaves no such line.
func (r *recorder) end(code int) error {
	if r.path == "" {
		return nil
	}
	return r.write("stop", code)
}

func (r *recorder) write(what string, more ...any) error {
	file, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return fmt.Errorf("record %s: %w", what, err)
	}
	line := fmt.Sprintf("%s %d %d %s", what, os.Getpid(), monotonic(), r.config)
	for _, item := range more {
		line += fmt.Sprintf(" %v", item)
	}
	if _, err := file.WriteString(line + "\n"); err != nil {
		return fmt.Errorf("record %s: %w", what, err)
	}
	return file.Close()
}

// lockPath keeps names short however long the configuration's is.
func lockPath(record, config string) string {
	sum := sha256.Sum256([]byte(config))
	return fmt.Sprintf("%s.%x.lock", record, sum[:8])
}
