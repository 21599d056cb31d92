package agent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/agent"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// port fills all ports of an agent: it writes down what it is asked.
type port struct {
	w   *world
	err error
}

func (p port) answer(ctx context.Context, what string, s agent.Site) (program.Outcome, error) {
	p.w.note("%s for %s, alive %v", what, s.Work.ID, ctx.Err() == nil)
	return program.Outcome{Values: []string{what}, Count: 1}, p.err
}

func (p port) Resolve(ctx context.Context, a program.Resolve, s agent.Site) (program.Outcome, error) {
	return p.answer(ctx, "resolve "+a.Repository, s)
}

func (p port) Fetch(ctx context.Context, _ program.Fetch, s agent.Site) (program.Outcome, error) {
	return p.answer(ctx, "fetch", s)
}

func (p port) Find(ctx context.Context, a program.Find, s agent.Site) (program.Outcome, error) {
	return p.answer(ctx, "find "+a.Tool, s)
}

func (p port) Publish(ctx context.Context, a program.Publish, s agent.Site) (program.Outcome, error) {
	return p.answer(ctx, "publish "+a.Name, s)
}

func (p port) Collect(ctx context.Context, a program.Collect, s agent.Site) (program.Outcome, error) {
	return p.answer(ctx, "collect "+a.Name, s)
}

func (p port) HashFiles(ctx context.Context, a program.HashFiles, s agent.Site) (program.Outcome, error) {
	return p.answer(ctx, "hash "+strings.Join(a.Patterns, ","), s)
}

func (p port) Serve(ctx context.Context, _ program.Serve, s agent.Site) ([]string, error) {
	o, err := p.answer(ctx, "serve", s)
	return o.Values, err
}

func (p port) End(w agent.Work) { p.w.note("end the services of %s", w.ID) }

func (w *world) fill(err error) {
	p := port{w, err}
	w.agent.Actions, w.agent.Trees, w.agent.Tools, w.agent.Artifacts, w.agent.Services, w.agent.Digests = p, p, p, p, p, p
}

var asked = []program.Action{
	program.Resolve{Repository: "o/r"},
	program.Fetch{},
	program.Find{Tool: "go"},
	program.Publish{Name: "a"},
	program.Collect{Name: "b"},
	program.HashFiles{Patterns: []string{"x", "y"}},
	program.Serve{},
}

func TestPorts(t *testing.T) {
	w := newWorld(t)
	w.fill(nil)
	if r := w.do(t.Context(), asked...); r.Failure != "" {
		t.Fatalf("%+v", r)
	}
	for i, what := range []string{"resolve o/r", "fetch", "find go", "publish a", "collect b", "hash x,y", "serve"} {
		w.has(t, what+" for job, alive true")
		if !slices.Equal(w.saw[i].Values, []string{what}) {
			t.Errorf("%s: %+v", what, w.saw[i])
		}
	}
	if end := slices.Index(w.tape, "end the services of job"); end < 0 || w.tape[end+1] != "close, keep false" {
		t.Errorf("%q", w.tape)
	}
}

func TestAPortThatFails(t *testing.T) {
	w := newWorld(t)
	w.fill(&program.Error{Failure: program.UnmetPrerequisites, Err: errors.New("no go 9")})
	w.do(t.Context(), asked...)
	for i, o := range w.saw {
		if o.Failure != program.UnmetPrerequisites || o.Message != "no go 9" {
			t.Errorf("%T: %+v", asked[i], o)
		}
	}
	w.has(t, "end the services of job")
}

func TestAPortThatNobodyFills(t *testing.T) {
	w := newWorld(t)
	w.do(t.Context(), append(asked, program.Contain{})...)
	for i, o := range w.saw {
		if o.Failure != program.SystemFailure || !strings.HasPrefix(o.Message, "nothing here is set up for ") {
			t.Errorf("%d: %+v", i, o)
		}
	}
	w.hasNot(t, "end the services")
}

// TestPortsAfterACancel: the steps that run always may still ask, and are not waited for without end.
func TestPortsAfterACancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fill(nil)
		ctx, cancel := context.WithCancelCause(t.Context())
		w.exec["script"] = func(context.Context, program.Output) (int, error) {
			cancel(errors.New("enough"))
			return 137, nil
		}
		w.exec["after_script"] = until(time.Hour, 0)
		w.do(ctx, script, program.Publish{Name: "a"}, program.ReadPrivate{Names: []string{"f"}, Limit: 10}, program.Files{Files: []program.File{{Name: "f", Content: "x"}}},
			program.RestoreCache{Keys: []string{"k"}}, program.RestoreCache{Keys: []string{"v"}, Version: "1"}, after)
		w.has(t, "publish a for job, alive true")
		for i, want := range map[int]program.Failure{0: program.Canceled, 1: "", 2: "", 3: "", 4: program.Canceled, 5: "", 6: program.ExecutionTimeout} {
			if w.saw[i].Failure != want {
				t.Errorf("%d: %+v, want %q", i, w.saw[i], want)
			}
		}
	})
}

// boxed is a host that runs containers beside the job.
type boxed struct{ *world }

func (b boxed) Open(context.Context, program.Order, program.Output) (program.Host, error) {
	return b, nil
}

func (b boxed) Contain(_ context.Context, c program.Contain, out program.Output) (int, error) {
	b.note("contain %s", c.Image)
	return 3, out.Write(program.Stdout, []byte("drop this\nshow that\n"))
}

func TestAContainerBesideTheJob(t *testing.T) {
	w, e := newWorld(t), &eye{}
	w.agent.Executor = func(*plan.Job) program.Executor { return boxed{w} }
	w.do(t.Context(), program.Contain{Image: "alpine", Lens: e})
	if o := w.saw[0]; o.Failure != program.ScriptFailure || o.Exit != 3 {
		t.Errorf("%+v", o)
	}
	w.has(t, "contain alpine")
	w.has(t, "stdout: <that>")
	w.hasNot(t, "drop")
}

func TestAnActionOfTheWorkspace(t *testing.T) {
	w := newWorld(t)
	w.paths.JobWorkspace = "/in/the/job"
	in := func(name string) string { return filepath.Join(w.paths.Workspace, name) }
	if err := errors.Join(os.MkdirAll(in("a/b"), 0o755), os.MkdirAll(in("c"), 0o755), os.WriteFile(in("a/b/action.yaml"), []byte("name: x"), 0o644),
		os.WriteFile(in("a/b/Dockerfile"), []byte("FROM x"), 0o644), os.WriteFile(in("action.yml"), []byte("name: top"), 0o644), os.Symlink("/etc", in("out"))); err != nil {
		t.Fatal(err)
	}
	w.do(t.Context(), program.Resolve{Path: "./a/b"}, program.Resolve{Path: "."}, program.Resolve{Path: "c"}, program.Resolve{Path: "../x"}, program.Resolve{Path: "out"}, program.Resolve{Path: "none"})
	if o := w.saw[0]; o.Failure != "" || o.Text != "/in/the/job/a/b" || o.Values[0] != in("a/b") || o.Files[0].Path != "action.yaml" || string(o.Files[0].Content) != "name: x" {
		t.Errorf("%+v", o)
	}
	if o := w.saw[1]; o.Failure != "" || o.Text != "/in/the/job" || string(o.Files[0].Content) != "name: top" {
		t.Errorf("%+v", o)
	}
	for _, o := range w.saw[2:] {
		if o.Failure != program.UnmetPrerequisites {
			t.Errorf("%+v", o)
		}
	}
}

func TestPrivateFiles(t *testing.T) {
	w := newWorld(t)
	in := func(name string) string { return filepath.Join(w.paths.Private, name) }
	w.exec["script"] = func(context.Context, program.Output) (int, error) {
		return 0, errors.Join(os.WriteFile(in("_temp/out"), []byte("a=b\n"), 0o644), os.Mkdir(in("_temp/dir"), 0o755),
			os.Symlink("/etc/passwd", in("_temp/link")), os.WriteFile(in("_temp/long"), []byte("123456789012"), 0o644), os.WriteFile(in("_temp/locked"), nil, 0o400))
	}
	names := []string{"_temp/long", "_temp/gone", "_temp/out", "_temp/dir", "_temp/link", "../x"}
	w.do(t.Context(), program.Files{Files: []program.File{{Name: "_temp/out"}, {Name: "deep/er/f", Content: "f"}}}, script,
		program.ReadPrivate{Names: names, Limit: 10, Clear: true}, program.ReadPrivate{Names: names[2:3], Limit: 10},
		program.Files{Files: []program.File{{Name: "_temp/dir", Content: "now a file"}, {Name: "_temp/link", Content: "x"}, {Name: "_temp/locked", Content: "new"}}})
	for _, i := range []int{0, 1, 2, 3, 4} {
		if w.saw[i].Failure != "" {
			t.Fatalf("%d: %+v", i, w.saw[i])
		}
	}
	files := w.saw[2].Files
	if len(files) != 2 || files[0].Path != "_temp/long" || string(files[0].Content) != "1234567890" || !files[0].Truncated || files[1].Path != "_temp/out" || string(files[1].Content) != "a=b\n" {
		t.Errorf("%+v", files)
	}
	if again := w.saw[3].Files; len(again) != 1 || len(again[0].Content) != 0 {
		t.Errorf("it was not emptied: %+v", again)
	}
	w.has(t, "WARNING: _temp/dir is not read")
	w.has(t, "WARNING: _temp/link is not read")
	for name, want := range map[string]string{"deep/er/f": "f", "_temp/dir": "now a file", "_temp/link": "x", "_temp/locked": "new"} {
		if b, err := os.ReadFile(in(name)); string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if info, err := os.Lstat("/etc/passwd"); err != nil || info.Size() < 2 {
		t.Error("a link was followed out of the folder")
	}
}
