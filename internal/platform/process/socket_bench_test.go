//go:build linux

package process

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is how long processors have worked for this program: that does not depend on what else the host does.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkSockets measures how long it takes to list the listening sockets of a host with 400 of them and as many connections, and those of one
// server among them.
func BenchmarkSockets(b *testing.B) {
	for range 400 {
		_, listener := listen4(b)
		connect(b, listener)
	}
	h := newHost(b)
	h.ensure(desired("a", "h", "TS_CHILDREN=1"))
	o := h.running("a", "h")
	for name, f := range map[string]func() error{
		"dump":   func() error { _, err := dump(); return err },
		"tables": func() error { _, err := tables(os.Getpid()); return err },
		"own":    func() error { return sockets(o.PID, map[uint64]bool{}) },
		"descendants": func() error {
			_ = descendants(o.PID, o.PID)
			return nil
		},
		"of a server": func() error {
			_, err := h.d.Sockets(b.Context(), ref("a"))
			return err
		},
		"of a server without its group": func() error {
			_, err := listenersOf(o.PID, nil)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
		})
	}
}
