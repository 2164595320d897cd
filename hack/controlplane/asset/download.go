package asset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	setupEnvtestPackage = "sigs.k8s.io/controller-runtime/tools/setup-envtest"
	// indexTimeout is short: where downloads do not work at all, a build must start soon.
	indexTimeout    = 15 * time.Second
	downloadTimeout = 5 * time.Minute
)

// download fetches prebuilt binaries by setup-envtest. It asks for the index first, so that a machine without that network fails fast.
func (r *Resolver) download(ctx context.Context, v versions, cache string) (string, error) {
	r.logf("looking for prebuilt control plane binaries (setup-envtest %s)", v.setupEnvtest)
	tool, err := r.setupEnvtest(ctx, v, cache)
	if err != nil {
		return "", err
	}
	wanted := strings.TrimPrefix(v.kubernetes, "v")
	if index, err := output(ctx, indexTimeout, tool, "list"); err != nil {
		return "", fmt.Errorf("its index is out of reach: %w", err)
	} else if !strings.Contains(index, v.kubernetes+" ") {
		minor := wanted[:strings.LastIndex(wanted, ".")]
		r.logf("setup-envtest has no %s, asking for the newest of %s", wanted, minor)
		wanted = minor + ".x"
	}
	dir, drop, err := scratch(cache)
	if err != nil {
		return "", err
	}
	defer drop()
	r.logf("downloading %s by setup-envtest", wanted)
	fetched, err := output(ctx, downloadTimeout, tool, "use", wanted, "--bin-dir", filepath.Join(cache, "envtest"), "-p", "path")
	if err != nil {
		return "", fmt.Errorf("download by setup-envtest: %w", err)
	}
	for _, name := range Binaries() {
		if err := copyExecutable(filepath.Join(strings.TrimSpace(fetched), name), filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	return v.install(dir, cache)
}

// setupEnvtest installs the pinned tool into the cache, once.
func (r *Resolver) setupEnvtest(ctx context.Context, v versions, cache string) (string, error) {
	bin := filepath.Join(cache, "setup-envtest-"+v.setupEnvtest)
	tool := filepath.Join(bin, "setup-envtest")
	if _, err := os.Stat(tool); err == nil {
		return tool, nil
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", fmt.Errorf("make a directory for setup-envtest: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "install", setupEnvtestPackage+"@"+v.setupEnvtest)
	cmd.Env = append(os.Environ(), "GOBIN="+bin, "GOWORK=off", "GOOS=", "GOARCH=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("install setup-envtest: %w: %s", err, lastLine(string(out)))
	}
	return tool, nil
}

// output runs a command within a deadline and returns its standard output; an error carries the last line of its standard error.
func output(ctx context.Context, timeout time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err == nil {
		return string(out), nil
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("no answer in %s", timeout)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return "", errors.New(lastLine(string(exit.Stderr)))
	}
	return "", err
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

func copyExecutable(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("copy a downloaded binary: %w", err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return fmt.Errorf("copy a downloaded binary: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("copy a downloaded binary: %w", err)
	}
	return nil
}
