package gitlab_test

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

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/config"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

var update = flag.Bool("update", false, "write what the cases gave into their files")

// world is one case: the files of a project, the occasion and the flags.
type world struct {
	files   map[string]string
	in      gitlab.Input
	changed []string
	known   bool
	bad     string // a ref that compare_to must not name
	asked   []string
}

// Read and Glob make a world the project's files.
func (w *world) Read(_ context.Context, path string) ([]byte, error) {
	text, ok := w.files[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

func (w *world) Glob(_ context.Context, pattern string) ([]string, error) {
	var out []string
	for path := range w.files {
		if config.MatchPath(pattern, path) {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (w *world) Paths(context.Context) ([]string, error) {
	out := make([]string, 0, len(w.files))
	for path := range w.files {
		out = append(out, path)
	}
	return out, nil
}

func (w *world) Changed(_ context.Context, base string) ([]string, bool, error) {
	w.asked = append(w.asked, base)
	if base != "" && base == w.bad {
		return nil, false, fmt.Errorf("no ref %s", base)
	}
	return w.changed, w.known, nil
}

func (w *world) Digest(_ context.Context, path string, commits bool) (string, error) {
	text, ok := w.files[path]
	if !ok {
		return "", nil
	}
	if commits {
		return fmt.Sprintf("commit-of-%s", path), nil
	}
	return fmt.Sprintf("%x", text), nil
}

// others are the projects below the folder "projects" of a world: "projects/group/name" or "projects/group/name@ref".
// One that is there without the ref asked for does not have it.
type others struct{ *world }

func (o others) Project(_ context.Context, path, ref string) (config.Files, error) {
	known := false
	for _, name := range []string{path, path + "@" + ref} {
		other := &world{files: map[string]string{}}
		for file, text := range o.files {
			if rest, ok := strings.CutPrefix(file, "projects/"+name+"/"); ok {
				other.files[rest] = text
			}
			known = known || strings.HasPrefix(file, "projects/"+path)
		}
		if len(other.files) > 0 && strings.HasSuffix(name, ref) {
			return other, nil
		}
	}
	if known {
		return nil, fs.ErrNotExist
	}
	return nil, config.ErrNotConfigured
}

func (others) Component(context.Context, config.Component) (config.Release, error) {
	return config.Release{}, config.ErrNotConfigured
}

func (others) Remote(context.Context, config.Remote) ([]byte, error) {
	return nil, config.ErrNotConfigured
}

func (others) Template(context.Context, string) ([]byte, error) { return nil, config.ErrNotConfigured }

// newWorld is a project on its default branch, at a push of a commit.
func newWorld(files map[string]string) *world {
	w := &world{files: files}
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	w.in = gitlab.Input{
		File: ".gitlab-ci.yml",
		Occasion: event.Occasion{
			Name: event.Push, Branch: "main", At: at, Number: 7, RunID: "run",
			Repository: event.Repository{Path: "group/shop", URL: "https://gitlab.example.com/group/shop", Host: "gitlab.example.com", DefaultBranch: "main"},
			Commit:     event.Commit{SHA: "8843d7f92416211de9ebb963ff4ce28125932878", Title: "Sell tea", Message: "Sell tea\n\nGreen and black.", Author: event.Person{Name: "Ada", Email: "ada@example.com"}, At: at},
			Actor:      event.Person{Name: "Ada", Email: "ada@example.com", Login: "ada"},
		},
	}
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
			o.Name = event.Name(value)
		case "branch":
			o.Branch = value
		case "tag":
			o.Name, o.Tag, o.Branch = event.Tag, value, ""
		case "target":
			o.Name, o.Merge = event.MergeRequest, &event.Merge{Number: 3, Target: value, Title: "Tea"}
		case "variable":
			w.in.Given.Pipeline = append(w.in.Given.Pipeline, plan.Variable{Name: key, Value: rest})
		case "project":
			w.in.Given.Project = append(w.in.Given.Project, plan.Variable{Name: key, Value: rest})
		case "secret":
			w.in.Given.Project = append(w.in.Given.Project, plan.Variable{Name: key, Value: rest, Masked: true})
		case "changed":
			w.changed, w.known = strings.Fields(value), true
		case "changed-since":
			w.in.ChangedSince = true
		case "bad-ref":
			w.bad = value
		case "elsewhere":
			w.in.Source = others{w}
		case "file":
			w.in.File = value
		case "input":
			w.in.Inputs = config.Given(map[string]string{key: rest})
		default:
			t.Fatalf("unknown flag %q", line)
		}
	}
}

// parts are the parts of a case that are no files of the project.
var parts = []string{"flags", "plan", "mistakes", "excluded"}

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
			p, faults := gitlab.Compile(t.Context(), w.in)
			got := map[string]string{"plan": "", "mistakes": ""}
			for _, f := range faults {
				got["mistakes"] += mistakeText(f)
			}
			if p != nil && !faults.HasErrors() {
				got["plan"] = planText(p)
			} else if p != nil {
				got["plan"] = excludedText(p)
			}
			compare(t, path, archive, got)
		})
	}
}

// mistakeText is a fault of this package in full; of the packages before it, whose own tests hold their texts, the code
// and the place of an error.
func mistakeText(f *fault.Fault) string {
	switch {
	case strings.HasPrefix(f.Code, "SL14"), strings.HasPrefix(f.Code, "SL15"):
		return f.Error() + "\n"
	case f.Severity == fault.Error:
		return fmt.Sprintf("%s: %s\n", f.Place, f.Code)
	default:
		return ""
	}
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

// planText is a plan as a person can check it: what is not the default, one job a block.
func planText(p *plan.Plan) string {
	var b strings.Builder
	if p.Name != "" {
		fmt.Fprintf(&b, "name %s\n", p.Name)
	}
	fmt.Fprintf(&b, "stages %s\n", strings.Join(p.Stages, " "))
	if p.Cancel != nil {
		fmt.Fprintf(&b, "cancel %s %s\n", p.Cancel.OnNewCommit, p.Cancel.OnJobFailure)
	}
	if p.Why != nil {
		fmt.Fprintf(&b, "why %s\n", whyText(*p.Why))
	}
	for _, v := range p.Variables {
		if v.Level != plan.Predefined {
			fmt.Fprintf(&b, "var %s=%s%s\n", v.Name, v.Value, map[bool]string{true: " raw"}[v.Raw])
		}
	}
	for _, j := range p.Jobs {
		jobText(&b, j)
	}
	b.WriteString(excludedText(p))
	return b.String()
}

func excludedText(p *plan.Plan) string {
	var b strings.Builder
	for _, x := range p.Excluded {
		fmt.Fprintf(&b, "out %s: %s\n", x.Name, whyText(x.Why))
		for _, d := range x.Why.Detail {
			fmt.Fprintf(&b, "  %s\n", d)
		}
	}
	return b.String()
}

func whyText(d plan.Decision) string {
	out := d.Rule
	if d.Text != "" {
		out += " (" + d.Text + ")"
	}
	for _, v := range d.Values {
		if v.Defined {
			out += fmt.Sprintf(" %s=%q", v.Name, v.Value)
		} else {
			out += " " + v.Name + "=undefined"
		}
	}
	return out
}

func jobText(b *strings.Builder, j *plan.Job) {
	fmt.Fprintf(b, "job %s [%s] %s: %s\n", j.Name, j.Stage, j.When, whyText(j.Why))
	say := func(cond bool, format string, args ...any) {
		if cond {
			fmt.Fprintf(b, "  "+format+"\n", args...)
		}
	}
	var needs []string
	for _, n := range j.Needs {
		needs = append(needs, n.Job+map[bool]string{false: " (no artifacts)"}[n.Artifacts])
	}
	say(j.Key != j.Name, "leg %d/%d of %s", j.Index, j.Total, j.Key)
	say(j.Graph, "needs [%s]", strings.Join(needs, "; "))
	say(len(j.Inputs) > 0, "inputs [%s]", strings.Join(j.Inputs, "; "))
	say(!j.InputsAll && len(j.Inputs) == 0, "no inputs")
	say(len(j.Upstream) > 0, "upstream %v", j.Upstream)
	say(j.Delay > 0, "delay %s", j.Delay)
	say(j.Confirm != "", "confirm %s", j.Confirm)
	say(j.AllowFailure.Any, "may fail")
	say(len(j.AllowFailure.ExitCodes) > 0, "may fail with %v", j.AllowFailure.ExitCodes)
	say(j.Retry.Max > 0, "retry %d %v %v", j.Retry.Max, j.Retry.When, j.Retry.ExitCodes)
	say(j.Timeout > 0, "timeout %s", j.Timeout)
	say(j.Interruptible, "interruptible")
	say(j.Group != nil, "group %v", or(j.Group))
	say(len(j.Tags) > 0, "tags %v", j.Tags)
	say(j.Image != nil, "image %s", containerText(j.Image))
	for i := range j.Services {
		s := &j.Services[i]
		say(true, "service %s as %v command %v %s", containerText(&s.Container), s.Aliases, s.Command, variablesText(s.Variables))
	}
	if e := j.Environment; e != nil {
		say(true, "environment %s (%s, %s) %s stop by %s after %s", e.Name, e.Action, e.Tier, e.URL, e.OnStop, e.AutoStopIn)
	}
	say(len(j.Variables) > 0, "variables %s", variablesText(j.Variables))
	say(len(j.Hides) > 0, "hides %v", j.Hides)
	for _, s := range j.Steps {
		say(s.Name != "script" || len(s.Lines) > 1 || len(s.Env) > 0, "%s %q %s%s", s.Name, s.Lines, s.Dir, variablesText(s.Env))
	}
	if a := j.Artifacts; a != nil {
		say(true, "artifacts %s %v without %v untracked=%t %s for %s %s %s", a.Name, a.Paths, a.Exclude, a.Untracked, a.When, a.ExpireIn, a.ExposeAs, a.Access)
		for _, r := range a.Reports {
			say(true, "report %s%s %v", r.Kind, r.Format, r.Paths)
		}
	}
	for _, c := range j.Caches {
		say(true, "cache %s else %v: %v untracked=%t %s %s", c.Key, c.FallbackKeys, c.Paths, c.Untracked, c.When, c.Policy)
	}
	say(j.Coverage != "", "coverage %s", j.Coverage)
	if r := j.Release; r != nil {
		say(true, "release %s %q %q %v %v", r.TagName, r.Name, r.Description, r.Milestones, r.Links)
	}
	if g := j.Pages; g != nil {
		say(true, "pages %s %s %s", g.Publish, g.PathPrefix, g.ExpireIn)
	}
	if l := j.Late; l != nil {
		child, ok := l.Payload.(*gitlab.Child)
		say(ok, "late %s wait=%t mirror=%t %s%s yaml=%t pipeline=%t depth=%d", l.Kind, l.Wait, l.Mirror, child.Project, child.Include, child.YAML, child.Pipeline, child.Depth)
	}
}

func or(g *plan.Group) string {
	if g == nil {
		return ""
	}
	return g.Name
}

func containerText(c *plan.Container) string {
	if c == nil {
		return ""
	}
	out := c.Name
	if c.Entrypoint != nil {
		out += fmt.Sprintf(" entrypoint %q", c.Entrypoint)
	}
	if c.PullPolicy != nil {
		out += fmt.Sprintf(" pull %v", c.PullPolicy)
	}
	return out + strings.TrimRight(" "+c.User+" "+c.Platform, " ")
}

func variablesText(vs []plan.Variable) string {
	var out []string
	for _, v := range vs {
		out = append(out, v.Name+"="+v.Value+map[bool]string{true: " raw"}[v.Raw])
	}
	return strings.Join(out, ", ")
}
