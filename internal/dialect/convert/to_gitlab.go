package convert

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// gitlabWriter writes a GitLab pipeline from the plan of a workflow.
type gitlabWriter struct {
	*teller
	plan   *plan.Plan
	jobs   []*job
	asked  map[string]bool // variables that a person is asked for
	manual map[string]bool // inputs that stand for manual jobs
	takes  map[*job][]*job // whose outputs a job reads
	words  map[string]bool // variables of GitHub's runner that scripts read
	uses   map[*job]*uses  // what the well-known actions of a job do
	hooked bool            // all jobs are interruptible
}

func toGitLab(p *plan.Plan, faults *fault.List) File {
	w := &gitlabWriter{
		teller: newTeller(faults), plan: p, asked: map[string]bool{}, manual: map[string]bool{}, takes: map[*job][]*job{},
		words: map[string]bool{}, uses: map[*job]*uses{},
	}
	w.jobs = gather(p, gitlabName)
	triggers := p.Workflows[0].Triggers
	for _, t := range triggers {
		for _, in := range t.Inputs {
			if t.Event != "workflow_dispatch" {
				continue
			}
			if strings.HasPrefix(in.Description, manualText("")) && in.Type == "boolean" {
				w.manual[strings.ToLower(in.Name)] = true
			} else {
				w.asked[inputVariable(in.Name)] = true
			}
		}
	}
	root := &mapping{}
	if p.Name != "" {
		root.set("workflow", of("name", strings.ReplaceAll(p.Name, "$", "$$")))
	}
	w.workflow(root, triggers)
	for _, j := range w.jobs {
		w.decide(j)
		w.uses[j] = w.actions(j)
	}
	jobs := make([]*mapping, len(w.jobs))
	above := make([][]string, len(w.jobs))
	for i, j := range w.jobs {
		jobs[i], above[i] = w.job(j)
	}
	if vars := w.variables(triggers); !vars.empty() {
		root.apart("variables", vars)
	}
	if w.hooked {
		root.apart("default", of("interruptible", true))
	}
	for i, j := range w.jobs {
		if jobs[i] == nil {
			root.tail = append(root.tail, above[i]...)
			continue
		}
		root.apart(j.id, jobs[i], above[i]...)
	}
	return File{Path: ".gitlab-ci.yml", Text: root.print()}
}

// reserved are words that cannot be names of jobs, or mean more than that.
var reserved = []string{
	"image", "services", "stages", "types", "before_script", "after_script", "variables", "cache", "include", "default", "workflow", "spec",
	"pages", "true", "false", "nil", "null",
}

// gitlabName is the job's name, where that is its ID with letters that GitHub's IDs have not, else its ID.
func gitlabName(j *plan.Job) string {
	name := j.Key
	for _, c := range j.Computed {
		if c.Key == "name" && !dynamic(c.Text) && slug(c.Text) == j.Key && !strings.HasPrefix(c.Text, ".") {
			name = c.Text
		}
	}
	if slices.Contains(reserved, name) {
		return name + "-job"
	}
	return name
}

// workflow writes the events as workflow:rules, and the concurrency group that a newer run takes from an older one.
func (w *gitlabWriter) workflow(root *mapping, triggers []plan.Trigger) {
	m, ok := root.get("workflow").(*mapping)
	if !ok {
		m = &mapping{}
	}
	if g := w.plan.Workflows[0].Group; g != nil {
		switch {
		case g.Cancel && strings.Contains(g.Name, "github.ref"):
			w.hooked = true
			m.set("auto_cancel", of("on_new_commit", "interruptible"))
		default:
			w.lose(CodeLost, w.plan.Workflows[0].Place, "GitLab has no concurrency of whole pipelines: the group %s is lost", g.Name)
		}
	}
	var rules list
	for _, t := range triggers {
		rules = append(rules, w.trigger(t)...)
	}
	if len(rules) == 0 {
		w.bad(CodeTrigger, w.plan.Workflows[0].Place, "no event of GitLab starts this workflow")
		rules = list{of("when", "never")}
	}
	m.set("rules", rules)
	root.set("workflow", m)
	if t := w.plan.Workflows[0].Title; dynamic(t) {
		w.lose(CodeLost, w.plan.Workflows[0].Place, "the run-name %s is lost: GitLab's workflow:name can say it with its own variables", t)
	}
}

// trigger is an event as rules, one for each way in which its filters hold.
func (w *gitlabWriter) trigger(t plan.Trigger) list {
	var in cond
	name := t.Event
	switch t.Event {
	case "push":
		in = w.pushed(t)
	case "pull_request", "pull_request_target":
		in = and(ask(event, equals, "pull_request"), w.refs(base, t.Branches, t.BranchesIgnore, t))
		w.types(t)
		if t.Event == "pull_request_target" {
			w.lose(CodeTrigger, t.Place, "GitLab runs merge requests with the source branch's own file, never with that of the target")
		}
	case "workflow_dispatch", "repository_dispatch":
		in = ask(event, equals, name)
	case "schedule":
		in = ask(event, equals, name)
		w.note(CodeSettings, t.Place, "GitLab keeps schedules in its settings: make one for each of %s", strings.Join(t.Crons, ", "))
	case "workflow_call":
		w.lose(CodeTrigger, t.Place, "GitLab calls no pipelines as GitHub calls workflows: include: is near")
		return nil
	default:
		w.lose(CodeTrigger, t.Place, "GitLab starts no pipeline by the event %s", t.Event)
		return nil
	}
	if len(t.PathsIgnore) > 0 {
		w.lose(CodePaths, t.Place, "GitLab cannot leave out changes of files: paths-ignore of %s is lost", t.Event)
	}
	var out list
	for _, rule := range w.rules(in, "", t.Place, "the event "+t.Event) {
		if m, ok := rule.(*mapping); ok && len(t.Paths) > 0 {
			for _, p := range t.Paths {
				if strings.HasPrefix(p, "!") {
					w.lose(CodePaths, t.Place, "GitLab cannot leave out changes of files: %s is lost", p)
				}
			}
			m.set("changes", stringsOf(slices.DeleteFunc(slices.Clone(t.Paths), func(p string) bool { return strings.HasPrefix(p, "!") })))
		}
		out = append(out, rule)
	}
	return out
}

func stringsOf(items []string) list {
	out := make(list, len(items))
	for i, s := range items {
		out[i] = s
	}
	return out
}

// types tells where a pull request is to start the workflow at other moments than GitLab's merge requests do.
func (w *gitlabWriter) types(t plan.Trigger) {
	for _, is := range t.Types {
		if is != "opened" && is != "synchronize" && is != "reopened" {
			w.lose(CodeTrigger, t.Place, "GitLab starts merge request pipelines for commits, not where a merge request is %s", is)
		}
	}
}

// pushed is a push: a workflow that filters one kind of refs only does not run for the other.
func (w *gitlabWriter) pushed(t plan.Trigger) cond {
	branches, tags := t.Branches != nil || t.BranchesIgnore != nil, t.Tags != nil || t.TagsIgnore != nil
	push := ask(event, equals, "push")
	if !branches && !tags {
		return push
	}
	in := no
	if branches {
		in = or(in, w.refs(branch, t.Branches, t.BranchesIgnore, t))
	}
	if tags {
		in = or(in, w.refs(tag, t.Tags, t.TagsIgnore, t))
	}
	return and(push, in)
}

// refs are filters of branches or tags: the last pattern that matches decides.
func (w *gitlabWriter) refs(f fact, take, ignore []string, t plan.Trigger) cond {
	one := func(glob string) cond {
		c, ok := ofGlob(f, glob)
		if !ok {
			w.bad(CodeTrigger, t.Place, "the pattern %s of %s cannot be translated", glob, t.Event)
		}
		return c
	}
	in := ask(f, isSet, "")
	if f == base {
		in = yes
	}
	if take != nil {
		in = no
		for _, glob := range take {
			if rest, leaves := strings.CutPrefix(glob, "!"); leaves {
				in = and(in, not(one(rest)))
			} else {
				in = or(in, one(glob))
			}
		}
	}
	for _, glob := range ignore {
		in = and(in, not(one(glob)))
	}
	return in
}

// rules writes a condition as rules, one for each part of an ||.
func (w *gitlabWriter) rules(in cond, when plan.When, at fault.Place, who string) list {
	if in = in.handmade(); in.op == isFalse {
		return nil
	}
	kids := []cond{in}
	if in.op == isOr {
		kids = in.kids
	}
	var out list
	for _, k := range kids {
		m := &mapping{}
		if k.op != isTrue {
			text, err := k.gitlab()
			if err != nil {
				w.bad(CodeCondition, at, "the condition of %s cannot be translated: %v", who, err)
				continue
			}
			m.set("if", text)
		}
		if when != "" && (when != plan.OnSuccess || m.empty()) {
			m.set("when", string(when))
		}
		if m.empty() {
			m.set("when", "always")
		}
		out = append(out, m)
	}
	return out
}

// variables are those of the workflow, the inputs that a person is asked for, and GitHub's own that scripts read.
func (w *gitlabWriter) variables(triggers []plan.Trigger) *mapping {
	s := &scope{gitlabWriter: w}
	m := &mapping{}
	for _, t := range triggers {
		for _, in := range t.Inputs {
			if t.Event != "workflow_dispatch" || w.manual[strings.ToLower(in.Name)] {
				continue
			}
			one := of("value", strings.ReplaceAll(in.Default, "$", "$$"))
			options := in.Options
			if in.Type == "boolean" {
				options = []string{"true", "false"}
				if in.Default == "" {
					one.set("value", "false")
				}
			}
			if len(options) > 0 {
				one.set("options", row(options))
			}
			one.set("description", in.Description)
			m.set(inputVariable(in.Name), one)
		}
	}
	for _, v := range w.plan.Variables {
		if m.get(v.Name) != nil {
			continue
		}
		if value, ok := s.text(v.Value, fault.Place{File: w.plan.File}); ok && !gitlabWord(v.Name, value) {
			m.set(v.Name, value)
		}
	}
	for _, p := range table {
		if p.env != "" && w.words[p.env] && m.get(p.env) == nil {
			m.set(p.env, "$"+p.gitlab)
		}
	}
	return m
}

// gitlabWord reports whether a variable only gives a predefined variable of GitLab its own value.
func gitlabWord(name, value string) bool {
	return isGitLabs(name) && value == "$"+name || name == strings.TrimPrefix(value, "$") && strings.HasPrefix(value, "$")
}
