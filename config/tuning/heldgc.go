// Package heldgc holds garbage collection off while the collector starts.
//
// A start makes little garbage, and what it makes is needed: to look through
// it several times, at a fraction of a CPU, only makes cold starts longer.
package heldgc

import "runtime/debug"

// Above so much memory of Go's, garbage is collected all the same.
const ceiling = 64 << 20

// What GOGC and GOMEMLIMIT ask for, or Go's defaults.
var percent, limit = hold()

func hold() (int, int64) {
	limit := debug.SetMemoryLimit(-1)
	if limit > ceiling {
		debug.SetMemoryLimit(ceiling)
	}
	return debug.SetGCPercent(-1), limit
}

// Release gives garbage collection back to GOGC and GOMEMLIMIT.
func Release() {
	debug.SetGCPercent(percent)
	debug.SetMemoryLimit(limit)
}
