package docker

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
)

// The kinds of values.

func text[T ~string](at func(*shape) *T) func(*shape, string) error {
	return func(s *shape, v string) error { *at(s) = T(v); return nil }
}

func list(at func(*shape) *[]string) func(*shape, string) error {
	return func(s *shape, v string) error { *at(s) = append(*at(s), v); return nil }
}

func pair(at func(*shape) *map[string]string) func(*shape, string) error {
	return func(s *shape, v string) error {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return errors.New("it is name=value")
		}
		if *at(s) == nil {
			*at(s) = map[string]string{}
		}
		(*at(s))[name] = value
		return nil
	}
}

func boolean(v string) (bool, error) {
	b, err := strconv.ParseBool(v)
	if err != nil {
		err = errors.New("it is true or false")
	}
	return b, err
}

func switched(at func(*shape) *bool) func(*shape, string) error {
	return func(s *shape, v string) (err error) { *at(s), err = boolean(v); return err }
}

func whole(at func(*shape) *int) func(*shape, string) error {
	return func(s *shape, v string) (err error) { *at(s), err = integer[int](v); return err }
}

func small(at func(*shape) *uint16) func(*shape, string) error {
	return func(s *shape, v string) error {
		n, err := strconv.ParseUint(v, 10, 16)
		*at(s) = uint16(n)
		return unquoted(err)
	}
}

func number(at func(*shape) *int64) func(*shape, string) error {
	return func(s *shape, v string) (err error) { *at(s), err = integer[int64](v); return err }
}

func pointer[T int | int64](at func(*shape) **T) func(*shape, string) error {
	return func(s *shape, v string) error {
		n, err := integer[T](v)
		*at(s) = &n
		return err
	}
}

func integer[T int | int64](v string) (T, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	return T(n), unquoted(err)
}

// unquoted keeps of a number's error what is not said elsewhere.
func unquoted(err error) error {
	if e, ok := errors.AsType[*strconv.NumError](err); ok {
		return fmt.Errorf("it is a whole number: %w", e.Err)
	}
	return err
}

func size(at func(*shape) *int64) func(*shape, string) error {
	return func(s *shape, v string) error {
		if v == "-1" {
			*at(s) = -1
			return nil
		}
		n, err := units.RAMInBytes(v)
		*at(s) = n
		return err
	}
}

func duration(at func(*shape) *time.Duration) func(*shape, string) error {
	return func(s *shape, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 || d > 0 && d < time.Millisecond {
			return errors.New("it is a time of at least 1ms, like 10s or 1m30s")
		}
		*at(s) = d
		return nil
	}
}

func address(at func(*shape) *netip.Addr) func(*shape, string) error {
	return func(s *shape, v string) (err error) { *at(s), err = netip.ParseAddr(v); return err }
}

func nothing(name string) func(*shape, string) error {
	return func(s *shape, _ string) error { s.idle = append(s.idle, "--"+name); return nil }
}

// The flags that have a form of their own.

func addHost(s *shape, v string) error {
	host, ip, ok := strings.Cut(v, "=")
	if !ok {
		host, ip, ok = strings.Cut(v, ":")
	}
	if ok && ip != "host-gateway" {
		ip = strings.Trim(ip, "[]")
		_, err := netip.ParseAddr(ip)
		ok = err == nil
	}
	if !ok || host == "" {
		return errors.New("it is host:address")
	}
	s.host.ExtraHosts = append(s.host.ExtraHosts, host+":"+ip)
	return nil
}

func cpus(s *shape, v string) error {
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n <= 0 || n > 1<<20 {
		return errors.New("it is a number of processors, like 1 or 0.5")
	}
	s.host.NanoCPUs = int64(n * 1e9)
	return nil
}

func device(s *shape, v string) error {
	parts := strings.Split(v, ":")
	d := container.DeviceMapping{PathOnHost: parts[0], PathInContainer: parts[0], CgroupPermissions: "rwm"}
	last := parts[len(parts)-1]
	rights := len(parts) > 1 && last != "" && strings.Trim(last, "rwm") == ""
	if rights {
		d.CgroupPermissions, parts = last, parts[:len(parts)-1]
	}
	if len(parts) > 2 || !strings.HasPrefix(parts[0], "/") {
		return errors.New("it is /dev/name, /dev/name:/dev/inside or with :rwm behind")
	}
	d.PathInContainer = parts[len(parts)-1]
	s.host.Devices = append(s.host.Devices, d)
	return nil
}

func dns(s *shape, v string) error {
	ip, err := netip.ParseAddr(v)
	s.host.DNS = append(s.host.DNS, ip)
	return err
}

func environment(s *shape, v string) error {
	if v == "" || v[0] == '=' {
		return errors.New("it is NAME=value")
	}
	if !strings.Contains(v, "=") { // it would be a variable of this machine, and what GitHub's runner has of those is little
		return errors.New("the variable has no value: write " + v + "=value")
	}
	s.config.Env = append(s.config.Env, v)
	return nil
}

func expose(s *shape, v string) error {
	r, err := network.ParsePortRange(v)
	if err != nil {
		return err
	}
	for p := range r.All() {
		s.port(p)
	}
	return nil
}

func gpus(s *shape, v string) error {
	r := container.DeviceRequest{Capabilities: [][]string{{"gpu"}}}
	switch ids, ok := strings.CutPrefix(v, "device="); {
	case ok:
		r.DeviceIDs = strings.Split(ids, ",")
	case v == "all":
		r.Count = -1
	default:
		n, err := integer[int](v)
		if err != nil {
			return errors.New("it is all, a number, or device=…")
		}
		r.Count = n
	}
	s.host.DeviceRequests = append(s.host.DeviceRequests, r)
	return nil
}

func ipam(s *shape) *network.EndpointIPAMConfig {
	if s.endpoint.IPAMConfig == nil {
		s.endpoint.IPAMConfig = &network.EndpointIPAMConfig{}
	}
	return s.endpoint.IPAMConfig
}

func label(s *shape, v string) error {
	name, value, _ := strings.Cut(v, "=")
	if name == "" || strings.HasPrefix(name, "dev.sluice.") {
		return errors.New("the label's name is not one that may be given")
	}
	if s.config.Labels == nil {
		s.config.Labels = map[string]string{}
	}
	s.config.Labels[name] = value
	return nil
}

func mac(s *shape, v string) error {
	a, err := net.ParseMAC(v)
	s.endpoint.MacAddress = network.HardwareAddr(a)
	return err
}

func noHealth(s *shape, v string) error {
	if no, err := boolean(v); err != nil || !no {
		return err
	}
	s.config.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
	return nil
}

func pulled(s *shape, v string) error {
	policy := map[string]string{"always": "always", "missing": "if-not-present", "never": "never"}[v]
	if policy == "" {
		return errors.New("it is always, missing or never")
	}
	s.pull = policy
	return nil
}

func restart(s *shape, v string) error {
	name, count, counted := strings.Cut(v, ":")
	p := container.RestartPolicy{Name: container.RestartPolicyMode(name)}
	switch name {
	case "no", "always", "unless-stopped", "on-failure":
	default:
		return errors.New("it is no, always, unless-stopped or on-failure")
	}
	if counted {
		n, err := integer[int](count)
		if err != nil {
			return err
		}
		p.MaximumRetryCount = n
	}
	s.host.RestartPolicy = p
	return nil
}

func security(s *shape, v string) error {
	if file, ok := strings.CutPrefix(strings.Replace(v, ":", "=", 1), "seccomp="); ok && file != "unconfined" && file != "builtin" {
		return errors.New("a profile of seccomp in a file cannot be given here, only unconfined")
	}
	s.host.SecurityOpt = append(s.host.SecurityOpt, v)
	return nil
}

func tmpfs(s *shape, v string) error {
	path, options, _ := strings.Cut(v, ":")
	if !strings.HasPrefix(path, "/") {
		return errors.New("it is an absolute folder")
	}
	if s.host.Tmpfs == nil {
		s.host.Tmpfs = map[string]string{}
	}
	s.host.Tmpfs[path] = options
	return nil
}

func ulimit(s *shape, v string) error {
	u, err := units.ParseUlimit(v)
	s.host.Ulimits = append(s.host.Ulimits, u)
	return err
}

// mounted reads type=bind,source=…,target=…,readonly.
func mounted(s *shape, v string) error {
	m := mount.Mount{Type: mount.TypeVolume}
	for field := range strings.SplitSeq(v, ",") {
		key, value, valued := strings.Cut(field, "=")
		switch key {
		case "type":
			m.Type = mount.Type(value)
		case "source", "src":
			m.Source = value
		case "target", "destination", "dst":
			m.Target = value
		case "readonly", "ro":
			m.ReadOnly = !valued || value == "true" || value == "1"
		case "bind-propagation":
			m.BindOptions = &mount.BindOptions{Propagation: mount.Propagation(value)}
		case "tmpfs-size":
			n, err := units.RAMInBytes(value)
			if err != nil {
				return err
			}
			m.TmpfsOptions = &mount.TmpfsOptions{SizeBytes: n}
		default:
			return fmt.Errorf("%q is not understood", key)
		}
	}
	return s.mount(m)
}
