package agent

import (
	"context"
	"fmt"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// store carries out what concerns artifacts and caches. What is saved is saved also after a cancel; nothing is restored
// then, because no script will see it.
func (s *session) store(action program.Action) program.Outcome {
	root := s.host.Paths().Workspace
	switch a := action.(type) {
	case program.RestoreCache:
		return s.restoreCache(a)
	case program.RestoreArtifacts:
		return s.restoreArtifacts(a, root)
	}
	ctx, stop := s.context(0)
	defer stop()
	ctx, release := s.agent.hurried(ctx)
	defer release()
	switch a := action.(type) {
	case program.SaveCache:
		saved, err := s.agent.Store.SaveCache(ctx, a, s.site())
		return s.saved(ctx, saved, err)
	case program.SaveArtifacts:
		saved, err := s.agent.Store.SaveArtifacts(ctx, s.work.Run, s.work.ID, a, root)
		return s.saved(ctx, saved, err)
	default:
		return program.Outcome{}
	}
}

// restoreCache brings a cache back. One that a step of its own asks for by a version (GitHub's cache action) is brought
// also after the job's end, because that step may be one that runs always.
func (s *session) restoreCache(a program.RestoreCache) program.Outcome {
	if err := s.job.Err(); err != nil && a.Version == "" {
		return s.outcome(s.job, err)
	}
	ctx, stop := s.context(0)
	defer stop()
	ctx, release := s.agent.hurried(ctx)
	defer release()
	found, n, err := s.agent.Store.RestoreCache(ctx, a, s.site())
	o := s.outcome(ctx, err)
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
