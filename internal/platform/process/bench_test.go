//go:build linux

package process

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/draas-io/draas/internal/platform"
)

// BenchmarkRestart measures from the kill of a server to the exec of the next one, at most a clock tick (10 ms) of which the kernel does not
// tell, and where the time goes.
func BenchmarkRestart(b *testing.B) {
	var times []time.Duration
	steps := map[Point]time.Duration{}
	var last time.Time
	clock := newManual()
	h := newHost(b, func(o *Options) {
		o.Clock = clock
		o.Hooks = &Hooks{
			Before: func(p Point) { now := time.Now(); steps["before "+p] += now.Sub(last); last = now },
			After:  func(p Point) { now := time.Now(); steps[p] += now.Sub(last); last = now },
		}
	})
	h.ensure(desired("a", "h"))
	o := h.running("a", "h")
	clear(steps)
	for b.Loop() {
		clock.Advance(steadyAfter)
		last = time.Now()
		began := last
		if err := syscall.Kill(o.PID, syscall.SIGKILL); err != nil {
			b.Fatal(err)
		}
		until(b, "another run", func() bool {
			next := h.inspect("a")
			if next.PID == 0 || next.PID == o.PID || next.State != platform.StateRunning {
				return false
			}
			o = next
			return true
		})
		now := time.Now()
		times = append(times, now.Sub(began))
		steps["told"] += now.Sub(last)
		b.StopTimer()
		h.running("a", "h")
		b.StartTimer()
	}
	report(b, times)
	n := time.Duration(len(times))
	var text strings.Builder
	for _, p := range append(Points(), "told") {
		if steps[p]+steps["before "+p] > 0 {
			fmt.Fprintf(&text, " %s %v+%v,", p, (steps["before "+p] / n).Round(time.Microsecond), (steps[p] / n).Round(time.Microsecond))
		}
	}
	b.Log("steps, each with what comes before it:" + text.String())
}

// report reports percentiles.
func report(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(times[min(len(times)*p/100, len(times)-1)].Microseconds())/1000, fmt.Sprintf("p%d-ms", p))
	}
}

// inUse is how much memory is in use, in bytes.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc + stats.StackInuse
}

// BenchmarkAdopt measures how long it takes to find 200 servers, and how much memory each of them takes in the driver.
func BenchmarkAdopt(b *testing.B) {
	h := newHost(b, func(o *Options) { o.Ports = PortRange{First: 20000, Last: 20999} })
	for n := range 200 {
		h.ensure(desired(fmt.Sprintf("i-%03d", n), "h"))
	}
	for n := range 200 {
		h.running(fmt.Sprintf("i-%03d", n), "h")
	}
	var times []time.Duration
	for b.Loop() {
		b.StopTimer()
		h.close()
		b.StartTimer()
		began := time.Now()
		h.open()
		times = append(times, time.Since(began))
	}
	report(b, times)
	with := inUse()
	h.close()
	h.d = nil
	b.ReportMetric((float64(with)-float64(inUse()))/1024/200, "KiB/instance")
	h.open()
}
