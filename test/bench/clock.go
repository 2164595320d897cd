//go:build linux

package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// instant is a reading of CLOCK_MONOTONIC, which all processes of the machine share; zero: not seen.
type instant int64

// now reads CLOCK_MONOTONIC.
func now() instant {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail for this clock
	return instant(ts.Nano())
}

// since is the time from an earlier instant to this one.
func (i instant) since(earlier instant) time.Duration { return time.Duration(i - earlier) }

// fromWall converts a time that another process told by the wall clock. It is right as long as the clock is not set between then and now.
func fromWall(t time.Time) instant {
	if t.IsZero() {
		return 0
	}
	return now() - instant(time.Since(t.Round(0)))
}
