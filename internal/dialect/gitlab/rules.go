package gitlab

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// verdict is what rules (or only and except) decided. rule is nil where none matched or there are none.
type verdict struct {
	in   bool
	why  plan.Decision
	rule *keyword.Rule
}

// judge decides by rules, clause by clause, and keeps the reasons. It lives for one list of rules.
type judge struct {
	*compiler
	scope  *scope
	about  string // "job x" or "workflow", for messages
	values map[string]bool
	why    plan.Decision
}

// rules finds the first rule whose clauses all hold; when is used where that rule names none. Nothing matching leaves
// the job out (GitLab CI/CD YAML syntax reference, rules).
func (c *compiler) rules(ctx context.Context, rules *keyword.Rules, when plan.When, s *scope, about string) verdict {
	j := &judge{compiler: c, scope: s, about: about, values: map[string]bool{}}
	for i := range rules.Items {
		rule := &rules.Items[i]
		name := fmt.Sprintf("rules[%d]", i)
		held, err := j.matches(ctx, rule, name)
		if err != nil {
			c.faults.Add(err)
			j.why.Rule, j.why.Place, j.why.When = name, rule.Place, plan.Never
			return verdict{why: j.why}
		}
		if !held {
			continue
		}
		if rule.When.Set {
			when = rule.When.Value
		}
		j.why.Rule, j.why.Text, j.why.Place, j.why.When = name, ruleText(rule), rule.Place, when
		return verdict{in: when != plan.Never, why: j.why, rule: rule}
	}
	j.why.Rule, j.why.Place, j.why.When = "no rule matched", rules.Place, plan.Never
	return verdict{why: j.why}
}

// matches reports whether all clauses of a rule hold. A rule without clauses does.
func (j *judge) matches(ctx context.Context, rule *keyword.Rule, name string) (bool, *fault.Fault) {
	if rule.If.Set {
		held, err := j.holds(rule.If)
		if err != nil {
			return false, err
		}
		if !held {
			j.tell("%s: if: %s is false", name, oneLine(rule.If.Text))
			return false, nil
		}
	}
	if rule.Changes != nil {
		held, detail, err := j.changed(ctx, keyword.Strings(rule.Changes.Paths), rule.Changes, j.scope)
		if err != nil {
			return false, err
		}
		if !held {
			j.tell("%s: changes: %s", name, detail)
			return false, nil
		}
		j.tell("%s: changes: %s", name, detail)
	}
	if rule.Exists != nil {
		held, detail, err := j.exists(ctx, rule.Exists, j.scope)
		if err != nil {
			return false, err
		}
		if !held {
			j.tell("%s: exists: %s", name, detail)
			return false, nil
		}
		j.tell("%s: exists: %s", name, detail)
	}
	j.tell("%s: matched", name)
	return true, nil
}

// holds evaluates one expression and notes the variables that it read.
func (j *judge) holds(cond keyword.Condition) (bool, *fault.Fault) {
	e, err := j.expression(cond)
	if err != nil {
		return false, err
	}
	j.saw(e)
	held, evalErr := e.Eval(j.scope.Value)
	if evalErr != nil {
		return false, fault.At(CodeExpression, cond.Place, "%s: evaluate %s: %v", j.about, oneLine(cond.Text), evalErr)
	}
	return held, nil
}

// saw keeps the values of an expression's variables for the decision, each once.
func (j *judge) saw(e *expr.Expr) {
	for _, name := range e.Variables() {
		if j.values[name] {
			continue
		}
		j.values[name] = true
		v, ok := j.scope.Get(name)
		seen := plan.Value{Name: name, Value: v.Value, Defined: ok}
		if v.Masked {
			seen.Value = masked
		}
		j.why.Values = append(j.why.Values, seen)
	}
}

func (j *judge) tell(format string, args ...any) {
	j.why.Detail = append(j.why.Detail, fmt.Sprintf(format, args...))
}

// masked stands for the value of a masked variable.
const masked = "[masked]"

// expression parses a condition once, however many jobs share it.
func (c *compiler) expression(cond keyword.Condition) (*expr.Expr, *fault.Fault) {
	if e, ok := c.expressions[cond.Text]; ok {
		return e, nil
	}
	e, err := expr.Parse(cond.Text)
	if err != nil {
		return nil, fault.At(CodeExpression, cond.Place, "the expression %s is not valid: %v", oneLine(cond.Text), err)
	}
	c.expressions[cond.Text] = e
	return e, nil
}

// ruleText is a rule as a person would write it in one line.
func ruleText(r *keyword.Rule) string {
	var parts []string
	if r.If.Set {
		parts = append(parts, "if: "+oneLine(r.If.Text))
	}
	if r.Changes != nil {
		text := "changes: " + pathsText(r.Changes.Paths, r.Changes.Regexp)
		if r.Changes.CompareTo.Set {
			text += " compare_to: " + r.Changes.CompareTo.Value
		}
		parts = append(parts, text)
	}
	if r.Exists != nil {
		parts = append(parts, "exists: "+pathsText(r.Exists.Paths, r.Exists.Regexp))
	}
	if r.When.Set {
		parts = append(parts, "when: "+string(r.When.Value))
	}
	return strings.Join(parts, "; ")
}

// pathsText is the condition on paths as written.
func pathsText(paths []keyword.Text, regexp keyword.Text) string {
	if regexp.Set {
		return "/" + oneLine(regexp.Value) + "/"
	}
	return list(keyword.Strings(paths))
}

// list shows at most four items.
func list(items []string) string {
	const most = 4
	if len(items) > most {
		return fmt.Sprintf("[%s and %d more]", strings.Join(items[:most], ", "), len(items)-most)
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
