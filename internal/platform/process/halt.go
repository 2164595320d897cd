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

// boundOutputs keeps the output files of all servers near their limit.
func (d *Driver) boundOutputs() {
	known := map[string]*output{}
	wake := make(chan struct{}, 1)
	for {
		pause := outputLatest
		now := d.clock.Now()
		present := map[string]*output{}
		for _, u := range d.all() {
			for _, path := range []string{u.home.stdout(), u.home.stderr()} {
				o := known[path]
				if o == nil {
					o = u.output(path)
				}
				present[path] = o
				pause = min(pause, d.bound(o, now))
			}
		}
		known = present
		cancel := d.clock.AfterFunc(pause, func() {
			select {
			case wake <- struct{}{}:
			default:
			}
		})
		select {
		case <-d.done:
			cancel()
			return
		case <-wake:
		}
	}
}

// bound looks at an output file if that is due, and returns the time until the next look.
func (d *Driver) bound(o *output, now time.Time) time.Duration {
	if left := o.seen.Add(o.wait).Sub(now); left > 0 && left <= outputLatest {
		return left
	}
	pause, err := o.look(now)
	if err != nil {
		d.log.Error(err, "cannot bound an output file", "file", o.path)
	}
	return pause
}
