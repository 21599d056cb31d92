package agent

import (
	"context"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Store keeps artifacts and caches. Job ids are those of the run.
type Store interface {
	SaveArtifacts(ctx context.Context, run, job string, a program.SaveArtifacts, root string) (program.Saved, error)
	RestoreArtifacts(ctx context.Context, run, job, root string) (files int, err error)
	SaveCache(ctx context.Context, a program.SaveCache, s Site) (program.Saved, error)
	// RestoreCache answers with the key found, "" for none. With a.Look nothing is restored.
	RestoreCache(ctx context.Context, a program.RestoreCache, s Site) (found string, files int, err error)
}

// Site is where an action is carried out: the job, its open host, and its output, which takes lines of ours.
type Site struct {
	Work  Work
	Host  program.Host
	Paths program.Paths // of Host
	Out   program.Output
}

// The ports below answer with the outcome as the action's description gives it. An error is how an action fails: one
// that wraps a *program.Error says of what kind.

// Actions brings actions into a job: what `uses:` names outside of the workspace.
type Actions interface {
	Resolve(ctx context.Context, a program.Resolve, s Site) (program.Outcome, error)
}

// Trees puts repositories into workspaces.
type Trees interface {
	Fetch(ctx context.Context, a program.Fetch, s Site) (program.Outcome, error)
}

// Tools finds what is installed where the job runs.
type Tools interface {
	Find(ctx context.Context, a program.Find, s Site) (program.Outcome, error)
}

// Artifacts keeps the named artifacts of runs.
type Artifacts interface {
	Publish(ctx context.Context, a program.Publish, s Site) (program.Outcome, error)
	Collect(ctx context.Context, a program.Collect, s Site) (program.Outcome, error)
}

// Services are what official toolkits talk to.
type Services interface {
	// Serve makes the services ready for a job; env is NAME=value by which a step reaches them.
	Serve(ctx context.Context, a program.Serve, s Site) (env []string, err error)
	// End takes them from the job. It is called once for each attempt that was served.
	End(w Work)
}

// Digests answers hashFiles.
type Digests interface {
	HashFiles(ctx context.Context, a program.HashFiles, s Site) (program.Outcome, error)
}

// Container is a program.Host that runs containers beside its job.
type Container interface {
	Contain(ctx context.Context, c program.Contain, out program.Output) (exit int, err error)
}
