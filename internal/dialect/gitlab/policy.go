package gitlab

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/pattern"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// defaultRefs is what only means where it names no refs (GitLab documentation, deprecated keywords, only and except).
var defaultRefs = []keyword.Text{{Value: "branches"}, {Value: "tags"}}

// policy decides by only and except, or by their default: all written parts of only must hold and no part of except.
// plain is true where workflow:rules take the default away.
func (c *compiler) policy(ctx context.Context, job *keyword.Job, plain bool, s *scope) verdict {
	j := &judge{compiler: c, scope: s, about: "job " + job.Name, values: map[string]bool{}}
	when := job.When.Value
	if when == "" {
		when = plan.OnSuccess
	}
	j.why.Place, j.why.When = job.Place, when
	if job.Only == nil && job.Except == nil && plain {
		j.why.Rule = "no rules"
		return verdict{in: true, why: j.why}
	}
	if reason, ok := j.only(ctx, job, plain); !ok {
		j.why.Rule, j.why.Text, j.why.When = "only", reason, plan.Never
		if job.Only != nil {
			j.why.Place = job.Only.Place
		}
		return verdict{why: j.why}
	}
	if job.Except != nil {
		if reason, ok := j.except(ctx, job.Except); ok {
			j.why.Rule, j.why.Text, j.why.When, j.why.Place = "except", reason, plan.Never, job.Except.Place
			return verdict{why: j.why}
		}
		j.tell("except: nothing of it holds")
	}
	j.why.Rule = "only"
	if job.Only == nil {
		j.why.Rule = "no rules"
		if !plain {
			j.tell("without rules or only, a job runs for branches and tags")
		}
	} else {
		j.why.Place, j.why.Text = job.Only.Place, policyText(job.Only)
	}
	return verdict{in: true, why: j.why}
}

// only reports whether every part holds, and else which does not. Where it is not written, its default counts, unless
// workflow:rules take that away.
func (j *judge) only(ctx context.Context, job *keyword.Job, plain bool) (string, bool) {
	if job.Only == nil && plain {
		return "", true
	}
	refs := defaultRefs
	if job.Only != nil && job.Only.Refs != nil {
		refs = job.Only.Refs.Items
	}
	if _, ok := j.refs(refs); !ok && job.Only == nil {
		return "without rules or only, a job runs for branches and tags", false
	} else if !ok {
		return fmt.Sprintf("%s is not among the refs %s", j.refName(), list(keyword.Strings(refs))), false
	}
	if job.Only == nil {
		return "", true
	}
	if vars := job.Only.Variables; vars != nil {
		if _, ok := j.anyHolds(vars); !ok {
			return "none of the variables' expressions holds", false
		}
	}
	if paths := job.Only.Changes; paths != nil {
		held, detail, err := j.changed(ctx, paths.Strings(), nil, j.scope)
		if j.faults.Add(err); err != nil || !held {
			return "changes: " + detail, false
		}
	}
	if job.Only.Kubernetes.Set && !j.kubernetes() {
		return "there is no Kubernetes cluster of the project here", false
	}
	return "", true
}

// except reports whether any part holds, and which.
func (j *judge) except(ctx context.Context, p *keyword.Policy) (string, bool) {
	if p.Refs != nil {
		if ref, ok := j.refs(p.Refs.Items); ok {
			return fmt.Sprintf("%s matches %s", j.refName(), ref), true
		}
	}
	if p.Variables != nil {
		if text, ok := j.anyHolds(p.Variables); ok {
			return text + " holds", true
		}
	}
	if p.Changes != nil {
		held, detail, err := j.changed(ctx, p.Changes.Strings(), nil, j.scope)
		if j.faults.Add(err); err != nil || held {
			return "changes: " + detail, true
		}
	}
	if p.Kubernetes.Set && j.kubernetes() {
		return "the project has a Kubernetes cluster", true
	}
	return "", false
}

// refs finds the entry that fits the pipeline: a name, a keyword for its kind, or a /pattern/.
func (j *judge) refs(refs []keyword.Text) (string, bool) {
	o := j.in.Occasion
	facts := pattern.Facts{Ref: o.Branch, Tag: o.Tag != "", Merge: j.isMerge(), Source: sourceOf(o.Name), Project: o.Repository.Path}
	if facts.Tag {
		facts.Ref = o.Tag
	}
	for _, text := range refs {
		ref, ok := j.compiler.refs[text.Value]
		if !ok {
			var err *fault.Fault
			ref, err = pattern.CompileRef(text.Value, text.Place)
			j.faults.Add(err)
			j.compiler.refs[text.Value] = ref
		}
		if ref != nil && ref.Match(facts) {
			return text.Value, true
		}
	}
	return "", false
}

// isMerge reports whether the pipeline is for a merge request, also where it is the child of one.
func (c *compiler) isMerge() bool { return c.in.Occasion.Merge != nil }

func (j *judge) refName() string {
	o := j.in.Occasion
	switch {
	case j.isMerge():
		return "a merge request pipeline"
	case o.Tag != "":
		return "tag " + o.Tag
	default:
		return "branch " + o.Branch
	}
}

// anyHolds finds an expression that holds.
func (j *judge) anyHolds(conds []keyword.Condition) (string, bool) {
	for _, cond := range conds {
		held, err := j.holds(cond)
		if j.faults.Add(err); err == nil && held {
			return oneLine(cond.Text), true
		}
	}
	return "", false
}

// kubernetes reports whether GitLab would call the project's cluster active.
func (j *judge) kubernetes() bool {
	v, ok := j.scope.Value("CI_KUBERNETES_ACTIVE")
	return ok && v == "true"
}

// policyText is a policy as one line.
func policyText(p *keyword.Policy) string {
	var parts []string
	if p.Refs != nil {
		parts = append(parts, "refs: "+list(p.Refs.Strings()))
	}
	for _, v := range p.Variables {
		parts = append(parts, "variables: "+oneLine(v.Text))
	}
	if p.Changes != nil {
		parts = append(parts, "changes: "+list(p.Changes.Strings()))
	}
	if p.Kubernetes.Set {
		parts = append(parts, "kubernetes: active")
	}
	return strings.Join(parts, "; ")
}
