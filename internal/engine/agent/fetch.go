package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// fetch carries out what concerns the job's private folder, and what others do for the agent through its ports. All of
// it works also after the job was canceled or timed out, within a bound of its own: a step that runs always may ask.
func (s *session) fetch(action program.Action) program.Outcome {
	ctx, stop := s.context(0)
	defer stop()
	ctx, release := s.agent.hurried(ctx)
	defer release()
	o, err := s.ask(ctx, action)
	if err != nil {
		failure := s.outcome(ctx, err)
		o.Failure, o.Message = failure.Failure, failure.Message
	}
	return o
}

func (s *session) ask(ctx context.Context, action program.Action) (program.Outcome, error) {
	a, site := s.agent, s.site()
	switch action := action.(type) {
	case program.Files:
		return program.Outcome{}, s.write(action)
	case program.ReadPrivate:
		return s.readPrivate(action)
	case program.Resolve:
		switch {
		case action.Repository == "":
			return s.own(action)
		case a.Actions != nil:
			return a.Actions.Resolve(ctx, action, site)
		}
	case program.Fetch:
		if a.Trees != nil {
			return a.Trees.Fetch(ctx, action, site)
		}
	case program.Find:
		if a.Tools != nil {
			return a.Tools.Find(ctx, action, site)
		}
	case program.Publish:
		if a.Artifacts != nil {
			return a.Artifacts.Publish(ctx, action, site)
		}
	case program.Collect:
		if a.Artifacts != nil {
			return a.Artifacts.Collect(ctx, action, site)
		}
	case program.HashFiles:
		if a.Digests != nil {
			return a.Digests.HashFiles(ctx, action, site)
		}
	case program.Serve:
		if a.Services != nil {
			s.served = true
			env, err := a.Services.Serve(ctx, action, site)
			return program.Outcome{Values: env}, err
		}
	}
	return missing(action), nil
}

func (s *session) site() Site {
	return Site{Work: s.work, Host: s.host, Paths: s.host.Paths(), Out: s.log}
}

// missing is the outcome of an action that nobody here can carry out.
func missing(action program.Action) program.Outcome {
	what := fmt.Sprintf("actions of the kind %T", action)
	switch action.(type) {
	case program.Resolve:
		what = "bringing actions from other repositories"
	case program.Fetch:
		what = "checking out repositories"
	case program.Find:
		what = "looking for tools"
	case program.Publish, program.Collect:
		what = "keeping named artifacts"
	case program.HashFiles:
		what = "hashing files"
	case program.Serve:
		what = "the services of toolkits"
	case program.Contain:
		what = "running containers beside a job on this machine; the step needs a container engine"
	}
	return program.Outcome{Failure: program.SystemFailure, Message: "nothing here is set up for " + what}
}

// end takes back what lasts as long as the job.
func (s *session) end() {
	if s.served {
		s.agent.Services.End(s.work)
	}
}

// actionFiles are what makes a folder an action, in the order in which the runner looks for them.
var actionFiles = []string{"action.yml", "action.yaml", "Dockerfile"}

// maxAction bounds the file of an action, in bytes.
const maxAction = 1 << 20

// own finds an action that is a folder of the workspace.
func (s *session) own(a program.Resolve) (program.Outcome, error) {
	paths := s.host.Paths()
	dir := path.Clean(a.Path)
	if !filepath.IsLocal(filepath.FromSlash(dir)) {
		return program.Outcome{}, unmet("the action %q lies outside of the workspace", a.Path)
	}
	root, err := os.OpenRoot(paths.Workspace)
	if err != nil {
		return program.Outcome{}, fmt.Errorf("open the workspace: %w", err)
	}
	defer root.Close()
	for _, name := range actionFiles {
		found, err := readOne(root, path.Join(dir, name), maxAction)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return program.Outcome{}, unmet("read the action %s: %v", a.Path, err)
		}
		found.Path = name
		return program.Outcome{
			Text: path.Join(paths.JobWorkspace, dir), Values: []string{filepath.Join(paths.Workspace, filepath.FromSlash(dir)), ""},
			Files: []program.FoundFile{found},
		}, nil
	}
	return program.Outcome{}, unmet("Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under '%s'. Did you forget to run actions/checkout before running your local action?",
		path.Join(paths.JobWorkspace, dir)) // in the words of GitHub's runner, which people search for
}

func unmet(format string, args ...any) error {
	return &program.Error{Failure: program.UnmetPrerequisites, Err: fmt.Errorf(format, args...)}
}
