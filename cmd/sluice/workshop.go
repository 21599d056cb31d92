package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/action"
	"github.com/sluice-delivery/sluice/internal/edge/artifact"
	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/edge/glob"
	"github.com/sluice-delivery/sluice/internal/edge/tool"
	"github.com/sluice-delivery/sluice/internal/edge/toolkit"
	"github.com/sluice-delivery/sluice/internal/engine/agent"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// workshop is what the steps of one run's jobs can ask for beyond a shell: actions, repositories, tools, named artifacts
// and the services of toolkits (the ports of agent.Agent).
type workshop struct {
	state    string
	occasion event.Occasion
	mask     *logs.Mask
	sources  *action.Sources
	named    *artifact.Store
	kept     *blob.Store

	mu      sync.Mutex
	service *toolkit.Service // started when the first job asks
}

// newWorkshop opens the workshop of a run.
func newWorkshop(pl *pipeline, state string, snap action.Filler, kept *blob.Store) *workshop {
	sources := pl.sources()
	sources.Own.Snapshot = snap
	return &workshop{state: state, occasion: pl.occasion, mask: pl.mask, sources: sources, named: &artifact.Store{Dir: state}, kept: kept}
}

// sources are where actions and reusable workflows of other repositories come from.
func (l *pipeline) sources() *action.Sources {
	s := &action.Sources{
		Local: l.given.local, Paths: l.given.actionPaths, Cache: action.DefaultCache(), Mirror: l.given.mirror,
		Own: action.Own{
			Repository: l.occasion.Repository.Path, Root: l.repo.Root, Dir: l.repo.Dir, Origin: l.occasion.Repository.URL,
			Ref: fullRef(l.occasion), SHA: l.occasion.Commit.SHA,
		},
	}
	return s
}

// fullRef is the ref that an occasion is about.
func fullRef(o event.Occasion) string {
	switch {
	case o.Merge != nil && o.Given != "pull_request_target":
		return fmt.Sprintf("refs/pull/%d/merge", o.Merge.Number)
	case o.Merge != nil:
		return "refs/heads/" + o.Merge.Target
	case o.Tag != "":
		return "refs/tags/" + o.Tag
	default:
		return "refs/heads/" + o.Branch
	}
}

// equip gives an agent the ports of the workshop.
func (w *workshop) equip(a *agent.Agent) {
	a.Actions, a.Trees, a.Tools, a.Artifacts, a.Services, a.Digests = w, w, w, w, w, w
}

// close ends the services.
func (w *workshop) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.service == nil {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	return w.service.Close(ctx)
}

// Resolve brings an action into a job (agent.Actions).
func (w *workshop) Resolve(ctx context.Context, a program.Resolve, s agent.Site) (program.Outcome, error) {
	return w.sources.Resolve(ctx, a, s.Paths)
}

// Fetch puts a repository into a job's workspace (agent.Trees).
func (w *workshop) Fetch(ctx context.Context, a program.Fetch, s agent.Site) (program.Outcome, error) {
	return w.sources.Fetch(ctx, a, s.Paths, s.Out)
}

// Find looks for a tool (agent.Tools). Those of a container are the image's: what is on its PATH.
func (w *workshop) Find(ctx context.Context, a program.Find, s agent.Site) (program.Outcome, error) {
	finder := tool.Finder{Env: os.Environ(), Tools: toolCache(), Links: filepath.Join(cacheDir(), "links")}
	if container, ok := s.Host.(interface {
		Ask(ctx context.Context, script string) (string, error)
	}); ok {
		finder.Probe = container.Ask
	}
	return finder.Find(ctx, a)
}

// HashFiles answers hashFiles (agent.Digests).
func (w *workshop) HashFiles(ctx context.Context, a program.HashFiles, s agent.Site) (program.Outcome, error) {
	sum, n, err := glob.Hash(ctx, s.Paths, a.Patterns)
	return program.Outcome{Text: sum, Count: n}, err
}

// Publish keeps a named artifact (agent.Artifacts).
func (w *workshop) Publish(ctx context.Context, a program.Publish, s agent.Site) (program.Outcome, error) {
	n := artifact.New{Run: s.Work.Run, Job: s.Work.ID, Attempt: s.Work.Attempt, Name: a.Name, Overwrite: a.Overwrite}
	if a.Expire > 0 {
		at := time.Now().Add(a.Expire)
		n.Expires = &at
	}
	home := homeOf(s.Paths)
	info, err := w.named.Save(ctx, n, artifact.Source{
		Paths: a.Paths, Hidden: a.Hidden, Space: glob.Of(s.Paths, home), Dir: s.Paths.JobWorkspace, Home: home,
	})
	if err != nil {
		return program.Outcome{}, err
	}
	if info.ID == 0 {
		return program.Outcome{Text: "no files were found with the provided path: " + strings.Join(a.Paths, ", ")}, nil
	}
	url := "file://" + filepath.ToSlash(filepath.Join(w.state, "runs", s.Work.Run, "named"))
	return program.Outcome{Count: info.Files, Values: []string{strconv.FormatInt(info.ID, 10), info.Digest, url}}, nil
}

// Collect brings named artifacts to a job (agent.Artifacts).
func (w *workshop) Collect(ctx context.Context, a program.Collect, s agent.Site) (program.Outcome, error) {
	home := homeOf(s.Paths)
	run := s.Work.Run
	if a.Run != "" {
		run = a.Run
	}
	got, folder, err := w.named.Download(ctx, artifact.Choice{Run: run, Name: a.Name, IDs: a.IDs, Pattern: a.Pattern}, artifact.Target{
		Space: glob.Of(s.Paths, home), Dir: s.Paths.JobWorkspace, Home: home, Path: a.Path, Merge: a.Merge,
	})
	var o program.Outcome
	for _, i := range got {
		o.Values = append(o.Values, i.Name)
	}
	o.Count = len(got)
	o.Values = append(o.Values, folder)
	if fault.CodeOf(err) == artifact.CodeMissing {
		err = &program.Error{Failure: program.MissingDependency, Err: err}
	}
	return o, err
}

// homeOf is the HOME of a job: the user's, in a container the folder of the private one that is mounted at /github/home.
func homeOf(p program.Paths) string {
	if p.Container != "" || p.JobWorkspace != p.Workspace {
		return path.Join(p.JobPrivate, "_github_home")
	}
	home, _ := os.UserHomeDir()
	return home
}

// Serve makes the services of toolkits ready for a job (agent.Services).
func (w *workshop) Serve(_ context.Context, a program.Serve, s agent.Site) ([]string, error) {
	service, err := w.serve()
	if err != nil {
		return nil, err
	}
	j := toolkit.Job{ID: s.Work.ID, Attempt: s.Work.Attempt, IDToken: a.IDToken, Claims: map[string]any{}, Listen: s.Paths.Machine}
	for k, v := range a.Claims {
		j.Claims[k] = v
	}
	j.Scopes = scopesOf(w.occasion)
	j.Scope = j.Scopes[0]
	env, _, err := service.Job(j)
	return env, err
}

// scopesOf are the refs whose caches a run may see: its own, in which it saves, that of a merge request's target, and
// the default branch's (GitHub documentation, Restrictions for accessing a cache).
func scopesOf(o event.Occasion) []string {
	scopes := []string{fullRef(o)}
	if o.Merge != nil {
		scopes = append(scopes, "refs/heads/"+o.Merge.Target)
	}
	if main := "refs/heads/" + o.Repository.DefaultBranch; !slices.Contains(scopes, main) {
		scopes = append(scopes, main)
	}
	return scopes
}

// serve starts the services, once. They last as long as the run, not as the job that asks first.
func (w *workshop) serve() (*toolkit.Service, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.service != nil {
		return w.service, nil
	}
	service, err := toolkit.Start(context.Background(), toolkit.Options{Dir: w.state, Run: w.occasion.RunID, Artifacts: w.named, Caches: w.kept, Server: server(w.occasion)})
	if err != nil {
		return nil, fmt.Errorf("start the services of toolkits: %w", err)
	}
	w.service = service
	return service, nil
}

// End takes the services from a job (agent.Services).
func (w *workshop) End(work agent.Work) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.service != nil {
		w.service.End(work.ID, work.Attempt)
	}
}

// server is the address of the forge that the repository is from (GITHUB_SERVER_URL).
func server(o event.Occasion) string {
	if o.Repository.Host == "" {
		return "https://github.com"
	}
	return "https://" + o.Repository.Host
}
