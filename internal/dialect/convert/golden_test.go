package convert_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/convert"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

var update = flag.Bool("update", false, "write what the cases gave into their files")

// TestConversions holds what files become, and what is said to be lost. What was written must be a file that the other
// dialect reads without mistakes.
func TestConversions(t *testing.T) {
	paths, err := filepath.Glob("testdata/convert/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files, want := tree{}, map[string]string{}
			for _, f := range archive.Files {
				if f.Name == "converted" || f.Name == "lost" {
					want[f.Name] = string(f.Data)
				} else {
					files[f.Name] = string(f.Data)
				}
			}
			from := "gitlab"
			if _, ok := files[workflow]; ok {
				from = "github"
			}
			made, faults := turn(t, files, from)
			got := map[string]string{"converted": made[fileOf(other(from))]}
			for _, f := range faults {
				got["lost"] += f.Error() + "\n"
			}
			if _, mistakes := compiled(t, made, other(from), "", true); mistakes.HasErrors() {
				t.Errorf("what was written has mistakes: %v\n%s", mistakes, got["converted"])
			}
			if *update {
				archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "converted" || f.Name == "lost" })
				archive.Files = append(archive.Files, txtar.File{Name: "converted", Data: []byte(got["converted"])}, txtar.File{Name: "lost", Data: []byte(got["lost"])})
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			for name, text := range got {
				if want[name] != text {
					t.Errorf("%s:\n%s", name, diff("want", want[name], "got", text))
				}
			}
		})
	}
}

func TestWhatCannotBeConvertedIsTold(t *testing.T) {
	files := tree{".gitlab-ci.yml": "a:\n  script: echo\n"}
	whole, _ := compiled(t, files, "gitlab", "", true)
	part, _ := compiled(t, files, "gitlab", "push main", false)
	for name, run := range map[string]func() (convert.File, fault.Faults){
		"a format that does not exist": func() (convert.File, fault.Faults) { return convert.To("jenkins", whole) },
		"the format that it has":       func() (convert.File, fault.Faults) { return convert.To("gitlab", whole) },
		"the plan of one event":        func() (convert.File, fault.Faults) { return convert.To("github", part) },
		"no plan":                      func() (convert.File, fault.Faults) { return convert.To("github", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			f, faults := run()
			if f.Text != nil || !faults.HasErrors() || faults[0].Code != convert.CodeFile {
				t.Errorf("got %q and %v", f.Text, faults)
			}
		})
	}
}

// FuzzConvert: whatever a file says, a conversion ends without a panic, and what it writes is read by the other dialect.
func FuzzConvert(f *testing.F) {
	for _, pattern := range []string{"testdata/convert/*.txtar", "../testdata/same/*.txtar"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				f.Fatal(err)
			}
			for _, file := range archive.Files {
				if file.Name == ".gitlab-ci.yml" || file.Name == workflow {
					f.Add(string(file.Data), file.Name == workflow)
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string, isWorkflow bool) {
		from := "gitlab"
		if isWorkflow {
			from = "github"
		}
		p, faults := compiled(t, tree{fileOf(from): text}, from, "", true)
		if faults.HasErrors() || p == nil {
			return
		}
		file, lost := convert.To(other(from), p)
		if lost.HasErrors() || file.Text == nil {
			return
		}
		if _, mistakes := compiled(t, tree{fileOf(other(from)): string(file.Text)}, other(from), "", true); mistakes.HasErrors() {
			t.Errorf("what was written has mistakes: %v\n%s\nof\n%s", mistakes, file.Text, text)
		}
	})
}
