package github

import (
	"fmt"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// containers are the job's container and its services as they are started: with the variables and the credentials, which
// may hold secrets and so are evaluated only now (contexts reference, jobs.<job_id>.container.env and .credentials).
func (in Attempt) containers() (*plan.Container, []plan.Service, error) {
	own := OwnOf(in.Job)
	if own == nil || in.Job.Image == nil && len(in.Job.Services) == 0 {
		return in.Job.Image, in.Job.Services, nil
	}
	w := newWalk(in)
	w.contexts()
	for _, e := range []workflow.Env{own.Frame.File.Env, own.Job.Env} {
		vars, err := w.top.variables(e, nil)
		if err != nil {
			return nil, nil, fmt.Errorf("evaluate the variables of the job: %w", err)
		}
		w.env.add(&vars)
	}
	for _, v := range in.Given.Env {
		w.env.set(v.Name, v.Value)
	}
	image, err := w.filled(in.Job.Image, own.Job.Container)
	if err != nil {
		return nil, nil, fmt.Errorf("evaluate the container: %w", err)
	}
	services := make([]plan.Service, len(in.Job.Services))
	for i, s := range in.Job.Services {
		services[i] = s
		k, err := w.filled(&s.Container, serviceOf(own.Job, s.Aliases))
		if err != nil {
			return nil, nil, fmt.Errorf("evaluate the service %s: %w", s.Aliases[0], err)
		}
		services[i].Container = *k
	}
	return image, services, nil
}

func serviceOf(j *workflow.Job, aliases []string) *workflow.Container {
	for _, s := range j.Services {
		if len(aliases) > 0 && s.Name.Value == aliases[0] {
			return s.Container
		}
	}
	return nil
}

// filled is a container of the plan with what the file says of its variables and credentials. One that --platform or an
// expression gave is whole already.
func (w *walk) filled(k *plan.Container, from *workflow.Container) (*plan.Container, error) {
	if k == nil || from == nil {
		return k, nil
	}
	out := *k
	if len(from.Env.Vars) > 0 || from.Env.Expr.Set {
		vars, err := w.top.variables(from.Env, nil)
		if err != nil {
			return nil, err
		}
		out.Env = nil
		for _, name := range vars.names {
			out.Env = append(out.Env, plan.Variable{Name: name, Value: vars.values[name], Level: plan.JobLevel, Raw: true})
		}
	}
	c := from.Credentials
	if c == nil {
		return &out, nil
	}
	env := w.top.environment(nil, both(success))
	if c.Expr.Set {
		v, err := valueOf(c.Expr, env)
		if err == nil && v.Kind() == expr.KindObject {
			out.Username, out.Password = v.Get("username").Text(), v.Get("password").Text()
		}
		return &out, err
	}
	var err error
	if out.Username, err = textOf(c.Username, env); err != nil {
		return nil, err
	}
	out.Password, err = textOf(c.Password, env)
	return &out, err
}
