package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// Most commands are over before the garbage of what they read matters, so that the collector waits: until the heap has
// grown to five times what lives, while less than largeHeap lives. Beyond that Go's own pace keeps the memory small. A
// GOGC of the environment is left alone.
const (
	lazyPercent   = 400
	normalPercent = 100
	largeHeap     = 48 << 20 // bytes that live
)

func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(lazyPercent)
		watchHeap()
	}
}

// watchHeap looks at what lives after each collection, the time when garbage such as this sentinel is found.
func watchHeap() {
	sentinel := new([16]byte)
	runtime.AddCleanup(sentinel, func(struct{}) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if m.NextGC > largeHeap*(100+lazyPercent)/100 { // what lives, and what it may grow by
			debug.SetGCPercent(normalPercent)
			return
		}
		watchHeap()
	}, struct{}{})
}
