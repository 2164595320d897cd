// Command run is `make run`: a whole DRaaS on this machine, from nothing to a sample instance that is Ready, and back to nothing on Ctrl-C.
//
// Every part (etcd, kube-apiserver, controller, agent) runs in a session of its own, so that Ctrl-C reaches only this program, which stops them in order.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/draas-io/draas/hack/controlplane"
	"github.com/draas-io/draas/hack/proc"
)

// errAsked says that a person ended the run.
var errAsked = errors.New("asked to stop")

func main() {
	os.Exit(run())
}

func run() int {
	o, err := parseOptions()
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		return 2
	}
	// A reader that is gone (Ctrl-C also ends `make run | tee`) must not end this program before it has stopped the rest.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	s := newSystem(o, os.Stdout, cancel)
	hurry := make(chan struct{})
	go func() {
		<-signals
		cancel(errAsked)
		<-signals
		close(hurry)
	}()

	unlock, err := proc.TryLock(filepath.Join(o.dir, "lock"))
	if errors.Is(err, proc.ErrLocked) {
		err = fmt.Errorf("another `make run` works in %s", o.dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		return 1
	}
	defer unlock()
	if err = s.up(ctx); err == nil {
		s.welcome()
		<-ctx.Done()
		err = context.Cause(ctx)
	} else if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return s.end(err, hurry)
}

// end says why the run ends, stops everything and returns the exit code.
func (s *system) end(why error, hurry <-chan struct{}) int {
	code := 0
	if !errors.Is(why, errAsked) {
		code = 1
		s.say("FAILED: %v", why)
		var died *controlplane.DiedError
		if errors.As(why, &died) {
			s.quote(died.Process)
		}
	}
	if err := s.down(hurry); err != nil {
		code = 1
		s.say("not all ended well: %v", err)
	}
	return code
}

// options are what the command line says.
type options struct {
	root        string
	dir         string
	drasiServer string
	pluginsDir  string
	timeout     time.Duration
}

func parseOptions() (options, error) {
	var o options
	flag.StringVar(&o.root, "root", ".", "root of the repository")
	flag.StringVar(&o.dir, "dir", "", "directory of all state and logs (default: .run in the repository)")
	flag.StringVar(&o.drasiServer, "drasi-server", "", "drasi-server's executable, may hold {version}; without it the simulator of test/drasisim is built and used")
	flag.StringVar(&o.pluginsDir, "plugins-dir", "", "directory of drasi-server's plugins, may hold {version}; goes with -drasi-server")
	flag.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long the sample instance may take to become Ready")
	flag.Parse()
	if flag.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if (o.drasiServer == "") != (o.pluginsDir == "") {
		return o, errors.New("DRASI_SERVER and PLUGINS_DIR go together: the executable, and the directory with its plugins")
	}
	if o.dir == "" {
		o.dir = filepath.Join(o.root, ".run")
	}
	for _, path := range []*string{&o.root, &o.dir, &o.drasiServer, &o.pluginsDir} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return o, fmt.Errorf("make %s absolute: %w", *path, err)
		}
		*path = absolute
	}
	return o, nil
}
