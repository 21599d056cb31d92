//go:build !race

package main

// raceEnabled says that memory cannot be measured: the race detector takes several times as much.
const raceEnabled = false
