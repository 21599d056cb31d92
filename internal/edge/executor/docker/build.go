package docker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// labelBuild is on images that were built for actions: the digest of what they were built from.
const labelBuild = "dev.sluice.build"

// build has the engine hold the image of an action's Dockerfile. What was built from the same files before is used again.
func (t *site) build(ctx context.Context, c program.Contain, out program.Output) (string, error) {
	from, err := newBuildContext(c.Build, c.Dockerfile)
	if err != nil {
		return "", unbuilt("%v", err)
	}
	digest, err := from.digest()
	if err != nil {
		return "", unbuilt("read the action's files: %v", err)
	}
	select { // two jobs that start with the same action build it once
	case t.x.building <- struct{}{}:
		defer func() { <-t.x.building }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	tag := "sluice-action:" + digest
	if found, err := t.engine.ImageInspect(ctx, tag); err == nil {
		return found.ID, nil
	}
	say(out, "Building the image of %s ...", from.file)
	labels := t.labels()
	labels[labelBuild] = digest
	if from.wantsBuildKit() && buildx(ctx) {
		err = t.buildKit(ctx, from, tag, labels, out)
	} else {
		err = t.buildPlain(ctx, from, tag, labels, out)
	}
	if err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		f := fault.New(executor.CodeBuild, "the image of the action cannot be built: %v", err)
		if from.wantsBuildKit() && !buildx(ctx) {
			f = f.WithHint("this Dockerfile needs BuildKit: install the docker command with its buildx plugin")
		}
		return "", &program.Error{Failure: program.UnmetPrerequisites, Err: f}
	}
	found, err := t.engine.ImageInspect(ctx, tag)
	return found.ID, err
}

func unbuilt(format string, args ...any) error {
	return &program.Error{Failure: program.UnmetPrerequisites, Err: fault.New(executor.CodeBuild, format, args...)}
}

// buildPlain builds by the engine's own builder.
func (t *site) buildPlain(ctx context.Context, from *buildContext, tag string, labels map[string]string, out program.Output) error {
	r, w := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_ = w.CloseWithError(from.write(w))
	}()
	defer func() {
		_ = r.Close()
		<-written
	}()
	got, err := t.engine.ImageBuild(ctx, r, client.ImageBuildOptions{
		Tags: []string{tag}, Dockerfile: from.file, Labels: labels, Remove: true, ForceRemove: true, Version: build.BuilderV1, AuthConfigs: logins(),
	})
	if err != nil {
		return err
	}
	defer got.Body.Close()
	lines := json.NewDecoder(got.Body)
	for {
		var m struct {
			Stream string `json:"stream"`
			Status string `json:"status"`
			Error  string `json:"error"`
		}
		switch err := lines.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case m.Error != "":
			return errors.New(m.Error)
		}
		for line := range strings.Lines(m.Stream) {
			if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
				say(out, "%s", line)
			}
		}
	}
}

// buildx says whether there is a docker command that has BuildKit.
func buildx(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "docker", "buildx", "version").Run() == nil
}

// buildKit builds by the docker command, which brings its own half of BuildKit.
func (t *site) buildKit(ctx context.Context, from *buildContext, tag string, labels map[string]string, out program.Output) error {
	args := []string{"buildx", "build", "--load", "--progress", "plain", "--tag", tag, "--file", from.file}
	for name, value := range labels {
		args = append(args, "--label", name+"="+value)
	}
	cmd := exec.CommandContext(ctx, "docker", append(args, "-")...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+t.x.address())
	cmd.WaitDelay = 5 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	told := make(chan struct{})
	go func() {
		defer close(told)
		s := bufio.NewScanner(r)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			say(out, "%s", s.Text())
		}
		_, _ = io.Copy(io.Discard, r)
	}()
	defer func() {
		_ = w.Close()
		<-told
	}()
	if err := cmd.Start(); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- errors.Join(from.write(stdin), stdin.Close()) }()
	err = cmd.Wait()
	if e := <-sent; err == nil {
		return e
	}
	return err
}

// logins are the user's own, for the images that a Dockerfile begins with.
func logins() map[string]registry.AuthConfig {
	var c dockerConfig
	if text := userConfig(); len(text) == 0 || json.Unmarshal(text, &c) != nil {
		return nil
	}
	out := map[string]registry.AuthConfig{}
	for name, a := range c.Auths {
		user, password := a.pair()
		if user != "" || a.IdentityToken != "" {
			out[name] = registry.AuthConfig{Username: user, Password: password, IdentityToken: a.IdentityToken, ServerAddress: name}
		}
	}
	return out
}
