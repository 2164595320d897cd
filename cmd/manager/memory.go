package main

import (
	"os"
	"runtime/debug"
)

// heapGrowth is by how many percent the heap may grow before it is collected. Controller and agent hold much and do little: memory is what they
// cost, on every host.
const heapGrowth = 50

// saveMemory has the heap collected earlier than is Go's default, unless the administrator has set GOGC.
func saveMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}
