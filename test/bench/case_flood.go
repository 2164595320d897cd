//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"github.com/draas-io/draas/api/v1alpha1"
	"github.com/draas-io/draas/internal/rotate"
)

const (
	// floodVariable has the simulated server print so many bytes as fast as it can.
	floodVariable = "DRASISIM_FLOOD_STDOUT_BYTES"
	flooded       = 1 << 30
	mib           = 1 << 20
	// floodLook is the pause between two looks at a server that floods its output.
	floodLook = time.Millisecond
)

// floodRun is a run of the case flood.
type floodRun struct {
	world *world
	host  *host
	eyes  *eyes
	quiet *v1alpha1.DrasiInstance

	peak, took, loud, other, bare series
	// looks counts all looks at the files, and beyond those that saw more than twice the limit.
	looks, beyond int
}

func runFlood(ctx context.Context, w *world) (_ *result, err error) {
	if err := w.startController(ctx); err != nil {
		return nil, err
	}
	r := &floodRun{world: w}
	if r.host, err = w.startHost(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.host.end(ctx)) }()
	others, err := w.fill(ctx, "quiet", 1)
	if err != nil {
		return nil, err
	}
	r.quiet = others["quiet-0"]
	if r.eyes, err = w.watch(ctx); err != nil {
		return nil, err
	}
	defer r.eyes.close()
	before, err := r.rotating()
	if err != nil {
		return nil, err
	}
	for i := range w.options.floods {
		if err := r.flood(ctx, fmt.Sprintf("flood-%d", i)); err != nil {
			return nil, err
		}
		every(i, 10, "flood")
	}
	after, err := r.rotating()
	if err != nil {
		return nil, err
	}
	found := &result{Case: "flood", Title: "A server that prints 1 GiB as fast as it can, one at a time; the limit of an output file is 8 MiB, and as much is kept beside it."}
	found.seriesOf(kindFact, "most of one output on disk at once, both parts together, in each flood", "MiB", r.peak)
	found.value(kindFact, "looks (one a millisecond) that found more than 16 MiB", "%", 100*float64(r.beyond)/float64(max(r.looks, 1)))
	found.series(kindFact, "start to the last byte", r.took)
	found.series(kindBaseline, "the same, bare: nobody cuts the file", r.bare)
	found.series(kindFact, "an answer of the server that floods (/health)", r.loud)
	found.series(kindFact, "an answer of a quiet server beside it", r.other)
	found.value(kindFact, "processor time of the rotator for each flood, the quiet time beside it included", ms,
		float64((after-before)/time.Millisecond)/float64(max(w.options.floods, 1)))
	found.note("After each flood both parts of the output had at most 16 MiB; else the case would have failed.")
	return found, nil
}

// rotating is the processor time that the host's rotators have used.
func (r *floodRun) rotating() (time.Duration, error) {
	rotators, err := rotatorsOf(r.host.process.PID())
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, id := range rotators {
		used, err := cpuOfOne(id)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// flood lets one server flood its output, and the same server do so bare.
func (r *floodRun) flood(ctx context.Context, name string) error {
	object, err := r.world.newInstance(name)
	if err != nil {
		return err
	}
	object.Spec.Env = append(object.Spec.Env, v1alpha1.EnvVar{Name: floodVariable, Value: ptr.To(strconv.Itoa(flooded))})
	events := r.eyes.of(name)
	defer r.eyes.forget(name)
	if err := r.world.client.Create(ctx, object); err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	path := filepath.Join(r.host.instances(), string(object.UID), "logs", "stdout.log")
	watched, stop := context.WithCancel(ctx)
	asked := make(chan struct{})
	peak := make(chan int64, 1)
	go func() { peak <- r.look(watched, path) }()
	began := now()
	ready, err := r.eyes.first(ctx, events, func(s sighting) bool { return isReady(s.object) })
	if err == nil {
		go func() {
			defer close(asked)
			r.ask(watched, ready.object)
		}()
		err = until(ctx, name+" to print all", func() (bool, error) {
			n, err := written(pidOf(ready.object))
			return n >= flooded, err
		})
	} else {
		close(asked)
	}
	r.took.add(now().since(began))
	stop()
	<-asked
	r.peak = append(r.peak, float64(<-peak)/mib)
	if err != nil {
		return fmt.Errorf("wait for the flood of %s: %w", name, err)
	}
	err = until(ctx, "the output of "+name+" to be cut", func() (bool, error) { return size(path)+size(rotate.Previous(path)) <= 2*8*mib, nil })
	if err != nil {
		return err
	}
	if err := r.floodBare(ctx, ready.object); err != nil {
		return err
	}
	if err := r.world.client.Delete(ctx, ready.object); err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	_, err = r.eyes.first(ctx, events, func(s sighting) bool { return s.deleted })
	return err
}

// floodBare starts the same server without the product.
func (r *floodRun) floodBare(ctx context.Context, like *v1alpha1.DrasiInstance) error {
	b, err := r.world.bareLike(like)
	if err != nil {
		return err
	}
	cmd, _, err := b.prepare()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(cmd.Dir) }()
	began := now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a bare server: %w", err)
	}
	defer end(cmd)
	err = until(ctx, "a bare server to print all", func() (bool, error) {
		n, err := written(cmd.Process.Pid)
		return n >= flooded, err
	})
	r.bare.add(now().since(began))
	return err
}

// look measures an output until ctx ends, and returns the most that there was.
func (r *floodRun) look(ctx context.Context, path string) int64 {
	ticker := time.NewTicker(floodLook)
	defer ticker.Stop()
	most := int64(0)
	for {
		select {
		case <-ctx.Done():
			return most
		case <-ticker.C:
		}
		n := size(path) + size(rotate.Previous(path))
		most = max(most, n)
		if n > 0 {
			r.looks++
		}
		if n > 2*8*mib {
			r.beyond++
		}
	}
}

// ask asks both servers in turn until ctx ends.
func (r *floodRun) ask(ctx context.Context, loud *v1alpha1.DrasiInstance) {
	client := &bare{http: httpClient()}
	for ctx.Err() == nil {
		for _, of := range []struct {
			object *v1alpha1.DrasiInstance
			into   *series
		}{{loud, &r.loud}, {r.quiet, &r.other}} {
			began := now()
			if client.healthy(ctx, of.object.Status.Endpoints[0].URL+"/health") {
				of.into.add(now().since(began))
			}
		}
	}
}

// size is how big a file is; one that is not there has no size.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// written is how many bytes a process has written, to whatever.
func written(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, fmt.Errorf("read what a process has written: %w", err)
	}
	for entry := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(entry, "wchar: "); found {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, errors.New("read what a process has written: the kernel does not tell")
}
