package gitlab

import (
	"context"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/config"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/pattern"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// maxJobs bounds a pipeline, so that a small file cannot ask for an endless plan.
const maxJobs = 100_000

// compiler is the state of one compilation: the answers that many jobs share.
type compiler struct {
	in     *Input
	file   *keyword.File
	faults *fault.List

	globals []plan.Variable // of the file, with those of the workflow rule that matched
	shared  []plan.Variable // what every job sees, with the globals
	facts   variable.Facts
	bases   map[string]*variable.Collection // shared, by what of the globals is left out
	looked  bool                            // for circles among the shared variables

	seeds  []*seed
	byName map[string][]*seed // by the name of a leg, and by the key for all legs of a job

	lastKey *keyword.Job // the job of the file whose legs are being built
	lastJob *plan.Job    // and what they share

	expressions map[string]*expr.Expr
	compiled    map[string]*pattern.Glob
	refs        map[string]*pattern.Ref
	differences map[string]difference
	matches     map[string]match
	digests     map[string]string
	tree        []string
	listed      bool
	projects    map[string]config.Files // of rules:exists:project, by path or path@ref
	elsewhere   config.Files            // the project that include:rules:exists looks into, where it is another
}

func newCompiler(in *Input, file *keyword.File, faults *fault.List) *compiler {
	return &compiler{
		in: in, file: file, faults: faults,
		byName:      map[string][]*seed{},
		expressions: map[string]*expr.Expr{},
		compiled:    map[string]*pattern.Glob{},
		refs:        map[string]*pattern.Ref{},
		differences: map[string]difference{},
		matches:     map[string]match{},
		digests:     map[string]string{},
		projects:    map[string]config.Files{},
	}
}

// compile goes the way that GitLab goes: the workflow's rules, each job's rules, then the graph.
func (c *compiler) compile(ctx context.Context) *plan.Plan {
	p := &plan.Plan{Dialect: "gitlab", File: c.in.File}
	if !c.workflow(ctx, p) {
		return p
	}
	if !c.sow() {
		return p
	}
	c.unused()
	for _, s := range c.seeds {
		sc := c.scopeOf(s)
		c.loops(s, sc)
		s.verdict = c.decide(ctx, s.key, sc)
		if s.verdict.in {
			s.job = c.build(ctx, s, sc)
		}
	}
	c.wire()
	c.harvest(p)
	return p
}

// workflow decides whether there is a pipeline, and takes over what the rule that matched gives it.
func (c *compiler) workflow(ctx context.Context, p *plan.Plan) bool {
	w := &c.file.Workflow
	c.globals = appendVariables(nil, c.file.Variables, plan.Default)
	c.surround("")
	cancel := w.AutoCancel
	if w.Rules != nil {
		v := c.rules(ctx, w.Rules, plan.Always, c.scopeOf(nil), "workflow")
		p.Why = &v.why
		if !v.in {
			if !c.faults.HasErrors() {
				c.faults.Add(fault.At(CodeWorkflow, v.why.Place, "workflow:rules let no pipeline be created for this event: %s", reasonOf(v.why)).
					WithHint("change the event with --event, --branch or --variable, or the rules"))
			}
			return false
		}
		c.globals = appendVariables(c.globals, v.rule.Variables, plan.Default)
		if a := v.rule.AutoCancel; a != nil {
			cancel = mergeCancel(cancel, *a)
		}
	}
	if cancel.OnNewCommit.Set || cancel.OnJobFailure.Set {
		p.Cancel = &plan.AutoCancel{OnNewCommit: cancel.OnNewCommit.Value, OnJobFailure: cancel.OnJobFailure.Value}
	}
	c.surround("")
	if w.Name.Set {
		p.Name = strings.TrimSpace(c.scopeOf(nil).nested(w.Name.Value))
		c.surround(p.Name)
	}
	p.Variables = c.shared
	return true
}

func mergeCancel(base, over keyword.AutoCancel) keyword.AutoCancel {
	if over.OnNewCommit.Set {
		base.OnNewCommit = over.OnNewCommit
	}
	if over.OnJobFailure.Set {
		base.OnJobFailure = over.OnJobFailure
	}
	return base
}

func reasonOf(d plan.Decision) string {
	if d.Text == "" {
		return d.Rule
	}
	return d.Rule + " (" + d.Text + ")"
}

// sow unrolls every job of the file into its legs, and reports whether there are not too many. A leg with the name of
// an earlier one takes its place.
func (c *compiler) sow() bool {
	taken := map[string]int{}
	for _, k := range c.file.Jobs {
		legs := legsOf(k.Name, k.Parallel)
		if len(c.seeds)+len(legs) > maxJobs {
			c.faults.Add(fault.At(CodeTooManyJobs, k.Place, "the pipeline has more than %d jobs", maxJobs))
			return false
		}
		for _, l := range legs {
			s := &seed{leg: l, key: k}
			if i, ok := taken[l.name]; ok {
				c.faults.Add(fault.At(CodeNameTwice, k.Place, "job %q has the name of another job and replaces it", l.name).WithSeverity(fault.Warning))
				c.seeds[i] = s
				continue
			}
			taken[l.name] = len(c.seeds)
			c.seeds = append(c.seeds, s)
		}
	}
	for _, s := range c.seeds {
		c.byName[s.name] = append(c.byName[s.name], s)
		if s.index > 0 {
			c.byName[s.key.Name] = append(c.byName[s.key.Name], s)
		}
	}
	return true
}

// decide says whether a job is in the pipeline, and why.
func (c *compiler) decide(ctx context.Context, k *keyword.Job, s *scope) verdict {
	if k.Rules == nil {
		return c.policy(ctx, k, c.file.Workflow.Rules != nil, s)
	}
	when := k.When.Value
	if when == "" {
		when = plan.OnSuccess
	}
	return c.rules(ctx, k.Rules, when, s, "job "+k.Name)
}

// harvest fills the plan with what is in, and tells of a pipeline that has nothing to do.
func (c *compiler) harvest(p *plan.Plan) {
	stages := map[string]bool{}
	for _, s := range c.seeds {
		if s.job != nil {
			p.Jobs = append(p.Jobs, s.job)
			stages[s.job.Stage] = true
			continue
		}
		p.Excluded = append(p.Excluded, plan.Excluded{Name: s.name, Place: s.key.Place, Why: s.verdict.why})
	}
	for _, stage := range c.file.Stages {
		if stages[stage.Value] && !slices.Contains(p.Stages, stage.Value) {
			p.Stages = append(p.Stages, stage.Value)
		}
	}
	if c.faults.HasErrors() {
		return
	}
	delete(stages, ".pre")
	delete(stages, ".post")
	switch {
	case len(stages) > 0:
	case len(p.Jobs) > 0:
		c.faults.Add(fault.At(CodeEmpty, c.file.Place, "the pipeline has only jobs in the stages .pre and .post, so there is nothing to run"))
	default:
		c.faults.Add(fault.At(CodeEmpty, c.file.Place, "the rules leave no job in the pipeline for this event").
			WithHint("`sluice explain JOB` says why a job is left out; --event, --branch and --variable change what the rules see"))
	}
}
