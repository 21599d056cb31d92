//go:build !linux

package main

// releaseProgram does nothing where the system has no word for it.
func releaseProgram() {}
