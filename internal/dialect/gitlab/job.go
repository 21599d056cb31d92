package gitlab

import (
	"context"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// seed is one leg of one job of the file, on its way to become a job of the plan.
type seed struct {
	leg
	key     *keyword.Job
	verdict verdict
	job     *plan.Job // nil where it is left out
	edges   []*seed   // what it needs
}

// needs are those of the rule that decided, else the job's own; nil where the job waits for its stages.
func (s *seed) needs() *keyword.Needs {
	if r := s.verdict.rule; r != nil && r.Needs != nil {
		return r.Needs
	}
	return s.key.Needs
}

// build makes the job of the plan from a leg that is in.
func (c *compiler) build(ctx context.Context, s *seed, sc *scope) *plan.Job {
	k := s.key
	common := *c.common(k)
	j := &common
	j.ID, j.Name, j.Matrix, j.Index, j.Total = s.name, s.name, s.values, s.index, s.total
	j.Why, j.Variables = s.verdict.why, c.jobVariables(s)
	if r := s.verdict.rule; r != nil && (len(r.Variables) > 0 || r.When.Set) {
		sc = c.scopeOf(s) // with the rule's variables
	}
	c.setWhen(s, j)
	j.AllowFailure = allowOf(s)
	if r := s.verdict.rule; r != nil && r.Interruptible.Set {
		j.Interruptible = r.Interruptible.Value
	}
	for _, tag := range k.Tags.Strings() {
		j.Tags = append(j.Tags, sc.expand(tag))
	}
	j.Environment = c.environment(k, sc)
	if k.ResourceGroup.Set {
		within := &scope{Collection: sc.With(variable.ForRules(c.facts, jobFacts(j))...)} // its environment's name may be in it
		j.Group = &plan.Group{Name: within.filled(k.ResourceGroup.Value)}
	}
	j.Caches = c.caches(ctx, k, sc)
	c.jobInputs(k, eachCache, j)
	if k.Trigger != nil {
		c.trigger(j, k.Trigger, sc)
	}
	return j
}

// common is what all legs of a job share: it is made once and not changed after.
func (c *compiler) common(k *keyword.Job) *plan.Job {
	if c.lastKey == k {
		return c.lastJob
	}
	j := &plan.Job{
		Key: k.Name, Place: k.Place, Stage: k.Stage.Value, Confirm: k.Confirm.Value, Timeout: k.Timeout.Duration,
		Coverage: k.Coverage.Value, Hides: c.hides(k), Interruptible: k.Interruptible.Value,
		Image: containerOf(k.Image), Services: servicesOf(k.Services), Steps: c.steps(k), Release: releaseOf(k.Release),
	}
	if k.Retry != nil {
		j.Retry = plan.Retry{Max: k.Retry.Max, When: keyword.Strings(k.Retry.When), ExitCodes: k.Retry.ExitCodes}
	}
	j.Artifacts, j.Pages = artifactsOf(k)
	c.jobInputs(k, eachText, j)
	c.lastKey, c.lastJob = k, j
	return j
}

// setWhen gives the job its moment: that of the rule that decided, else its own.
func (c *compiler) setWhen(s *seed, j *plan.Job) {
	j.When = s.verdict.why.When
	if j.When != plan.Delayed {
		return
	}
	j.Delay = s.key.StartIn.Duration
	if r := s.verdict.rule; r != nil && r.StartIn.Set {
		j.Delay = r.StartIn.Duration
	}
}

// allowOf says which failures are allowed: what the rule says, else the job, else those of a job that is manual by its
// own when (GitLab CI/CD YAML syntax reference, allow_failure). A manual job by a rule blocks.
func allowOf(s *seed) plan.Allow {
	if r := s.verdict.rule; r != nil && r.AllowFailure != nil {
		return plan.Allow{Any: r.AllowFailure.Any}
	}
	if a := s.key.AllowFailure; a != nil {
		return plan.Allow{Any: a.Any, ExitCodes: a.ExitCodes}
	}
	return plan.Allow{Any: s.key.When.Value == plan.Manual}
}

// jobVariables are the variables of the job alone: its own, then its matrix leg's, then the deciding rule's.
func (c *compiler) jobVariables(s *seed) []plan.Variable {
	var own []keyword.Variable
	if r := s.verdict.rule; r != nil {
		own = r.Variables
	}
	if len(s.key.Variables)+len(s.values)+len(own) == 0 {
		return nil
	}
	out := make([]plan.Variable, 0, len(s.key.Variables)+len(s.values)+len(own))
	out = appendVariables(out, s.key.Variables, plan.JobLevel)
	for _, v := range s.values {
		out = setVariable(out, v)
	}
	return appendVariables(out, own, plan.JobLevel)
}

// appendVariables adds variables of the file; one of the same name is replaced in its place.
func appendVariables(out []plan.Variable, vs []keyword.Variable, level plan.Level) []plan.Variable {
	for _, v := range vs {
		out = setVariable(out, plan.Variable{Name: v.Name, Value: v.Value, Raw: v.Raw, Level: level})
	}
	return out
}

func setVariable(out []plan.Variable, v plan.Variable) []plan.Variable {
	if i := slices.IndexFunc(out, func(o plan.Variable) bool { return o.Name == v.Name }); i >= 0 {
		out[i] = v
		return out
	}
	return append(out, v)
}

// hides are the global variables that inherit:variables keeps from the job.
func (c *compiler) hides(k *keyword.Job) []string {
	if !k.Inherit.Variables.None && !k.Inherit.Variables.Some {
		return nil
	}
	var out []string
	for _, v := range c.globals {
		if !k.Inherit.Variables.Has(v.Name) {
			out = append(out, v.Name)
		}
	}
	return out
}

// containerOf is an image of the file.
func containerOf(i *keyword.Image) *plan.Container {
	if i == nil || i.Name.Value == "" {
		return nil
	}
	out := &plan.Container{
		Name: i.Name.Value, Entrypoint: i.Entrypoint.Strings(), PullPolicy: keyword.Strings(i.PullPolicy),
		User: i.Docker.User.Value, Platform: i.Docker.Platform.Value, Place: i.Place,
	}
	if out.User == "" {
		out.User = i.Kubernetes.User.Value
	}
	return out
}

// servicesOf are the services of the file. A name in alias may be several, parted by spaces or commas.
func servicesOf(s *keyword.Services) []plan.Service {
	if s == nil {
		return nil
	}
	var out []plan.Service
	for i := range s.Items {
		item := &s.Items[i]
		container := containerOf(&item.Image)
		if container == nil {
			continue
		}
		service := plan.Service{Container: *container, Command: item.Command.Strings(), Aliases: slices.Clone(item.Aliases)}
		if service.Aliases == nil && item.Alias.Value != "" {
			service.Aliases = strings.FieldsFunc(item.Alias.Value, func(r rune) bool { return r == ' ' || r == ',' })
		}
		service.Variables = appendVariables(nil, item.Variables, plan.JobLevel)
		out = append(out, service)
	}
	return out
}

// environment is where the job deploys to, with what is known of its name and tier now. Its URL is expanded when the
// job ends, because dotenv variables may be in it.
func (c *compiler) environment(k *keyword.Job, sc *scope) *plan.Environment {
	e := k.Environment
	if e == nil {
		return nil
	}
	out := &plan.Environment{
		Name: sc.filled(e.Name.Value), URL: e.URL.Value, Action: e.Action.Value, OnStop: e.OnStop.Value,
		Tier: sc.filled(e.Tier.Value), Kubernetes: e.Kubernetes != nil, Place: e.Place,
	}
	if out.Action == "" {
		out.Action = "start"
	}
	if out.Tier == "" {
		out.Tier = variable.Tier(out.Name)
	}
	if e.AutoStopIn.Set {
		d, err := spanOf(e.AutoStopIn, sc)
		c.faults.Add(err)
		out.AutoStopIn = d
	}
	return out
}
