// Package heldgc holds garbage collection off while the collector starts, and lets it be rare later.
//
// A start makes little garbage, and what it makes is needed: to look through
// it several times, at a fraction of a CPU, only makes cold starts longer.
package heldgc

import (
	"os"
	"runtime/debug"
)

// Above so much memory of Go's, garbage is collected all the same.
const ceiling = 64 << 20

// The percentage without GOGC: the heap reaches 16 MiB, or five times what is in use, before it is
// collected. Go's own 100 collects at 4 MiB, which the first invocations pay for.
const rare = 400

// What GOGC and GOMEMLIMIT ask for, or what applies without them.
var percent, limit = hold()

func hold() (int, int64) {
	limit := debug.SetMemoryLimit(-1)
	if limit > ceiling {
		debug.SetMemoryLimit(ceiling)
	}
	percent := debug.SetGCPercent(-1)
	if os.Getenv("GOGC") == "" {
		percent = rare
	}
	return percent, limit
}

// Release gives garbage collection back to GOGC, or its percentage here, and to GOMEMLIMIT.
func Release() {
	debug.SetGCPercent(percent)
	debug.SetMemoryLimit(limit)
}
