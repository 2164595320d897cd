//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// errRemoved says that the unit was removed meanwhile, and another one must be asked.
var errRemoved = errors.New("the instance was removed meanwhile")

// usable tells why nothing can be done with the unit.
func (u *unit) usable() error {
	switch {
	case u.gone:
		return errRemoved
	case u.broken != nil:
		return &platform.UnavailableError{Err: u.broken}
	default:
		return nil
	}
}

// ensure makes the desired inputs what shall run.
func (u *unit) ensure(ctx context.Context, desired *platform.Desired) error {
	u.mu.Lock()
	defer u.finish()
	defer func() {
		if !u.present && !u.gone {
			// It was refused before anything was there.
			u.leave()
		}
	}()
	if err := u.accepts(); err != nil {
		return err
	}
	if u.parked {
		return u.beginAgain(ctx, desired)
	}
	return u.makeDue(ctx, desired)
}

// makeDue makes the desired inputs those that are due, unless they are.
func (u *unit) makeDue(ctx context.Context, desired *platform.Desired) error {
	if err := u.suits(desired); err != nil {
		return err
	}
	switch {
	case u.rec.Want == wantStopped, u.parked:
		return u.begin(ctx, desired)
	case u.rec.due().Hash == desired.Hash && u.lacksInput():
		return u.begin(ctx, desired)
	case u.rec.due().Hash == desired.Hash:
		return u.refresh(u.rec, desired)
	case u.replaced(desired.Hash):
		// What runs, or shall run until something else can, is desired again before it was stopped.
		next := u.rec
		next.drop()
		u.startError = nil
		return u.refresh(next, desired)
	case !desired.Replace:
		return &platform.WaitError{Code: platform.CodeReplaceRefused, Message: "it shall run with other inputs, which may not be replaced"}
	default:
		return u.begin(ctx, desired)
	}
}

// accepts tells why nothing new can be desired now.
func (u *unit) accepts() error {
	if err := u.usable(); err != nil {
		return err
	}
	if u.d.halted.Load() != nil {
		return &platform.WaitError{Code: platform.CodeStopping, Message: "the agent is stopping all its servers"}
	}
	if u.rec.Want == wantStopped && u.p != nil {
		return &platform.WaitError{Code: platform.CodeStopping, Message: "the server is being stopped"}
	}
	return nil
}

// suits tells why these inputs can never be desired.
func (u *unit) suits(desired *platform.Desired) error {
	if err := validate(desired); err != nil {
		return err
	}
	if had := u.rec.InstanceID; had != "" && had != desired.InstanceID {
		return invalid("the instance id is %q and cannot become %q: the server's data hangs on it", had, desired.InstanceID)
	}
	return nil
}

// beginAgain is makeDue after a restart of the host. What cannot even be prepared takes nothing's place: what ran before runs on.
func (u *unit) beginAgain(ctx context.Context, desired *platform.Desired) error {
	err := u.makeDue(ctx, desired)
	if err == nil || ctx.Err() != nil || !desired.Replace || u.rec.Current == nil || u.rec.Current.Hash == desired.Hash {
		return err
	}
	if lost := u.unpark(); lost != nil {
		return fmt.Errorf("%w; and what ran before cannot run again: %w", err, lost)
	}
	return err
}

// lacksInput tells whether a start fails since the file with its inputs is lost, which only who desires them can write anew.
func (u *unit) lacksInput() bool {
	if u.startError == nil || u.p != nil && u.rec.Next == nil {
		return false
	}
	_, err := loadInput(u.home, u.rec.due().Seq)
	return err != nil
}

// resume has what shall run started again after the host was.
func (u *unit) resume() error {
	u.mu.Lock()
	defer u.finish()
	if err := u.usable(); err != nil {
		return err
	}
	return u.unpark()
}

// unpark has what shall run started: it is known now that it still belongs here. While it was not, others could have its listeners' ports.
func (u *unit) unpark() error {
	if !u.parked {
		return nil
	}
	if err := u.d.ports.again(u.uid, u.rec.label(), u.rec.uses(false)); err != nil {
		return err
	}
	u.rec.LastExit = nil // of before the host's restart, and no reason why nothing runs now
	u.parked, u.changed = false, true
	u.poke()
	return nil
}

// replaced tells whether inputs of that hash run, or shall run until others can, and were not stopped for them.
func (u *unit) replaced(hash string) bool {
	return (u.p != nil || u.rec.Replacing) && u.rec.Stop == nil && u.rec.Current.Hash == hash
}

// refresh notes what of an input may change without another start.
func (u *unit) refresh(next record, desired *platform.Desired) error {
	due := *next.due()
	due.Generation, due.Grace = desired.Generation, desired.Grace
	if was := next.due(); due.Generation == was.Generation && due.Grace == was.Grace && next.Next == u.rec.Next &&
		next.Namespace == desired.Namespace && next.Name == desired.Name {
		return nil
	}
	next.replace(&due)
	next.Namespace, next.Name = desired.Namespace, desired.Name
	return u.commit(next)
}

// begin checks everything that can be checked before anything is touched, and makes the inputs what shall run next.
func (u *unit) begin(ctx context.Context, desired *platform.Desired) error {
	if err := u.checkHome(); err != nil {
		return err
	}
	if err := u.d.passable(); err != nil {
		return err
	}
	if err := u.d.groups.refuse(desired.Resources); err != nil {
		return err
	}
	find := u.d.executables.find
	if u.parked && u.rec.Current != nil && u.rec.Current.Hash == desired.Hash {
		// It takes nothing's place: it is what ran before the host's restart.
		find = u.d.executables.locate
	}
	if _, err := find(ctx, desired.Version); err != nil {
		return err
	}
	if _, err := u.d.plugins.check(desired.Version, desired.Plugins); err != nil {
		return err
	}
	in, file := newInput(desired)
	if err := u.d.ports.reserve(u.uid, label(desired.Ref), in, u.portBefore(), u.ownPorts()); err != nil {
		return err
	}
	// What is told is claimed with it, and nothing of that may be free for others before this ends.
	parked := u.parked
	u.parked = false
	if err := u.tell(desired, in, file, parked); err != nil {
		u.parked = parked
		u.claimPorts()
		return err
	}
	tidy(u.home, &u.rec)
	u.startError, u.changed = nil, true
	u.claimPorts()
	u.poke()
	return nil
}

// tell writes down what shall run; parked says that the host's restart has ended what ran before.
func (u *unit) tell(desired *platform.Desired, in *input, file sealed, parked bool) error {
	if err := u.makeHome(); err != nil {
		return err
	}
	next := u.rec
	next.LastSeq++
	in.Seq = next.LastSeq
	if err := u.d.files.saveInput(u.home, in.Seq, file); err != nil {
		return err
	}
	if next.User == 0 && u.p == nil && u.d.users.none == nil {
		var err error
		if next.User, err = u.d.users.choose(u.uid); err != nil {
			return err
		}
	}
	replacing := u.rec.Want == wantRunning && u.rec.Current != nil && (u.rec.Next == nil || u.rec.Replacing) && (!parked || u.canRunAgain(in))
	next.drop()
	next.Namespace, next.Name, next.InstanceID = desired.Namespace, desired.Name, desired.InstanceID
	next.Want, next.Next, next.Replacing = wantRunning, in, replacing
	next.Unasked, next.Failures, next.RetryAt, next.LastExit = false, 0, time.Time{}, nil
	return u.commit(next)
}

// canRunAgain tells whether what a restart of the host has ended could take the place of these inputs: it is something else, and no other instance
// has its listeners' ports since.
func (u *unit) canRunAgain(in *input) bool {
	return u.rec.Current.Hash != in.Hash && u.d.ports.vacant(u.uid, u.rec.Current.Listeners) == nil
}

// checkHome refuses a place that something else has.
func (u *unit) checkHome() error {
	err := u.home.inspect()
	if errors.Is(err, errForeign) {
		return &platform.TerminalError{Code: platform.CodeForeign, Message: fmt.Sprintf("%s: %v", u.home.path, err)}
	}
	if err != nil {
		return fmt.Errorf("look at the directory of the instance: %w", err)
	}
	return nil
}

func (u *unit) makeHome() error {
	u.present = true
	err := u.d.hooks.around(PointMkdir, func() error { return u.home.make(u.d.users.passage()) })
	if err == nil {
		err = syncDir(u.d.layout.instances())
	}
	if err != nil {
		return fmt.Errorf("make the directories of the instance: %w", err)
	}
	return nil
}

// portBefore is where the API of the instance was.
func (u *unit) portBefore() uint16 {
	if due := u.rec.due(); due != nil {
		return due.Port
	}
	return 0
}

// ownPorts are the ports on which the instance's own process listens, which it will have given up by the next start.
func (u *unit) ownPorts() []uint16 {
	if u.p == nil || u.rec.Run == nil || u.rec.Current == nil {
		return nil
	}
	own := []uint16{u.rec.Run.Port}
	for _, listener := range u.rec.Current.Listeners {
		own = append(own, listener.Port)
	}
	return slices.Compact(own)
}

// stop makes it so that nothing shall run, and begins to stop what does.
func (u *unit) stop(grace time.Duration) error {
	u.mu.Lock()
	defer u.finish()
	if u.gone {
		return nil
	}
	if err := u.usable(); err != nil {
		return err
	}
	grace = max(grace, 0)
	next := u.rec
	switch {
	case u.p == nil && next.Want == wantStopped && !u.dirty:
		return nil
	case u.p != nil && next.Stop == nil:
		next.Stop = &stopping{Since: u.d.clock.Now(), Grace: grace}
	case u.p != nil && grace < next.Stop.Grace:
		next.Stop = &stopping{Since: next.Stop.Since, Grace: grace}
	case next.Want == wantStopped && !u.dirty:
		return nil
	}
	next.drop()
	next.Want = wantStopped
	next.Unasked, next.Failures, next.RetryAt = false, 0, time.Time{}
	err := u.commit(next)
	if err != nil {
		// On a full disk a stop may be the remedy: it goes on all the same, and is written down as soon as that can be.
		u.take(next)
		u.dirty = true
	}
	u.parked, u.startError, u.changed = false, nil, true
	u.poke()
	return err
}
