package lint

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// workflow checks a workflow file.
func (c *checker) workflow() {
	f := c.in.File
	for _, j := range f.Jobs {
		if lower := strings.ToLower(j.ID); c.jobs[lower] == nil {
			c.jobs[lower] = j
		}
	}
	s := c.base()
	c.defaultsOf(f.On, s)
	c.text(f.RunName, s)
	c.env(f.Env, s)
	c.concurrency(f.Concurrency, s)
	taint := tainted{}.with(f.Env)
	for _, j := range f.Jobs {
		c.job(j, s, taint)
	}
	s = s.with("jobs", c.allJobs())
	for i := range f.On {
		for _, o := range f.On[i].Outputs {
			c.text(o.Value, s)
		}
	}
	c.unread()
}

// defaultsOf checks the defaults of inputs of workflow_call. One may use the inputs before it.
func (c *checker) defaultsOf(on []workflow.Trigger, s scope) {
	for i := range on {
		before := map[string]expr.Type{}
		for _, in := range on[i].Inputs {
			if !in.Default.Dynamic() {
				before[in.Name.Value] = inputType(in)
				continue
			}
			self := s.with("inputs", expr.TStrict(before))
			before[in.Name.Value] = inputType(in)
			switch in.Type {
			case "boolean":
				c.kind(in.Default, self, "the default of "+in.Name.Value, expr.KnownBool)
			case "number":
				c.kind(in.Default, self, "the default of "+in.Name.Value, expr.KnownNumber)
			default:
				c.text(in.Default, self)
			}
		}
	}
}

func (c *checker) concurrency(g *workflow.Concurrency, s scope) {
	if g == nil {
		return
	}
	if g.Expr.Set {
		c.kind(g.Expr, s, "concurrency", expr.KnownString, expr.KnownNumber, expr.KnownBool, expr.KnownObject)
		return
	}
	c.text(g.Group, s)
	c.kind(g.CancelInProgress, s, "cancel-in-progress", expr.KnownBool)
	c.text(g.Queue, s)
}

func (c *checker) defaults(d workflow.Defaults, s scope, on system) {
	if d.Expr.Set {
		c.kind(d.Expr, s, "defaults.run", expr.KnownObject)
	}
	c.text(d.Shell, s)
	c.text(d.WorkingDirectory, s)
	c.shell(d.Shell, on)
}

// job checks a job.
func (c *checker) job(j *workflow.Job, base scope, taint tainted) {
	s := base.with("needs", c.needs(j))
	s = s.with("matrix", c.strategy(j.Strategy, s))
	c.text(j.Name, s)
	c.condition(j.If, s)
	c.runsOn(j, s)
	on := systemOf(j)
	c.concurrency(j.Concurrency, s)
	c.env(j.Env, s)
	c.defaults(j.Defaults, s, on)
	c.text(j.Snapshot, s)
	c.condition(j.SnapshotIf, s)
	c.kind(j.ContinueOnError, s, "continue-on-error", expr.KnownBool)
	c.kind(j.TimeoutMinutes, s, "timeout-minutes", expr.KnownNumber)
	c.container(j.Container, s, "the container")
	if j.ServicesExpr.Set {
		c.kind(j.ServicesExpr, s, "services", expr.KnownObject)
	}
	for _, service := range j.Services {
		c.container(service.Container, s, "the service "+service.Name.Value)
	}
	if j.Uses.Set {
		c.call(j, s)
	}
	steps := &walk{checker: c, job: j, scope: s, on: on, known: map[string]expr.Type{}, taint: taint.with(j.Env)}
	steps.all(j.Steps)
	s = steps.here()
	if e := j.Environment; e != nil {
		c.kind(e.Name, s, "environment", expr.KnownString, expr.KnownNumber, expr.KnownBool, expr.KnownObject, expr.KnownNull)
		c.text(e.URL, s)
		c.kind(e.Deployment, s, "deployment", expr.KnownBool)
	}
	c.named(j.Outputs, s)
}

// container checks the container of a job or service.
func (c *checker) container(x *workflow.Container, s scope, what string) {
	if x == nil {
		return
	}
	if x.Short {
		c.kind(x.Image, s, what, expr.KnownString, expr.KnownObject, expr.KnownNull)
	} else {
		c.text(x.Image, s)
	}
	if k := x.Credentials; k != nil {
		if k.Expr.Set {
			c.kind(k.Expr, s, "credentials", expr.KnownObject)
		}
		c.text(k.Username, s)
		c.text(k.Password, s)
		if k.Password.Set && k.Password.Value != "" && single(k.Password) == nil && k.Password.Template != nil {
			c.warn(CodeCredential, k.Password.At(), "the password of %s stands in the file", what).
				WithHint("make it a secret: ${{ secrets.REGISTRY_PASSWORD }}")
		}
	}
	c.env(x.Env, s)
	c.texts(x.Ports, s)
	c.texts(x.Volumes, s)
	c.kind(x.PortsExpr, s, "ports", expr.KnownArray)
	c.kind(x.VolumesExpr, s, "volumes", expr.KnownArray)
	c.text(x.Options, s)
	c.text(x.Entrypoint, s)
	c.text(x.Command, s)
}

// unread tells outputs of jobs that nobody reads.
func (c *checker) unread() {
	cache := map[*workflow.Job]expr.Uses{}
	for _, j := range c.in.File.Jobs {
		if len(j.Outputs) == 0 {
			continue
		}
		uses := c.readers(j, cache)
		for _, o := range j.Outputs {
			if !uses.Mentions("needs", j.ID, "outputs", o.Name.Value) && !uses.Mentions("jobs", j.ID, "outputs", o.Name.Value) {
				c.note(CodeUnread, o.Name.At(), "nobody reads the output %s of the job %s", o.Name.Value, j.ID)
			}
		}
	}
}

// readers is what may read the outputs of a job: the jobs that need it, and the outputs of workflow_call.
func (c *checker) readers(j *workflow.Job, cache map[*workflow.Job]expr.Uses) expr.Uses {
	var uses expr.Uses
	for _, other := range c.in.File.Jobs {
		for _, need := range other.Needs {
			if !strings.EqualFold(need.Value, j.ID) {
				continue
			}
			if _, ok := cache[other]; !ok {
				cache[other] = usesOf(other)
			}
			uses = uses.With(cache[other])
		}
	}
	for i := range c.in.File.On {
		for _, o := range c.in.File.On[i].Outputs {
			if o.Value.Template != nil {
				uses = uses.With(o.Value.Template.Uses())
			}
		}
	}
	return uses
}

// usesOf is what the expressions of a job use, read from its YAML: every text that has ${{ }}, and every if.
func usesOf(j *workflow.Job) expr.Uses {
	var uses expr.Uses
	visit(j.Node, func(key, value string) {
		if t, faults := expr.ParseTemplate(value, nil); len(faults) == 0 && strings.Contains(value, "${{") {
			uses = uses.With(t.Uses())
		} else if key == "if" {
			if cond, f := expr.ParseCondition(value, func(int) fault.Place { return fault.Place{} }); f == nil {
				uses = uses.With(cond.Uses())
			}
		}
	})
	return uses
}
