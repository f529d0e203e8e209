// Package cpu has the type of CPU times.
package cpu

// TimesStat has CPU times in seconds.
type TimesStat struct {
	User, System, Idle, Nice, Iowait, Irq, Softirq, Steal float64
}
