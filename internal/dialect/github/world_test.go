package github_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

var update = flag.Bool("update", false, "write what the cases gave into their files")

// world is one case: the files of a repository, the occasion and the flags.
type world struct {
	files   map[string]string
	in      github.Input
	changed []string
	known   bool
	befores map[string]program.Before // of bind, by key or ID of the job
	binds   []string
}

// Read and Paths make a world the repository's files.
func (w *world) Read(_ context.Context, path string) ([]byte, error) {
	text, ok := w.files[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

func (w *world) Paths(context.Context) ([]string, error) {
	out := make([]string, 0, len(w.files))
	for path := range w.files {
		out = append(out, path)
	}
	return out, nil
}

func (w *world) Changed(context.Context) ([]string, bool, error) { return w.changed, w.known, nil }

// others are the repositories below the folder "repositories" of a world: "repositories/owner/name@ref/…".
type others struct{ *world }

func (o others) Repository(_ context.Context, repository, ref string) (github.Files, error) {
	other := &world{files: map[string]string{}}
	for file, text := range o.files {
		if rest, ok := strings.CutPrefix(file, "repositories/"+repository+"@"+ref+"/"); ok {
			other.files[rest] = text
		}
	}
	if len(other.files) == 0 {
		return nil, fmt.Errorf("it is not kept here")
	}
	return other, nil
}

// newWorld is a repository on its default branch, at a push of a commit.
func newWorld(files map[string]string) *world {
	w := &world{files: files, befores: map[string]program.Before{}}
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	w.in = github.Input{
		Occasion: event.Occasion{
			Name: event.Push, Branch: "main", At: at, Number: 7, RunID: "20261122-100000-abcdef", Before: "1111111111111111111111111111111111111111",
			Repository: event.Repository{Path: "octo/shop", URL: "https://github.com/octo/shop", Host: "github.com", DefaultBranch: "main"},
			Commit:     event.Commit{SHA: "8843d7f92416211de9ebb963ff4ce28125932878", Title: "Sell tea", Message: "Sell tea\n\nGreen and black.\n", Author: event.Person{Name: "Ada", Email: "ada@example.com"}, At: at},
			Actor:      event.Person{Name: "Ada", Email: "ada@example.com", Login: "ada"},
		},
		Machine:   github.Machine{OS: "Linux", Arch: "X64", Name: "here"},
		Platforms: map[string]string{},
	}
	w.in.Given.Inputs = map[string]string{}
	w.in.Files, w.in.Project = w, w
	return w
}

// flags are the lines of a case's part "flags".
func (w *world) flags(t *testing.T, text string) {
	t.Helper()
	o := &w.in.Occasion
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		key, rest, _ := strings.Cut(value, "=")
		switch name {
		case "":
		case "event":
			o.Given = value
			if strings.HasPrefix(value, "pull_request") {
				o.Name, o.Branch, o.Merge = event.MergeRequest, "tea", &event.Merge{Number: 3, Target: "main", Title: "Tea", Labels: []string{"hot"}}
			}
		case "name":
			o.Name = event.Name(value)
		case "branch":
			o.Branch = value
		case "message":
			o.Commit.Message = value
		case "tag":
			o.Name, o.Tag, o.Branch = event.Tag, value, ""
		case "target":
			o.Merge.Target = value
		case "payload":
			o.Payload = []byte(value)
		case "input":
			w.in.Given.Inputs[key] = rest
		case "secret":
			w.in.Given.Secrets = append(w.in.Given.Secrets, plan.Variable{Name: key, Value: rest, Masked: true})
		case "var":
			w.in.Given.Vars = append(w.in.Given.Vars, plan.Variable{Name: key, Value: rest})
		case "platform":
			w.in.Platforms[key] = rest
		case "changed":
			w.changed, w.known = strings.Fields(value), true
		case "elsewhere":
			w.in.Source = others{w}
		case "file":
			w.in.Workflows = append(w.in.Workflows, value)
		case "any-event":
			w.in.AnyEvent = true
		case "done": // job status [output=value …]; a status with ! is allowed
			w.done(strings.Fields(value))
		case "bind":
			w.binds = append(w.binds, value)
		default:
			t.Fatalf("unknown flag %q", line)
		}
	}
}

// done notes how a job ended, for bind.
func (w *world) done(words []string) {
	b := program.Before{Key: words[0], Status: words[1]}
	b.Status, b.Allowed = strings.TrimSuffix(b.Status, "!"), strings.HasSuffix(b.Status, "!")
	for _, out := range words[2:] {
		name, value, _ := strings.Cut(out, "=")
		b.Outputs = append(b.Outputs, plan.Variable{Name: name, Value: value})
	}
	w.befores[words[0]] = b
}

// parts are the parts of a case that are no files of the repository.
var parts = []string{"flags", "plan", "mistakes"}

func TestPlans(t *testing.T) {
	paths, err := filepath.Glob("testdata/plan/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files, flags := map[string]string{}, ""
			for _, f := range archive.Files {
				switch {
				case f.Name == "flags":
					flags = string(f.Data)
				case !slices.Contains(parts, f.Name):
					files[f.Name] = string(f.Data)
				}
			}
			w := newWorld(files)
			w.flags(t, flags)
			p, faults := github.Compile(t.Context(), w.in)
			got := map[string]string{}
			for _, f := range faults {
				got["mistakes"] += f.Error() + "\n"
			}
			if !faults.HasErrors() {
				got["plan"] = planText(p, "")
				for _, id := range w.binds {
					got["plan"] += w.bind(t, p, id)
				}
			}
			compare(t, path, archive, got)
		})
	}
}

// bind binds a late job after its needs ended as the flags say, and tells what it became.
func (w *world) bind(t *testing.T, p *plan.Plan, id string) string {
	t.Helper()
	j := p.Job(id)
	if j == nil {
		t.Fatalf("no job %q to bind", id)
	}
	in := github.BindInput{Input: w.in, Plan: p, Job: j}
	seen := map[string]bool{}
	var before func(j *plan.Job)
	before = func(j *plan.Job) {
		for _, n := range j.Needs {
			if !seen[n.Job] {
				seen[n.Job] = true
				in.Before = append(in.Before, w.before(p.Job(n.Job)))
				before(p.Job(n.Job))
			}
		}
	}
	before(j)
	for _, n := range j.Needs {
		in.Needs = append(in.Needs, w.before(p.Job(n.Job)))
	}
	b, faults := github.Bind(t.Context(), in)
	out := "bind " + id + "\n"
	for _, f := range faults {
		out += "  ! " + f.Error() + "\n"
	}
	switch {
	case b.Skip != "":
		out += "  skip: " + b.Skip + "\n"
	case b.Job != nil:
		out += planText(&plan.Plan{Jobs: []*plan.Job{b.Job}}, "  ")
	case b.Plan != nil:
		out += planText(b.Plan, "  ")
	}
	return out
}

func (w *world) before(j *plan.Job) program.Before {
	b, ok := w.befores[j.ID]
	if !ok {
		if b, ok = w.befores[j.Key]; !ok {
			b = program.Before{Status: "success"}
		}
	}
	b.ID, b.Key, b.Name, b.Job = j.ID, j.Key, j.Name, j
	return b
}

// compare holds what came out against the golden parts, or writes them.
func compare(t *testing.T, path string, archive *txtar.Archive, got map[string]string) {
	t.Helper()
	if *update {
		archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "plan" || f.Name == "mistakes" })
		for _, name := range []string{"mistakes", "plan"} {
			if got[name] != "" {
				archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(got[name])})
			}
		}
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := map[string]string{}
	for _, f := range archive.Files {
		want[f.Name] = string(f.Data)
	}
	for _, name := range []string{"mistakes", "plan"} {
		if !bytes.Equal([]byte(want[name]), []byte(got[name])) {
			t.Errorf("%s:\n--- got\n%s--- want\n%s", name, got[name], want[name])
		}
	}
}
