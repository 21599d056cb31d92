package docker

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/script"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// site is what one job has in the engine: its network, its containers and its volumes. What is made is noted at once, so
// that clear finds it whatever fails.
type site struct {
	x      *Executor
	engine *client.Client
	order  program.Order
	suffix string

	network string            // its id
	machine string            // address of this machine in it, "" where it has none
	looked  bool              // for that
	relays  map[string]*relay // by where they lead
	made    []string
	volumes map[string]string // by the name that the job's file gives
	beside  []program.Beside
	ways    []way
	actions int // containers of steps
}

// way is where a folder of this machine is in the job's containers.
type way struct{ here, there string }

func newSite(x *Executor, engine *client.Client, o program.Order) *site {
	if o.Image != nil {
		c := *o.Image
		c.Name = plain(c.Name)
		o.Image = &c
	}
	o.Services = slices.Clone(o.Services)
	for i := range o.Services {
		o.Services[i].Name = plain(o.Services[i].Name)
	}
	return &site{x: x, engine: engine, order: o, suffix: script.Nonce()[:8], volumes: map[string]string{}, relays: map[string]*relay{}}
}

// plain is an image's name without the scheme that GitHub lets it have.
func plain(image string) string {
	const scheme = "docker://"
	if len(image) > len(scheme) && strings.EqualFold(image[:len(scheme)], scheme) {
		return image[len(scheme):]
	}
	return image
}

func (t *site) labels() map[string]string {
	return map[string]string{labelRun: t.order.Run, labelJob: t.order.Key, labelOwner: executor.Owner()}
}

// name is a readable name in the engine that no other job has.
func (t *site) name(part string) string {
	return "sluice-" + readable(t.order.Key, 40) + "-" + t.suffix + "-" + part
}

func readable(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, s)
	return s[:min(len(s), most)]
}

// join makes the job's network.
func (t *site) join(ctx context.Context) error {
	n, err := t.engine.NetworkCreate(ctx, t.name("net"), client.NetworkCreateOptions{Driver: "bridge", Labels: t.labels()})
	if err != nil {
		return fault.New(executor.CodeContainer, "the job's network cannot be made: %v", err)
	}
	t.network = n.ID
	return nil
}

// make makes a container of a shape; alias names it in the job's network.
func (t *site) make(ctx context.Context, part string, s *shape, aliases ...string) (string, error) {
	if err := t.settle(ctx, s); err != nil {
		return "", err
	}
	if s.config.Labels == nil {
		s.config.Labels = map[string]string{}
	}
	for name, value := range t.labels() {
		s.config.Labels[name] = value
	}
	o := client.ContainerCreateOptions{Name: s.name, Platform: parsePlatform(s.platform), Config: &s.config, HostConfig: &s.host, NetworkingConfig: &network.NetworkingConfig{}}
	if o.Name == "" {
		o.Name = t.name(part)
	}
	if t.network != "" {
		s.host.NetworkMode = container.NetworkMode(t.network)
		s.endpoint.Aliases = append(s.endpoint.Aliases, aliases...)
		o.NetworkingConfig.EndpointsConfig = map[string]*network.EndpointSettings{t.network: &s.endpoint}
	}
	r, err := t.engine.ContainerCreate(ctx, o)
	if err != nil {
		return "", err
	}
	t.made = append(t.made, r.ID)
	return r.ID, nil
}

// settle finds the job's own volumes and folders for what a shape names.
func (t *site) settle(ctx context.Context, s *shape) error {
	for _, b := range s.binds {
		source, err := t.source(ctx, b.source)
		if err != nil {
			return err
		}
		text := source + ":" + b.target
		if b.mode != "" {
			text += ":" + b.mode
		}
		s.host.Binds = append(s.host.Binds, text)
	}
	for i, m := range s.host.Mounts {
		if m.Source == "" || m.Type == mount.TypeTmpfs {
			continue
		}
		source, err := t.source(ctx, m.Source)
		if err != nil {
			return err
		}
		s.host.Mounts[i].Source = source
	}
	return nil
}

// source is where a volume really lies: a folder of this machine, or a volume that is the job's alone. A path that the job
// sees in its workspace or private folder is meant as the folder behind it.
func (t *site) source(ctx context.Context, name string) (string, error) {
	if path.IsAbs(name) {
		for _, w := range t.ways {
			rest, ok := below(name, w.there)
			if !ok {
				continue
			}
			return inside(w.here, rest, name)
		}
		return name, nil
	}
	if t.volumes[name] == "" {
		real := t.name("volume-" + name)
		if _, err := t.engine.VolumeCreate(ctx, client.VolumeCreateOptions{Name: real, Labels: t.labels()}); err != nil {
			return "", fault.New(executor.CodeVolume, "the volume %s cannot be made: %v", name, err)
		}
		t.volumes[name] = real
	}
	return t.volumes[name], nil
}

// inside is a path below a folder of the job's, made where it is not there. Links in the project do not lead out of it.
func inside(folder, rest, name string) (string, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return "", err
	}
	defer root.Close()
	rest = cmp.Or(rest, ".")
	if _, err := root.Stat(rest); errors.Is(err, os.ErrNotExist) {
		err = root.MkdirAll(rest, 0o777)
		if err != nil {
			return "", fault.New(executor.CodeVolume, "the volume %s cannot be made: %v", name, err)
		}
	} else if err != nil {
		return "", fault.New(executor.CodeVolume, "the volume %s is not in the job's folders: %v", name, err)
	}
	return filepath.EvalSymlinks(filepath.Join(folder, rest))
}

// below gives the rest of a path below a folder.
func below(name, folder string) (string, bool) {
	if name == folder {
		return "", true
	}
	return strings.CutPrefix(name, strings.TrimSuffix(folder, "/")+"/")
}

// clear removes all that was made.
func (t *site) clear(ctx context.Context) error {
	errs := []error{t.silence()}
	for _, id := range t.made {
		errs = append(errs, remove(ctx, t.engine, id))
	}
	t.made = nil
	for name, v := range t.volumes {
		_, err := t.engine.VolumeRemove(ctx, v, client.VolumeRemoveOptions{Force: true})
		errs = append(errs, gone(err))
		delete(t.volumes, name)
	}
	if t.network != "" {
		_, err := t.engine.NetworkRemove(ctx, t.network, client.NetworkRemoveOptions{})
		errs = append(errs, gone(err))
		t.network = ""
	}
	return errors.Join(errs...)
}

// remove removes a container with its anonymous volumes, running or not.
func remove(ctx context.Context, engine *client.Client, id string) error {
	_, err := engine.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	return gone(err)
}

// remark tells what of a shape does nothing here, or is dangerous.
func remark(s *shape, c plan.Container, out program.Output) {
	if len(s.idle) > 0 {
		say(out, "WARNING: the options %s of %s do nothing here [%s]", strings.Join(s.idle, ", "), c.Name, executor.CodeOption)
	}
	for _, b := range s.binds {
		if b.source == "/" {
			say(out, "WARNING: the volume %s:%s gives the container all files of this machine [%s]", b.source, b.target, executor.CodeVolume)
		}
	}
}
