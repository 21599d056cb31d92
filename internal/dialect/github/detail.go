package github

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// maxGroup is how long the name of a concurrency group may be.
const maxGroup = 400

// group is a concurrency group. Its name is the same in any case; of those that wait only the newest stays, unless queue
// is max: then they come in their order (workflow syntax, concurrency).
func (c *compiler) group(g *workflow.Concurrency, env *expr.Env) *plan.Group {
	if g == nil {
		return nil
	}
	if g.Expr.Set {
		return c.groupOf(g, env)
	}
	name, a := c.text(g.Group, env)
	cancel, b := c.truth(g.CancelInProgress, env, false, "cancel-in-progress")
	queue, d := c.text(g.Queue, env)
	if !a || !b || !d {
		return nil
	}
	return c.groupNamed(g, name, cancel, queue)
}

// groupOf is a group that one expression gave: its name, or an object.
func (c *compiler) groupOf(g *workflow.Concurrency, env *expr.Env) *plan.Group {
	v, err := valueOf(g.Expr, env)
	if err != nil {
		c.fail(g.Expr.At(), err)
		return nil
	}
	if v.Kind() != expr.KindObject {
		return c.groupNamed(g, v.Text(), false, "")
	}
	return c.groupNamed(g, v.Get("group").Text(), v.Get("cancel-in-progress").Text() == "true", v.Get("queue").Text())
}

func (c *compiler) groupNamed(g *workflow.Concurrency, name string, cancel bool, queue string) *plan.Group {
	switch {
	case name == "":
		c.mistake(CodeConcurrency, g.Place, "the name of the concurrency group is empty")
		return nil
	case len(name) > maxGroup:
		c.mistake(CodeConcurrency, g.Place, "the name of the concurrency group has more than %d characters", maxGroup)
		return nil
	}
	mode := "single"
	if queue == "max" {
		mode = "oldest_first"
	}
	return &plan.Group{Name: strings.ToLower(name), Mode: mode, Cancel: cancel}
}

// free is the group, or nil where the workflow or one that calls it holds it already: the job would wait for itself. GitHub
// cancels such a run as a deadlock.
func (c *compiler) free(f *Frame, from *workflow.Concurrency, g *plan.Group, who string) *plan.Group {
	if g == nil || !contains(f.held, g.Name) {
		return g
	}
	c.once(fault.At(CodeDeadlock, from.Place, "%s wants the concurrency group %s, which its own workflow holds: GitHub cancels the run as a deadlock; here it goes on", who, g.Name).
		WithSeverity(fault.Warning).WithHint("give the groups different names"))
	return nil
}

// environment is where the job deploys to; nil where its name comes out empty. Its address is evaluated when the steps
// are done.
func (c *compiler) environment(e *workflow.Environment, env *expr.Env) *plan.Environment {
	v, err := valueOf(e.Name, env)
	if err != nil {
		c.fail(e.Name.At(), err)
		return nil
	}
	name, url := v.Text(), e.URL.Value
	if v.Kind() == expr.KindObject {
		name, url = v.Get("name").Text(), v.Get("url").Text()
	}
	deploys, fine := c.truth(e.Deployment, env, true, "deployment")
	if !fine || name == "" {
		return nil
	}
	out := &plan.Environment{Name: name, URL: url, Action: "start", Place: e.Place}
	if !deploys {
		out.Action = "access"
	}
	return out
}

// containerTexts are what is known of a container before its job begins.
func containerTexts(k *workflow.Container) []workflow.Text {
	out := append([]workflow.Text{k.Image, k.Options, k.Entrypoint, k.Command, k.PortsExpr, k.VolumesExpr}, k.Ports...)
	return append(out, k.Volumes...)
}

// container is an image and how it is started; nil where its image comes out empty. The variables and the credentials
// are as written: they may hold secrets and are evaluated when the job begins.
func (c *compiler) container(k *workflow.Container, env *expr.Env) *plan.Container {
	v, err := valueOf(k.Image, env)
	if err != nil {
		c.fail(k.Image.At(), err)
		return nil
	}
	if v.Kind() == expr.KindObject {
		return containerOf(v, k.Place)
	}
	options, ok := c.text(k.Options, env)
	out := &plan.Container{Name: strings.TrimPrefix(v.Text(), "docker://"), Options: options, Env: written(k.Env, plan.JobLevel), Place: k.Place}
	if out.Name == "" || !ok {
		return nil
	}
	if k.Credentials != nil {
		out.Username = k.Credentials.Username.Value
	}
	for _, list := range []struct {
		from []workflow.Text
		expr workflow.Text
		into *[]string
	}{{k.Ports, k.PortsExpr, &out.Ports}, {k.Volumes, k.VolumesExpr, &out.Volumes}} {
		if list.expr.Set {
			values, ok := c.list(list.expr, nil, env, "the list")
			if !ok {
				return nil
			}
			for _, v := range values {
				*list.into = append(*list.into, v.Text())
			}
		}
		for _, t := range list.from {
			text, ok := c.text(t, env)
			if !ok {
				return nil
			}
			*list.into = append(*list.into, text)
		}
	}
	if entry, ok := c.text(k.Entrypoint, env); ok && entry != "" {
		out.Entrypoint = []string{entry}
	}
	return out
}

// containerOf is a container that one expression gave as an object.
func containerOf(v expr.Value, place fault.Place) *plan.Container {
	out := &plan.Container{
		Name: strings.TrimPrefix(v.Get("image").Text(), "docker://"), Options: v.Get("options").Text(), Place: place,
		Username: v.Path("credentials", "username").Text(), Password: v.Path("credentials", "password").Text(),
	}
	if out.Name == "" {
		return nil
	}
	for _, p := range v.Get("env").Pairs() {
		out.Env = append(out.Env, plan.Variable{Name: p.Key, Value: p.Value.Text(), Level: plan.JobLevel, Raw: true})
	}
	for _, p := range v.Get("ports").Items() {
		out.Ports = append(out.Ports, p.Text())
	}
	for _, p := range v.Get("volumes").Items() {
		out.Volumes = append(out.Volumes, p.Text())
	}
	return out
}

// services are the containers beside a job; one whose image comes out empty is left out, as on GitHub.
func (c *compiler) services(job *workflow.Job, env *expr.Env) []plan.Service {
	var out []plan.Service
	if job.ServicesExpr.Set {
		v, err := valueOf(job.ServicesExpr, env)
		if err != nil {
			c.fail(job.ServicesExpr.At(), err)
		}
		for _, p := range v.Pairs() {
			item := p.Value
			if item.Kind() != expr.KindObject {
				item = expr.NewObject(expr.Pair{Key: "image", Value: item})
			}
			if k := containerOf(item, job.ServicesExpr.At()); k != nil {
				out = append(out, plan.Service{Container: *k, Aliases: []string{p.Key}})
			}
		}
		return out
	}
	for _, s := range job.Services {
		if s.Container == nil {
			continue
		}
		k := c.container(s.Container, env)
		if k == nil {
			continue
		}
		service := plan.Service{Container: *k, Aliases: []string{s.Name.Value}}
		if command, ok := c.text(s.Container.Command, env); ok && command != "" {
			service.Command = strings.Fields(command)
		}
		out = append(out, service)
	}
	return out
}

// digest is the SHA-256 of a file.
func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
