package gitlab

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// whole is the plan of the file and of no event: every job is in it, in all its legs, with its rules as written; texts
// keep their variables (plan.Plan.Whole).
func (c *compiler) whole() *plan.Plan {
	w := &c.file.Workflow
	p := &plan.Plan{Dialect: "gitlab", File: c.in.File, Whole: true, Name: w.Name.Value, Rules: clausesOf(w.Rules)}
	if a := w.AutoCancel; a.OnNewCommit.Set || a.OnJobFailure.Set {
		p.Cancel = &plan.AutoCancel{OnNewCommit: a.OnNewCommit.Value, OnJobFailure: a.OnJobFailure.Value}
	}
	c.globals = appendVariables(nil, c.file.Variables, plan.Default)
	c.surround("")
	p.Variables = append(slices.Clone(c.globals), leveled(c.in.Given.Project, plan.Project)...)
	for _, v := range c.file.Variables {
		if v.Prefilled && (v.Description.Set || len(v.Options) > 0) {
			p.Inputs = append(p.Inputs, plan.Input{
				Name: v.Name, Description: v.Description.Value, Default: v.Value, Options: keyword.Strings(v.Options), Place: v.Place,
			})
		}
	}
	if !c.sow() {
		return p
	}
	for _, s := range c.seeds {
		s.verdict = verdict{in: true, why: plan.Decision{Rule: "the whole file", Place: s.key.Place, When: s.key.When.Value}}
		s.job = c.asWritten(s)
	}
	c.wire()
	c.harvest(p)
	return p
}

// asWritten makes the job of a leg without an event.
func (c *compiler) asWritten(s *seed) *plan.Job {
	k := s.key
	common := *c.common(k)
	j := &common
	j.ID, j.Name, j.Matrix, j.Index, j.Total = s.name, s.name, s.values, s.index, s.total
	j.Why, j.Variables, j.When = s.verdict.why, c.jobVariables(s), k.When.Value
	if j.When == "" {
		j.When = plan.OnSuccess
	}
	j.Delay, j.AllowFailure = k.StartIn.Duration, allowOf(s)
	j.Tags = k.Tags.Strings()
	if e := k.Environment; e != nil {
		j.Environment = &plan.Environment{
			Name: e.Name.Value, URL: e.URL.Value, Action: e.Action.Value, OnStop: e.OnStop.Value, AutoStopIn: e.AutoStopIn.Duration,
			Tier: e.Tier.Value, Kubernetes: e.Kubernetes != nil, Place: e.Place,
		}
		if j.Environment.Action == "" {
			j.Environment.Action = "start"
		}
	}
	if k.ResourceGroup.Set {
		j.Group = &plan.Group{Name: k.ResourceGroup.Value}
	}
	j.Caches = cachesAsWritten(k)
	if k.Trigger != nil {
		j.Late = &plan.Late{Kind: "child"}
	}
	j.Rules = clausesOf(k.Rules)
	if k.Rules == nil {
		j.Rules = c.policyClauses(k)
	}
	j.Computed = computed(k)
	return j
}

// cachesAsWritten are the caches with the keys that the file gives: no suffix, no digest.
func cachesAsWritten(k *keyword.Job) []plan.Cache {
	if k.Cache == nil {
		return nil
	}
	var out []plan.Cache
	for i := range k.Cache.Items {
		item := &k.Cache.Items[i]
		if len(item.Paths) == 0 && !item.Untracked.Value {
			continue
		}
		cache := plan.Cache{
			Key: item.Key.Text.Value, FallbackKeys: keyword.Strings(item.FallbackKeys), Paths: keyword.Strings(item.Paths), Untracked: item.Untracked.Value,
			When: item.When.Value, Policy: item.Policy.Value, Unprotect: item.Unprotect.Value, Files: keyword.Strings(item.Key.Files), Place: item.Place,
		}
		switch {
		case len(cache.Files) > 0:
			cache.Key = item.Key.Prefix.Value
		case item.Key.Prefix.Set:
			cache.Key = item.Key.Prefix.Value + "-" + defaultKey
		case cache.Key == "":
			cache.Key = defaultKey
		}
		if cache.When == "" {
			cache.When = plan.OnSuccess
		}
		if cache.Policy == "" {
			cache.Policy = "pull-push"
		}
		out = append(out, cache)
	}
	return out
}

// clausesOf are rules as written.
func clausesOf(rules *keyword.Rules) []plan.Rule {
	if rules == nil {
		return nil
	}
	out := make([]plan.Rule, 0, len(rules.Items))
	for i := range rules.Items {
		r := &rules.Items[i]
		c := plan.Rule{If: strings.TrimSpace(r.If.Text), When: r.When.Value, Variables: appendVariables(nil, r.Variables, plan.JobLevel), Place: r.Place}
		other := func(set bool, key string) {
			if set {
				c.Other = append(c.Other, key)
			}
		}
		if r.Changes != nil {
			c.Changes = keyword.Strings(r.Changes.Paths)
			other(r.Changes.CompareTo.Set, "changes:compare_to")
			other(r.Changes.Regexp.Set, "changes:regexp")
		}
		if r.Exists != nil {
			c.Exists = keyword.Strings(r.Exists.Paths)
			other(r.Exists.Project.Set, "exists:project")
			other(r.Exists.Regexp.Set, "exists:regexp")
		}
		if r.AllowFailure != nil {
			c.AllowFailure = &r.AllowFailure.Any
		}
		other(r.Needs != nil, "needs")
		other(r.StartIn.Set, "start_in")
		other(r.Interruptible.Set, "interruptible")
		other(r.AutoCancel != nil, "auto_cancel")
		out = append(out, c)
	}
	if len(out) == 0 { // `rules: []` lets nothing through
		out = append(out, plan.Rule{When: plan.Never, Place: rules.Place})
	}
	return out
}

// computed are the keys of a job that the plan of a whole file has no field for, or no value.
func computed(k *keyword.Job) []plan.Written {
	var out []plan.Written
	add := func(set bool, key, text string, at fault.Place) {
		if set {
			out = append(out, plan.Written{Key: key, Text: text, Place: at})
		}
	}
	add(k.Timeout.Variable, "timeout", k.Timeout.Text, k.Timeout.Place)
	add(k.Kind == keyword.StepsJob, "run", "", k.Place)
	for _, s := range k.Secrets {
		add(true, "secrets", s.Name, s.Place)
	}
	for _, t := range k.IDTokens {
		add(true, "id_tokens", t.Name, t.Place)
	}
	if k.Hooks != nil {
		add(true, "hooks", "", k.Hooks.Place)
	}
	if k.Needs != nil {
		for _, n := range k.Needs.Items {
			add(n.Kind != keyword.NeedJob, "needs:"+string(n.Kind), n.Job.Value, n.Place)
			add(n.Kind == keyword.NeedJob && n.Matrix != nil, "needs:parallel:matrix", n.Job.Value, n.Place)
		}
	}
	return out
}
