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

// launch starts the server with the inputs.
func (u *unit) launch(in input) error {
	if u.dirty {
		if err := u.commit(u.rec); err != nil {
			return fmt.Errorf("a start must be written down before it is made, and it will be tried again: %w", err)
		}
	}
	executable, err := u.d.executables.locate(context.Background(), in.Version)
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
	run := &run{Incarnation: incarnation, Port: in.Port}
	way, err := u.furnish(&in, run, executable)
	if err != nil {
		return err
	}
	return u.spawn(&in, run, way.born)
}

// furnish puts everything in place that the server and the launcher will read, and returns how the launcher gets into its group.
func (u *unit) furnish(in *input, run *run, executable string) (entry, error) {
	if err := u.d.hooks.around(PointMkdir, func() error { return u.home.make(u.d.users.passage()) }); err != nil {
		return entry{}, fmt.Errorf("make the directories of the instance: %w", err)
	}
	if err := u.settleIn(); err != nil {
		return entry{}, fmt.Errorf("make the directories of the instance: %w", err)
	}
	if err := u.home.makeFolders(in.Folders, u.runAs()); err != nil {
		return entry{}, fmt.Errorf("make the folders of the instance: %w", err)
	}
	file, err := loadInput(u.home, in.Seq)
	if err != nil {
		return entry{}, err
	}
	if err := u.configure(file.Config); err != nil {
		return entry{}, fmt.Errorf("write the configuration: %w", err)
	}
	way, err := u.confine(in, run)
	if err != nil {
		return entry{}, fmt.Errorf("confine the server: %w", err)
	}
	text, err := json.Marshal(u.spec(in, run, executable, file.Env, way.files))
	if err == nil {
		err = u.d.files.writeFresh(PointSpec, u.home.spec(), text, 0o400, nil)
	}
	if err != nil {
		return entry{}, fmt.Errorf("write the launch specification: %w", err)
	}
	return way, nil
}

// configure writes the configuration anew, to which the server may have added, and takes away what the server would read beside it.
func (u *unit) configure(config []byte) error {
	if err := os.RemoveAll(u.home.dotenv()); err != nil {
		return err
	}
	return u.d.files.writeFresh(PointConfig, u.home.config(), config, 0o600, u.runAs())
}

// spec is what the launcher is to do.
func (u *unit) spec(in *input, run *run, executable string, env []variable, join []string) launcher.Spec {
	args := []string{
		executable, "--config", u.home.config(), "--plugins-dir", u.d.plugins.path(in.PluginKey), "--port", strconv.Itoa(int(in.Port)),
	}
	spec := launcher.Spec{
		FormatVersion: launcher.FormatVersion, Incarnation: run.Incarnation, Executable: []byte(executable), Dir: []byte(u.home.data()),
		Env: environment(u.home, env), Umask: umask, OOMScoreAdj: oomNeutral,
		Limits: serverLimits(), User: u.runAs(),
	}
	for _, file := range join {
		spec.CgroupProcs = append(spec.CgroupProcs, []byte(file))
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
func (u *unit) spawn(in *input, run *run, born string) error {
	before := u.rec
	next := u.rec
	next.begin(in, u.output(u.home.stdout()).begin(), u.output(u.home.stderr()).begin())
	var made *child
	err := u.d.hooks.around(PointClone, func() (err error) {
		made, err = clone(u.d.launcher, u.home, born)
		return err
	})
	if err != nil {
		// Where the kernel makes no process in a group, the next launcher joins it.
		if born != "" && !exhausted(err) {
			u.d.groups.indirect.Store(true)
		}
		u.confined.limits = nil
		return err
	}
	run.identity, run.StartedAt = made.identity, u.d.clock.Now()
	next.Run, run.Own = run, u.runAs() != nil
	u.p = made.proc
	err = u.d.hooks.around(PointRecord, func() error { return u.commit(next) })
	if err == nil {
		u.d.outputs.add(u)
		err = made.release(u.d.hooks)
	}
	if err == nil && u.p.dead() && u.pending() {
		// Perhaps by the group: where somebody has used cgroup.kill, it kills whatever is made in it.
		err = errors.New("the launcher was killed before it became the server")
	}
	if err != nil {
		made.abandon()
		u.p = nil
		u.confined.limits = nil
		u.settle(before)
		return err
	}
	tidy(u.home, &u.rec)
	u.signalled, u.poll = false, 0
	return nil
}

// exhausted tells of a want that has nothing to do with groups.
func exhausted(err error) bool {
	return slices.ContainsFunc([]error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS,
	}, func(want error) bool { return errors.Is(err, want) })
}

// begin is the start of a run with the inputs.
func (r *record) begin(in *input, stdout, stderr start) {
	if r.Next != nil && r.Next.Seq == in.Seq {
		// With other inputs nothing of what was counts.
		r.drop()
		r.Unasked, r.Failures, r.LastExit = false, 0, nil
	}
	r.Current, r.Stop, r.RetryAt = in, nil, time.Time{}
	r.StdoutFrom, r.StdoutCut = stdout.from, stdout.cut
	r.StderrFrom, r.StderrCut = stderr.from, stderr.cut
	if r.Unasked {
		r.Restarts++
		r.Unasked = false
	}
}
