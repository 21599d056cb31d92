// Package shell runs jobs on this machine: bash, else sh, in a workspace of the job's own. One process is started for
// each step, the shell itself; it and all that it starts are gone when the step ends, however they try to stay. The jobs are not
// walled off: they run as this user, with this user's rights.
package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
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
}

// Executor is the shell executor. Close it after the last host.
type Executor struct {
	c Config

	mu    sync.Mutex
	dir   string // claimed for this process, "" before the first Open
	lock  *os.File
	hosts int
	idle  []idle          // folders of ended jobs whose workspaces are as new
	put   int             // folders ever put by
	taken map[string]bool // keys in use or kept
}

// idle is a folder put by, and the name of the workspace in it.
type idle struct{ folder, name string }

// New makes the executor. It touches nothing until the first Open.
func New(c Config) *Executor {
	if c.Grace == 0 {
		c.Grace = 10 * time.Second
	}
	if c.Linger == 0 {
		c.Linger = 250 * time.Millisecond
	}
	return &Executor{c: c, taken: map[string]bool{}}
}

// Available says whether jobs can run here: whether there is a shell.
func (x *Executor) Available(context.Context) error {
	_, err := findShell()
	return err
}

// Open makes a job's folders: Dir/<key>/<repository> is the workspace, the private folder stands beside it.
func (x *Executor) Open(ctx context.Context, o program.Order, _ program.Output) (program.Host, error) {
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
	h := &host{x: x, order: o, shell: shell, cookie: newCookie(o.Outlive)}
	if err := x.place(ctx, h); err != nil {
		return nil, &program.Error{Failure: program.SystemFailure, Err: err}
	}
	h.attend()
	return h, nil
}

// place gives a host its folder, one used before where there is one.
func (x *Executor) place(ctx context.Context, h *host) error {
	name := path.Base("/" + h.order.Project)
	if name == "/" || name == "." || name == ".." {
		name = "project"
	}
	folder, used, err := x.claim(h.order, name)
	if err != nil {
		return err
	}
	h.folder, h.workspace, h.private = folder, filepath.Join(folder, name), filepath.Join(folder, name+".tmp")
	if used {
		return nil
	}
	err = os.Mkdir(folder, 0o755)
	if err == nil {
		err = os.Mkdir(h.private, 0o700)
	}
	if err != nil {
		err = unwritable(err)
	} else {
		err = x.c.Source.Fill(ctx, h.workspace, h.order.Checkout)
	}
	if err != nil {
		return errors.Join(err, x.release(h, false))
	}
	return nil
}

// claim picks the folder for an order and says whether it holds a workspace that is ready.
func (x *Executor) claim(o program.Order, name string) (folder string, used bool, err error) {
	if !filepath.IsLocal(o.Key) || o.Key != filepath.Base(o.Key) {
		return "", false, fault.New(executor.CodeWorkspace, "%q is no name for a job's folder", o.Key)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.claimDir(); err != nil {
		return "", false, err
	}
	key := o.Key
	for n := 2; x.taken[key] || isKept(filepath.Join(x.dir, key)); n++ {
		key = o.Key + "-" + strconv.Itoa(n)
	}
	folder = filepath.Join(x.dir, key)
	if n := len(x.idle); n > 0 && x.idle[n-1].name == name && (o.Checkout == "" || o.Checkout == "clone" || o.Checkout == "fetch") {
		used = os.Rename(x.idle[n-1].folder, folder) == nil
		x.idle = x.idle[:n-1]
	}
	x.taken[key] = true
	x.hosts++
	return folder, used, nil
}

// claimDir claims Dir for this process by a lock that ends with it; where another run has it, the next free name. What
// a run that crashed has left there is removed.
func (x *Executor) claimDir() error {
	if x.dir != "" {
		return nil
	}
	base, err := filepath.Abs(x.c.Dir)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		dir := base
		if n > 1 {
			dir = fmt.Sprintf("%s-%d", base, n)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return unwritable(err)
		}
		lock, err := tryLock(dir)
		if err != nil {
			return unwritable(err)
		}
		if lock == nil {
			continue
		}
		x.dir, x.lock = dir, lock
		return sweepFolder(dir)
	}
}

// release gives a host's folder back: kept for a look inside, put by for the next job, or removed.
func (x *Executor) release(h *host, keep bool) error {
	key := filepath.Base(h.folder)
	if keep {
		err := os.WriteFile(filepath.Join(h.folder, keptMark), nil, 0o600)
		x.leave("")
		return err // the key stays taken
	}
	if h.reusable(x.c.Source) {
		x.mu.Lock()
		x.put++
		folder := filepath.Join(x.dir, ".idle-"+strconv.Itoa(x.put))
		err := os.Rename(h.folder, folder)
		if err == nil {
			x.idle = append(x.idle, idle{folder, filepath.Base(h.workspace)})
		}
		x.mu.Unlock()
		if err == nil {
			x.leave(key)
			return nil
		}
	}
	err := removeAll(h.folder)
	x.leave(key)
	return err
}

func (x *Executor) leave(key string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.taken, key)
	x.hosts--
}

// Close removes what the executor itself has made: folders put by, the lock, and its folder where that is empty. Hosts
// must be closed before.
func (x *Executor) Close(context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dir == "" {
		return nil
	}
	var errs []error
	for _, i := range x.idle {
		errs = append(errs, removeAll(i.folder))
	}
	x.idle = nil
	errs = append(errs, os.Remove(x.lock.Name()), x.lock.Close())
	_ = os.Remove(x.dir) // stays while kept workspaces are in it
	x.dir, x.lock = "", nil
	return errors.Join(errs...)
}

func unwritable(err error) error {
	return fault.New(executor.CodeWorkspace, "the workspace cannot be made: %v", err).
		WithHint("`sluice clean` frees what earlier runs kept")
}
