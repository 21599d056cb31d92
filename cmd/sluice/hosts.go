package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/executor/docker"
	"github.com/sluice-delivery/sluice/internal/edge/executor/shell"
	"github.com/sluice-delivery/sluice/internal/edge/workspace"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// snapshot is the repository's work tree, taken beside the compilation.
type snapshot struct {
	dir  string
	stop context.CancelFunc
	done chan struct{}
	tree *workspace.Snapshot
	err  error
}

// snapshot begins to take the work tree. A run that only looks takes none.
func (l *pipeline) snapshot(ctx context.Context, r *runFlags) *snapshot {
	ctx, stop := context.WithCancel(ctx)
	s := &snapshot{stop: stop, done: make(chan struct{})}
	if r.list || r.dryRun {
		close(s.done)
		return s
	}
	s.dir = filepath.Join(stateDir(l.repo.Root), "work", l.occasion.RunID)
	go func() {
		defer close(s.done)
		s.tree, s.err = workspace.Take(ctx, l.repo.Root, filepath.Join(s.dir, "snapshot"), workspace.Options{})
	}()
	return s
}

// wait is the snapshot once it is there.
func (s *snapshot) wait() (*workspace.Snapshot, error) {
	<-s.done
	return s.tree, s.err
}

// discard removes what the snapshot copied; one that is still being taken is given up.
func (s *snapshot) discard() {
	s.stop()
	<-s.done
	if s.tree != nil {
		_ = s.tree.Close() // what it leaves, `sluice clean` removes
	}
	if s.dir != "" {
		_ = os.Remove(s.dir) // only where nothing was kept in it
	}
}

// hosts are the executors of one run, and which job has which.
type hosts struct {
	shell   *shell.Executor
	docker  *docker.Executor // nil where no job wants it, or no engine answers
	beside  *docker.Executor // of GitHub's jobs on this machine: reached when a step or a service wants a container
	machine program.Executor // shell, with beside
	mode    string           // shell, docker or auto
	notes   []string
}

// newHosts finds out where the plan's jobs can run.
func newHosts(ctx context.Context, r *runFlags, pl *pipeline, p *plan.Plan, snap *snapshot) (*hosts, error) {
	tree, err := snap.wait()
	if err != nil {
		return nil, err
	}
	pl.remarks = append(pl.remarks, tree.Notes...)
	h := &hosts{mode: r.executor}
	h.shell = shell.New(shell.Config{Dir: filepath.Join(snap.dir, "jobs"), Source: tree, Hurry: r.hurry})
	h.machine = h.shell
	why := "--executor shell"
	if h.mode != "shell" && wantsImages(p) {
		x := docker.New(docker.Config{Dir: filepath.Join(snap.dir, "containers"), Source: tree, Hurry: r.hurry})
		if err := x.Available(ctx); err == nil {
			h.docker = x
		} else if h.mode == "docker" {
			return nil, errors.Join(err, x.Close(ctx), h.close())
		}
		why = "no container engine answers"
	}
	if pl.found.dialect == "github" {
		h.befriend(snap, r)
	}
	h.tell(p, why)
	return h, nil
}

// befriend lets GitHub's jobs on this machine have containers beside them, as on GitHub: their services where an engine
// answers, and Docker actions, which say themselves that none does. Nobody asks an engine that nothing wants.
func (h *hosts) befriend(snap *snapshot, r *runFlags) {
	if h.beside = h.docker; h.beside == nil {
		h.beside = docker.New(docker.Config{Dir: filepath.Join(snap.dir, "containers"), Hurry: r.hurry})
	}
	h.machine = docker.WithServices(h.shell, h.beside)
	if h.docker == nil {
		h.machine = alone{h.machine}
	}
}

// alone opens hosts without the services of their jobs: there is no engine, or --executor shell wants none.
type alone struct{ program.Executor }

// Open opens a host.
func (a alone) Open(ctx context.Context, o program.Order, out program.Output) (program.Host, error) {
	o.Services = nil
	return a.Executor.Open(ctx, o, out)
}

// tell notes, once, what jobs on this machine go without.
func (h *hosts) tell(p *plan.Plan, why string) {
	images, services := 0, 0
	for _, j := range p.Jobs {
		if h.container(j) {
			continue
		}
		if j.Image != nil {
			images++
		}
		if len(j.Services) > 0 && (h.docker == nil || h.beside == nil) {
			services++
		}
	}
	if images > 0 {
		h.notes = append(h.notes, fmt.Sprintf("in the shell of this machine instead of an image: %s (%s)", counted(images, "job"), why))
	}
	if services > 0 {
		h.notes = append(h.notes, fmt.Sprintf("without their services, which need a container: %s", counted(services, "job")))
	}
}

// wantsImages reports whether a job may want a container: it names an image or services, or is still to be bound.
func wantsImages(p *plan.Plan) bool {
	for _, j := range p.Jobs {
		if j.Image != nil || j.Late != nil || len(j.Services) > 0 {
			return true
		}
	}
	return false
}

// container reports whether a job runs in a container.
func (h *hosts) container(j *plan.Job) bool {
	return h.mode != "shell" && h.docker != nil && (j.Image != nil || h.mode == "docker")
}

// of is the executor of a job.
func (h *hosts) of(j *plan.Job) program.Executor {
	if h.container(j) {
		return h.docker
	}
	if h.mode == "docker" {
		return refuse{}
	}
	return h.machine
}

// refuse is the executor of jobs that have none.
type refuse struct{}

// Open fails.
func (refuse) Open(_ context.Context, o program.Order, _ program.Output) (program.Host, error) {
	return nil, &program.Error{Failure: program.SystemFailure, Err: fault.At(codeUsage, o.Job.Place, "job %q names no image, and --executor docker runs none without", o.Job.Name)}
}

// close removes the folders of the run.
func (h *hosts) close() error {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	err := h.shell.Close(ctx)
	for _, x := range slices.Compact([]*docker.Executor{h.docker, h.beside}) {
		if x != nil {
			err = errors.Join(err, x.Close(ctx))
		}
	}
	return err
}
