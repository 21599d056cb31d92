package docker

import (
	"context"
	"errors"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// image has the engine hold an image, by the pull policies in their order (CI/CD YAML syntax reference,
// image:pull_policy), and describes it.
func (t *site) image(ctx context.Context, c plan.Container, out program.Output) (client.ImageInspectResult, error) {
	if _, err := reference.ParseAnyReference(c.Name); err != nil {
		f := fault.At(executor.CodeImage, c.Place, "%q is not an image's name: %v", c.Name, err)
		return client.ImageInspectResult{}, &program.Error{Failure: program.ConfigurationFailed, Err: f}
	}
	policies := c.PullPolicy
	if len(policies) == 0 {
		policies = []string{"if-not-present"}
	}
	var failed []error
	for _, policy := range policies {
		found, err := t.engine.ImageInspect(ctx, c.Name)
		switch policy {
		case "never":
			if err == nil {
				return found, nil
			}
		case "if-not-present":
			if err == nil && fits(found, c.Platform) {
				return found, nil
			}
			err = t.pull(ctx, c, out)
		case "always":
			err = t.pull(ctx, c, out)
		default:
			return found, &program.Error{Failure: program.ConfigurationFailed, Err: fault.At(executor.CodePolicy, c.Place, "the pull policy %q is unknown", policy).WithHint("use always, if-not-present or never")}
		}
		if err == nil {
			if found, err = t.engine.ImageInspect(ctx, c.Name); err == nil {
				return found, nil
			}
		}
		if ctx.Err() != nil {
			return found, context.Cause(ctx)
		}
		failed = append(failed, err)
		say(out, "WARNING: Failed to pull image with policy %q: %v", policy, err)
	}
	f := fault.At(executor.CodeImage, c.Place, "the image %s cannot be had: %v", c.Name, errors.Join(failed...))
	return client.ImageInspectResult{}, &program.Error{Failure: program.ImagePull, Err: f}
}

// fits says whether an image that is there is of the platform asked for.
func fits(i client.ImageInspectResult, platform string) bool {
	p := parsePlatform(platform)
	return p == nil || p.OS == i.Os && p.Architecture == i.Architecture && (p.Variant == "" || p.Variant == i.Variant)
}

// parsePlatform reads os/architecture/variant; a lone word is an architecture. nil is the engine's own.
func parsePlatform(s string) *ocispec.Platform {
	if s == "" {
		return nil
	}
	parts := strings.Split(s, "/")
	if len(parts) == 1 {
		parts = append([]string{"linux"}, parts...)
	}
	p := &ocispec.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) > 2 {
		p.Variant = parts[2]
	}
	return p
}

// pull has the engine fetch an image.
func (t *site) pull(ctx context.Context, c plan.Container, out program.Output) error {
	say(out, "Pulling docker image %s ...", c.Name)
	options := client.ImagePullOptions{RegistryAuth: login(c)}
	if options.RegistryAuth == "" {
		options.RegistryAuth = credentials(ctx, c.Name, t.order.Env)
	}
	if p := parsePlatform(c.Platform); p != nil {
		options.Platforms = []ocispec.Platform{*p}
	}
	r, err := t.engine.ImagePull(ctx, c.Name, options)
	if err != nil {
		return err
	}
	return errors.Join(r.Wait(ctx), r.Close())
}

// login is how the job's file says to sign in for an image, "" where it does not (GitHub documentation, workflow syntax,
// jobs.<job_id>.container.credentials).
func login(c plan.Container) string {
	named, err := reference.ParseNormalizedNamed(c.Name)
	if err != nil || c.Username == "" || c.Password == "" {
		return ""
	}
	return header(map[string]string{"username": c.Username, "password": c.Password, "serveraddress": reference.Domain(named)})
}

// pullable is a container whose options say how its image is had.
func (s *shape) pullable(c plan.Container) plan.Container {
	c.Platform = s.platform
	if s.pull != "" {
		c.PullPolicy = []string{s.pull}
	}
	return c
}

// gone passes over the error of something that is not there any more.
func gone(err error) error {
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	return err
}
