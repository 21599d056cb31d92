package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The pages of the program go, and the program goes on.
func TestReleaseProgram(t *testing.T) {
	resident := func() (file int) {
		text, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "RssFile:"); ok {
				if _, err := fmt.Sscan(rest, &file); err != nil {
					t.Fatal(err)
				}
			}
		}
		return file
	}
	before := resident()
	releaseProgram()
	if after := resident(); after > before/2 {
		t.Errorf("%d kB of files are in memory, %d kB were", after, before)
	}
}
