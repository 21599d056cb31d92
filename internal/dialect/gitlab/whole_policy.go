package gitlab

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// policyClauses say what only and except say, or their default, as rules: first what is taken out, then what is let in.
// Where workflow:rules take the default away, a job without both has no rules.
func (c *compiler) policyClauses(k *keyword.Job) []plan.Rule {
	plain := c.file.Workflow.Rules != nil
	if k.Only == nil && k.Except == nil && plain {
		return nil
	}
	out := exceptClauses(k.Except)
	in := plan.Rule{Place: k.Place}
	refs := defaultRefs
	if k.Only != nil {
		in.Place = k.Only.Place
		if k.Only.Refs != nil {
			refs = k.Only.Refs.Items
		}
		in.Changes = k.Only.Changes.Strings()
		if k.Only.Kubernetes.Set {
			in.Other = append(in.Other, "only:kubernetes")
		}
	}
	var parts []string
	if k.Only != nil || !plain {
		text, other := refsText(refs)
		parts, in.Other = append(parts, text), append(in.Other, other...)
	}
	if k.Only != nil && len(k.Only.Variables) > 0 {
		parts = append(parts, conditionsText(k.Only.Variables))
	}
	in.If = joined(parts, " && ")
	return append(out, in)
}

// exceptClauses are rules that take a job out: any part of except suffices.
func exceptClauses(p *keyword.Policy) []plan.Rule {
	if p == nil {
		return nil
	}
	var out []plan.Rule
	add := func(r plan.Rule, at fault.Place) {
		r.When, r.Place = plan.Never, at
		out = append(out, r)
	}
	if p.Refs != nil {
		text, other := refsText(p.Refs.Items)
		add(plan.Rule{If: text, Other: other}, p.Refs.Place)
	}
	if len(p.Variables) > 0 {
		add(plan.Rule{If: conditionsText(p.Variables)}, p.Place)
	}
	if p.Changes != nil {
		add(plan.Rule{Changes: p.Changes.Strings()}, p.Changes.Place)
	}
	if p.Kubernetes.Set {
		add(plan.Rule{Other: []string{"except:kubernetes"}}, p.Kubernetes.Place)
	}
	return out
}

// sourceKeywords are the words of only and except for pipelines by what started them.
var sourceKeywords = map[string]string{
	"merge_requests": "merge_request_event", "pushes": "push", "schedules": "schedule", "web": "web", "api": "api", "triggers": "trigger",
	"pipelines": "pipeline", "chat": "chat", "external": "external", "external_pull_requests": "external_pull_request_event",
}

// refsText is a list of refs as an expression of rules:if. What has no such form is told by its text.
func refsText(refs []keyword.Text) (text string, other []string) {
	var parts []string
	for _, r := range refs {
		name := r.Value
		switch {
		case name == "branches":
			parts = append(parts, "$CI_COMMIT_BRANCH")
		case name == "tags":
			parts = append(parts, "$CI_COMMIT_TAG")
		case sourceKeywords[name] != "":
			parts = append(parts, `$CI_PIPELINE_SOURCE == "`+sourceKeywords[name]+`"`)
		case strings.ContainsAny(name, "@\"") && !expr.IsPattern(name):
			other = append(other, "only:refs "+name)
		case expr.IsPattern(name):
			parts = append(parts, "$CI_COMMIT_BRANCH =~ "+name, "$CI_COMMIT_TAG =~ "+name)
		default:
			parts = append(parts, `$CI_COMMIT_BRANCH == "`+name+`"`, `$CI_COMMIT_TAG == "`+name+`"`)
		}
	}
	return joined(parts, " || "), other
}

func conditionsText(conds []keyword.Condition) string {
	parts := make([]string, len(conds))
	for i, c := range conds {
		parts[i] = "(" + strings.TrimSpace(c.Text) + ")"
	}
	return joined(parts, " || ")
}

// joined puts parts together, each that has an operator of its own in brackets.
func joined(parts []string, with string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	for i, p := range parts {
		if strings.Contains(p, " || ") && with != " || " {
			parts[i] = "(" + p + ")"
		}
	}
	return strings.Join(parts, with)
}
