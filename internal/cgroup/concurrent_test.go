//go:build linux

package cgroup

import (
	"fmt"
	"sync"
	"testing"
)

// It stands in the first file by name, so that its groups are the first of the process: what whoever is first finds out must not be found out by two
// at a time. The race detector sees that in some runs, not in each.
func TestTheFirstGroupsMayBeMadeAtTheSameTime(t *testing.T) {
	in := tree(t)
	ctx := soon(t)
	begin := make(chan struct{})
	var makers sync.WaitGroup
	for i := range 16 {
		g := group(t, in, fmt.Sprintf("first-%d", i))
		makers.Go(func() {
			<-begin
			if err := g.Make(ctx, Limits{}); err != nil {
				t.Error(err)
			}
		})
	}
	close(begin)
	makers.Wait()
}
