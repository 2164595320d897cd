package asset

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/draas-io/draas/hack/proc"
)

// lock takes the cache's lock, telling now and then that it waits.
func lock(ctx context.Context, path string, logf func(string, ...any)) (unlock func(), err error) {
	const sayEvery = 5
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for waited := 0; ; waited++ {
		unlock, err := proc.TryLock(path)
		if !errors.Is(err, proc.ErrLocked) {
			return unlock, err
		}
		if waited%sayEvery == 0 {
			logf("another build holds %s, waiting for it", path)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the lock of the cache: %w", ctx.Err())
		case <-tick.C:
		}
	}
}
