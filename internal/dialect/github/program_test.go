package github_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

var updatePrograms = flag.Bool("update-programs", false, "write what the programs ask for into testdata/program")

// stage is the world of a running job: how the actions go that its program asks for.
type stage struct {
	files   map[string]string   // of the archive
	plays   map[string][]string // how steps go, by title: one text for each time
	hashes  map[string]string
	tools   map[string]string // tool and version -> version bin home
	cached  string            // the key that is there
	show    []string          // variables of the environment that the transcript names
	refuse  map[string]string // kinds of actions that fail, with the message
	private map[string]string // files that steps wrote
	names   []string          // of artifacts that are there
	in      github.Attempt
	out     strings.Builder
}

func newStage(archive *txtar.Archive) *stage {
	s := &stage{
		files: map[string]string{}, plays: map[string][]string{}, hashes: map[string]string{}, tools: map[string]string{},
		refuse: map[string]string{}, private: map[string]string{},
	}
	for _, f := range archive.Files {
		if title, ok := strings.CutPrefix(f.Name, "step "); ok {
			s.plays[title] = append(s.plays[title], string(f.Data))
			continue
		}
		s.files[f.Name] = string(f.Data)
	}
	return s
}

// Read is a file of the work tree (github.Files).
func (s *stage) Read(_ context.Context, path string) ([]byte, error) {
	if text, ok := s.files[path]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

// Paths lists the work tree.
func (s *stage) Paths(context.Context) ([]string, error) {
	var out []string
	for name := range s.files {
		out = append(out, name)
	}
	sort.Strings(out)
	return out, nil
}

// Repository is no other tree (github.Source).
func (*stage) Repository(context.Context, string, string) (github.Files, error) {
	return nil, errors.New("no other repository")
}

// Changed knows nothing (github.Project).
func (*stage) Changed(context.Context) ([]string, bool, error) { return nil, false, nil }

// set reads the flags of a case and compiles its workflow.
func (s *stage) set(t *testing.T) {
	t.Helper()
	job, secrets := "", []plan.Variable{}
	s.in = github.Attempt{
		Run: "r1", ID: "j1", Number: 7, Attempt: 1, At: time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC), Timeout: time.Hour, Version: "1.0",
		Base:    []string{"HOME=/home/ada", "PATH=/bin"},
		Machine: github.Machine{OS: "Linux", Arch: "X64", Name: "ship"}, Tools: "/tools", Token: "ghs_tokentoken",
		Paths: program.Paths{Workspace: "/w/shop", JobWorkspace: "/w/shop", Private: "/p", JobPrivate: "/p", Shell: "bash"},
		Occasion: event.Occasion{
			Name: event.Push, Repository: event.Repository{Path: "octo/shop", Host: "github.com", DefaultBranch: "main"}, Branch: "main",
			Commit: event.Commit{SHA: strings.Repeat("c", 40), Title: "a"}, Actor: event.Person{Login: "ada"}, RunID: "99", Number: 3,
		},
	}
	for line := range strings.SplitSeq(s.files["flags"], "\n") {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		key, after, _ := strings.Cut(value, " ")
		switch name {
		case "":
		case "job":
			job = value
		case "show":
			s.show = strings.Fields(value)
		case "secret":
			k, v, _ := strings.Cut(value, "=")
			secrets = append(secrets, plan.Variable{Name: k, Value: strings.ReplaceAll(v, `\n`, "\n")})
		case "env":
			k, v, _ := strings.Cut(value, "=")
			s.in.Given.Env = append(s.in.Given.Env, plan.Variable{Name: k, Value: v})
		case "hash":
			s.hashes[key] = after
		case "tool":
			wanted, rest, _ := strings.Cut(after, "=> ")
			s.tools[strings.TrimSpace(key+" "+strings.TrimSpace(wanted))] = rest
		case "cached":
			s.cached = value
		case "refuse":
			s.refuse[key] = after
		case "artifact":
			s.names = append(s.names, value)
		case "real":
			s.in.Real = true
		case "debug":
			s.in.Debug = true
		case "sh":
			s.in.Paths.Shell = "sh"
		case "container":
			s.in.Container, s.in.Base = true, nil
			s.in.Paths = program.Paths{
				Workspace: "/w/shop", JobWorkspace: "/__w/shop", Private: "/p", JobPrivate: "/__p", Shell: "bash", Container: "c0ffee", Network: "net",
				Path:     "/usr/bin",
				Services: []program.Beside{{ID: "d0", Name: "db", Ports: map[string]string{"5432": "15432"}}},
			}
		case "need":
			var b program.Before
			b.ID, b.Key, b.Name, b.Status = key, key, key, "success"
			for _, kv := range strings.Fields(after) {
				k, v, _ := strings.Cut(kv, "=")
				b.Outputs = append(b.Outputs, plan.Variable{Name: k, Value: v})
			}
			s.in.Needs = append(s.in.Needs, b)
		default:
			t.Fatalf("unknown flag %q", name)
		}
	}
	s.in.Given.Secrets = secrets
	p, faults := github.Compile(t.Context(), github.Input{
		Files: s, Source: s, Project: s, Occasion: s.in.Occasion, Given: s.in.Given, Machine: s.in.Machine,
		Platforms: map[string]string{"ubuntu-latest": "shell"},
	})
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	s.in.Plan = p
	for _, j := range p.Jobs {
		if j.ID == job || j.Key == job || job == "" {
			s.in.Job = j
			break
		}
	}
	if s.in.Job == nil {
		t.Fatalf("no job %q in %d jobs", job, len(p.Jobs))
	}
}

func (s *stage) write(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

// play is how a step goes: what it writes, and its outcome.
func (s *stage) play(title string, lens program.Lens, env []string) program.Outcome {
	var o program.Outcome
	for _, name := range s.show {
		for _, pair := range env {
			if strings.HasPrefix(pair, name+"=") {
				s.write("  %s", pair)
			}
		}
	}
	texts := s.plays[title]
	if len(texts) == 0 {
		return o
	}
	if len(texts) > 1 {
		s.plays[title] = texts[1:]
	}
	lookup := func(name string) string {
		for _, pair := range env {
			if v, ok := strings.CutPrefix(pair, name+"="); ok {
				return strings.TrimPrefix(strings.TrimPrefix(v, s.in.Paths.JobPrivate), "/")
			}
		}
		return "?"
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(texts[0], "\n"), "\n") {
		name, value, _ := strings.Cut(line, " ")
		switch name {
		case "exit":
			o.Exit, _ = strconv.Atoi(value)
			o.Failure = program.ScriptFailure
		case "fail":
			o.Failure, o.Message = program.Failure(value), "it was "+value
		case "lasts":
			o.Duration, _ = time.ParseDuration(value)
		case "env", "output", "state", "path", "step_summary":
			file := lookup("GITHUB_" + strings.ToUpper(name))
			s.private[file] += strings.ReplaceAll(value, `\n`, "\n") + "\n"
		case "out", "err":
			stream := program.Stdout
			if name == "err" {
				stream = program.Stderr
			}
			if lens == nil {
				s.write("  no lens for %q", value)
				continue
			}
			seen := lens.Line(stream, strings.ReplaceAll(value, `\e`, "\x1b"))
			s.seen(value, seen)
		default:
			s.write("unknown play %q", line)
		}
	}
	return o
}

func (s *stage) seen(line string, seen program.Seen) {
	var what []string
	if seen.Keep {
		what = append(what, "kept")
	}
	if seen.Show != "" {
		what = append(what, fmt.Sprintf("shown as %q", seen.Show))
	}
	if seen.Warning {
		what = append(what, "a warning")
	}
	if len(seen.Mask) > 0 {
		what = append(what, fmt.Sprintf("masks %q", seen.Mask))
	}
	if c := seen.Section; c != nil && c.Start {
		what = append(what, "begins "+c.Name+" "+c.Header)
	} else if c != nil {
		what = append(what, "ends "+c.Name)
	}
	if len(what) == 0 {
		what = []string{"gone"}
	}
	s.write("  | %s : %s", line, strings.Join(what, ", "))
}

// do is what an action comes to; its line goes into the transcript.
func (s *stage) do(a program.Action) program.Outcome {
	kind := strings.TrimPrefix(fmt.Sprintf("%T", a), "program.")
	if why, ok := s.refuse[kind]; ok {
		s.write("%s is refused", kind)
		if cause, ok := strings.CutPrefix(why, "canceled: "); ok {
			return program.Outcome{Failure: program.Canceled, Message: cause}
		}
		return program.Outcome{Failure: program.UnmetPrerequisites, Message: why}
	}
	switch a := a.(type) {
	case program.Exec:
		return s.exec(a)
	case program.Contain:
		s.write("contain %s image=%s build=%s/%s entrypoint=%q args=%q%s", a.Step, a.Image, a.Build, a.Dockerfile, a.Entrypoint, a.Args, always(a.Always))
		return s.play(a.Step, a.Lens, a.Env)
	case program.Files:
		var names []string
		for _, f := range a.Files {
			if strings.HasPrefix(f.Name, "_runner_file_commands/") {
				s.private[f.Name] = "" // every step has them
				continue
			}
			text := strconv.Quote(f.Content)
			if len(text) > 80 {
				text = fmt.Sprintf("(%d bytes)", len(f.Content))
			}
			names = append(names, f.Name+"="+text)
		}
		if len(names) > 0 {
			s.write("files %s", strings.Join(names, " "))
		}
	case program.ReadPrivate:
		var o program.Outcome
		for _, name := range a.Names {
			if text, ok := s.private[name]; ok {
				o.Files = append(o.Files, program.FoundFile{Path: name, Content: []byte(text)})
			}
		}
		return o
	case program.Mask:
		s.write("mask %q", a.Values)
	case program.Say:
		if a.Warning {
			s.write("say WARNING: %s", a.Text)
		} else {
			s.write("say %s", a.Text)
		}
	case program.Section:
		if a.Start {
			s.write("section %s: %s", a.Name, a.Header)
		} else {
			s.write("end %s", a.Name)
		}
	case program.HashFiles:
		s.write("hash %q", a.Patterns)
		return program.Outcome{Text: s.hashes[strings.Join(a.Patterns, ",")]}
	case program.Resolve:
		return s.resolve(a)
	case program.Find:
		s.write("find %s %q", a.Tool, a.Version)
		if v, ok := s.tools[strings.TrimSpace(a.Tool+" "+a.Version)]; ok {
			return program.Outcome{Values: strings.Fields(v)}
		}
		return program.Outcome{Failure: program.UnmetPrerequisites, Message: "there is no " + a.Tool}
	case program.Serve:
		s.write("serve id-token=%t sub=%s", a.IDToken, a.Claims["sub"])
		return program.Outcome{Values: []string{"ACTIONS_RUNTIME_TOKEN=jot", "ACTIONS_RESULTS_URL=http://127.0.0.1:1/"}}
	default:
		return s.keep(a)
	}
	return program.Outcome{}
}

// keep is what concerns files that are kept.
func (s *stage) keep(a program.Action) program.Outcome {
	switch a := a.(type) {
	case program.RestoreCache:
		s.write("restore cache %q prefixes %q look=%t", a.Keys, a.Prefixes, a.Look)
		for _, p := range append(slices.Clone(a.Keys), a.Prefixes...) {
			if s.cached != "" && strings.HasPrefix(s.cached, p) {
				return program.Outcome{Text: s.cached}
			}
		}
	case program.SaveCache:
		s.write("save cache %s %q once=%t", a.Key, a.Select.Paths, a.Once)
	case program.Fetch:
		b, _ := json.Marshal(a)
		s.write("fetch %s", b)
		return program.Outcome{Values: []string{strings.Repeat("d", 40), "refs/heads/x"}}
	case program.Publish:
		s.write("publish %s %q hidden=%t overwrite=%t level=%d for %s", a.Name, a.Paths, a.Hidden, a.Overwrite, a.Level, a.Expire)
		if slices.Contains(a.Paths, "nothing") {
			return program.Outcome{Text: "no files"}
		}
		return program.Outcome{Values: []string{"5", "sha256:ab", "http://x/5"}, Count: 2}
	case program.Collect:
		s.write("collect name=%q pattern=%q ids=%q into %q merge=%t run=%q", a.Name, a.Pattern, a.IDs, a.Path, a.Merge, a.Run)
		return program.Outcome{Values: append(slices.Clone(s.names), "/w/shop/"+a.Path)}
	case program.ReadFiles:
		var o program.Outcome
		for _, p := range a.Select.Paths {
			if text, ok := s.files[p]; ok {
				o.Files = append(o.Files, program.FoundFile{Path: p, Content: []byte(text)})
			}
		}
		s.write("read %q", a.Select.Paths)
		return o
	default:
		s.write("unknown %T", a)
	}
	return program.Outcome{}
}

func always(b bool) string {
	if b {
		return " always"
	}
	return ""
}

func (s *stage) exec(a program.Exec) program.Outcome {
	line := "exec " + a.Step
	if len(a.Argv) > 0 {
		line += fmt.Sprintf(" argv %q", a.Argv)
	} else {
		line += fmt.Sprintf(" shell %q%s %q", a.Shell, a.Ext, a.Lines)
	}
	if a.Dir != "" {
		line += " in " + a.Dir
	}
	if a.Timeout > 0 {
		line += " at most " + a.Timeout.String()
	}
	s.write("%s%s", line, always(a.Always))
	if a.Step == "problem matcher" {
		text, ok := s.files[a.Argv[len(a.Argv)-1]]
		if !ok {
			a.Lens.Line(program.Stderr, "no such file")
			return program.Outcome{Exit: 1, Failure: program.ScriptFailure}
		}
		for l := range strings.SplitSeq(text, "\n") {
			a.Lens.Line(program.Stdout, l)
		}
		return program.Outcome{}
	}
	return s.play(a.Step, a.Lens, a.Env)
}

func (s *stage) resolve(a program.Resolve) program.Outcome {
	name := strings.TrimSuffix(a.Repository+"/"+a.Path, "/") + "@" + a.Ref
	dir := "/a/" + name
	if a.Repository == "" {
		name, dir = "./"+a.Path, "/w/shop/"+a.Path
	}
	s.write("resolve %s", name)
	for _, file := range []string{"action.yml", "action.yaml", "Dockerfile"} {
		if text, ok := s.files["action "+name+"/"+file]; ok {
			return program.Outcome{Text: dir, Values: []string{"/host" + dir, "commit"}, Files: []program.FoundFile{{Path: file, Content: []byte(text)}}}
		}
	}
	return program.Outcome{Failure: program.UnmetPrerequisites, Message: "it is not in the cache"}
}

// run takes the program to its end.
func (s *stage) run(t *testing.T) string {
	t.Helper()
	order, err := s.in.Order()
	if err != nil {
		t.Fatal(err)
	}
	s.write("order %s", order.Checkout.Strategy)
	p := github.NewProgram(s.in)
	var last program.Outcome
	for n := 0; ; n++ {
		if n > 10_000 {
			t.Fatal("the program does not end")
		}
		a, ok := p.Next(last)
		if !ok {
			break
		}
		last = s.do(a)
	}
	r := p.Result()
	end := fmt.Sprintf("result %s %s", r.Failure, r.Message)
	if r.Exit != nil {
		end += fmt.Sprintf(" exit %d", *r.Exit)
	}
	s.write("%s", strings.TrimRight(end, " "))
	for _, v := range r.Outputs {
		s.write("output %s=%q", v.Name, v.Value)
	}
	for _, n := range r.Notes {
		s.write("note %s %q at %s:%d:%d-%d:%d %q", n.Level, n.Title, n.File, n.Line, n.Column, n.EndLine, n.EndColumn, n.Message)
	}
	for _, l := range r.Links {
		s.write("link %s %s", l.Label, l.URL)
	}
	if r.Summary != "" {
		s.write("summary %q", r.Summary)
	}
	return s.out.String()
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
			s := newStage(archive)
			s.set(t)
			got, want := s.run(t), s.files["transcript"]
			if got == want {
				return
			}
			if !*updatePrograms {
				t.Fatalf("the transcript differs; got:\n%s\nwant:\n%s", got, want)
			}
			archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "transcript" })
			archive.Files = append(archive.Files, txtar.File{Name: "transcript", Data: []byte(got)})
			if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
}
