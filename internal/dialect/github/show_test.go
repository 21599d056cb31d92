package github_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// planText is a plan as a person can check it: what is not the default, one job a block.
func planText(p *plan.Plan, indent string) string {
	var b strings.Builder
	for _, w := range p.Workflows {
		fmt.Fprintf(&b, "workflow %s (%s)%s%s\n", w.Name, w.File, also(" titled ", w.Title), groupText(w.Group))
	}
	if p.Why != nil {
		fmt.Fprintf(&b, "why %s\n", whyText(*p.Why))
	}
	if len(p.Variables) > 0 {
		fmt.Fprintf(&b, "variables %s\n", variablesText(p.Variables))
	}
	for _, j := range p.Jobs {
		jobText(&b, j)
	}
	for _, x := range p.Excluded {
		fmt.Fprintf(&b, "out %s: %s\n", x.Name, whyText(x.Why))
		for _, d := range x.Why.Detail {
			fmt.Fprintf(&b, "  %s\n", d)
		}
	}
	if indent == "" {
		return b.String()
	}
	return indent + strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\n", "\n"+indent) + "\n"
}

func whyText(d plan.Decision) string {
	out := d.Rule
	if d.Text != "" {
		out += " (" + d.Text + ")"
	}
	for _, v := range d.Values {
		if v.Defined {
			out += fmt.Sprintf(" %s=%q", v.Name, v.Value)
		} else {
			out += " " + v.Name + "=undefined"
		}
	}
	return out
}

func jobText(b *strings.Builder, j *plan.Job) {
	fmt.Fprintf(b, "job %s [%s] %s: %s\n", j.Name, j.Stage, j.When, whyText(j.Why))
	say := func(cond bool, format string, args ...any) {
		if cond {
			fmt.Fprintf(b, "  "+format+"\n", args...)
		}
	}
	var needs []string
	for _, n := range j.Needs {
		needs = append(needs, n.Job)
	}
	say(j.ID != j.Name, "id %s", j.ID)
	say(j.Key != j.Name, "key %s", j.Key)
	say(j.Total > 0, "leg %d/%d {%s}", j.Index, j.Total, variablesText(j.Matrix))
	if st := j.Strategy; st != nil {
		say(!st.FailFast || st.Parallel > 0, "strategy fail-fast=%t parallel=%d", st.FailFast, st.Parallel)
	}
	say(len(needs) > 0, "needs [%s]", strings.Join(needs, "; "))
	say(strings.Join(j.Inputs, ";") != strings.Join(needs, ";"), "inputs %v", j.Inputs)
	say(j.AllowFailure.Any, "may fail")
	say(j.Timeout != 360*time.Minute && j.Timeout != 0, "timeout %s", j.Timeout)
	say(j.Group != nil, "%s", groupText(j.Group))
	say(len(j.Tags) > 0 && strings.Join(j.Tags, " ") != "ubuntu-latest", "runs on %v", j.Tags)
	say(j.Image != nil, "image %s", containerText(j.Image))
	for i := range j.Services {
		s := &j.Services[i]
		say(true, "service %v %s%s", s.Aliases, containerText(&s.Container), also(" command ", strings.Join(s.Command, " ")))
	}
	if e := j.Environment; e != nil {
		say(true, "environment %s (%s)%s", e.Name, e.Action, also(" ", e.URL))
	}
	say(len(j.Variables) > 0, "variables %s", variablesText(j.Variables))
	say(len(j.Outputs) > 0, "outputs %s", variablesText(j.Outputs))
	for _, s := range j.Steps {
		if len(s.Lines) == 1 && s.Lines[0] == "true" && s.Name+s.ID+s.If+s.Shell == "" {
			continue
		}
		say(true, "step %s%s%s%s%s%s%s", also("", s.Name), also(" id=", s.ID), also(" if ", s.If), also(" uses ", s.Uses), also(" shell ", s.Shell), also(" in ", s.Dir), also(" with ", variablesText(s.With)))
		say(len(s.Lines) > 0, "  %q", s.Lines)
	}
	if a := j.Artifacts; a != nil {
		say(true, "artifacts %s %v without %v %s for %s", a.Name, a.Paths, a.Exclude, a.When, a.ExpireIn)
	}
	for _, c := range j.Caches {
		say(true, "cache %s else %v: %v %s", c.Key, c.FallbackKeys, c.Paths, c.Policy)
	}
	own := github.OwnOf(j)
	if inputs := own.Frame.Inputs; inputs.Len() > 0 {
		say(true, "sees inputs %s", inputs.JSON(false))
	}
	if own.Frame.Called() {
		if secrets, err := own.Frame.Secrets("TOKEN"); err == nil {
			say(true, "sees secrets %s", secrets.JSON(false))
		}
	}
	if p := own.Permissions; p != nil {
		say(true, "permissions contents=%s issues=%s id-token=%s", p["contents"], p["issues"], p["id-token"])
	}
	if l := j.Late; l != nil {
		late, _ := l.Payload.(*github.Late)
		say(true, "late %s for %s%s", l.Kind, late.Why, also(" uses ", late.Uses))
		if l.Plan != nil {
			b.WriteString(planText(l.Plan, "  | "))
		}
	}
}

func also(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

func groupText(g *plan.Group) string {
	if g == nil {
		return ""
	}
	out := " group " + g.Name + " " + g.Mode
	if g.Cancel {
		out += " cancels"
	}
	return out
}

func containerText(c *plan.Container) string {
	if c == nil {
		return ""
	}
	out := c.Name + also(" options ", c.Options) + also(" user ", c.Username)
	if len(c.Ports) > 0 {
		out += fmt.Sprintf(" ports %v", c.Ports)
	}
	if len(c.Volumes) > 0 {
		out += fmt.Sprintf(" volumes %v", c.Volumes)
	}
	if len(c.Env) > 0 {
		out += " env " + variablesText(c.Env)
	}
	return out
}

func variablesText(vs []plan.Variable) string {
	var out []string
	for _, v := range vs {
		out = append(out, v.Name+"="+v.Value)
	}
	return strings.Join(out, ", ")
}
