package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sgr are the sequences that set colors, the only ones that may reach a terminal.
var sgr = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// discarding throws the command's output away, for tests that measure its memory.
func discarding(cmd *exec.Cmd) { cmd.Stdout, cmd.Stderr = nil, nil }

// own are the files that jobs themselves have kept: artifacts and caches are what the job wrote, as it wrote it.
var own = regexp.MustCompile(`/(artifacts/[^/]+|reports/[^/]+/[^/]+|cache/[^/]+)/(files(\.tar\.zst)?(/|$)|)`)

// kept holds that no name and no content below a folder has one of the traces in it; the content of the jobs' own files
// excepted.
func kept(t *testing.T, dir string, traces []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		text := []byte(nil)
		if d.Type().IsRegular() && (!own.MatchString(path) || d.Name() == "meta.json") {
			if text, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		for _, trace := range traces {
			switch i := bytes.Index(text, []byte(trace)); {
			case strings.Contains(d.Name(), trace):
				t.Errorf("%q is in the name %s", trace, path)
			case i >= 0:
				t.Errorf("%q is in %s: %q", trace, path, text[max(0, i-60):min(len(text), i+len(trace)+20)])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
