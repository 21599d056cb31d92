package agent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/agent"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// world is a host, a log and a store that write down what they are asked, and a program that asks for a list of actions.
type world struct {
	agent   agent.Agent
	job     plan.Job
	paths   program.Paths
	tape    []string
	actions []program.Action
	saw     []program.Outcome                                                     // of the actions, in order
	result  program.Result                                                        // what the program says at its end; with no failure the first that an outcome had
	exec    map[string]func(ctx context.Context, out program.Output) (int, error) // by step
	log     log

	orderErr, openErr, closeErr, storeErr error
}

func newWorld(t *testing.T) *world {
	w := &world{exec: map[string]func(context.Context, program.Output) (int, error){}}
	w.paths = program.Paths{Workspace: t.TempDir(), Private: t.TempDir()}
	w.job = plan.Job{ID: "job", Name: "job"}
	w.agent = agent.Agent{Executor: func(*plan.Job) program.Executor { return w }, Dialect: w, Store: store{w}}
	w.log.w = w
	return w
}

func (w *world) note(format string, args ...any) {
	w.tape = append(w.tape, fmt.Sprintf(format, args...))
}

func (w *world) do(ctx context.Context, actions ...program.Action) program.Result {
	w.actions = actions
	return w.agent.Do(ctx, agent.Work{Run: "r", ID: "job", Key: "job", Attempt: 1, Job: &w.job}, &w.log)
}

func (w *world) has(t *testing.T, line string) {
	t.Helper()
	if !slices.ContainsFunc(w.tape, func(l string) bool { return strings.Contains(l, line) }) {
		t.Errorf("no %q in %q", line, w.tape)
	}
}

func (w *world) hasNot(t *testing.T, line string) {
	t.Helper()
	if slices.ContainsFunc(w.tape, func(l string) bool { return strings.Contains(l, line) }) {
		t.Errorf("%q in %q", line, w.tape)
	}
}

// Dialect and program.

func (w *world) Order(agent.Work) (program.Order, error) { return program.Order{Run: "r"}, w.orderErr }

func (w *world) Program(agent.Work, program.Paths) (program.Program, error) {
	return &conversation{w: w}, nil
}

type conversation struct {
	w       *world
	next    int
	started bool
}

func (s *conversation) Next(last program.Outcome) (program.Action, bool) {
	if s.started {
		s.w.saw = append(s.w.saw, last)
	}
	s.started = true
	if s.next == len(s.w.actions) {
		return nil, false
	}
	s.next++
	return s.w.actions[s.next-1], true
}

func (s *conversation) Result() program.Result {
	for _, o := range s.w.saw {
		if s.w.result.Failure == "" && o.Failure != "" {
			s.w.result.Failure, s.w.result.Message = o.Failure, o.Message
		}
	}
	return s.w.result
}

// Executor and host.

func (w *world) Open(ctx context.Context, _ program.Order, _ program.Output) (program.Host, error) {
	w.note("open")
	if w.openErr != nil {
		return nil, w.openErr
	}
	return w, ctx.Err()
}

func (w *world) Paths() program.Paths { return w.paths }

func (w *world) Exec(ctx context.Context, e program.Exec, out program.Output) (int, error) {
	w.note("exec %s", e.Step)
	if do := w.exec[e.Step]; do != nil {
		return do(ctx, out)
	}
	return 0, nil
}

func (w *world) Close(ctx context.Context, keep bool) error {
	w.note("close, keep %v", keep)
	if ctx.Err() != nil {
		return errors.New("the clean-up has no time of its own")
	}
	if _, ok := ctx.Deadline(); !ok {
		return errors.New("the clean-up has no bound")
	}
	return w.closeErr
}

// until takes a time, or ends with the context as a shell does that is stopped.
func until(d time.Duration, exit int) func(context.Context, program.Output) (int, error) {
	return func(ctx context.Context, _ program.Output) (int, error) {
		select {
		case <-time.After(d):
			return exit, nil
		case <-ctx.Done():
			return 137, nil
		}
	}
}

type log struct {
	w    *world
	full bool
}

func (l *log) Write(s program.Stream, chunk []byte) error {
	l.w.note("%s: %s", s, chunk)
	if l.full {
		return &program.Error{Failure: program.SystemFailure, Err: errors.New("the disk is full")}
	}
	return nil
}

func (l *log) Mask(values []string) { l.w.note("mask %d", len(values)) }
func (l *log) Matched() string      { return "42%" }
func (l *log) Section(s program.Section) error {
	l.w.note("section %s %v", s.Name, s.Start)
	return nil
}

func (l *log) Watch(pattern string) error {
	if pattern == "(" {
		return errors.New("bad pattern")
	}
	l.w.note("watch %s", pattern)
	return nil
}

type store struct{ w *world }

func (s store) SaveArtifacts(ctx context.Context, run, job string, a program.SaveArtifacts, root string) (program.Saved, error) {
	s.w.note("save %s of %s/%s, alive %v", a.Kind, run, job, ctx.Err() == nil)
	return program.Saved{Files: 2, Unmet: []string{"no/*"}}, s.w.storeErr
}

func (s store) RestoreArtifacts(_ context.Context, run, job, _ string) (int, error) {
	s.w.note("restore %s/%s", run, job)
	return 3, s.w.storeErr
}

func (s store) SaveCache(_ context.Context, a program.SaveCache, _ agent.Site) (program.Saved, error) {
	s.w.note("save cache %s", a.Key)
	return program.Saved{Skipped: "no files"}, s.w.storeErr
}

func (s store) RestoreCache(_ context.Context, a program.RestoreCache, _ agent.Site) (string, int, error) {
	s.w.note("restore cache %s", a.Keys)
	return a.Keys[0], 5, s.w.storeErr
}
