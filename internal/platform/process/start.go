//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How a start goes on after it could not be made.
const (
	// unwritableMost is the longest pause while nothing can be written: what is written by then shall be tried soon.
	unwritableMost = 5 * time.Second
	// patientTries is how often such inputs are tried in a row before what ran runs again: most faults pass.
	patientTries = 3
	// fallbackPause is when inputs are first tried again that passed every check and could not be started all the same. What ran before must be
	// stopped for each try, so the pause doubles, up to fallbackMost.
	fallbackPause = time.Minute
	fallbackMost  = time.Hour
)

// fallbackAfter is the pause after so many tries in a row.
func fallbackAfter(tries int) time.Duration {
	const beyond = 6
	if tries -= patientTries; tries >= beyond {
		return fallbackMost
	}
	return min(fallbackPause<<max(tries, 0), fallbackMost)
}

// errOther says that something else is due by now.
var errOther = errors.New("something else is due")

// start tries to start what shall run. Where that cannot be, what it was to take the place of runs on, or runs again, until it can.
func (u *unit) start(now time.Time) (time.Duration, bool) {
	checked, err := u.try(u.rec.due())
	if errors.Is(err, errOther) {
		return 0, true
	}
	if err == nil {
		u.started(nil)
		return relookEvery, true
	}
	u.failed(now, u.rec.due(), err)
	if u.rec.Replacing && !u.rec.RetryAt.After(now) {
		if checked && u.rec.NextFailures < patientTries {
			return max(u.rec.NextRetryAt.Sub(now), 0), true
		}
		u.fallBack(now, checked, err)
	}
	if u.p != nil {
		return 0, true
	}
	return max(u.rec.startsAt().Sub(now), 0), true
}

// fallBack starts what ran before again, since what shall take its place cannot be started.
func (u *unit) fallBack(now time.Time, checked bool, why error) {
	if checked {
		u.rec.NextRetryAt = now.Add(fallbackAfter(u.rec.NextFailures))
	}
	u.rec.Unasked = true
	_, err := u.try(u.rec.Current)
	switch {
	case errors.Is(err, errOther):
	case err != nil:
		u.failed(now, u.rec.Current, err)
		u.startError = why
	default:
		u.started(why)
	}
}

// started ends a successful start; why is what keeps something else from running, nil where nothing does.
func (u *unit) started(why error) {
	u.startError, u.changed = why, true
	u.d.watch(u, u.p)
}

// try starts the server with the inputs; checked says that every check had passed.
func (u *unit) try(in *input) (checked bool, err error) {
	if in, err = u.ready(in); err != nil {
		return false, err
	}
	if !u.shallRun() {
		return false, errOther
	}
	return true, u.launch(*in)
}

// failed notes why a start, or what comes before one, could not be tried, and when it is tried again.
func (u *unit) failed(now time.Time, in *input, err error) {
	u.startError, u.changed = err, true
	next := u.rec
	failures, at := &next.Failures, &next.RetryAt
	if next.Next != nil && next.Next.Seq == in.Seq {
		failures, at = &next.NextFailures, &next.NextRetryAt
	}
	pause := backoff(*failures)
	if unwritable(err) {
		pause = min(pause, unwritableMost)
	}
	*failures++
	*at = now.Add(pause)
	u.settle(next)
	u.d.log.Error(err, "cannot start the server", "instance", u.rec.label())
}

// ready checks what a start needs and makes what can be made before one, while another server of the instance may still run. What takes long is
// done without the lock; errOther says that meanwhile these inputs are not wanted any more.
func (u *unit) ready(in *input) (*input, error) {
	// Nothing good gives way to an executable that has not told that it can be run here.
	proven := u.p != nil || u.rec.Replacing && u.rec.Next != nil && u.rec.Next.Seq == in.Seq
	if !u.d.plugins.prepared(in.PluginKey) || !u.d.executables.known(in.Version, proven) {
		var err error
		if in, err = u.prepare(in, proven); err != nil {
			return nil, err
		}
	}
	if err := u.d.passable(); err != nil {
		return nil, err
	}
	if err := u.d.groups.refuse(in.Resources); err != nil {
		return nil, err
	}
	if u.p == nil {
		return in, nil
	}
	// Only for a replacement: a start does this itself.
	if _, err := loadInput(u.home, in.Seq); err != nil {
		return nil, err
	}
	if err := u.home.makeFolders(in.Folders, u.runAs()); err != nil {
		return nil, fmt.Errorf("make the folders of the instance: %w", err)
	}
	return in, nil
}

// prepare makes sure that executable and plugins are there, without the lock.
func (u *unit) prepare(in *input, proven bool) (*input, error) {
	if u.behind {
		u.settle(u.rec)
	}
	u.mu.Unlock()
	key, err := u.d.prepare(u.uid, in, proven)
	u.mu.Lock()
	now := u.rec.of(in.Seq)
	if u.gone || now == nil {
		u.keepPlugins()
		return nil, errOther
	}
	if err != nil {
		return nil, err
	}
	with := *now
	with.PluginKey = key
	u.rec.replace(&with)
	u.keepPlugins()
	return &with, nil
}

func (d *Driver) prepare(uid string, in *input, proven bool) (string, error) {
	find := d.executables.locate
	if proven {
		find = d.executables.find
	}
	executable, err := find(context.Background(), in.Version)
	if err != nil {
		return "", err
	}
	return d.plugins.prepare(uid, in.Version, executable, in.Plugins)
}
