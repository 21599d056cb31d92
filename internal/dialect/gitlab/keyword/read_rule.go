package keyword

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/rubyre"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// The values of when, by where it stands (CI/CD YAML syntax reference, when).
var (
	jobWhen      = []string{"on_success", "on_failure", "always", "manual", "delayed"}
	bridgeWhen   = []string{"on_success", "on_failure", "always", "manual"}
	ruleWhen     = []string{"on_success", "on_failure", "always", "never", "manual", "delayed"}
	workflowWhen = []string{"always", "never"}
	partWhen     = []string{"on_success", "on_failure", "always"} // of artifacts and caches
)

const (
	maxPatterns = 50 // in one rules:changes or rules:exists
	maxDelay    = 7 * 24 * time.Hour
)

// rules reads rules: of a job or of workflow; path is its path in the table.
func (r *reader) rules(n *yamlx.Node, path string) *Rules {
	out := &Rules{Place: n.At()}
	if !n.IsSequence() {
		f := r.wrong(n, path, "a list of rules")
		if n.IsMapping() {
			f.WithHint("write a - before the first keyword of the rule")
		}
		return out
	}
	out.Items = make([]Rule, 0, len(n.Items))
	r.flatten(n, path, 0, func(item *yamlx.Node) {
		if r.mapping(item, "an item of "+path) {
			out.Items = append(out.Items, r.rule(item, path))
		}
	})
	return out
}

// rule reads one rule.
func (r *reader) rule(n *yamlx.Node, path string) Rule {
	rule := Rule{Place: n.At()}
	if len(n.Pairs) == 0 {
		r.fail(CodeMissing, n, "an item of %s is empty", path)
	}
	for name, pair := range r.fields(n, scopeOf(path), "an item of "+path) {
		what, v := path+":"+name, pair.Value
		switch name {
		case "if":
			rule.If = r.condition(v, what)
		case "changes":
			rule.Changes = r.changes(v, what)
		case "exists":
			rule.Exists = r.exists(v, what)
		case "when":
			among := ruleWhen
			if r.part == InWorkflow {
				among = workflowWhen
			}
			rule.When = whenOf(r.choice(v, what, among))
		case "start_in":
			rule.StartIn = r.span(v, what, spanRule{limit: maxDelay})
		case "allow_failure":
			if f := r.flag(v, what); f.Set {
				rule.AllowFailure = &AllowFailure{Any: f.Value, Place: f.Place}
			}
		case "variables":
			rule.Variables = r.variables(v, what)
		case "needs":
			if r.part != InWorkflow {
				rule.Needs = r.needs(v, what)
			}
		case "interruptible":
			rule.Interruptible = r.flag(v, what)
		case "auto_cancel":
			a := r.autoCancel(v, what)
			rule.AutoCancel = &a
		}
	}
	if r.part != InWorkflow {
		r.delay(n, path, rule.When, rule.StartIn)
	}
	return rule
}

// delay checks that start_in and when: delayed come together.
func (r *reader) delay(n *yamlx.Node, path string, when Placed[plan.When], start Span) {
	delayed := when.Value == plan.Delayed
	switch {
	case delayed && n.Get("start_in").IsNull():
		r.failAt(CodeMissing, when.Place, "%s:when is delayed, but there is no start_in", path).WithHint("add start_in: 30 minutes")
	case !delayed && !n.Get("start_in").IsNull():
		r.failAt(CodeTogether, start.Place, "%s:start_in needs when: delayed beside it", path)
	}
}

// when reads the condition of a job.
func (r *reader) when(j *Job, n *yamlx.Node) {
	among := jobWhen
	if r.part == InBridge {
		among = bridgeWhen
	}
	t := r.text(n, "when")
	if !t.Set {
		return
	}
	if !slices.Contains(among, t.Value) {
		f := r.badChoice(n, "when", t.Value, among)
		if t.Value == "never" {
			f.WithHint("never is for rules; to leave a job out, begin its name with a dot")
		}
		return
	}
	j.When = whenOf(t)
}

func whenOf(t Text) Placed[plan.When] {
	if !t.Set {
		return Placed[plan.When]{}
	}
	return Placed[plan.When]{Value: plan.When(t.Value), Place: t.Place, Set: true}
}

// condition reads an expression and checks its syntax.
func (r *reader) condition(n *yamlx.Node, what string) Condition {
	text, ok := n.Str()
	if !ok {
		r.wrong(n, what, "an expression such as $CI_COMMIT_TAG").WithHint("put it in quotes: %q", n.Text())
		return Condition{}
	}
	c := Condition{Text: text, Place: within(n, 0), Set: true}
	if parsed, there := r.conditions[text]; there && parsed != nil {
		c.Parsed = parsed
		return c
	}
	parsed, err := expr.Parse(text)
	var bad *expr.Error
	if errors.As(err, &bad) {
		r.failAt(bad.Code, within(n, bad.Offset), "%s: %s", what, bad.Message).Hint = bad.Hint
	}
	r.conditions[text], c.Parsed = parsed, parsed
	return c
}

// within is the place of a byte inside of a scalar, exact where the scalar is written on one line.
func within(n *yamlx.Node, offset int) fault.Place {
	at := n.At()
	if at.Column == 0 || n.Style == yamlx.Block || n.Style == yamlx.Made || strings.Contains(n.Value, "\n") {
		return at
	}
	if n.Style == yamlx.Quoted {
		at.Column++
	}
	at.Column += len([]rune(n.Value[:min(offset, len(n.Value))]))
	return at
}

// changes reads rules:changes: a list, or paths and compare_to.
func (r *reader) changes(n *yamlx.Node, what string) *Changes {
	out := &Changes{Place: n.At()}
	if !n.IsMapping() {
		out.Paths = r.patternList(n, what)
		return out
	}
	for name, pair := range r.fields(n, scopeOf(what), what) {
		switch name {
		case "paths":
			out.Paths = r.patternList(pair.Value, what+":paths")
		case "compare_to":
			out.CompareTo = r.text(pair.Value, what+":compare_to")
		case "regexp":
			out.Regexp = r.rubyPattern(pair.Value, what+":regexp")
		}
	}
	r.pathsOrRegexp(n, what)
	return out
}

// exists reads rules:exists: a list, or paths, project and ref.
func (r *reader) exists(n *yamlx.Node, what string) *Exists {
	out := &Exists{Place: n.At()}
	if !n.IsMapping() {
		out.Paths = r.patternList(n, what)
		return out
	}
	for name, pair := range r.fields(n, scopeOf(what), what) {
		switch name {
		case "paths":
			out.Paths = r.patternList(pair.Value, what+":paths")
		case "project":
			out.Project = r.text(pair.Value, what+":project")
		case "ref":
			out.Ref = r.text(pair.Value, what+":ref")
		case "regexp":
			out.Regexp = r.rubyPattern(pair.Value, what+":regexp")
		}
	}
	r.pathsOrRegexp(n, what)
	if out.Ref.Set && !out.Project.Set {
		r.failAt(CodeTogether, out.Ref.Place, "%s:ref needs project beside it", what)
	}
	return out
}

// pathsOrRegexp tells where not exactly one of them is there.
func (r *reader) pathsOrRegexp(n *yamlx.Node, what string) {
	switch paths, regexp := n.Get("paths"), n.Get("regexp"); {
	case paths.IsNull() && regexp.IsNull():
		r.fail(CodeMissing, n, "%s needs paths or regexp", what)
	case !paths.IsNull() && !regexp.IsNull():
		r.fail(CodeTogether, n, "%s:paths and %s:regexp exclude each other", what, what)
	}
}

// rubyPattern reads a regular expression in Ruby's own language. One with variables is checked when they are known.
func (r *reader) rubyPattern(n *yamlx.Node, what string) Text {
	t := r.text(n, what)
	if t.Set && !strings.Contains(t.Value, "$") {
		if _, err := rubyre.Compile(t.Value); err != nil {
			r.failAt(CodePattern, t.Place, "%s: the regular expression cannot be read: %v", what, err)
		}
	}
	return t
}

// patternList reads at most fifty paths.
func (r *reader) patternList(n *yamlx.Node, what string) []Text {
	items := r.texts(n, what).Items
	if len(items) > maxPatterns {
		r.fail(CodeLimit, n, "%s has %d paths, at most %d are allowed", what, len(items), maxPatterns)
	}
	return items
}

// policy reads only: and except:.
func (r *reader) policy(n *yamlx.Node, path string) *Policy {
	out := &Policy{Place: n.At()}
	switch {
	case n.IsSequence():
		out.Refs = r.refs(n, path)
	case !n.IsMapping():
		f := r.wrong(n, path, "a list of refs or a mapping")
		if s, ok := n.Str(); ok {
			f.WithHint("write it as a list: [%s]", s)
		}
		return out
	}
	if len(n.Items)+len(n.Pairs) == 0 {
		if n.IsMapping() {
			r.fail(CodeMissing, n, "%s is empty", path)
		} else if path == "only" { // an empty except takes an inherited one away
			r.note(CodeNoEffect, fault.Warning, n.At(), "", "%s is an empty list, which no ref matches", path)
		}
	}
	if !n.IsMapping() {
		return out
	}
	for name, pair := range r.fields(n, scopeOf(path), path) {
		what, v := path+":"+name, pair.Value
		switch name {
		case "refs":
			out.Refs = r.refs(v, what)
		case "changes":
			out.Changes = r.texts(v, what)
		case "kubernetes":
			t := r.choice(v, what, []string{"active"})
			out.Kubernetes = Flag{Value: t.Set, Place: t.Place, Set: t.Set}
		case "variables":
			if !v.IsSequence() {
				r.wrong(v, what, "a list of expressions")
				continue
			}
			for _, item := range v.Items {
				if c := r.condition(item, what); c.Set {
					out.Variables = append(out.Variables, c)
				}
			}
		}
	}
	return out
}

// refs reads the refs of only and except; those between slashes are regular expressions.
func (r *reader) refs(n *yamlx.Node, what string) *Texts {
	out := r.texts(n, what)
	for _, t := range out.Items {
		pattern := t.Value
		if i := strings.LastIndexByte(pattern, '@'); i > 0 && strings.HasPrefix(pattern, "/") && !expr.IsPattern(pattern) {
			pattern = pattern[:i]
		}
		if expr.IsPattern(pattern) {
			r.pattern(t, pattern, what)
		}
	}
	return out
}

// pattern checks a regular expression between slashes; it reports whether it is good.
func (r *reader) pattern(t Text, pattern, what string) bool {
	bad, there := r.patterns[pattern]
	if !there {
		_, err := expr.CompilePattern(pattern)
		errors.As(err, &bad)
		r.patterns[pattern] = bad
	}
	if bad == nil {
		return true
	}
	f := r.failAt(CodePattern, t.Place, "%s: %s", what, bad.Message)
	f.Hint = bad.Hint
	return false
}
