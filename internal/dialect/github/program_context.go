package github

import (
	"maps"
	"path"
	"slices"
	"strconv"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
)

// contexts makes what does not change while the job runs.
func (w *walk) contexts() {
	f, b := w.own.Frame, expr.ObjectBuilder{}
	for _, p := range f.GitHub().Pairs() {
		b.Set(p.Key, p.Value)
	}
	b.Set("run_attempt", expr.String(strconv.Itoa(max(w.Attempt.Attempt, 1))))
	b.Set("job", expr.String(w.own.Job.ID))
	b.Set("token", w.secretsContext().Get("github_token"))
	b.Set("workspace", expr.String(w.Paths.JobWorkspace))
	b.Set("event_path", expr.String(w.Paths.JobPrivate+"/"+eventFile))
	w.github = b.Value()
	runner := RunnerContext(w.Machine, w.Paths.JobPrivate, w.Tools, w.Debug)
	b = expr.ObjectBuilder{}
	for _, p := range runner.Pairs() {
		b.Set(p.Key, p.Value)
	}
	b.Set("workspace", expr.String(path.Dir(w.Paths.JobWorkspace)))
	w.runner = b.Value()
}

// githubContext is the context github as a step sees it.
func (w *walk) githubContext(s *scope, at *step) expr.Value {
	b := expr.ObjectBuilder{}
	for _, p := range w.github.Pairs() {
		b.Set(p.Key, p.Value)
	}
	from := s.action
	if s.outer != nil {
		b.Set("action_status", expr.String(string(s.state)))
	}
	if at != nil {
		b.Set("action", expr.String(at.name))
		for _, f := range commandFiles {
			b.Set(f.context, expr.String(w.Paths.JobPrivate+"/"+w.file(f)))
		}
		if at.source.repository != "" {
			from.repository, from.ref = at.source.repository, at.source.ref
		}
	}
	if from.path != "" {
		b.Set("action_path", expr.String(from.path))
	}
	b.Set("action_repository", expr.String(from.repository))
	b.Set("action_ref", expr.String(from.ref))
	return b.Value()
}

// jobContext is the context job: how the job stands, its container and its services.
func (w *walk) jobContext() expr.Value {
	b := w.own.Frame.JobContext(string(w.status), w.ID)
	network := expr.Pair{Key: "network", Value: expr.String(w.Paths.Network)}
	if w.Paths.Container != "" {
		b.Set("container", expr.NewObject(expr.Pair{Key: "id", Value: expr.String(w.Paths.Container)}, network))
	}
	services := expr.ObjectBuilder{}
	for _, s := range w.Paths.Services {
		ports := expr.ObjectBuilder{}
		for _, p := range slices.Sorted(maps.Keys(s.Ports)) {
			ports.Set(p, expr.String(s.Ports[p]))
		}
		services.Set(s.Name, expr.NewObject(expr.Pair{Key: "id", Value: expr.String(s.ID)}, network, expr.Pair{Key: "ports", Value: ports.Value()}))
	}
	if len(w.Paths.Services) > 0 {
		b.Set("services", services.Value())
	}
	return b.Value()
}

func (w *walk) needsContext() expr.Value { return NeedsOf(w.Job, w.Needs) }

// secretsContext is the context secrets; where a mapping of the caller cannot be evaluated it is empty, and setUp has
// told why.
func (w *walk) secretsContext() expr.Value {
	if w.secrets == nil {
		v, err := w.own.Frame.Secrets(w.Token)
		if err != nil {
			v = expr.NewObject()
		}
		w.secrets = &v
	}
	return *w.secrets
}
