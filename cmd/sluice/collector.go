package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// Most commands are over before the garbage of what they read matters, so that the first collection waits until the heap
// has 16 MiB, not 4. From then on Go's own pace keeps the memory small. A GOGC of the environment is left alone.
const (
	lazyPercent   = 400
	normalPercent = 100
)

func tuneCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(lazyPercent)
	sentinel := new([16]byte) // found by the first collection
	runtime.AddCleanup(sentinel, func(struct{}) { debug.SetGCPercent(normalPercent) }, struct{}{})
}
