package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// writePIDFile records the process with its start time: a PID alone may name another process later.
func writePIDFile(path string, pid int) error {
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the directory of PID files: %w", err)
	}
	started, err := startTime(pid)
	if err != nil {
		started = "unknown"
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(pid)+" "+started+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the PID file: %w", err)
	}
	return nil
}

// ReapLeftover stops a process whose supervisor was killed before it could, and says whether there was one. Where processes' start times cannot be read
// it stops nothing.
func ReapLeftover(pidFile string, grace time.Duration) (bool, error) {
	pid, started, err := readPIDFile(pidFile)
	if err != nil || pid == 0 {
		return false, err
	}
	defer func() { _ = os.Remove(pidFile) }()
	if !alive(pid, started) {
		return false, nil
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false, fmt.Errorf("find leftover process %d: %w", pid, err)
	}
	if err := terminate(p); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, fmt.Errorf("stop leftover process %d: %w", pid, err)
	}
	for deadline := time.Now().Add(grace); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if !alive(pid, started) {
			return true, nil
		}
	}
	if err := p.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, fmt.Errorf("kill leftover process %d: %w", pid, err)
	}
	return true, nil
}

func readPIDFile(path string) (pid int, started string, err error) {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("read the PID file: %w", err)
	}
	fields := strings.Fields(string(text))
	if len(fields) != 2 {
		return 0, "", nil
	}
	pid, err = strconv.Atoi(fields[0])
	if err != nil || pid <= 1 {
		return 0, "", nil //nolint:nilerr // a torn file names nobody
	}
	return pid, fields[1], nil
}

// alive says whether pid is still the process that started then, and not a zombie.
func alive(pid int, started string) bool {
	now, err := startTime(pid)
	return err == nil && now == started
}

// startTime reads field 22 of /proc/PID/stat, in clock ticks since boot; an error for a zombie.
func startTime(pid int) (string, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", fmt.Errorf("read the start time of process %d: %w", pid, err)
	}
	// The name in parentheses may hold anything, so count from its end, where field 3, the state, follows.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const state, start = 0, 19
	if len(fields) <= start || fields[state] == "Z" {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	return fields[start], nil
}
