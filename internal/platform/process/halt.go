//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// haltPoll is the pause between two looks whether every server has ended.
const haltPoll = 5 * time.Millisecond

// StopAll stops every server and starts none any more. What shall run is not changed by that: the next driver starts it again.
func (d *Driver) StopAll(ctx context.Context, grace time.Duration) error {
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	d.halted.Store(&stopping{Since: d.clock.Now(), Grace: max(grace, 0)})
	tick := time.NewTicker(haltPoll)
	defer tick.Stop()
	for _, u := range d.all() {
		u.poke()
	}
	for {
		left := d.alive()
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%d servers still run", left), ctx.Err())
		case <-tick.C:
		}
	}
}

// alive is how many servers run.
func (d *Driver) alive() int {
	n := 0
	for _, u := range d.all() {
		if u.running() {
			n++
		}
	}
	return n
}

func (u *unit) running() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.p != nil
}
