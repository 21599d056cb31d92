package agent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/agent"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

var (
	script = program.Exec{Step: "script"}
	after  = program.Exec{Step: "after_script", Always: true, Timeout: 5 * time.Minute}
	upload = program.SaveArtifacts{Kind: "archive"}
)

func TestEveryActionIsCarriedOut(t *testing.T) {
	w := newWorld(t)
	w.exec["script"] = func(_ context.Context, out program.Output) (int, error) {
		return 0, out.Write(program.Stdout, []byte("hello"))
	}
	r := w.do(t.Context(),
		program.Mask{Values: []string{"a", "b"}}, program.Files{Files: []program.File{{Name: "KEY", Content: "k"}}}, program.Watch{Pattern: "x"},
		program.Section{Name: "s", Start: true}, program.Say{Text: "hi"}, program.Say{Text: "careful", Warning: true},
		program.RestoreCache{Keys: []string{"k1", "k2"}}, program.RestoreArtifacts{Jobs: []string{"a", "b"}}, script, program.Matched{},
		program.SaveCache{Key: "k1"}, upload)
	if r.Failure != "" {
		t.Fatalf("%+v", r)
	}
	for _, line := range []string{
		"mask 2", "watch x", "section s true", "system: hi", "system: WARNING: careful", "restore cache [k1 k2]", "restore r/b", "exec script",
		"stdout: hello", "save cache k1", "save archive of r/job", "system: WARNING: no/*: no matching files", "close, keep false",
	} {
		w.has(t, line)
	}
	if w.saw[6].Text != "k1" || w.saw[6].Count != 5 || w.saw[7].Count != 6 || w.saw[9].Text != "42%" || w.saw[10].Text != "no files" || w.saw[11].Count != 2 {
		t.Errorf("%+v", w.saw)
	}
	path := filepath.Join(w.paths.Private, "KEY")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
}

func TestHowAScriptEnds(t *testing.T) {
	for name, c := range map[string]struct {
		exit int
		err  error
		want program.Failure
	}{
		"well":                        {0, nil, ""},
		"with an exit code":           {3, nil, program.ScriptFailure},
		"by the machine's fault":      {0, errors.New("no shell"), program.SystemFailure},
		"by a fault that has a name":  {0, &program.Error{Failure: program.ImagePull, Err: errors.New("no image")}, program.ImagePull},
		"by an error around that one": {0, errors.Join(errors.New("x"), &program.Error{Failure: program.DataIntegrity, Err: errors.New("y")}), program.DataIntegrity},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.exec["script"] = func(context.Context, program.Output) (int, error) { return c.exit, c.err }
			if r := w.do(t.Context(), script); r.Failure != c.want || w.saw[0].Exit != c.exit {
				t.Errorf("%+v %+v", r, w.saw)
			}
			w.has(t, "close")
		})
	}
}

func TestTheJobsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.job.Timeout = 10 * time.Minute
		w.exec["script"] = until(time.Hour, 0)
		began := time.Now()
		r := w.do(t.Context(), script, program.Exec{Step: "second"}, upload)
		if r.Failure != program.ExecutionTimeout || !strings.Contains(r.Message, "10m0s") || time.Since(began) != 10*time.Minute {
			t.Errorf("%+v after %v", r, time.Since(began))
		}
		w.hasNot(t, "exec second")
		w.has(t, "save archive of r/job, alive true") // its program decides; what it asks for is done
		w.has(t, "close")
	})
}

func TestTimeouts(t *testing.T) {
	w := newWorld(t)
	if got := w.agent.Timeout(&w.job); got != time.Hour {
		t.Errorf("%v", got)
	}
	w.agent.Default = time.Minute
	if got := w.agent.Timeout(&w.job); got != time.Minute {
		t.Errorf("%v", got)
	}
	w.job.Timeout = time.Second
	if got := w.agent.Timeout(&w.job); got != time.Second {
		t.Errorf("%v", got)
	}
}

func TestAStepsOwnTimeoutLeavesTheJobAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.exec["script"] = until(time.Hour, 0)
		bounded := script
		bounded.Timeout = time.Minute
		w.do(t.Context(), bounded, after)
		if o := w.saw[0]; o.Failure != program.ExecutionTimeout || o.Duration != time.Minute || o.Exit != 137 {
			t.Errorf("%+v", o)
		}
		if w.saw[1].Failure != "" {
			t.Errorf("%+v", w.saw[1])
		}
		w.has(t, "exec after_script")
	})
}

func TestACancelStillRunsAfterScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(errors.New("stopped by Ada")) })
		w.exec["script"] = until(time.Hour, 0)
		w.exec["after_script"] = until(2*time.Minute, 0)
		began := time.Now()
		r := w.do(ctx, script, program.Exec{Step: "second"}, program.RestoreCache{Keys: []string{"k"}}, program.RestoreArtifacts{Jobs: []string{"a"}}, after, program.SaveCache{Key: "k"}, upload)
		if r.Failure != program.Canceled || r.Message != "stopped by Ada" || time.Since(began) != 3*time.Minute {
			t.Errorf("%+v after %v", r, time.Since(began))
		}
		if w.saw[4].Failure != "" {
			t.Errorf("after_script: %+v", w.saw[4])
		}
		for _, line := range []string{"exec second", "restore"} {
			w.hasNot(t, line)
		}
		for _, line := range []string{"exec after_script", "save cache k", "save archive of r/job, alive true", "close"} {
			w.has(t, line)
		}
	})
}

func TestAfterScriptHasABoundAfterACancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		w.exec["script"], w.exec["after_script"] = until(time.Hour, 0), until(time.Hour, 0)
		began := time.Now()
		unbounded := after
		unbounded.Timeout = 0
		w.do(ctx, script, after, unbounded)
		if got := time.Since(began); got != 11*time.Minute || w.saw[1].Failure != program.ExecutionTimeout || w.saw[2].Failure != program.ExecutionTimeout {
			t.Errorf("%v %+v", got, w.saw)
		}
	})
}

func TestHurryEndsAfterScriptToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hurry := make(chan struct{})
		w.agent.Hurry = hurry
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		time.AfterFunc(2*time.Minute, func() { close(hurry) })
		w.exec["script"], w.exec["after_script"] = until(time.Hour, 0), until(time.Hour, 0)
		began := time.Now()
		r := w.do(ctx, script, after)
		if got := time.Since(began); got != 2*time.Minute || r.Failure != program.Canceled {
			t.Errorf("%v %+v", got, r)
		}
	})
}

func TestNothingIsOpenedWhereItCannotBe(t *testing.T) {
	t.Run("the order is wrong", func(t *testing.T) {
		w := newWorld(t)
		w.orderErr = errors.New("image: $NONE is empty")
		if r := w.do(t.Context(), script); r.Failure != program.SystemFailure || !strings.Contains(r.Message, "$NONE") || len(w.tape) > 0 {
			t.Errorf("%+v %q", r, w.tape)
		}
	})
	t.Run("the host does not open", func(t *testing.T) {
		w := newWorld(t)
		w.openErr = &program.Error{Failure: program.ImagePull, Err: errors.New("no such image")}
		if r := w.do(t.Context(), script); r.Failure != program.ImagePull {
			t.Errorf("%+v", r)
		}
		w.hasNot(t, "close")
	})
	t.Run("it was canceled before", func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("enough"))
		if r := w.do(ctx, script, after); r.Failure != program.Canceled || r.Message != "enough" {
			t.Errorf("%+v", r)
		}
		w.hasNot(t, "exec")
	})
}

func TestKeepAndFailed(t *testing.T) {
	for name, c := range map[string]struct {
		exit    int
		cancel  bool
		visited bool
	}{
		"a failed job is shown":        {exit: 1, visited: true},
		"one that went well is not":    {},
		"one that was canceled is not": {cancel: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.exec["script"] = func(context.Context, program.Output) (int, error) {
				if c.cancel {
					cancel()
				}
				return c.exit, nil
			}
			w.agent.Keep = func(_ agent.Work, r program.Result) bool { return r.Failure == program.ScriptFailure }
			w.agent.Failed = func(_ context.Context, _ agent.Work, env []string, h program.Host) {
				w.note("visited with %s in %v", env, h.Paths().Workspace != "")
			}
			step := script
			step.Env = []string{"A=1"}
			w.do(ctx, step)
			if c.visited {
				w.has(t, "visited with [A=1] in true")
				w.has(t, "close, keep true")
				if w.tape[len(w.tape)-1] != "close, keep true" {
					t.Errorf("%q", w.tape)
				}
			} else {
				w.hasNot(t, "visited")
				w.has(t, "close, keep false")
			}
		})
	}
}

func TestACleanUpThatFailsIsNotSilent(t *testing.T) {
	w := newWorld(t)
	w.closeErr = errors.New("a process does not die")
	if r := w.do(t.Context(), script); r.Failure != program.SystemFailure || !strings.Contains(r.Message, "does not die") {
		t.Errorf("%+v", r)
	}
	w = newWorld(t)
	w.closeErr = errors.New("a process does not die")
	w.exec["script"] = func(context.Context, program.Output) (int, error) { return 1, nil }
	if r := w.do(t.Context(), script); r.Failure != program.ScriptFailure {
		t.Errorf("the job's own failure is lost: %+v", r)
	}
}

func TestAStoreThatFails(t *testing.T) {
	for _, a := range []program.Action{upload, program.SaveCache{Key: "k"}, program.RestoreCache{Keys: []string{"k"}}, program.RestoreArtifacts{Jobs: []string{"a"}}} {
		w := newWorld(t)
		w.storeErr = syscall.ENOSPC
		if w.do(t.Context(), a); w.saw[0].Failure != program.SystemFailure || !strings.Contains(w.saw[0].Message, "no space") {
			t.Errorf("%T: %+v", a, w.saw[0])
		}
	}
}

func TestALogThatFailsFailsTheJob(t *testing.T) {
	w := newWorld(t)
	w.log.full = true
	w.exec["script"] = func(_ context.Context, out program.Output) (int, error) {
		return 0, out.Write(program.Stdout, []byte("x"))
	}
	r := w.do(t.Context(), script, program.Say{Text: "x"})
	if r.Failure != program.SystemFailure || !strings.Contains(r.Message, "disk is full") || w.saw[1].Failure != program.SystemFailure {
		t.Errorf("%+v %+v", r, w.saw)
	}
}

func TestFilesStayInTheirFolder(t *testing.T) {
	for _, name := range []string{"../escape", "/tmp/sluice-escape", "a/../../b", ".", ""} {
		w := newWorld(t)
		if r := w.do(t.Context(), program.Files{Files: []program.File{{Name: name, Content: "x"}}}); r.Failure != program.SystemFailure {
			t.Errorf("%q: %+v", name, r)
		}
	}
	w := newWorld(t)
	if err := os.Symlink("/tmp", filepath.Join(w.paths.Private, "way")); err != nil {
		t.Fatal(err)
	}
	if r := w.do(t.Context(), program.Files{Files: []program.File{{Name: "way/sluice-escape", Content: "x"}}}); r.Failure != program.SystemFailure {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat("/tmp/sluice-escape"); err == nil {
		t.Error("a file variable was written to /tmp")
	}
}

func TestReadFiles(t *testing.T) {
	w := newWorld(t)
	in := func(name string) string { return filepath.Join(w.paths.Workspace, name) }
	secret := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(
		os.WriteFile(secret, []byte("s3cret"), 0o644), os.MkdirAll(in("d/sub"), 0o755), os.WriteFile(in("d/a.xml"), []byte("12345"), 0o644),
		os.WriteFile(in("d/sub/b.xml"), []byte("1234567"), 0o644), os.WriteFile(in("d/c.txt"), []byte("c"), 0o644), os.Symlink(secret, in("d/out.xml")),
		os.Symlink("../d/a.xml", in("d/in.xml")), syscall.Mkfifo(in("pipe"), 0o644), os.Symlink("../pipe", in("d/pipe.xml")), syscall.Mkfifo(in("d/fifo.xml"), 0o644),
	); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.do(t.Context(), program.ReadFiles{Select: program.Select{Paths: []string{"d/**/*.xml", "gone"}}, Limit: 5})
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("a pipe is waited for")
	}
	o := w.saw[0]
	if o.Failure != "" || o.Count != 3 || len(o.Files) != 3 {
		t.Fatalf("%+v", o)
	}
	for i, want := range []program.FoundFile{{Path: "d/a.xml", Content: []byte("12345")}, {Path: "d/in.xml", Content: []byte("12345")}, {Path: "d/sub/b.xml", Content: []byte("12345"), Truncated: true}} {
		if got := o.Files[i]; got.Path != want.Path || string(got.Content) != string(want.Content) || got.Truncated != want.Truncated {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	w.has(t, "system: WARNING: d/out.xml is not read")
	w.has(t, "system: WARNING: d/pipe.xml is not read: not a file")
}

type strange struct{ program.Action }

func TestAnActionThatNobodyKnows(t *testing.T) {
	w := newWorld(t)
	if r := w.do(t.Context(), strange{}, program.Watch{Pattern: "("}); r.Failure != program.SystemFailure || !strings.Contains(r.Message, "strange") || w.saw[1].Failure != program.SystemFailure {
		t.Errorf("%+v %+v", r, w.saw)
	}
}
