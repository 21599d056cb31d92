package main

import (
	"context"
	"runtime/debug"
	"time"
)

// lean keeps the memory of a process small that lives long, holds much and does little: the collector runs earlier than in
// others, and what a storm of work took is given back to the system, with the pages of the program that were read once. It
// returns when ctx ends.
func lean(ctx context.Context) {
	defer debug.SetGCPercent(debug.SetGCPercent(40))
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if n%3 == 0 { // it costs a collection
				debug.FreeOSMemory()
			}
			releaseProgram()
		}
	}
}
