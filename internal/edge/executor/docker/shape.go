package docker

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// shape is how a container is made: what the job's file asks for, gathered before the engine is asked.
type shape struct {
	config   container.Config
	host     container.HostConfig
	endpoint network.EndpointSettings
	name     string // "" is one of ours
	platform string
	pull     string
	idle     []string // flags that were given and do nothing here
	binds    []bind
}

// bind is a volume with a source: an absolute path, or a volume's name.
type bind struct{ source, target, mode string }

// health is the container's own check, made where a flag speaks of it.
func (s *shape) health() *container.HealthConfig {
	if s.config.Healthcheck == nil {
		s.config.Healthcheck = &container.HealthConfig{}
	}
	return s.config.Healthcheck
}

// newShape reads what a container of the job's file asks for beyond its image. own is the job's container, the others are
// services (GitHub documentation, workflow syntax, jobs.<job_id>.container and jobs.<job_id>.services).
func newShape(c plan.Container, own bool) (*shape, error) {
	s := &shape{platform: c.Platform}
	wrong := func(code, what, text string, err error) error {
		return &program.Error{Failure: program.ConfigurationFailed, Err: fault.At(code, c.Place, "the %s %q: %v", what, text, err)}
	}
	for _, p := range c.Ports {
		if err := s.publish(p); err != nil {
			return nil, wrong(executor.CodePort, "port", p, err)
		}
	}
	for _, v := range c.Volumes {
		if err := s.volume(v); err != nil {
			return nil, wrong(executor.CodeVolume, "volume", v, err)
		}
	}
	if err := s.options(c, own); err != nil {
		return nil, &program.Error{Failure: program.ConfigurationFailed, Err: err}
	}
	if c.User != "" {
		s.config.User = c.User
	}
	if len(c.Entrypoint) > 0 {
		s.config.Entrypoint = c.Entrypoint
	}
	for _, v := range c.Env {
		s.config.Env = append(s.config.Env, v.Name+"="+v.Value)
	}
	for _, kv := range s.config.Env {
		if name, _, _ := strings.Cut(kv, "="); name == "" || strings.ContainsRune(kv, 0) {
			return nil, wrong(executor.CodeOption, "variable", name, errors.New("its name is empty or a NUL is in it"))
		}
	}
	return s, nil
}

// options carries out the flags in a container's options.
func (s *shape) options(c plan.Container, own bool) error {
	args, err := words(c.Options)
	if err != nil {
		return fault.At(executor.CodeOption, c.Place, "the options %q: %v", c.Options, err)
	}
	for len(args) > 0 {
		name, value, rest, err := next(args)
		args = rest
		if err == nil {
			f := flags[name]
			if name == "entrypoint" && own {
				f.refuse = "the job's container is started by a command that waits"
			}
			if f.refuse != "" {
				return fault.At(executor.CodeOption, c.Place, "the option --%s cannot be given: %s", name, f.refuse)
			}
			err = f.set(s, value)
		}
		if err != nil {
			f := fault.At(executor.CodeOption, c.Place, "the options %q: --%s %s: %v", c.Options, name, value, err)
			if u, ok := errors.AsType[*unknownError](err); ok {
				f = fault.At(executor.CodeOption, c.Place, "the options %q: %v", c.Options, err)
				if near := fault.Nearest(u.name, slices.Sorted(maps.Keys(flags))); near != "" {
					f = f.WithHint("did you mean --%s?", near)
				}
			}
			return f
		}
	}
	return nil
}

// unknownError is a word that is no flag.
type unknownError struct{ word, name string }

func (e *unknownError) Error() string {
	if e.name == "" {
		return fmt.Sprintf("%q is not an option", e.word)
	}
	return fmt.Sprintf("--%s is not an option of docker create", e.name)
}

// next takes one flag and its value from the front of the words: --name value, --name=value, -n value, -nvalue, and
// letters of flags without values together.
func next(args []string) (name, value string, rest []string, err error) {
	word := args[0]
	rest = args[1:]
	if long, ok := strings.CutPrefix(word, "--"); ok {
		name, value, valued := strings.Cut(long, "=")
		f, known := flags[name]
		switch {
		case !known:
			return name, "", rest, &unknownError{word, name}
		case f.refuse != "":
			return name, value, rest, nil
		case valued:
			return name, value, rest, nil
		case f.bare:
			return name, "true", rest, nil
		}
		return take(name, rest)
	}
	if len(word) < 2 || word[0] != '-' || short[word[1]] == "" {
		return word, "", rest, &unknownError{word: word}
	}
	name = short[word[1]]
	switch left := word[2:]; {
	case flags[name].bare && left == "":
		return name, "true", rest, nil
	case flags[name].bare && left[0] == '=':
		return name, left[1:], rest, nil
	case flags[name].bare:
		return name, "true", append([]string{"-" + left}, rest...), nil
	case left != "":
		return name, strings.TrimPrefix(left, "="), rest, nil
	}
	return take(name, rest)
}

func take(name string, rest []string) (string, string, []string, error) {
	if len(rest) == 0 {
		return name, "", nil, errors.New("its value is missing")
	}
	return name, rest[0], rest[1:], nil
}

// loopback is where ports are published that name no address: other machines have no business with a job.
var loopback = netip.MustParseAddr("127.0.0.1")

func (s *shape) port(p network.Port) {
	if s.config.ExposedPorts == nil {
		s.config.ExposedPorts = network.PortSet{}
	}
	s.config.ExposedPorts[p] = struct{}{}
}

// publish reads a port: 80, 8080:80, 8080:80/udp, 127.0.0.1:8080:80, and ranges of them.
func (s *shape) publish(text string) error {
	rest, proto, _ := strings.Cut(text, "/")
	at := strings.LastIndexByte(rest, ':')
	inner, outer, ip := rest[at+1:], "", loopback
	if at >= 0 {
		outer = rest[:at]
		if i := strings.LastIndexByte(outer, ':'); i >= 0 {
			var err error
			if ip, err = netip.ParseAddr(strings.Trim(outer[:i], "[]")); err != nil {
				return errors.New("it is port, port:port or address:port:port")
			}
			outer = outer[i+1:]
		}
	}
	if proto != "" {
		inner += "/" + strings.ToLower(proto)
	}
	in, err := network.ParsePortRange(inner)
	if err != nil || in.Start() == 0 {
		return errors.New("it is port, port:port or address:port:port")
	}
	many := int(in.End()) - int(in.Start()) + 1
	var out network.PortRange
	if outer != "" {
		if out, err = network.ParsePortRange(outer); err != nil {
			return errors.New("the port of this machine is no number from 1 to 65535")
		}
		if n := int(out.End()) - int(out.Start()) + 1; n != many && many > 1 {
			return errors.New("the two ranges are not equally long")
		}
	}
	if s.host.PortBindings == nil {
		s.host.PortBindings = network.PortMap{}
	}
	i := 0
	for p := range in.All() {
		s.port(p)
		b := network.PortBinding{HostIP: ip, HostPort: outer}
		if many > 1 && outer != "" {
			b.HostPort = fmt.Sprint(int(out.Start()) + i)
		}
		s.host.PortBindings[p] = append(s.host.PortBindings[p], b)
		i++
	}
	return nil
}

var volumeName = lazy.Pattern(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// modes are what may stand behind a volume's second colon.
var modes = []string{"ro", "rw", "z", "Z", "nocopy", "cached", "delegated", "consistent", "shared", "slave", "private", "rshared", "rslave", "rprivate"}

// volume reads source:target, source:target:mode, or a target alone, which gets a volume without a name.
func (s *shape) volume(text string) error {
	parts := strings.Split(text, ":")
	m := mount.Mount{Type: mount.TypeVolume}
	mode := ""
	switch {
	case len(parts) == 1:
		m.Target = parts[0]
	case len(parts) == 2 && parts[1] == "ro":
		m.Target, mode = parts[0], "ro"
	case len(parts) == 2:
		m.Source, m.Target = parts[0], parts[1]
	case len(parts) == 3:
		m.Source, m.Target, mode = parts[0], parts[1], parts[2]
	default:
		return errors.New("it is source:target or source:target:ro")
	}
	for word := range strings.SplitSeq(mode, ",") {
		if word != "" && !slices.Contains(modes, word) {
			return fmt.Errorf("%q is not one of %s", word, strings.Join(modes, ", "))
		}
		m.ReadOnly = m.ReadOnly || word == "ro"
	}
	if strings.Contains(m.Source, "/") || strings.HasPrefix(m.Source, ".") || strings.HasPrefix(m.Source, "~") {
		m.Type = mount.TypeBind
	}
	if err := s.mount(m); err != nil || m.Source == "" {
		return err
	}
	// The engine makes a folder that is missing, and knows all modes, only where it is given the volume as text.
	last := len(s.host.Mounts) - 1
	s.binds = append(s.binds, bind{source: s.host.Mounts[last].Source, target: m.Target, mode: mode})
	s.host.Mounts = s.host.Mounts[:last]
	return nil
}

// mount takes a mount that the job's file asks for.
func (s *shape) mount(m mount.Mount) error {
	if !path.IsAbs(m.Target) || path.Clean(m.Target) == "/" {
		return fmt.Errorf("the folder in the container, %q, is not absolute, or is all of it", m.Target)
	}
	switch m.Type {
	case mount.TypeBind:
		if !path.IsAbs(m.Source) {
			return fmt.Errorf("%q is neither an absolute path nor the name of a volume", m.Source)
		}
		m.Source = path.Clean(m.Source)
	case mount.TypeVolume:
		if m.Source != "" && !volumeName.MatchString(m.Source) {
			return fmt.Errorf("%q is neither an absolute path nor the name of a volume", m.Source)
		}
	case mount.TypeTmpfs:
		if m.Source != "" {
			return errors.New("a tmpfs has no source")
		}
	default:
		return fmt.Errorf("mounts of type %q are not made", m.Type)
	}
	s.host.Mounts = append(s.host.Mounts, m)
	return nil
}
