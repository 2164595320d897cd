//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/draas-io/draas/internal/rotate"
)

// machine is where and when figures were measured.
type machine struct {
	Commit string    `json:"commit"`
	Date   time.Time `json:"date"`
	Cores  int       `json:"cores"`
	// CPU is the processor's name.
	CPU      string `json:"cpu"`
	MemoryMB int64  `json:"memoryMB"`
	Kernel   string `json:"kernel"`
	Go       string `json:"go"`
	// EtcdOn is the file system of etcd, and whether etcd syncs to it.
	EtcdOn string `json:"etcdOn"`
	// StateOn is the file system of the agents' state directories.
	StateOn string `json:"stateOn"`
	Server  string `json:"server"`
}

// look describes the machine.
func look(ctx context.Context, w *world) machine {
	m := machine{
		Commit: commit(ctx, w.root), Date: time.Now().UTC().Truncate(time.Second), Cores: runtime.NumCPU(), Go: runtime.Version(), CPU: "unknown",
		StateOn: fileSystem(w.dir), EtcdOn: fileSystem(w.dir), Server: "simulated (test/drasisim)",
	}
	if w.options.server != "" {
		m.Server = "given by -drasi-server"
	}
	if w.options.manager != "" {
		m.Commit = "unknown (-manager was given)"
	}
	m.EtcdOn += map[bool]string{true: ", without fsync", false: ", with fsync"}[w.options.etcd == etcdVolatile]
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.MemoryMB = int64(info.Totalram) * int64(info.Unit) >> 20
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for entry := range strings.Lines(string(text)) {
			if key, value, found := strings.Cut(entry, ":"); found && strings.TrimSpace(key) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	return m
}

// commit is that of the sources, marked where they differ from it.
func commit(ctx context.Context, root string) string {
	out, err := exec.CommandContext(ctx, "git", "-C", root, "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	id := strings.TrimSpace(string(out))
	changed, err := exec.CommandContext(ctx, "git", "-C", root, "status", "--porcelain", "--untracked-files=no", "--", "*.go", "go.mod", "config").Output()
	if err == nil && len(changed) > 0 {
		id += " with changes"
	}
	return id
}

// fileSystem names the type of the file system that has a path.
func fileSystem(path string) string {
	var found unix.Statfs_t
	if err := unix.Statfs(path, &found); err != nil {
		return "unknown"
	}
	names := map[int64]string{
		unix.EXT4_SUPER_MAGIC: "ext4", unix.TMPFS_MAGIC: "tmpfs", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.OVERLAYFS_SUPER_MAGIC: "overlayfs",
	}
	if name, known := names[found.Type]; known {
		return name
	}
	return fmt.Sprintf("type %#x", found.Type)
}

// loadAverage is that of the last 1, 5 and 15 minutes.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// memory is what a process occupies.
type memory struct{ rssAnon, rss int64 }

// rotatorsOf are the processes that a process has started to bound the output of its servers.
func rotatorsOf(pid int) ([]int, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("find the children of process %d: the kernel does not tell them", pid)
	}
	var found []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("find the children of process %d: %w", pid, err)
		}
		for child := range strings.FieldsSeq(string(text)) {
			line, err := os.ReadFile("/proc/" + child + "/cmdline")
			if err != nil || !strings.HasPrefix(string(line), rotate.Name+"\x00") {
				continue
			}
			id, err := strconv.Atoi(child)
			if err != nil {
				return nil, fmt.Errorf("find the children of process %d: %w", pid, err)
			}
			found = append(found, id)
		}
	}
	return found, nil
}

// memoryOf reads the memory of a process and its rotators, in bytes.
func memoryOf(pid int) (memory, error) {
	sum, err := memoryOfOne(pid)
	if err != nil {
		return memory{}, err
	}
	rotators, err := rotatorsOf(pid)
	if err != nil {
		return memory{}, err
	}
	for _, rotator := range rotators {
		m, err := memoryOfOne(rotator)
		if err != nil {
			return memory{}, err
		}
		sum.rssAnon += m.rssAnon
		sum.rss += m.rss
	}
	return sum, nil
}

func memoryOfOne(pid int) (memory, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return memory{}, err
	}
	return parseMemory(string(text))
}

func parseMemory(status string) (memory, error) {
	var m memory
	for entry := range strings.Lines(status) {
		fields := strings.Fields(entry)
		if len(fields) < 2 {
			continue
		}
		into := map[string]*int64{"RssAnon:": &m.rssAnon, "VmRSS:": &m.rss}[fields[0]]
		if into == nil {
			continue
		}
		kib, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return memory{}, fmt.Errorf("read %s of a process: %w", fields[0], err)
		}
		*into = kib << 10
	}
	if m.rss == 0 || m.rssAnon == 0 {
		return memory{}, fmt.Errorf("a process's memory is not told")
	}
	return m, nil
}

// cpuOf is the processor time that a process and its rotators have used, in the kernel's ticks of 10 ms.
func cpuOf(pid int) (time.Duration, error) {
	rotators, err := rotatorsOf(pid)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, id := range append(rotators, pid) {
		used, err := cpuOfOne(id)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

func cpuOfOne(pid int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	return parseCPU(string(text))
}

func parseCPU(stat string) (time.Duration, error) {
	// The name in parentheses may hold anything, so count from its end, where field 3 follows.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const user, system, tick = 11, 12, 10 * time.Millisecond
	if len(fields) <= system {
		return 0, fmt.Errorf("a process's times are not told")
	}
	var ticks int64
	for _, field := range fields[user : system+1] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read a process's times: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}
