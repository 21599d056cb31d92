package gitlab_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// bench is a case of a running job: how the actions go that its program asks for.
type bench struct {
	job     string
	show    []string                   // variables of the environment that the transcript names
	exits   map[string]int             // of steps, by name
	fails   map[string]program.Failure // of steps and actions, by name
	lasts   map[string]time.Duration   // how long steps ran
	found   string                     // the cache key that is there
	files   map[string]string          // what ReadFiles finds, by pattern
	matched string                     // what the coverage pattern matched
	empty   bool                       // nothing is there to save
	in      gitlab.Attempt
}

// outcome is what an action comes to in the case, and its line in the transcript.
func (b *bench) outcome(a program.Action) (program.Outcome, string) {
	switch a := a.(type) {
	case program.Exec:
		o := program.Outcome{Exit: b.exits[a.Step], Failure: b.fails[a.Step], Duration: b.lasts[a.Step]}
		line := fmt.Sprintf("exec %s %q", a.Step, a.Lines)
		if a.Dir != "" {
			line += " in " + a.Dir
		}
		if a.Timeout > 0 {
			line += " at most " + a.Timeout.String()
		}
		for _, name := range b.show {
			for _, pair := range a.Env {
				if strings.HasPrefix(pair, name+"=") {
					line += fmt.Sprintf("\n  %s", pair)
				}
			}
		}
		return o, line
	case program.Files:
		var names []string
		for _, f := range a.Files {
			names = append(names, f.Name+"="+strconv.Quote(f.Content))
		}
		return program.Outcome{}, "files " + strings.Join(names, " ")
	case program.Mask:
		return program.Outcome{}, fmt.Sprintf("mask %q", a.Values)
	case program.Watch:
		return program.Outcome{}, "watch " + a.Pattern
	case program.Matched:
		return program.Outcome{Text: b.matched}, "matched?"
	case program.Say:
		if a.Warning {
			return program.Outcome{}, "say WARNING: " + a.Text
		}
		return program.Outcome{}, "say " + a.Text
	case program.Section:
		if a.Start {
			return program.Outcome{}, "section " + a.Name + ": " + a.Header
		}
		return program.Outcome{}, "end " + a.Name
	case program.RestoreCache:
		o := program.Outcome{Failure: b.fails["restore_cache"], Message: string(b.fails["restore_cache"])}
		if slices.Contains(a.Keys, b.found) {
			o.Text = b.found
		}
		return o, fmt.Sprintf("restore cache %q", a.Keys)
	case program.SaveCache:
		return b.saved("save_cache"), fmt.Sprintf("save cache %s %v untracked=%t", a.Key, a.Select.Paths, a.Select.Untracked)
	case program.RestoreArtifacts:
		return program.Outcome{Failure: b.fails["restore_artifacts"]}, fmt.Sprintf("restore artifacts of %q", a.Jobs)
	case program.SaveArtifacts:
		return b.saved("save_artifacts"), fmt.Sprintf("save %s %s %v without %v untracked=%t for %s", a.Kind, a.Name, a.Select.Paths, a.Select.Exclude, a.Select.Untracked, a.Expire)
	case program.ReadFiles:
		var o program.Outcome
		for _, p := range a.Select.Paths {
			if text, ok := b.files[p]; ok {
				o.Files = append(o.Files, program.FoundFile{Path: p, Content: []byte(text)})
			}
		}
		return o, fmt.Sprintf("read %v up to %d", a.Select.Paths, a.Limit)
	default:
		return program.Outcome{}, fmt.Sprintf("unknown %T", a)
	}
}

func (b *bench) saved(name string) program.Outcome {
	o := program.Outcome{Failure: b.fails[name], Message: string(b.fails[name]), Count: 1}
	if b.empty {
		o.Count, o.Text = 0, "no files"
	}
	return o
}

// benchOf reads the flags of a case; those it does not know are the world's.
func benchOf(t *testing.T, text string) (*bench, string) {
	t.Helper()
	b := &bench{exits: map[string]int{}, fails: map[string]program.Failure{}, lasts: map[string]time.Duration{}, files: map[string]string{}}
	b.in = gitlab.Attempt{
		Run: "run", Number: 42, Attempt: 1, At: time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC), Timeout: time.Hour, Version: "1.0",
		Base:  []string{"HOME=/home/ada", "PATH=/bin"},
		Paths: program.Paths{Workspace: "/w/shop", JobWorkspace: "/w/shop", Private: "/p", JobPrivate: "/p", Shell: "bash"},
	}
	rest := ""
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		key, after, _ := strings.Cut(value, " ")
		switch name {
		case "job":
			b.job = value
		case "show":
			b.show = strings.Fields(value)
		case "exit":
			b.exits[key], _ = strconv.Atoi(after)
		case "fail":
			b.fails[key] = program.Failure(after)
		case "lasts":
			b.lasts[key], _ = time.ParseDuration(after)
		case "cached":
			b.found = value
		case "found":
			b.files[key] = strings.ReplaceAll(after, `\n`, "\n")
		case "matched":
			b.matched = value
		case "nothing":
			b.empty = true
		case "from":
			b.in.From = strings.Fields(value)
		case "output":
			k, v, _ := strings.Cut(value, "=")
			b.in.Outputs = append(b.in.Outputs, plan.Variable{Name: k, Value: v})
		case "base":
			b.in.Base = append(b.in.Base, value)
		case "container":
			b.in.Container = true
		case "filevar":
			k, v, _ := strings.Cut(value, "=")
			b.in.Extra = append(b.in.Extra, plan.Variable{Name: k, Value: v, File: true})
		default:
			rest += line + "\n"
		}
	}
	return b, rest
}

func TestPrograms(t *testing.T) {
	paths, err := filepath.Glob("testdata/program/*.txtar")
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
				files[f.Name] = string(f.Data)
				if f.Name == "flags" {
					flags = string(f.Data)
				}
			}
			b, rest := benchOf(t, flags)
			w := newWorld(files)
			w.flags(t, rest)
			p, faults := gitlab.Compile(t.Context(), w.in)
			if faults.HasErrors() {
				t.Fatal(faults)
			}
			b.in.Plan, b.in.Job, b.in.Occasion = p, p.Job(b.job), w.in.Occasion
			if b.in.Job == nil {
				t.Fatalf("no job %q", b.job)
			}
			compare(t, path, archive, map[string]string{"plan": b.transcript()})
		})
	}
}

// checkoutText is what a workspace holds, in a word or with its submodules.
func checkoutText(c program.Checkout) string {
	if c.Submodules == "none" {
		return c.Strategy
	}
	return fmt.Sprintf("%s submodules=%s %q", c.Strategy, c.Submodules, c.Paths)
}

// transcript runs the program to its end and writes down what it asked for and how the job ended.
func (b *bench) transcript() string {
	var out strings.Builder
	o := b.in.Order()
	usual := program.Checkout{Strategy: "clone", Submodules: "none"}
	if o.Checkout != usual || o.Outlive || o.Image != nil || len(o.Services) > 0 {
		fmt.Fprintf(&out, "order %s outlive=%t image %s\n", checkoutText(o.Checkout), o.Outlive, containerText(o.Image))
		for i := range o.Services {
			fmt.Fprintf(&out, "service %s as %v %s\n", o.Services[i].Name, o.Services[i].Aliases, variablesText(o.Services[i].Variables))
		}
	}
	p := gitlab.NewProgram(b.in)
	var last program.Outcome
	for {
		a, ok := p.Next(last)
		if !ok {
			break
		}
		var line string
		last, line = b.outcome(a)
		out.WriteString(line + "\n")
	}
	r := p.Result()
	fmt.Fprintf(&out, "result %s %s", r.Failure, r.Message)
	if r.Exit != nil {
		fmt.Fprintf(&out, " exit %d", *r.Exit)
	}
	out.WriteString("\n")
	if len(r.Outputs) > 0 {
		fmt.Fprintf(&out, "outputs %s\n", variablesText(r.Outputs))
	}
	if r.Coverage != "" {
		fmt.Fprintf(&out, "coverage %s\n", r.Coverage)
	}
	for _, x := range r.Reports {
		fmt.Fprintf(&out, "report %s %s %q\n", x.Kind, x.Path, x.Content)
	}
	for _, l := range r.Links {
		fmt.Fprintf(&out, "link %s %s\n", l.Label, l.URL)
	}
	return out.String()
}
