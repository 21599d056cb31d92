package config_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden loads .gitlab-ci.yml of every case and compares the tree with its places, the jobs, the files and the
// faults. A case shows only what its archive has room for: without faults it must have none.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c, faults := read(t, a).load(".gitlab-ci.yml")
			out := &txtar.Archive{Comment: a.Comment}
			for _, f := range a.Files {
				if f.Name != "tree" && f.Name != "faults" && f.Name != "files" && f.Name != "jobs" {
					out.Files = append(out.Files, f)
				}
			}
			add := func(name, text string) {
				if text != "" {
					out.Files = append(out.Files, txtar.File{Name: name, Data: []byte(text)})
				}
			}
			if c.Root != nil {
				var b strings.Builder
				tree(&b, c.Root, "")
				add("tree", b.String())
			}
			add("jobs", jobsOf(c))
			if len(c.Files) > 1 {
				add("files", included(c))
			}
			var told strings.Builder
			for _, f := range faults.Sorted() {
				fmt.Fprintln(&told, f)
			}
			add("faults", told.String())
			got, want := txtar.Format(out), txtar.Format(a)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(got, want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}
