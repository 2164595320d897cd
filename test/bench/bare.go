//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/draas-io/draas/api/v1alpha1"
)

// bare starts servers as the product does, without the product: same executable, configuration, arguments, environment and working directory, a
// session of their own, output to files.
type bare struct {
	world  *world
	path   string
	args   []string
	env    []string
	config []byte
	dir    string
	http   *http.Client
	made   int
}

// pollEvery is how often a starting server is asked whether it is up.
const pollEvery = time.Millisecond

// httpClient makes a connection for each question.
func httpClient() *http.Client {
	return &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
}

// bareLike takes everything over from a server of the product that runs.
func (w *world) bareLike(instance *v1alpha1.DrasiInstance) (*bare, error) {
	args, env, err := commandOf(pidOf(instance))
	if err != nil {
		return nil, err
	}
	b := &bare{
		world: w, path: args[0], args: args[1:], env: env, dir: filepath.Join(w.dir, "bare"),
		http: httpClient(),
	}
	config := valueOf(b.args, "--config")
	if b.config, err = os.ReadFile(config); err != nil {
		return nil, fmt.Errorf("read the configuration of a server: %w", err)
	}
	if err := b.keepPlugins(); err != nil {
		return nil, err
	}
	return b, nil
}

// keepPlugins links the plugins to where they stay: the agent removes a set that no instance uses.
func (b *bare) keepPlugins() error {
	set := valueOf(b.args, "--plugins-dir")
	entries, err := os.ReadDir(set)
	if err != nil {
		return fmt.Errorf("read the plugins of a server: %w", err)
	}
	kept := filepath.Join(b.dir, "plugins-"+filepath.Base(set))
	if err := os.MkdirAll(kept, 0o700); err != nil {
		return fmt.Errorf("keep the plugins of a server: %w", err)
	}
	for _, entry := range entries {
		if err := os.Link(filepath.Join(set, entry.Name()), filepath.Join(kept, entry.Name())); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("keep the plugins of a server: %w", err)
		}
	}
	b.args = with(b.args, "--plugins-dir", kept)
	return nil
}

// valueOf is the argument after a flag.
func valueOf(args []string, flag string) string {
	if i := slices.Index(args, flag); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

// with replaces the argument after a flag.
func with(args []string, flag, value string) []string {
	out := slices.Clone(args)
	if i := slices.Index(out, flag); i >= 0 && i+1 < len(out) {
		out[i+1] = value
	}
	return out
}

// prepare makes the directory of a bare server, and the command to start it.
func (b *bare) prepare() (cmd *exec.Cmd, health string, err error) {
	b.made++
	dir := filepath.Join(b.dir, strconv.Itoa(b.made))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", fmt.Errorf("make the directory of a bare server: %w", err)
	}
	config := filepath.Join(dir, "server.json")
	if err := os.WriteFile(config, b.config, 0o600); err != nil {
		return nil, "", fmt.Errorf("write the configuration of a bare server: %w", err)
	}
	port := strconv.Itoa(int(b.world.port()))
	out, err := os.OpenFile(filepath.Join(dir, "stdout.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, "", fmt.Errorf("open the output of a bare server: %w", err)
	}
	cmd = exec.Command(b.path, with(with(b.args, "--config", config), "--port", port)...) //nolint:noctx // it ends by kill, when it was measured
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = dir, out, out, &syscall.SysProcAttr{Setsid: true}
	for _, v := range b.env {
		if strings.HasPrefix(v, "HOME=") {
			v = "HOME=" + dir
		}
		cmd.Env = append(cmd.Env, v)
	}
	return cmd, "http://127.0.0.1:" + port + "/health", nil
}

// end kills a bare server.
func end(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	if out, ok := cmd.Stdout.(*os.File); ok {
		_ = out.Close()
	}
}

// once starts one server and measures fork to the first 200 of /health, polled every millisecond.
func (b *bare) once(ctx context.Context) (time.Duration, error) {
	cmd, health, err := b.prepare()
	if err != nil {
		return 0, err
	}
	began := now()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start a bare server: %w", err)
	}
	defer end(cmd)
	at, err := b.await(ctx, health, pollEvery)
	return at.since(began), err
}

// await polls until a server answers.
func (b *bare) await(ctx context.Context, health string, every time.Duration) (instant, error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(every) {
		if b.healthy(ctx, health) {
			return now(), nil
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return 0, errors.New("a bare server never became healthy")
}

func (b *bare) healthy(ctx context.Context, health string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, health, http.NoBody)
	if err != nil {
		return false
	}
	reply, err := b.http.Do(request)
	if err != nil {
		return false
	}
	_ = reply.Body.Close()
	return reply.StatusCode == http.StatusOK
}

// many starts servers at once and measures until the last one is up. They are asked less often, so that the questions do not take the processor
// from the servers.
func (b *bare) many(ctx context.Context, n int) (time.Duration, error) {
	commands, health := make([]*exec.Cmd, n), make([]string, n)
	for i := range n {
		var err error
		if commands[i], health[i], err = b.prepare(); err != nil {
			return 0, err
		}
	}
	defer func() {
		for _, cmd := range commands {
			if cmd.Process != nil {
				end(cmd)
			}
		}
	}()
	began := now()
	err := parallel(n, n, func(i int) error {
		if err := commands[i].Start(); err != nil {
			return err
		}
		_, err := b.await(ctx, health[i], max(pollEvery, time.Duration(n/10)*pollEvery))
		return err
	})
	return now().since(began), err
}
