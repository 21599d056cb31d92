package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// inputRule is one entry of spec:inputs:rules: options and a default for when other inputs have certain values
// (CI/CD YAML syntax reference, spec:inputs:rules).
type inputRule struct {
	when       *expr.Expr // nil: the rule for all other cases
	node       *yamlx.Node
	options    *yamlx.Node
	given      *yamlx.Node
	hasDefault bool
}

var ruleKeys = []string{"if", "options", "default"}

// inputRules reads the rules of one input.
func (l *loader) inputRules(n *yamlx.Node, what, kind string) []inputRule {
	rules := n.Get("rules")
	if rules.IsNull() {
		return nil
	}
	for _, key := range []string{"options", "default"} {
		if p, ok := n.Find(key); ok {
			l.tell(CodeInputRule, p.Key.Place, "%s has rules, so it cannot have %s of its own", what, key).
				WithHint("put them into a last rule without if")
		}
	}
	if !rules.IsSequence() {
		l.tell(CodeInputRule, rules.Place, "the rules of %s are %s, but must be a list", what, rules.Describe())
		return nil
	}
	var out []inputRule
	for i, r := range rules.Items {
		if rule, ok := l.inputRule(r, fmt.Sprintf("rule %d of %s", i+1, what), kind); ok {
			out = append(out, rule)
		}
	}
	return out
}

func (l *loader) inputRule(n *yamlx.Node, what, kind string) (inputRule, bool) {
	if !n.IsMapping() {
		l.tell(CodeInputRule, n.Place, "%s is %s, but must be a mapping", what, n.Describe())
		return inputRule{}, false
	}
	l.known(n, ruleKeys, CodeInputRule, what)
	rule := inputRule{node: n, options: l.options(n.Get("options"), what, kind)}
	if d, ok := n.Find("default"); ok {
		rule.given, rule.hasDefault = d.Value, true
	}
	condition := n.Get("if")
	if condition.IsNull() {
		if rule.options == nil || len(rule.options.Items) == 0 {
			l.tell(CodeInputRule, n.Place, "%s has no if, so it needs options", what)
		}
		return rule, true
	}
	text, ok := condition.Str()
	if !ok {
		l.tell(CodeInputRule, condition.Place, "the if of %s is %s, but must be an expression", what, condition.Describe())
		return rule, false
	}
	when, err := expr.Parse(text)
	if err != nil {
		l.tell(CodeInputRule, condition.Place, "the if of %s is not valid: %v", what, err)
		return rule, false
	}
	if rule.when = when; rule.options == nil && !rule.hasDefault {
		l.tell(CodeInputRule, n.Place, "%s needs options or a default", what)
	}
	return rule, true
}

// checkRules looks at all inputs together: rules name inputs that exist, and no input waits for itself. It reports
// whether the inputs can be resolved at all.
func (l *loader) checkRules(inputs []*input) bool {
	byName := map[string]*input{}
	var names []string
	for _, in := range inputs {
		byName[in.name] = in
		names = append(names, in.name)
	}
	for _, in := range inputs {
		for _, r := range in.rules {
			if r.when == nil {
				continue
			}
			for _, name := range r.when.Inputs() {
				if byName[name] == nil {
					f := l.tell(CodeInputRule, r.node.Get("if").At(), "a rule of the input %q asks for the input %q, which does not exist", in.name, name)
					if near := l.near(name, names); near != "" {
						f.WithHint("did you mean %q?", near)
					}
				}
			}
		}
	}
	clear := map[string]bool{}
	for _, in := range inputs {
		if path := cycle(in, byName, nil, clear); path != nil {
			l.tell(CodeInputRule, in.place, "the rules of these inputs wait for one another: %s", strings.Join(path, " → "))
			return false
		}
	}
	return true
}

// cycle is a way along the rules from an input back to itself, or nil. clear holds the inputs from which there is none.
func cycle(in *input, byName map[string]*input, path []string, clear map[string]bool) []string {
	if clear[in.name] {
		return nil
	}
	if i := slices.Index(path, in.name); i >= 0 {
		return append(slices.Clone(path[i:]), in.name)
	}
	path = append(path, in.name)
	for _, r := range in.rules {
		if r.when == nil {
			continue
		}
		for _, name := range r.when.Inputs() {
			if next := byName[name]; next != nil {
				if found := cycle(next, byName, path, clear); found != nil {
					return found
				}
			}
		}
	}
	clear[in.name] = true
	return nil
}

// match is the first rule that holds for the values so far, or nil.
func (in *input) match(value func(string) (expr.Value, bool)) *inputRule {
	for i := range in.rules {
		r := &in.rules[i]
		if r.when == nil {
			return r
		}
		if ok, err := r.when.EvalIn(expr.Scope{Inputs: value}); err == nil && ok {
			return r
		}
	}
	return nil
}
