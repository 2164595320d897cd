// Command server is what the driver's tests run in place of drasi-server: just enough of its outside to be started, watched and stopped.
// What it does besides is told by variables whose names begin with TS_.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// What the process was given, before its own runtime changes any of it.
var given = struct {
	Status, Limits string
	Descriptors    map[string]string
}{}

// A Go program catches SIGINT from its first instruction; drasi-server does only when it is ready. Ignoring the signal makes the runtime
// forget its handler, so that a later Notify installs it anew.
func init() {
	status, _ := os.ReadFile("/proc/self/status")
	limits, _ := os.ReadFile("/proc/self/limits")
	given.Status, given.Limits, given.Descriptors = string(status), string(limits), descriptors()
	signal.Ignore(syscall.SIGINT)
	var byDefault [4]uint64
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGINT), uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
	if errno != 0 {
		panic(errno)
	}
}

func main() {
	if os.Getenv("TS_ROLE") == "stubborn" {
		stubborn()
	}
	version := flag.Bool("version", false, "")
	config := flag.String("config", "", "")
	plugins := flag.String("plugins-dir", "", "")
	port := flag.Int("port", 0, "")
	flag.Parse()
	if *version {
		fmt.Println("drasi-server 0.2.2\nrustc: none")
		return
	}
	note(*config, *plugins, *port)
	fmt.Println(os.Getenv("TS_STDOUT"))
	fmt.Fprint(os.Stderr, os.Getenv("TS_STDERR"))
	flood()
	children()
	endEarly()
	eat()
	time.Sleep(duration("TS_BIND_DELAY"))
	listen(*port)
	if extra := os.Getenv("TS_LISTEN"); extra != "" {
		number, err := strconv.Atoi(extra)
		check(err)
		listen(number)
	}
	time.Sleep(duration("TS_HANDLER_DELAY"))
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT)
	mark("handler")
	for range interrupted {
		mark("interrupted")
		if os.Getenv("TS_IGNORE_INT") == "" {
			break
		}
	}
	time.Sleep(duration("TS_STOP_DELAY"))
	held("TS_STOP_HOLD")
	mark("graceful")
}

// held waits for as long as the file is there that the variable names.
func held(variable string) {
	for hold := os.Getenv(variable); hold != ""; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(hold); err != nil {
			return
		}
	}
}

// note leaves in the working directory what the server was started with.
func note(config, plugins string, port int) {
	text, err := os.ReadFile(config)
	check(err)
	own, err := os.ReadFile("/proc/self/environ")
	check(err)
	var names []string
	entries, err := os.ReadDir(plugins)
	check(err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	mask := syscall.Umask(0)
	syscall.Umask(mask)
	dir, err := os.Getwd()
	check(err)
	seen, err := json.Marshal(map[string]any{
		"pid": os.Getpid(), "config": text, "env": bytes.Split(bytes.TrimSuffix(own, []byte{0}), []byte{0}), "plugins": names,
		"pluginsDir": plugins, "port": port, "umask": mask, "dir": dir, "args": os.Args, "given": given,
	})
	check(err)
	check(os.WriteFile("seen.tmp", seen, 0o600))
	check(os.Rename("seen.tmp", "seen.json"))
	line := strconv.Itoa(os.Getpid()) + " " + os.Getenv("TS_MARK")
	appendLine("starts", line)
	if ledger := os.Getenv("TS_LEDGER"); ledger != "" {
		appendLine(ledger, line)
	}
}

// descriptors are those that the process was given: not those of its own runtime.
func descriptors() map[string]string {
	found := map[string]string{}
	names, _ := filepath.Glob("/proc/self/fd/*")
	for _, name := range names {
		target, err := os.Readlink(name)
		own := strings.HasPrefix(target, "/proc/") || strings.HasPrefix(target, "/sys/fs/cgroup/") || strings.HasPrefix(target, "anon_inode:")
		if err == nil && !own {
			found[filepath.Base(name)] = target
		}
	}
	return found
}

func flood() {
	size, _ := strconv.Atoi(os.Getenv("TS_FLOOD"))
	block := bytes.Repeat([]byte("0123456789abcde\n"), 4096)
	for ; size > 0; size -= len(block) {
		_, err := os.Stdout.Write(block)
		check(err)
	}
}

// children starts processes that ignore every signal that can be ignored.
func children() {
	count, _ := strconv.Atoi(os.Getenv("TS_CHILDREN"))
	away, _ := strconv.Atoi(os.Getenv("TS_SETSID_CHILDREN"))
	for n := range count + away {
		child := exec.Command("/proc/self/exe")
		child.Env = append(os.Environ(), "TS_ROLE=stubborn")
		// Every other one is in a process group of its own, and those that are away in a session.
		child.SysProcAttr = &syscall.SysProcAttr{Setpgid: n < count && n%2 == 1, Setsid: n >= count}
		check(child.Start())
		appendLine("children", strconv.Itoa(child.Process.Pid))
	}
}

func stubborn() {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	if address := os.Getenv("TS_CHILD_LISTEN"); address != "" {
		_, err := net.Listen("tcp4", address)
		check(err)
		fmt.Println("listening")
	}
	for {
		time.Sleep(time.Hour)
	}
}

// eat takes so many bytes of memory, unless it has done so before.
func eat() {
	size, _ := strconv.Atoi(os.Getenv("TS_EAT"))
	if _, err := os.Stat("eaten"); size == 0 || err == nil {
		return
	}
	held("TS_EAT_HOLD")
	check(os.WriteFile("eaten", nil, 0o600))
	eaten := make([]byte, size)
	for at := 0; at < size; at += os.Getpagesize() {
		eaten[at] = 1
	}
	mark("eaten " + strconv.Itoa(len(eaten)))
}

func endEarly() {
	text := os.Getenv("TS_EXIT")
	if text == "" {
		return
	}
	// The server ends early as long as this file is not there.
	if _, err := os.Stat("healed"); err == nil {
		return
	}
	code, err := strconv.Atoi(text)
	check(err)
	time.Sleep(duration("TS_EXIT_AFTER"))
	os.Exit(code)
}

func listen(port int) {
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	check(err)
	go func() {
		for {
			if peer, err := listener.Accept(); err == nil {
				_ = peer.Close()
			}
		}
	}()
}

func duration(name string) time.Duration {
	text := os.Getenv(name)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	check(err)
	return d
}

func mark(name string) { appendLine("marks", name) }

func appendLine(path, line string) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	check(err)
	_, err = file.WriteString(line + "\n")
	check(err)
	check(file.Close())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
