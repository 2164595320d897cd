//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/draas-io/draas/internal/platform"
)

// nameForm is what of an object's name can be part of a directory's.
var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

// remove takes away what a stopped instance left behind, and ends the unit.
func (u *unit) remove(ctx context.Context, ref platform.Ref, keepData bool) error {
	u.mu.Lock()
	defer u.finish()
	if u.gone {
		return nil
	}
	if err := u.usable(); err != nil {
		return err
	}
	if u.p != nil || u.rec.Want == wantRunning && !u.parked {
		return &platform.WaitError{Code: platform.CodeStopping, Message: "the server must be stopped before it is removed"}
	}
	if err := u.release(ctx); err != nil {
		return err
	}
	if keepData {
		if err := u.retain(ref); err != nil {
			return fmt.Errorf("keep the data of the instance: %w", err)
		}
	}
	err := u.d.hooks.around(PointRemove, u.home.remove)
	if err == nil {
		err = syncDir(u.d.layout.instances())
	}
	if err != nil {
		return fmt.Errorf("remove the directory of the instance: %w", err)
	}
	u.changed, u.present = true, false
	u.leave()
	return nil
}

// leave ends the unit.
func (u *unit) leave() {
	u.gone = true
	close(u.quit)
	u.d.ports.set(u.uid, "")
	u.d.plugins.keep(u.uid)
	u.d.users.set(u.uid, 0)
	u.d.forget(u)
}

// retain moves the data away, to a name that nothing has yet.
func (u *unit) retain(ref platform.Ref) error {
	entries, err := os.ReadDir(u.home.data())
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	name := u.uid
	for _, person := range []string{u.rec.Name, ref.Name} {
		if nameForm.MatchString(person) {
			name = u.uid + "-" + person
			break
		}
	}
	target := filepath.Join(u.d.layout.retained(), name)
	for n := 2; ; n++ {
		if _, err := os.Lstat(target); errors.Is(err, os.ErrNotExist) {
			break
		} else if err != nil {
			return err
		}
		target = filepath.Join(u.d.layout.retained(), name+"."+strconv.Itoa(n))
	}
	// What is kept is the agent's: the user may be another instance's one day.
	if owner := u.rec.User; owner != 0 {
		if err := u.d.hooks.around(PointOwn, func() error { return takeBack(u.home.data(), owner) }); err != nil {
			// Only the agent gets to where it is kept, so that a server that made its files hard to give away does not keep itself.
			u.d.log.Error(err, "not all of the data that is kept became the agent's", "instance", u.rec.label())
		}
	}
	return u.d.hooks.around(PointRetain, func() error {
		return errors.Join(os.Rename(u.home.data(), target), syncDir(u.d.layout.retained()))
	})
}
