package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
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
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// workshop is what the steps of one run's jobs can ask for beyond a shell: actions, repositories, tools, named artifacts
// and the services of toolkits (the ports of agent.Agent).
type workshop struct {
	d     *githubDialect
	state string
	named *artifact.Store
	kept  *blob.Store

	mu      sync.Mutex
	service *toolkit.Service // started when the first job asks
}

// newWorkshop opens the workshop of a run.
func newWorkshop(d *githubDialect, state string, snap action.Filler, kept *blob.Store) *workshop {
	d.sources().Own.Snapshot = snap
	return &workshop{d: d, state: state, named: &artifact.Store{Dir: state}, kept: kept}
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
	return w.d.sources().Resolve(ctx, a, s.Paths)
}

// Fetch puts a repository into a job's workspace (agent.Trees).
func (w *workshop) Fetch(ctx context.Context, a program.Fetch, s agent.Site) (program.Outcome, error) {
	return w.d.sources().Fetch(ctx, a, s.Paths, s.Out)
}

// Find looks for a tool (agent.Tools): on this machine, or in the job's container, which has tools of its own.
func (w *workshop) Find(ctx context.Context, a program.Find, s agent.Site) (program.Outcome, error) {
	finder := tool.Finder{Env: os.Environ(), Tools: toolCache(), Links: filepath.Join(cacheDir(), "links")}
	if s.Paths.Container != "" {
		finder.Probe = func(ctx context.Context, script string) (string, error) { return answerOf(ctx, s.Host, script) }
	}
	return finder.Find(ctx, a)
}

// answerOf runs a script in the job's host and gives what it printed. A script that fails is an error with what it complained of.
func answerOf(ctx context.Context, host program.Host, script string) (string, error) {
	var said answer
	exit, err := host.Exec(ctx, program.Exec{Step: "look for tools", Shell: "sh", Lines: []string{script}, Quiet: true}, &said)
	if err == nil && exit != 0 {
		err = fmt.Errorf("exit code %d: %s", exit, strings.TrimSpace(said[1].String()))
	}
	return said[0].String(), err
}

// answer keeps the first of what a script prints, standard output and the rest apart (program.Output).
type answer [2]strings.Builder

// maxAnswer bounds each, in bytes.
const maxAnswer = 1 << 20

// Write keeps a piece.
func (a *answer) Write(s program.Stream, chunk []byte) error {
	to := &a[1]
	if s == program.Stdout {
		to = &a[0]
	}
	to.Write(chunk[:min(len(chunk), maxAnswer-to.Len())])
	return nil
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
	j.Scopes = w.d.scopes()
	j.Scope = j.Scopes[0]
	env, _, err := service.Job(j)
	return env, err
}

// serve starts the services, once. They last as long as the run, not as the job that asks first.
func (w *workshop) serve() (*toolkit.Service, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.service != nil {
		return w.service, nil
	}
	service, err := toolkit.Start(context.Background(), toolkit.Options{Dir: w.state, Run: w.d.occasion.RunID, Artifacts: w.named, Caches: w.kept, Server: w.d.event().Server()})
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
