package workflow

import (
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// container reads the container of a job or a service: an image, or a mapping. path is where its expressions stand.
func (r *reader) container(n, key *yamlx.Node, what, path string) *Container {
	service := path == servicePath
	c := &Container{Place: n.Place}
	if !n.IsMapping() {
		c.Short = true
		c.Image = r.text(n, what, available(path))
		r.image(c.Image, what, service)
		return c
	}
	at := key.Place
	r.fields(n, what, path, func(name string, key, v *yamlx.Node) {
		switch name {
		case "image":
			c.Image = r.text(v, name, available(path))
			r.image(c.Image, name, service)
		case "credentials":
			c.Credentials = r.credentials(v, key, path)
		case "env":
			c.Env = r.containerEnv(v, path)
		case "ports":
			c.Ports, c.PortsExpr = r.textList(v, name, available(path), r.port)
		case "volumes":
			c.Volumes, c.VolumesExpr = r.textList(v, name, available(path), r.volume)
		case "options":
			c.Options = r.text(v, name, available(path))
			r.network(c.Options)
		case "entrypoint":
			c.Entrypoint = r.text(v, name, available(path))
		case "command":
			c.Command = r.text(v, name, available(path))
		}
	})
	if !n.Has("image") {
		if service {
			r.mistake(CodeMissing, at, "%s has no image", what)
		} else {
			r.warn(CodeMissing, at, "%s has no image: the job runs in none", what)
		}
	}
	return c
}

const servicePath = jobPath + ".services.<service_id>"

// available is the key of the availability table for a path of a container.
func available(path string) string {
	if path == servicePath {
		return jobPath + ".services"
	}
	return path
}

// image tells an image without a name. The container of a job may be empty, and is none then.
func (r *reader) image(t Text, what string, service bool) {
	if !t.Set || hasExpression(t) {
		return
	}
	name, prefixed := strings.CutPrefix(t.Value, "docker://")
	if name != "" {
		return
	}
	if prefixed || service {
		r.mistake(CodeEmpty, t.At(), "%s names no image", what)
	} else {
		r.warn(CodeUseless, t.At(), "%s is empty: the job runs in no container", what)
	}
}

func (r *reader) credentials(n, key *yamlx.Node, path string) *Credentials {
	path += ".credentials"
	c := &Credentials{Place: n.Place}
	if t, ok := r.whole(n, "credentials", path); ok {
		c.Expr = t
		return c
	}
	r.fields(n, "credentials", path, func(name string, _, v *yamlx.Node) {
		t := r.filled(r.text(v, name, path), name)
		if name == "username" {
			c.Username = t
		} else {
			c.Password = t
		}
	})
	for _, name := range []string{"username", "password"} {
		if n.IsMapping() && !n.Has(name) {
			r.warn(CodeMissing, key.Place, "credentials has no %s", name)
		}
	}
	return c
}

// containerEnv: the mapping as a whole is read when the container is, its values when the job runs.
func (r *reader) containerEnv(n *yamlx.Node, path string) Env {
	if t, ok := r.whole(n, "env", available(path)); ok {
		return Env{Expr: t, Node: n}
	}
	return Env{Node: n, Vars: r.named(n, "env", path+".env", available(path), func(name Text) { r.variable(name, "env") })}
}

// textList is a list of texts that are not empty, or an expression that gives it.
func (r *reader) textList(n *yamlx.Node, what, available string, each func(Text)) ([]Text, Text) {
	if t, ok := r.whole(n, what, available); ok {
		return nil, t
	}
	if !n.IsSequence() {
		f := r.mistake(CodeType, n.Place, "%s is a list, not %s", what, n.Describe())
		if n.IsScalar() {
			f.WithHint("%s: ['%s']", what, n.Value)
		}
		return nil, Text{}
	}
	out := make([]Text, 0, len(n.Items))
	for _, item := range n.Items {
		t := r.filled(r.text(item, "an entry of "+what, available), "an entry of "+what)
		if !t.Set {
			continue
		}
		out = append(out, t)
		if t.Value != "" && !hasExpression(t) && each != nil {
			each(t)
		}
	}
	return out, Text{}
}

// port tells what docker would refuse: [[address:][host]:]container[/protocol], each a port or a range.
func (r *reader) port(t Text) {
	text, protocol, _ := strings.Cut(t.Value, "/")
	ok := protocol == "" && !strings.Contains(t.Value, "/") || protocol == "tcp" || protocol == "udp" || protocol == "sctp"
	address := ""
	if i := strings.LastIndexByte(text, ']'); i >= 0 && strings.HasPrefix(text, "[") {
		address, text = text[:i+1], strings.TrimPrefix(text[i+1:], ":")
	}
	parts := strings.Split(text, ":")
	if len(parts) == 3 && address == "" {
		parts = parts[1:]
	}
	ok = ok && len(parts) <= 2
	for i, p := range parts {
		low, high, isRange := strings.Cut(p, "-")
		ok = ok && (portNumber(low) || p == "" && i == 0 && len(parts) == 2) && (!isRange || portNumber(high))
	}
	if !ok {
		f := r.mistake(CodePort, t.At(), "%q is no port", t.Value).WithHint("write the container's port (80), or host:container (8080:80), with /udp where it is meant")
		if t.Node.Type == yamlx.Int {
			f.WithHint("a port is from 1 to 65535")
		}
	}
}

func portNumber(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 || s == "0"
}

// volume tells what docker would refuse: a path in the container, or source:path[:mode].
func (r *reader) volume(t Text) {
	parts := strings.Split(t.Value, ":")
	if len(parts) > 1 && len(parts[0]) == 1 && strings.HasPrefix(parts[1], `\`) {
		return // a drive of Windows
	}
	target := parts[0]
	if len(parts) > 1 {
		target = parts[1]
	}
	if len(parts) > 3 || parts[0] == "" || !strings.HasPrefix(target, "/") && !strings.Contains(target, `\`) {
		r.warn(CodeValue, t.At(), "%q is no volume: docker wants the path in the container to begin with a slash", t.Value).WithHint("write source:/path, or /path alone")
	}
}

// network: GitHub's page on services says that --network is not supported, and neither is --entrypoint for jobs.
func (r *reader) network(t Text) {
	if !t.Set {
		return
	}
	for word := range strings.FieldsSeq(t.Value) {
		if word == "--network" || strings.HasPrefix(word, "--network=") || word == "--net" || strings.HasPrefix(word, "--net=") {
			r.warn(CodeUseless, t.At(), "the option --network is not supported: containers of a job share a network of their own")
			return
		}
	}
}

// services reads the containers beside a job.
func (r *reader) services(j *Job, n *yamlx.Node) {
	const path = jobPath + ".services"
	if t, ok := r.whole(n, "services", path); ok {
		j.ServicesExpr = t
		return
	}
	if !r.mapping(n, "services") {
		return
	}
	for _, p := range n.Pairs {
		if name, ok := r.name(p.Key, "services"); ok {
			j.Services = append(j.Services, &Service{Name: name, Container: r.container(p.Value, p.Key, "the service "+name.Value, servicePath)})
		}
	}
}
