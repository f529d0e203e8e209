package main

import (
	"os"
	"runtime"
	"strconv"
)

// Lambda gives a function CPU in proportion to its memory: one vCPU at this size, in MB.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
const memoryOfOneCPU = 1769

func init() {
	if hasLessThanOneCPU(os.Getenv) {
		runtime.GOMAXPROCS(1)
	}
}

// hasLessThanOneCPU reports whether the function's memory gives it less than one CPU. It is false
// if GOMAXPROCS is given, or if Lambda does not say how much memory there is: then Go's own default
// is right.
func hasLessThanOneCPU(getenv func(string) string) bool {
	memory, err := strconv.Atoi(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	return getenv("GOMAXPROCS") == "" && err == nil && 0 < memory && memory < memoryOfOneCPU
}
