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
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			debug.FreeOSMemory()
			releaseProgram()
		}
	}
}
