//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// recordVariable names the file in which the simulated server notes its starts, by CLOCK_MONOTONIC.
const recordVariable = "DRASISIM_RECORD"

// record is that file.
type record struct {
	path string
	from int64
}

// newRecord makes the file in a directory of its own, to which servers of any user can add.
func newRecord(dir string) (*record, error) {
	path := filepath.Join(dir, "starts")
	err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(path, nil, 0o600))
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o1777), os.Chmod(path, 0o666)) // the creation mask may be anything
	}
	if err != nil {
		return nil, fmt.Errorf("make the record of starts: %w", err)
	}
	return &record{path: path}, nil
}

// start is a start, or an orderly end, that was recorded.
type start struct {
	pid  int
	at   instant
	over bool
}

// fresh reads the starts and ends that were added since it was last called, and fails if two servers of one instance ever ran at a time.
func (r *record) fresh() ([]start, error) {
	file, err := os.Open(r.path)
	if err != nil {
		return nil, fmt.Errorf("read the record of starts: %w", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the record of starts: %w", err)
	}
	text := make([]byte, info.Size()-r.from)
	if _, err := file.ReadAt(text, r.from); err != nil && len(text) > 0 {
		return nil, fmt.Errorf("read the record of starts: %w", err)
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	r.from += int64(len(whole))
	return parseRecord(string(whole))
}

func parseRecord(text string) ([]start, error) {
	var starts []start
	for entry := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSuffix(entry, "\n"), " ", 4)
		if len(fields) < 4 {
			return nil, fmt.Errorf("the record of starts has the line %q", entry)
		}
		if fields[0] == "overlap" {
			return nil, fmt.Errorf("two servers of one instance ran at a time: %q", entry)
		}
		pid, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, fmt.Errorf("the record of starts has the line %q", entry)
		}
		at, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the record of starts has the line %q", entry)
		}
		starts = append(starts, start{pid: pid, at: instant(at), over: fields[0] == "stop"})
	}
	return starts, nil
}

// startOf finds the start of a process.
func startOf(starts []start, pid int) instant {
	i := slices.IndexFunc(starts, func(s start) bool { return s.pid == pid && !s.over })
	if i < 0 {
		return 0
	}
	return starts[i].at
}

// endOf finds the orderly end of a process.
func endOf(starts []start, pid int) instant {
	i := slices.IndexFunc(starts, func(s start) bool { return s.pid == pid && s.over })
	if i < 0 {
		return 0
	}
	return starts[i].at
}

// onlyStarts leaves out the ends.
func onlyStarts(starts []start) []start {
	return slices.DeleteFunc(slices.Clone(starts), func(s start) bool { return s.over })
}
