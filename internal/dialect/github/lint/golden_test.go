package lint_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/github/lint"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const workflows = ".github/workflows/"

// unpack writes an archive as a repository and gives its workflows, and its actions too where they are wanted. NAME.yml
// stands for .github/workflows/NAME.yml.
func unpack(t testing.TB, archive *txtar.Archive, actions bool) (root string, files []string) {
	t.Helper()
	root = t.TempDir()
	for _, f := range archive.Files {
		name := f.Name
		if !strings.Contains(name, "/") {
			name = workflows + name
		}
		if f.Name == "found" {
			continue
		}
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, workflows) || actions && strings.HasSuffix(name, "/action.yml") {
			files = append(files, path)
		}
	}
	return root, files
}

func goldens(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no golden cases", err)
	}
	return paths
}

// TestGolden lints every workflow of each case together with the reader. Files that begin with bad have findings, those
// that begin with good have none.
func TestGolden(t *testing.T) {
	total := 0
	codes := map[string]bool{}
	for _, path := range goldens(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		t.Run(name, func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			root, files := unpack(t, archive, name == "action")
			total += len(files)
			var all fault.Faults
			for _, file := range files {
				found, _ := ours(t, question{Root: root, File: file})
				if good := strings.Contains(file, "/good"); good != (len(found) == 0) {
					t.Errorf("%s: %d findings\n%v", filepath.Base(file), len(found), found)
				}
				all = append(all, found...)
			}
			for _, f := range all {
				codes[f.Code] = true
			}
			got := lines(all)
			last := &archive.Files[len(archive.Files)-1]
			if last.Name != "found" {
				t.Fatal("the last part is not named found")
			}
			if got == string(last.Data) {
				return
			}
			if !*update {
				t.Errorf("got:\n%s\nwant:\n%s", got, last.Data)
				return
			}
			last.Data = []byte(got)
			if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
	if total < 250 {
		t.Errorf("only %d workflows", total)
	}
	for _, d := range lintDocs() {
		if !codes[d] {
			t.Errorf("no golden case has the code %s", d)
		}
	}
}

func lines(faults fault.Faults) string {
	faults = slices.Clone(faults)
	slices.SortStableFunc(faults, func(a, b *fault.Fault) int {
		return cmp.Or(strings.Compare(a.Place.File, b.Place.File), a.Place.Line-b.Place.Line, a.Place.Column-b.Place.Column, strings.Compare(a.Code, b.Code))
	})
	var b strings.Builder
	for _, f := range faults {
		fmt.Fprintln(&b, strings.TrimPrefix(f.Error(), workflows))
	}
	return b.String()
}

// TestGoldenFindsWhatActionlintFinds compares the two on the golden cases.
func TestGoldenFindsWhatActionlintFinds(t *testing.T) {
	var questions []question
	for _, path := range goldens(t) {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		root, files := unpack(t, archive, false)
		for _, file := range files {
			questions = append(questions, question{Root: root, File: file, name: filepath.Base(path) + "/" + filepath.Base(file)})
		}
	}
	compare(t, questions, "") // more is found here: files that begin with bad say what
}

// lintDocs are the codes that a golden case must have: those of the package but for what needs other programs, a
// configuration or very many findings.
func lintDocs() []string {
	var out []string
	for _, d := range lint.Docs {
		if !slices.Contains([]string{lint.CodeShellcheck, lint.CodePyflakes, lint.CodeConfig, lint.CodeMore}, d.Code) {
			out = append(out, d.Code)
		}
	}
	return out
}
