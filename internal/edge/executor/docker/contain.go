package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/script"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Where Docker actions find the job's folders (GitHub documentation, about custom actions and the runner's container
// file system): the private folder as a whole stands where GitHub's command files do.
const (
	workspaceThere = "/github/workspace"
	privateThere   = "/github/runner_temp"
)

// Contain runs a Docker action, or a step with uses: docker://…, in a container beside the job's own: in its network, with
// its workspace and private folder. It returns the container's exit code; the container is gone then.
func (h *host) Contain(ctx context.Context, c program.Contain, out program.Output) (int, error) {
	return h.contain(ctx, c, h.Paths(), out)
}

func (t *site) contain(ctx context.Context, c program.Contain, p program.Paths, out program.Output) (int, error) {
	if err := context.Cause(ctx); err != nil {
		return 0, stopped(ctx, err)
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, &program.Error{
			Failure: program.ExecutionTimeout, Err: fmt.Errorf("the step took longer than %s", c.Timeout),
		})
		defer cancel()
	}
	exit, err := t.guest(ctx, c, p, out)
	if err != nil && ctx.Err() != nil {
		return 0, stopped(ctx, context.Cause(ctx))
	}
	if _, ok := errors.AsType[*program.Error](err); err != nil && !ok {
		err = &program.Error{Failure: program.SystemFailure, Err: err}
	}
	return exit, err
}

// guest has the image, and runs one container of it.
func (t *site) guest(ctx context.Context, c program.Contain, p program.Paths, out program.Output) (int, error) {
	id, user, err := t.guestImage(ctx, c, out)
	if err != nil {
		return 0, err
	}
	if c.Env, err = t.reach(ctx, c.Env); err != nil {
		return 0, err
	}
	s, err := t.guestShape(c, p)
	if err != nil {
		return 0, err
	}
	s.config.Image = id
	foreign := isForeign(user, t.x.uid)
	if foreign {
		if err := errors.Join(openUp(p.Workspace), openUp(p.Private)); err != nil {
			return 0, err
		}
	}
	order, err := script.NewOrder(&script.Script{}, out)
	if err != nil {
		return 0, err
	}
	t.actions++
	made, err := t.make(ctx, "step-"+strconv.Itoa(t.actions), s)
	if err != nil {
		return 0, fault.New(executor.CodeContainer, "the container of %s cannot be made: %v", named(c), err)
	}
	clean, done := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer done()
	exit, stop, err := (&start{site: t, id: made, order: order, ask: t.asks(made)}).follow(ctx)
	if err != nil {
		err = fault.New(executor.CodeContainer, "the container of %s: %v", named(c), err)
	} else if exit == 137 && stop == nil {
		err = t.outOfMemory(clean, made)
	}
	if e := remove(clean, t.engine, made); err == nil {
		err = e
	}
	t.made = slices.DeleteFunc(t.made, func(id string) bool { return id == made })
	if t.x.uid != 0 {
		t.reclaimFor(clean, id, p, out)
	}
	if stop != nil {
		return 0, stopped(ctx, stop)
	}
	return exit, err
}

// asks asks a container's first process to end, as `docker stop` does.
func (t *site) asks(id string) func(context.Context) {
	return func(ctx context.Context) {
		_, _ = t.engine.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: "SIGTERM"}) // else it is killed after the grace
	}
}

func named(c program.Contain) string {
	if c.Build != "" {
		return "the action's " + cmp.Or(c.Dockerfile, "Dockerfile")
	}
	return c.Image
}

// guestImage builds the action's image or has the one that the step names; it tells the image's user, too.
func (t *site) guestImage(ctx context.Context, c program.Contain, out program.Output) (id, user string, err error) {
	if c.Build != "" {
		if id, err = t.build(ctx, c, out); err != nil {
			return "", "", err
		}
	} else {
		id = plain(c.Image)
	}
	image, err := t.image(ctx, plan.Container{Name: id}, out)
	if err == nil && image.Config != nil {
		user = image.Config.User
	}
	return image.ID, user, err
}

// guestShape is how the container is made.
func (t *site) guestShape(c program.Contain, p program.Paths) (*shape, error) {
	mounts, err := offices(p.Private)
	if err != nil {
		return nil, err
	}
	mounts = append(mounts,
		mount.Mount{Type: mount.TypeBind, Source: p.Workspace, Target: workspaceThere},
		mount.Mount{Type: mount.TypeBind, Source: p.Private, Target: privateThere})
	for _, dir := range withAlternates(t.x.objects()) {
		mounts = append(mounts, mount.Mount{Type: mount.TypeBind, Source: dir, Target: dir, ReadOnly: true})
	}
	s := &shape{}
	s.host.Mounts = append(mounts, t.x.socket()...)
	s.host.LogConfig = container.LogConfig{Type: "none"}
	s.config.WorkingDir, s.config.Cmd = workspaceThere, c.Args
	s.config.AttachStdout, s.config.AttachStderr = true, true
	if c.Entrypoint != "" {
		s.config.Entrypoint = []string{c.Entrypoint}
	}
	for _, kv := range c.Env {
		name, value, ok := strings.Cut(kv, "=")
		if !ok || name == "" || strings.ContainsRune(kv, 0) {
			return nil, &program.Error{Failure: program.ConfigurationFailed, Err: fault.New(executor.CodeOption, "the variable %q of %s has no name, or a NUL in it", name, named(c))}
		}
		value = translate(value, p)
		if rest, ok := below(value, privateThere); ok && name == "GITHUB_EVENT_PATH" {
			if err := copyEvent(p.Private, rest); err != nil {
				return nil, err
			}
			value = eventThere + "/event.json"
		}
		if name != "HOME" {
			s.config.Env = append(s.config.Env, name+"="+value)
		}
	}
	s.config.Env = append(s.config.Env, "HOME="+homeThere)
	return s, nil
}

// translate gives the container's own path where a value is a path in one of the job's folders.
func translate(value string, p program.Paths) string {
	for _, w := range []way{
		{filepath.Join(p.Private, homeFolder), homeThere},
		{filepath.Join(p.Private, eventFolder), eventThere},
		{p.JobPrivate + "/" + homeFolder, homeThere},
		{p.JobPrivate + "/" + eventFolder, eventThere},
		{p.JobWorkspace, workspaceThere},
		{p.JobPrivate, privateThere},
		{p.Workspace, workspaceThere},
		{p.Private, privateThere},
	} {
		if rest, ok := below(value, w.here); ok && w.here != "" {
			if rest == "" {
				return w.there
			}
			return w.there + "/" + rest
		}
	}
	return value
}

// copyEvent puts the event's file where actions of old expect it whatever GITHUB_EVENT_PATH says.
func copyEvent(private, rest string) error {
	root, err := os.OpenRoot(private)
	if err != nil {
		return err
	}
	defer root.Close()
	b, err := root.ReadFile(rest)
	if err != nil {
		return fmt.Errorf("read the event's file: %w", err)
	}
	to := filepath.Join(eventFolder, "event.json")
	if filepath.Clean(rest) == to {
		return nil
	}
	return root.WriteFile(to, b, 0o644)
}

// reclaimFor makes what a container has written ours again, by another of its image. Where that does not work, the job
// hears of it: a later step may find files that it cannot change.
func (t *site) reclaimFor(ctx context.Context, image string, p program.Paths, out program.Output) {
	if !othersFiles(t.x.uid, p.Workspace, p.Private) {
		return
	}
	if err := t.chown(ctx, image, []mount.Mount{
		{Type: mount.TypeBind, Source: p.Workspace, Target: workspaceThere}, {Type: mount.TypeBind, Source: p.Private, Target: privateThere},
	}, workspaceThere, privateThere); err != nil {
		say(out, "WARNING: files that the container has written belong to its user: %v [%s]", err, executor.CodeContainer)
	}
}
