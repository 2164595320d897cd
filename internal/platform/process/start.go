//go:build linux

package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/draas-io/draas/internal/launcher"
)

// What every server gets beside its own environment and limits.
const (
	fixedPath  = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	umask      = 0o077
	openFiles  = 65536
	oomNeutral = 0
)

// prepared makes sure that the plugins of the next start are there. That can take a while, so the lock is given back meanwhile; false means
// that something else is due now.
func (u *unit) prepared() (bool, error) {
	in := u.rec.due()
	if u.d.plugins.prepared(in.PluginKey) {
		return true, nil
	}
	u.mu.Unlock()
	key, err := u.prepare(in)
	u.mu.Lock()
	due := u.rec.due()
	if u.gone || due == nil || due.Seq != in.Seq {
		u.keepPlugins()
		return false, nil
	}
	if err != nil {
		return false, err
	}
	with := *due
	with.PluginKey = key
	u.rec.replaceDue(&with)
	u.keepPlugins()
	return true, nil
}

func (u *unit) prepare(in *input) (string, error) {
	executable, err := u.d.executables.find(context.Background(), in.Version)
	if err != nil {
		return "", err
	}
	return u.d.plugins.prepare(u.uid, in.Version, executable, in.Plugins)
}

// start tries to start the server.
func (u *unit) start(now time.Time) (time.Duration, bool) {
	ready, err := u.prepared()
	if err == nil && (!ready || !u.shallRun()) {
		return 0, true
	}
	if err == nil {
		err = u.launch()
	}
	u.changed = true
	if err != nil {
		return u.failed(now, err), true
	}
	u.startError = nil
	u.d.watch(u, u.p)
	return 0, false
}

// failed notes why a start, or what comes before one, could not be tried, and returns the pause before the next try.
func (u *unit) failed(now time.Time, err error) time.Duration {
	u.startError = err
	u.changed = true
	pause := backoff(u.rec.Failures)
	next := u.rec
	next.Failures++
	next.RetryAt = now.Add(pause)
	u.settle(next)
	u.d.log.Error(err, "cannot start the server", "instance", u.rec.label())
	return pause
}

// launch starts the server with the inputs that are due.
func (u *unit) launch() error {
	if u.dirty {
		if err := u.commit(u.rec); err != nil {
			return err
		}
	}
	in := *u.rec.due()
	executable, err := u.d.executables.find(context.Background(), in.Version)
	if err != nil {
		return err
	}
	if in.Port, err = u.d.ports.verify(u.uid, &in); err != nil {
		return err
	}
	incarnation, err := unique(u.d.random)
	if err != nil {
		return err
	}
	if err := u.furnish(&in, executable, incarnation); err != nil {
		return err
	}
	return u.spawn(&in, incarnation)
}

// furnish puts everything in place that the server and the launcher will read.
func (u *unit) furnish(in *input, executable, incarnation string) error {
	if err := u.d.hooks.around(PointMkdir, u.home.make); err != nil {
		return fmt.Errorf("make the directories of the instance: %w", err)
	}
	if err := u.home.makeFolders(in.Folders); err != nil {
		return fmt.Errorf("make the folders of the instance: %w", err)
	}
	file, err := loadInput(u.home, in.Seq)
	if err != nil {
		return err
	}
	// The server may have added to its configuration, and would read this file beside it.
	if err := os.Remove(u.home.dotenv()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("write the configuration: %w", err)
	}
	if err := u.d.files.writeFresh(PointConfig, u.home.config(), file.Config, 0o600); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	text, err := json.Marshal(u.spec(in, executable, incarnation, file.Env))
	if err == nil {
		err = u.d.files.writeFresh(PointSpec, u.home.spec(), text, 0o400)
	}
	if err != nil {
		return fmt.Errorf("write the launch specification: %w", err)
	}
	return nil
}

// spec is what the launcher is to do.
func (u *unit) spec(in *input, executable, incarnation string, env []variable) launcher.Spec {
	args := []string{
		executable, "--config", u.home.config(), "--plugins-dir", u.d.plugins.path(in.PluginKey), "--port", strconv.Itoa(int(in.Port)),
	}
	spec := launcher.Spec{
		FormatVersion: launcher.FormatVersion, Incarnation: incarnation, Executable: []byte(executable), Dir: []byte(u.home.data()),
		Env: environment(u.home, env), Umask: umask, OOMScoreAdj: oomNeutral,
		Limits: []launcher.Limit{{Resource: syscall.RLIMIT_NOFILE, Soft: openFiles}},
	}
	for _, arg := range args {
		spec.Args = append(spec.Args, []byte(arg))
	}
	return spec
}

// environment is the server's: its own variables and, where they say nothing else, the fixed ones. Of two variables of one name the last
// counts.
func environment(h home, env []variable) [][]byte {
	all := [][]byte{[]byte(fixedPath), []byte("HOME=" + h.data()), []byte("NO_COLOR=1")}
	for _, v := range env {
		prefix := v.Name + "="
		all = slices.DeleteFunc(all, func(entry []byte) bool {
			return len(entry) >= len(prefix) && string(entry[:len(prefix)]) == prefix
		})
		all = append(all, append([]byte(prefix), v.Value...))
	}
	return all
}

// spawn makes the process, writes down which one it is, and only then lets it become the server.
func (u *unit) spawn(in *input, incarnation string) error {
	before := u.rec
	stdoutFrom, stderrFrom := sizeOf(u.home.stdout()), sizeOf(u.home.stderr())
	var made *child
	err := u.d.hooks.around(PointClone, func() (err error) {
		made, err = clone(u.d.launcher, u.home)
		return err
	})
	if err != nil {
		return err
	}
	next := u.rec
	next.Current, next.Next, next.Stop = in, nil, nil
	next.Run = &run{identity: made.identity, Incarnation: incarnation, StartedAt: u.d.clock.Now(), Port: in.Port}
	next.StdoutFrom, next.StderrFrom = stdoutFrom, stderrFrom
	next.RetryAt = time.Time{}
	if next.Unasked {
		next.Restarts++
		next.Unasked = false
	}
	u.p = made.proc
	err = u.d.hooks.around(PointRecord, func() error { return u.commit(next) })
	if err == nil {
		err = made.release(u.d.hooks)
	}
	if err != nil {
		made.abandon()
		u.p = nil
		u.settle(before)
		return err
	}
	tidy(u.home, &u.rec)
	u.signalled, u.poll = false, 0
	return nil
}
