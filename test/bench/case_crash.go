//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/utils/ptr"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/launcher"
)

// steadyAfter is how long a server must have run to be started again without a pause, with a margin.
const steadyAfter = 10*time.Second + 200*time.Millisecond

// crashRun is a run of the case crash.
type crashRun struct {
	world   *world
	host    *host
	eyes    *eyes
	effects *watcher

	noticed, execed, began, told series
	steps                        steps
}

// victim is a server that can be killed.
type victim struct {
	object *v1alpha1.DrasiInstance
	since  instant
}

func runCrash(ctx context.Context, w *world) (_ *result, err error) {
	if err := w.startController(ctx); err != nil {
		return nil, err
	}
	r := &crashRun{world: w}
	if r.host, err = w.startHost(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.host.end(ctx)) }()
	pool, err := w.fill(ctx, "crash", w.options.pool)
	if err != nil {
		return nil, err
	}
	if r.eyes, err = w.watch(ctx); err != nil {
		return nil, err
	}
	defer r.eyes.close()
	if r.effects, err = watchEffects(r.host.instances(), w.manager, w.server); err != nil {
		return nil, err
	}
	defer r.effects.close()
	if _, err := w.record.fresh(); err != nil {
		return nil, err
	}
	var victims []*victim
	for _, object := range pool {
		victims = append(victims, &victim{object: object, since: now()})
	}
	slices.SortFunc(victims, func(a, b *victim) int { return strings.Compare(a.object.Name, b.object.Name) })
	for i := range w.options.kills {
		if err := r.kill(ctx, victims[i%len(victims)]); err != nil {
			return nil, err
		}
		every(i, 25, "kill")
	}
	launched, err := r.launches(ctx)
	if err != nil {
		return nil, err
	}
	found := &result{Case: "crash", Title: fmt.Sprintf("kill -9 of a server that has run for more than 10 s, %d of them in turn, one kill at a time.", len(victims))}
	found.judged("kill to the successor's main, as the server itself records it", r.began, bound{"p99", 10})
	found.judged("kill to a watch event that tells it", r.told, bound{"p99", 150})
	found.series(kindFact, "kill to execve of the successor (the executable is opened)", r.execed)
	found.series(kindBaseline, "kill to the pidfd readable, in the harness", r.noticed)
	found.series(kindBaseline, "fork to exit of the launcher's executable with nothing to do, by the harness", launched)
	r.steps.into(found)
	found.note("The kernel tells a process's start in ticks of 10 ms only; what is told here is the server's own record by CLOCK_MONOTONIC, " +
		"which its own start-up of about a millisecond is part of.")
	return found, nil
}

// kill kills a server, once it is old enough, and follows what happens.
func (r *crashRun) kill(ctx context.Context, v *victim) error {
	if wait := steadyAfter - now().since(v.since); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	pid, name, uid := pidOf(v.object), v.object.Name, string(v.object.UID)
	events := r.eyes.of(name)
	defer r.eyes.forget(name)
	r.effects.take()
	mark := r.world.audit.mark()
	killed, ended, err := killAndWait(pid)
	if err != nil {
		return err
	}
	told, err := r.eyes.first(ctx, events, func(s sighting) bool { return !isReady(s.object) || pidOf(s.object) != pid })
	if err != nil {
		return fmt.Errorf("wait until the end of %s is told: %w", name, err)
	}
	again := told
	if !recovered(told.object, pid) {
		if again, err = r.eyes.first(ctx, events, func(s sighting) bool { return recovered(s.object, pid) }); err != nil {
			return fmt.Errorf("wait until %s is Ready again: %w", name, err)
		}
	}
	time.Sleep(20 * time.Millisecond) // the last PATCH is logged a little after its answer
	starts, err := r.world.record.fresh()
	if err != nil {
		return err
	}
	writes, err := r.world.audit.since(mark)
	if err != nil {
		return err
	}
	effects := r.effects.take()
	began := startOf(starts, pidOf(again.object))
	// A driver may write the end down with the next start.
	buried := effects.nextBefore(uid+"/journal.json", uid+"/launch.json")
	spec := effects.next(uid + "/launch.json")
	cloned := effects.next(r.world.manager)
	recorded := effects.next(uid + "/journal.json")
	execed := effects.next(r.world.server)
	reported := firstWrite(writes, "agent", "drasiinstances/status", name)
	r.noticed.add(ended.since(killed))
	r.told.add(told.at.since(killed))
	if began > 0 {
		r.began.add(began.since(killed))
	}
	if execed > 0 {
		r.execed.add(execed.since(killed))
	}
	r.steps.add("kill → end in the journal, where it is written by itself (burial, fsync)", killed, buried)
	r.steps.add("→ configuration and launch specification written", max(killed, buried), spec)
	r.steps.add("→ launcher executed (clone)", spec, cloned)
	r.steps.add("→ process recorded in the journal (fsync)", cloned, recorded)
	r.steps.add("→ server executed", recorded, execed)
	r.steps.add("→ server's main", execed, began)
	r.steps.add("kill → status PATCH received", killed, reported.Received)
	r.steps.add("status PATCH", reported.Received, reported.Completed)
	r.steps.add("→ watch event at the harness", reported.Completed, told.at)
	r.steps.add("kill → Ready again at the harness", killed, again.at)
	v.object, v.since = again.object, now()
	return nil
}

// recovered says that an object is Ready with another process.
func recovered(object *v1alpha1.DrasiInstance, before int) bool {
	return isReady(object) && pidOf(object) != before && ptr.Deref(object.Status.Restarts, 0) > 0
}

// killAndWait kills a process through its descriptor, and returns when kill returned and when the end was seen.
func killAndWait(pid int) (killed, ended instant, err error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("open the server's process: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		return 0, 0, fmt.Errorf("kill the server: %w", err)
	}
	killed = now()
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(polled, int(patience/time.Millisecond))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n != 1 {
			return 0, 0, fmt.Errorf("wait for the end of the server: %w", errors.Join(err, errors.New("it lives on")))
		}
		return killed, now(), nil
	}
}

// launches measures what it costs to make a process of the launcher's executable that ends at once, for want of a specification.
func (r *crashRun) launches(ctx context.Context) (series, error) {
	var took series
	for range max(leastBare, r.world.options.kills) {
		cmd := exec.CommandContext(ctx, r.world.manager)
		cmd.Args = []string{launcher.Name, "/nonexistent"}
		cmd.Env, cmd.SysProcAttr = []string{}, &syscall.SysProcAttr{Setsid: true}
		began := now()
		if err := cmd.Start(); err != nil {
			return nil, fmt.Errorf("start the launcher: %w", err)
		}
		_ = cmd.Wait() // it has nothing to launch and says so by its code
		took.add(now().since(began))
	}
	return took, nil
}
