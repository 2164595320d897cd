//go:build linux

// Command bench measures the product and prints what it found: `make bench`, or `go run ./test/bench -h`.
//
// It starts a real etcd and kube-apiserver, the real controller and agents as processes of their own with the rights of their ServiceAccounts, and
// servers as processes of the agents; drives loads; and writes tables and JSON. What each figure means is in docs/performance.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// etcdVolatile is the value of -etcd with which etcd does without fsync.
const etcdVolatile = "volatile"

// options are the program's settings.
type options struct {
	cases   []string
	n       int
	burst   int
	pool    int
	kills   int
	adopt   int
	rounds  int
	floods  int
	counts  []int
	objects int
	idle    time.Duration
	settle  time.Duration
	etcd    string
	server  string
	plugins string
	manager string
	out     string
	json    string
	dir     string
	keep    bool
}

// bench is a case.
type bench struct {
	name  string
	about string
	run   func(context.Context, *world) (*result, error)
}

// benches are all cases, in the order in which they run: the last fills the API server.
func benches() []bench {
	return []bench{
		{"bare", "the server's own start, without the product", runBare},
		{"ready", "apply to Ready, one at a time, beside bare starts and blind writes", runReady},
		{"burst", "many at once", runBurst},
		{"crash", "kill -9 to the successor, and to the API", runCrash},
		{"adopt", "a new agent finds the servers of a killed one", runAdopt},
		{"writes", "API writes for each step of a life", runWrites},
		{"flood", "a server that prints as fast as it can", runFlood},
		{"idle", "processor time and writes of what is settled", runIdle},
		{"memory", "an agent's memory, by number of instances", runMemory},
		{"controller", "the controller's memory and cold start, by number of instances", runController},
	}
}

func parseOptions(args []string) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	var about strings.Builder
	for _, b := range benches() {
		fmt.Fprintf(&about, "  %-11s %s\n", b.name, b.about)
	}
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "Measures the product on this machine; docs/performance.md says what each figure means.\n\nCases:\n%s\nFlags:\n", about.String())
		flags.PrintDefaults()
	}
	cases, counts := flags.String("cases", "all", "cases to run, separated by commas; all: every one but bare, which ready has in it"), ""
	flags.IntVar(&o.n, "n", 500, "ready, bare: how many starts")
	flags.IntVar(&o.burst, "burst", 200, "burst: how many at once")
	flags.IntVar(&o.pool, "pool", 50, "crash: how many servers are killed in turn")
	flags.IntVar(&o.kills, "kills", 200, "crash: how many kills")
	flags.IntVar(&o.adopt, "adopt", 200, "adopt: how many servers")
	flags.IntVar(&o.rounds, "rounds", 10, "adopt: how many starts of the agent")
	flags.IntVar(&o.floods, "floods", 100, "flood: how many floods")
	flags.StringVar(&counts, "counts", "0,50,200", "idle, memory: numbers of instances; idle takes the first and the last")
	flags.IntVar(&o.objects, "objects", 10000, "controller: how many instances")
	flags.DurationVar(&o.idle, "idle", time.Minute, "idle: how long to look")
	flags.DurationVar(&o.settle, "settle", 150*time.Second, "memory, controller: how long a process is left alone before its memory is read; the Go runtime collects unasked after two minutes")
	flags.StringVar(&o.etcd, "etcd", "disk", "disk, or "+etcdVolatile+": without fsync")
	flags.StringVar(&o.server, "drasi-server", "", "a real server instead of the simulated one; then no starts are recorded and steps are missing")
	flags.StringVar(&o.plugins, "plugins-dir", "", "the real server's plugins")
	flags.StringVar(&o.manager, "manager", "", "a built manager; empty: built from the sources")
	flags.StringVar(&o.out, "out", "", "a Markdown file: each case's block between its markers is replaced, or the file is made; empty: standard output")
	flags.StringVar(&o.json, "json", "", "a file for the figures as JSON")
	flags.StringVar(&o.dir, "dir", "", "a directory for everything that is kept on disk meanwhile; empty: a new one, removed at the end")
	flags.BoolVar(&o.keep, "keep", false, "keep that directory")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.cases, err = chosen(*cases); err == nil {
		o.counts, err = numbers(counts)
	}
	if err == nil && o.etcd != "disk" && o.etcd != etcdVolatile {
		err = fmt.Errorf("-etcd: %q is neither disk nor %s", o.etcd, etcdVolatile)
	}
	return o, err
}

// chosen are the names of the cases to run.
func chosen(text string) ([]string, error) {
	var known, picked []string
	for _, b := range benches() {
		known = append(known, b.name)
	}
	if text == "all" {
		return known[1:], nil
	}
	for name := range strings.SplitSeq(text, ",") {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("-cases: %q is none of %s", name, strings.Join(known, ", "))
		}
		picked = append(picked, name)
	}
	return picked, nil
}

func numbers(text string) ([]int, error) {
	var list []int
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("-counts: %q is not a number", field)
		}
		list = append(list, n)
	}
	return list, nil
}

func main() {
	o, err := parseOptions(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = measure(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measure runs the cases. What a case has found is written before the next one begins.
func measure(ctx context.Context, o options) (err error) {
	w := &world{options: o, dir: o.dir}
	if w.root, err = repository(); err != nil {
		return err
	}
	if w.dir == "" {
		if w.dir, err = os.MkdirTemp("", "draas-bench-"); err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
	}
	if w.dir, err = filepath.Abs(w.dir); err != nil {
		return fmt.Errorf("make the directory's path absolute: %w", err)
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	// Servers may run as users of their own, and must reach their executable.
	if err := os.Chmod(w.dir, 0o711); err != nil {
		return fmt.Errorf("open the directory to servers: %w", err)
	}
	defer func() {
		err = errors.Join(err, w.down())
		if o.dir == "" && !o.keep {
			err = errors.Join(err, os.RemoveAll(w.dir))
		} else {
			say("everything is kept in %s", w.dir)
		}
	}()
	if err := w.up(ctx); err != nil {
		return err
	}
	report := &report{Machine: look(ctx, w)}
	for _, b := range benches() {
		if !slices.Contains(o.cases, b.name) {
			continue
		}
		load, began := loadAverage(), time.Now()
		say("case %s: %s (load average %s)", b.name, b.about, load)
		found, err := b.run(ctx, w)
		if err != nil {
			return errors.Join(fmt.Errorf("case %s: %w", b.name, err), report.save(o))
		}
		found.Load, found.Took = load, time.Since(began).Round(time.Second)
		report.Results = append(report.Results, found)
		say("case %s took %v", b.name, found.Took)
		if err := report.save(o); err != nil {
			return err
		}
	}
	return nil
}

// repository is the root of the sources.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("run this within the repository: there is no go.mod here or above")
		}
	}
}

// say tells a person how far it is.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
}

// progress is say as a writer.
type progress struct{}

// Write says a line.
func (progress) Write(text []byte) (int, error) {
	say("%s", strings.TrimSpace(string(text)))
	return len(text), nil
}
