package agent

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// session drives one program on one host.
type session struct {
	agent *Agent
	work  Work
	host  program.Host
	log   Log
	job   context.Context // ends with the job's deadline or its cancel
	outer context.Context // the cancel alone
	env   []string        // of the last Exec, for a shell in the failed job
}

// drive asks the program for actions until it has no more.
func (s *session) drive() program.Result {
	p, err := s.agent.Dialect.Program(s.work, s.host.Paths())
	if err != nil {
		return failed(s.job, err)
	}
	var last program.Outcome
	for {
		action, ok := p.Next(last)
		if !ok {
			return p.Result()
		}
		began := time.Now()
		last = s.act(action)
		last.Duration = time.Since(began)
	}
}

// context is the one for the next action: the job's while it lasts; after its end each action gets a bound of its own.
func (s *session) context(bound time.Duration) (context.Context, context.CancelFunc) {
	if s.job.Err() == nil {
		if bound > 0 {
			return context.WithTimeoutCause(s.job, bound, timeoutError{bound})
		}
		return context.WithCancel(s.job)
	}
	if bound <= 0 {
		bound = afterTime
	}
	return context.WithTimeoutCause(context.WithoutCancel(s.outer), bound, timeoutError{bound})
}

// afterTime bounds an action that runs after the job was canceled or timed out.
const afterTime = 5 * time.Minute

func (s *session) act(action program.Action) program.Outcome {
	switch a := action.(type) {
	case program.Exec:
		return s.exec(a)
	case program.Files:
		return s.outcome(s.job, s.write(a))
	case program.Mask:
		s.log.Mask(a.Values)
		return program.Outcome{}
	case program.Watch:
		return s.outcome(s.job, s.log.Watch(a.Pattern))
	case program.Matched:
		return program.Outcome{Text: s.log.Matched()}
	case program.Say:
		return s.outcome(s.job, s.say(a))
	case program.Section:
		return s.outcome(s.job, s.log.Section(a))
	case program.ReadFiles:
		return s.read(a)
	default:
		return s.store(action)
	}
}

func (s *session) outcome(ctx context.Context, err error) program.Outcome {
	if err == nil {
		return program.Outcome{}
	}
	f, message := classify(ctx, err)
	return program.Outcome{Failure: f, Message: message}
}

func (s *session) exec(e program.Exec) program.Outcome {
	if err := s.job.Err(); err != nil && !e.Always {
		return s.outcome(s.job, err) // canceled between two actions: nothing more is started
	}
	ctx, stop := s.context(e.Timeout)
	defer stop()
	ctx, release := s.agent.hurried(ctx)
	defer release()
	s.env = e.Env
	exit, err := s.host.Exec(ctx, e, s.log)
	if err != nil {
		return s.outcome(ctx, err)
	}
	if ctx.Err() != nil {
		o := s.outcome(ctx, ctx.Err())
		o.Exit = exit
		return o
	}
	if exit != 0 {
		return program.Outcome{Exit: exit, Failure: program.ScriptFailure, Message: fmt.Sprintf("exit code %d", exit)}
	}
	return program.Outcome{}
}

// write puts file variables into the job's private folder.
func (s *session) write(f program.Files) error {
	root, err := os.OpenRoot(s.host.Paths().Private)
	if err != nil {
		return fmt.Errorf("open the job's private folder: %w", err)
	}
	defer root.Close()
	for _, file := range f.Files {
		if err := root.WriteFile(file.Name, []byte(file.Content), 0o600); err != nil {
			return fmt.Errorf("write the file variable %s: %w", file.Name, err)
		}
	}
	return nil
}

func (s *session) say(a program.Say) error {
	text := a.Text
	if a.Warning {
		text = "WARNING: " + text
	}
	return s.log.Write(program.System, []byte(text))
}

// store carries out what concerns artifacts and caches. What is saved is saved also after a cancel; nothing is restored
// then, because no script will see it.
func (s *session) store(action program.Action) program.Outcome {
	root := s.host.Paths().Workspace
	switch a := action.(type) {
	case program.RestoreCache:
		return s.restoreCache(a, root)
	case program.RestoreArtifacts:
		return s.restoreArtifacts(a, root)
	}
	ctx, stop := s.context(0)
	defer stop()
	ctx, release := s.agent.hurried(ctx)
	defer release()
	switch a := action.(type) {
	case program.SaveCache:
		saved, err := s.agent.Store.SaveCache(ctx, a.Key, a.Select, root)
		return s.saved(ctx, saved, err)
	case program.SaveArtifacts:
		saved, err := s.agent.Store.SaveArtifacts(ctx, s.work.Run, s.work.ID, a, root)
		return s.saved(ctx, saved, err)
	default:
		return program.Outcome{Failure: program.SystemFailure, Message: fmt.Sprintf("this agent cannot do %T", action)}
	}
}

func (s *session) restoreCache(a program.RestoreCache, root string) program.Outcome {
	if err := s.job.Err(); err != nil {
		return s.outcome(s.job, err)
	}
	found, n, err := s.agent.Store.RestoreCache(s.job, a.Keys, root)
	o := s.outcome(s.job, err)
	o.Text, o.Count = found, n
	return o
}

func (s *session) restoreArtifacts(a program.RestoreArtifacts, root string) program.Outcome {
	total := 0
	for _, job := range a.Jobs {
		if err := s.job.Err(); err != nil {
			return s.outcome(s.job, err)
		}
		n, err := s.agent.Store.RestoreArtifacts(s.job, s.work.Run, job, root)
		if err != nil {
			return s.outcome(s.job, fmt.Errorf("restore the artifacts of %s: %w", job, err))
		}
		total += n
	}
	return program.Outcome{Count: total}
}

func (s *session) saved(ctx context.Context, saved program.Saved, err error) program.Outcome {
	for _, pattern := range saved.Unmet {
		if err := s.say(program.Say{Text: pattern + ": no matching files", Warning: true}); err != nil {
			return s.outcome(ctx, err)
		}
	}
	o := s.outcome(ctx, err)
	o.Count, o.Text = saved.Files, saved.Skipped
	return o
}
