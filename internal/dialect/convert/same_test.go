package convert_test

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/convert"
	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/config"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// tree is the files of a repository, for both dialects.
type tree map[string]string

func (t tree) Read(_ context.Context, path string) ([]byte, error) {
	text, ok := t[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

func (t tree) Glob(_ context.Context, pattern string) ([]string, error) {
	var out []string
	for path := range t {
		if config.MatchPath(pattern, path) {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (t tree) Paths(context.Context) ([]string, error) {
	var out []string
	for path := range t {
		out = append(out, path)
	}
	slices.Sort(out)
	return out, nil
}

func (t tree) Digest(_ context.Context, path string, _ bool) (string, error) {
	return fmt.Sprintf("%x", t[path]), nil
}

// everything is a project in which all files changed.
type everything struct{ tree }

func (everything) Changed(context.Context, string) ([]string, bool, error) { return nil, false, nil }

// occasionOf reads a line of a case: push BRANCH, tag NAME, merge SOURCE TARGET, hand BRANCH, play BRANCH INPUT,
// schedule.
func occasionOf(t *testing.T, line string) event.Occasion {
	t.Helper()
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	o := event.Occasion{
		Name: event.Push, Branch: "main", At: at, Number: 7, RunID: "run",
		Repository: event.Repository{Path: "group/shop", URL: "https://example.com/group/shop", Host: "example.com", DefaultBranch: "main"},
		Commit:     event.Commit{SHA: "8843d7f92416211de9ebb963ff4ce28125932878", Title: "Sell tea", Message: "Sell tea", At: at},
		Actor:      event.Person{Name: "Ada", Login: "ada"},
	}
	w := strings.Fields(line)
	switch w[0] {
	case "push":
		o.Branch = w[1]
	case "tag":
		o.Name, o.Branch, o.Tag = event.Tag, "", w[1]
	case "merge":
		o.Name, o.Branch, o.Merge = event.MergeRequest, w[1], &event.Merge{Number: 3, Target: w[2], Title: "Tea"}
	case "hand", "play":
		o.Name, o.Branch = event.Web, w[1]
	case "schedule":
		o.Name = event.Schedule
	default:
		t.Fatalf("no event: %q", line)
	}
	return o
}

const workflow = ".github/workflows/x.yml"

// compile compiles one of the two files. A plan that the event leaves empty has no jobs.
func compile(t *testing.T, files tree, format, event string) *plan.Plan {
	t.Helper()
	p, faults := compiled(t, files, format, event, false)
	for _, f := range faults {
		if f.Severity == fault.Error && f.Code != gitlab.CodeEmpty && f.Code != gitlab.CodeWorkflow {
			t.Fatalf("%s at %s: %v", format, event, f)
		}
	}
	if faults.HasErrors() {
		p.Jobs = nil
	}
	return p
}

func normalAt(t *testing.T, files tree, format, event string) string {
	t.Helper()
	return normalOf(compile(t, files, format, event), strings.HasPrefix(event, "play "))
}

func compiled(t *testing.T, files tree, format, event string, all bool) (*plan.Plan, fault.Faults) {
	t.Helper()
	if event == "" {
		event = "push main"
	}
	o := occasionOf(t, event)
	if format == "gitlab" {
		return gitlab.Compile(t.Context(), gitlab.Input{File: ".gitlab-ci.yml", Files: files, Project: everything{files}, Occasion: o, All: all})
	}
	in := github.Input{Files: files, Workflows: []string{workflow}, Occasion: o, Machine: github.Machine{OS: "Linux", Arch: "X64"}, All: all}
	if w := strings.Fields(event); w[0] == "play" {
		in.Given.Inputs = map[string]string{w[2]: "true"}
	}
	return github.Compile(t.Context(), in)
}

// fileOf is where a format's file stands.
func fileOf(format string) string {
	if format == "gitlab" {
		return ".gitlab-ci.yml"
	}
	return workflow
}

// other is the other format.
func other(format string) string {
	if format == "gitlab" {
		return "github"
	}
	return "gitlab"
}

// turn converts the file of a format.
func turn(t *testing.T, files tree, from string) (tree, fault.Faults) {
	t.Helper()
	p, faults := compiled(t, files, from, "", true)
	if faults.HasErrors() {
		t.Fatalf("compile the whole %s file: %v\n%s", from, faults, files[fileOf(from)])
	}
	f, found := convert.To(other(from), p)
	out := tree{}
	for path, text := range files {
		if path != ".gitlab-ci.yml" && path != workflow {
			out[path] = text
		}
	}
	out[fileOf(other(from))] = string(f.Text)
	return out, found
}

// same reads a case of the shared corpus: the events, and the files.
func same(t *testing.T, path string) (files tree, events []string) {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files = tree{}
	for _, f := range archive.Files {
		if f.Name == "events" {
			for line := range strings.Lines(string(f.Data)) {
				events = append(events, strings.TrimSpace(line))
			}
			continue
		}
		files[f.Name] = string(f.Data)
	}
	if len(events) == 0 || files[".gitlab-ci.yml"] == "" || files[workflow] == "" {
		t.Fatalf("%s has not both files and events", path)
	}
	return files, events
}

func cases(t *testing.T, run func(t *testing.T, files tree, events []string)) {
	t.Helper()
	paths, err := filepath.Glob("../testdata/same/*.txtar")
	if err != nil || len(paths) < 10 {
		t.Fatalf("the corpus is not there: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			files, events := same(t, path)
			run(t, files, events)
		})
	}
}

// TestSamePipelinesAreTheSamePlan: one pipeline in two dialects is one plan.
func TestSamePipelinesAreTheSamePlan(t *testing.T) {
	cases(t, func(t *testing.T, files tree, events []string) {
		for _, e := range events {
			a, b := normalAt(t, files, "gitlab", e), normalAt(t, files, "github", e)
			if a != b {
				t.Errorf("%s: the plans differ:\n%s", e, diff("gitlab", a, "github", b))
			}
		}
	})
}

// TestConversionsKeepThePlan: what a file is converted to compiles to the plan of the file.
func TestConversionsKeepThePlan(t *testing.T) {
	cases(t, func(t *testing.T, files tree, events []string) {
		for _, from := range convert.Formats {
			made, faults := turn(t, files, from)
			if faults.HasErrors() {
				t.Errorf("%s to %s: %v", from, other(from), faults)
			}
			for _, e := range events {
				a, b := normalAt(t, files, from, e), normalAt(t, made, other(from), e)
				if a != b {
					t.Errorf("%s to %s at %s: the plans differ:\n%s\nof\n%s", from, other(from), e, diff(from, a, other(from), b), made[fileOf(other(from))])
				}
			}
		}
	})
}

// TestConvertingBackAndForthIsStable: a file that came of a conversion, converted there and back, stays as it is.
func TestConvertingBackAndForthIsStable(t *testing.T) {
	cases(t, func(t *testing.T, files tree, _ []string) {
		for _, from := range convert.Formats {
			once, _ := turn(t, files, from)
			back, _ := turn(t, once, other(from))
			again, _ := turn(t, back, from)
			at := fileOf(other(from))
			if once[at] != again[at] {
				t.Errorf("%s: it changes on the second way:\n%s\nthrough\n%s", from, diff("once", once[at], "again", again[at]), back[fileOf(from)])
			}
		}
	})
}

// diff shows the lines that two texts do not share.
func diff(nameA, a, nameB, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	// The table of longest common parts: texts of some hundred lines.
	best := make([][]int, len(la)+1)
	for i := range best {
		best[i] = make([]int, len(lb)+1)
	}
	for i := len(la) - 1; i >= 0; i-- {
		for k := len(lb) - 1; k >= 0; k-- {
			if la[i] == lb[k] {
				best[i][k] = best[i+1][k+1] + 1
			} else {
				best[i][k] = max(best[i+1][k], best[i][k+1])
			}
		}
	}
	var out strings.Builder
	for i, k := 0, 0; i < len(la) || k < len(lb); {
		switch {
		case i < len(la) && k < len(lb) && la[i] == lb[k]:
			if strings.HasPrefix(la[i], "job ") {
				out.WriteString("  " + la[i] + "\n")
			}
			i, k = i+1, k+1
		case i < len(la) && (k == len(lb) || best[i+1][k] >= best[i][k+1]):
			out.WriteString(nameA + ": " + la[i] + "\n")
			i++
		default:
			out.WriteString(nameB + ": " + lb[k] + "\n")
			k++
		}
	}
	return out.String()
}
