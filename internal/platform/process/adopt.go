//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// load learns from the journal what there was, and finds the process if it is still there. A journal from which nothing may be concluded makes
// the unit broken: it is reported, and nothing is touched.
func (u *unit) load() {
	u.mu.Lock()
	defer u.mu.Unlock()
	defer u.publish()
	u.present = true
	if u.learn(); u.broken != nil {
		u.d.log.Error(u.broken, "nothing is done about an instance whose state is unknown", "uid", u.uid)
	}
}

// relearn tries again what load could not: the cause may be gone, for instance a lack of descriptors, or a file that a person has mended.
func (u *unit) relearn() (time.Duration, bool) {
	if _, err := os.Lstat(u.home.path); errors.Is(err, os.ErrNotExist) {
		u.d.log.Info("an instance of which nothing was known has been given up", "uid", u.uid)
		u.changed, u.present = true, false
		u.leave()
		return 0, false
	}
	before := u.broken
	u.broken = nil
	u.learn()
	if u.broken != nil {
		if u.broken.Error() != before.Error() {
			u.d.log.Error(u.broken, "still nothing is known of an instance", "uid", u.uid)
		}
		return relearnEvery, true
	}
	u.d.log.Info("what is left of an instance is known again", "instance", u.rec.label())
	u.changed = true
	if u.p != nil {
		u.d.watch(u, u.p)
	}
	return 0, true
}

// relearnEvery is the pause between two tries to learn of an instance of which nothing is known.
const relearnEvery = 5 * time.Second

// learn does the work of load.
func (u *unit) learn() {
	read, err := loadJournal(u.home, u.uid)
	if err != nil {
		u.fail(err)
		return
	}
	// Whatever else is wrong, it is known whose it is: an instance that took over the name must not start beside it.
	u.rec.Namespace, u.rec.Name = read.Namespace, read.Name
	for _, in := range []*input{read.Current, read.Next} {
		if in == nil {
			continue
		}
		// A file that cannot be read is told of when it is needed.
		if file, err := loadInput(u.home, in.Seq); err == nil {
			in.config = file.Config
		}
	}
	if err := u.find(read); err != nil {
		u.fail(err)
		// What may still run keeps what it uses.
		u.d.plugins.keep(u.uid, read.pluginKeys()...)
		u.d.ports.set(u.uid, read.label(), read.uses(true)...)
		return
	}
	u.take(*read)
	if other := u.d.users.set(u.uid, read.User); other != "" {
		u.d.log.Info("two instances have one user; one of them gets another at its next start", "instance", u.rec.label(), "other", other)
		u.rec.User = 0
	}
	u.confined.there = u.confined.there || u.rec.Run != nil && u.rec.Run.Cgroup != nil
	tidy(u.home, &u.rec)
}

// reserveUser keeps the user of an instance of which nothing else is known from all others: its files tell.
func (u *unit) reserveUser() {
	for _, dir := range []string{u.home.data(), u.home.settings()} {
		if owner, err := ownerOf(dir); err == nil && u.d.users.within.holds(owner) {
			u.d.users.set(u.uid, owner)
		}
	}
}

// fail makes the unit broken.
func (u *unit) fail(err error) {
	u.broken = fmt.Errorf("%w; nothing is done about this instance until that is mended; to give it up, end its server, if there is one, and move %s away",
		err, u.home.path)
	u.reserveUser()
}

// onClock is a time from a journal as this agent's clock has it, which goes on when the wall clock is moved. It is at most so long after now: the
// wall clock may have been put back since it was written.
func onClock(at, now time.Time, most time.Duration) time.Time {
	if at.IsZero() {
		return at
	}
	return now.Add(min(at.Sub(now), most))
}

// find finds out what became of the run in the journal.
func (u *unit) find(read *record) error {
	if read.BootID != u.d.bootID {
		// Nothing survives a restart of the host, and where the instance belongs by now only its object tells.
		u.parked = read.Want == wantRunning
		read.Run, read.Stop, read.Unasked = nil, nil, false
		read.Failures, read.RetryAt, read.NextFailures, read.NextRetryAt = 0, time.Time{}, 0, time.Time{}
		return nil
	}
	now := u.d.clock.Now()
	read.RetryAt = onClock(read.RetryAt, now, backoff(read.Failures))
	read.NextRetryAt = onClock(read.NextRetryAt, now, max(backoff(read.NextFailures), fallbackAfter(read.NextFailures)))
	if read.Stop != nil {
		read.Stop = &stopping{Since: onClock(read.Stop.Since, now, 0), Grace: read.Stop.Grace}
	}
	if read.Run == nil {
		read.Stop = nil
		return nil
	}
	found, err := find(read.Run.identity)
	if errors.Is(err, errGone) {
		u.p = newGone(read.Run.identity)
		return nil
	}
	if err != nil {
		return err
	}
	if found.dead() {
		u.p = found
		return nil
	}
	server, launcher, err := ours(found.PID, u.home)
	switch {
	case errors.Is(err, errGone) || found.dead():
		// It is ending, some of its threads perhaps later than the first: what was read of it meanwhile says nothing.
		server = false
	case err != nil:
		found.close()
		return fmt.Errorf("look at process %d: %w", found.PID, err)
	case !server && !launcher:
		found.close()
		return fmt.Errorf("the journal names process %d, which is not the server of this instance", found.PID)
	}
	found.executed, found.seen = server, true
	u.p = found
	return nil
}
