// Package shell runs jobs on this machine: bash, else sh, in a workspace of the job's own. One process is started for
// each step, the shell itself; it and all that it starts are gone when the step ends, however they try to stay. The jobs are not
// walled off: they run as this user, with this user's rights.
package shell

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Config is what the executor needs. Dir and Source are required.
type Config struct {
	// Dir is the folder of the workspaces. Two processes may be given the same: the second takes a folder beside it.
	Dir string
	// Source fills the workspaces.
	Source executor.Source
	// Grace is how long processes have between SIGTERM and SIGKILL; 0 means 10 seconds, as in GitLab's runner.
	Grace time.Duration
	// Linger is how long output is waited for after a shell has ended while something it started still holds its
	// output open; 0 means 250 milliseconds since the last of it.
	Linger time.Duration
	// Hurry, once closed, ends every grace: what is being stopped is killed. nil: never.
	Hurry <-chan struct{}
}

// Executor is the shell executor. Close it after the last host.
type Executor struct {
	c       Config
	folders *executor.Folders
}

// New makes the executor. It touches nothing until the first Open.
func New(c Config) *Executor {
	if c.Grace == 0 {
		c.Grace = 10 * time.Second
	}
	if c.Linger == 0 {
		c.Linger = 250 * time.Millisecond
	}
	return &Executor{c: c, folders: executor.NewFolders(c.Dir, c.Source)}
}

// hurried reports whether the graces are over.
func (x *Executor) hurried() bool {
	select {
	case <-x.c.Hurry:
		return true
	default:
		return false
	}
}

// Available says whether jobs can run here: whether there is a shell.
func (x *Executor) Available(context.Context) error {
	_, err := findShell()
	return err
}

// Open makes a job's folders: Dir/<key>/<repository> is the workspace, the private folder stands beside it.
func (x *Executor) Open(ctx context.Context, o program.Order, out program.Output) (program.Host, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, &program.Error{Failure: program.Canceled, Err: err}
	}
	shell, err := findShell()
	if err != nil {
		return nil, &program.Error{Failure: program.SystemFailure, Err: err}
	}
	if err := adopt(); err != nil {
		return nil, &program.Error{Failure: program.SystemFailure, Err: err}
	}
	if len(o.Spare) > 0 {
		o.Spare = append(slices.Clone(o.Spare), scriptName(1, ".sh")) // which is written anew, too
	}
	folder, err := x.folders.Claim(ctx, o, out)
	if err != nil {
		return nil, &program.Error{Failure: program.SystemFailure, Err: err}
	}
	h := &host{x: x, order: o, shell: shell, cookie: newCookie(o.Outlive), folder: folder}
	h.attend()
	return h, nil
}

// Close removes what the executor itself has made. Hosts must be closed before.
func (x *Executor) Close(context.Context) error { return x.folders.Close() }

// Sweep removes what crashed runs have left: processes of jobs whose run is gone, and the jobs' folders below dirs that
// no living process has claimed. Kept workspaces stay, and so do processes that a deployment job meant to stay.
func Sweep(ctx context.Context, dirs ...string) error {
	return errors.Join(sweepProcesses(ctx), executor.SweepFolders(dirs...))
}
