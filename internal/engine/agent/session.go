package agent

import (
	"context"
	"fmt"
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

	served bool // the services are up, and have to be ended
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
	case program.Contain:
		return s.contain(a)
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
	case program.RestoreCache, program.RestoreArtifacts, program.SaveCache, program.SaveArtifacts:
		return s.store(action)
	default:
		return s.fetch(action)
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
	exit, err := s.through(e.Lens, func(out program.Output) (int, error) { return s.host.Exec(ctx, e, out) })
	return s.ended(ctx, exit, err)
}

// contain runs a container beside the job, where the job's host can.
func (s *session) contain(c program.Contain) program.Outcome {
	if err := s.job.Err(); err != nil && !c.Always {
		return s.outcome(s.job, err)
	}
	host, can := s.host.(Container)
	if !can {
		return missing(c)
	}
	ctx, stop := s.context(c.Timeout)
	defer stop()
	ctx, release := s.agent.hurried(ctx)
	defer release()
	exit, err := s.through(c.Lens, func(out program.Output) (int, error) { return host.Contain(ctx, c, out) })
	return s.ended(ctx, exit, err)
}

// ended is how a step went that was started.
func (s *session) ended(ctx context.Context, exit int, err error) program.Outcome {
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

func (s *session) say(a program.Say) error {
	text := a.Text
	if a.Warning {
		text = "WARNING: " + text
	}
	return s.log.Write(program.System, []byte(text))
}
