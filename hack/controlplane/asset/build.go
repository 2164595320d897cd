package asset

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// progressInterval is short enough that a build of minutes is never taken for a hang.
const progressInterval = 5 * time.Second

// build compiles the binaries from the modules that hack/k8s pins. The caller holds the lock.
func (r *Resolver) build(ctx context.Context, v versions, cache string) (string, error) {
	dir, drop, err := scratch(cache)
	if err != nil {
		return "", err
	}
	defer drop()
	started := time.Now()
	r.logf("building kubernetes %s and etcd %s from Go modules into %s: about 600 MiB to download, and some 5 minutes on 2 cores the first time", v.kubernetes, v.etcd, v.dir(cache))
	args := []string{
		"build", "-v", "-trimpath", "-ldflags", v.ldflags(), "-o", dir + string(filepath.Separator),
		etcdModule, kubernetesModule + "/cmd/kube-apiserver", kubernetesModule + "/cmd/kubectl",
	}
	if err := r.goBuild(ctx, args); err != nil {
		return "", err
	}
	// etcd's main is the root package of its server module, so the linker calls it "server".
	if err := os.Rename(filepath.Join(dir, "server"), filepath.Join(dir, "etcd")); err != nil {
		return "", fmt.Errorf("name etcd: %w", err)
	}
	installed, err := v.install(dir, cache)
	if err == nil {
		r.logf("built the control plane binaries in %s", time.Since(started).Round(time.Second))
	}
	return installed, err
}

func (r *Resolver) goBuild(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(r.Root, "hack", "k8s")
	// The same settings everywhere, or the build cache is missed; none of the caller's cross-compilation or flags.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=", "GOOS=", "GOARCH=")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("build the control plane: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("build the control plane: %w", err)
	}
	p := &progress{started: time.Now()}
	stop := r.report(p)
	p.read(stderr)
	err = cmd.Wait()
	stop()
	if err != nil {
		return fmt.Errorf("build the control plane: %w\n%s", err, strings.Join(p.tail(), "\n"))
	}
	return nil
}

// report logs the progress at intervals until the returned function is called.
func (r *Resolver) report(p *progress) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(progressInterval)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				r.logf("%s", p)
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// progress counts what `go build -v` tells on its standard error.
type progress struct {
	started time.Time

	mu         sync.Mutex
	downloaded int
	compiled   int
	latest     string
	other      []string
}

func (p *progress) read(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.add(lines.Text())
	}
	_, _ = io.Copy(io.Discard, from) // a line beyond the buffer must not block the compiler
}

func (p *progress) add(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		p.downloaded++
		p.latest = strings.TrimPrefix(line, "go: ")
	case !strings.ContainsAny(line, " \t#"):
		p.compiled++
		p.latest = line
	default:
		const keep = 40
		p.other = append(p.other, line)[max(0, len(p.other)+1-keep):]
	}
}

func (p *progress) tail() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.other
}

// String is one line for a person who waits.
func (p *progress) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	elapsed := time.Since(p.started).Round(time.Second)
	switch {
	case p.compiled == 0 && p.downloaded == 0:
		return fmt.Sprintf("  %6s  nothing to compile so far: reading the cache, linking", elapsed)
	case p.compiled == 0:
		return fmt.Sprintf("  %6s  %d modules downloaded", elapsed, p.downloaded)
	default:
		return fmt.Sprintf("  %6s  %d packages compiled (of about 2,000 when nothing is cached), now %s", elapsed, p.compiled, p.latest)
	}
}
