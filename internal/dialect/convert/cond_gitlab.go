package convert

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
)

// gitlabFacts are the variables of GitLab that stand for a fact.
var gitlabFacts = map[string]fact{
	"CI_COMMIT_BRANCH": branch, "CI_COMMIT_TAG": tag, "CI_COMMIT_REF_NAME": refName, "CI_PIPELINE_SOURCE": event,
	"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": base, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": head, "GITLAB_USER_LOGIN": actor,
	"CI_PROJECT_PATH": repository, "CI_PROJECT_NAMESPACE": owner, "CI_COMMIT_REF_PROTECTED": protected, "CI_COMMIT_MESSAGE": message,
	"CI_MERGE_REQUEST_TITLE": title,
}

// gitlabNames is gitlabFacts the other way round.
var gitlabNames = inverse(gitlabFacts)

func inverse[K, V comparable](m map[K]V) map[V]K {
	out := make(map[V]K, len(m))
	for k, v := range m {
		out[v] = k
	}
	return out
}

// sources are the values of CI_PIPELINE_SOURCE as GitHub's events. What GitHub has nothing for never happens there.
var sources = map[string]string{
	"push": "push", "merge_request_event": "pull_request", "schedule": "schedule", "web": "workflow_dispatch",
	"api": "repository_dispatch", "trigger": "repository_dispatch",
}

// fromGitLab reads an expression of rules:if. lost are remarks on what was decided without asking.
func fromGitLab(text string) (c cond, lost []string, err error) {
	if strings.TrimSpace(text) == "" {
		return yes, nil, nil
	}
	e, err := expr.Parse(text)
	if err != nil {
		return no, nil, fmt.Errorf("it cannot be read: %w", err)
	}
	r := &gitlabReader{}
	c = r.cond(e.Tree())
	return c, r.lost, r.err
}

type gitlabReader struct {
	lost []string
	err  error
}

func (r *gitlabReader) fail(format string, args ...any) cond {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	return no
}

func (r *gitlabReader) cond(t expr.Tree) cond {
	switch t.Op {
	case "&&":
		return and(r.cond(t.Below[0]), r.cond(t.Below[1]))
	case "||":
		return or(r.cond(t.Below[0]), r.cond(t.Below[1]))
	case "!":
		return not(r.cond(t.Below[0]))
	case "==":
		return r.compare(t.Below[0], t.Below[1])
	case "!=":
		return not(r.compare(t.Below[0], t.Below[1]))
	case "=~":
		return r.match(t.Below[0], t.Below[1])
	case "!~":
		return not(r.match(t.Below[0], t.Below[1]))
	case "variable":
		return r.set(t.Text)
	case "text":
		return truth(strings.TrimSpace(t.Text) != "")
	case "truth":
		return truth(t.Text == "true")
	case "null":
		return no
	}
	return r.fail("it holds %s, which only GitLab fills in", t.Text)
}

func truth(b bool) cond {
	if b {
		return yes
	}
	return no
}

// fact is what a variable stands for.
func (r *gitlabReader) fact(name string) fact {
	if f, ok := gitlabFacts[name]; ok {
		return f
	}
	if isGitLabs(name) {
		r.fail("GitHub has nothing for $%s", name)
		return unknown
	}
	return fact("var:" + name)
}

func (r *gitlabReader) set(name string) cond {
	switch name {
	case "CI_MERGE_REQUEST_IID", "CI_MERGE_REQUEST_ID", "CI_MERGE_REQUEST_EVENT_TYPE":
		return ask(event, equals, "pull_request")
	case "CI_OPEN_MERGE_REQUESTS":
		r.lost = append(r.lost, "GitHub does not know of open merge requests in a push ($CI_OPEN_MERGE_REQUESTS), so a branch with one runs for both events")
		return no
	case "CI", "CI_PIPELINE_ID", "CI_COMMIT_SHA", "CI_DEFAULT_BRANCH", "CI_COMMIT_REF_NAME", "CI_PROJECT_PATH":
		return yes
	}
	f := r.fact(name)
	if f == event {
		return yes
	}
	return ask(f, isSet, "")
}

// compare reads ==, with a variable on either side.
func (r *gitlabReader) compare(a, b expr.Tree) cond {
	if a.Op != "variable" {
		a, b = b, a
	}
	if a.Op == "input" || b.Op == "input" {
		return r.fail("it holds an input, which only GitLab fills in")
	}
	if a.Op != "variable" {
		return truth(a.Op == b.Op && a.Text == b.Text)
	}
	if a.Text == "CI_DEFAULT_BRANCH" && b.Op == "variable" {
		a, b = b, a
	}
	f := r.fact(a.Text)
	switch {
	case b.Op == "null" || b.Op == "text" && b.Text == "":
		return not(r.set(a.Text))
	case b.Op == "variable" && b.Text == "CI_DEFAULT_BRANCH" && (f == branch || f == refName || f == base || f == head):
		return ask(f, isDefault, "")
	case b.Op != "text":
		return r.fail("it compares $%s with another variable", a.Text)
	case f == event:
		if name, ok := sources[b.Text]; ok {
			return ask(event, equals, name)
		}
		return no
	}
	return ask(f, equals, b.Text)
}

// match reads =~. The flag i makes no difference to GitHub, which never looks at the case.
func (r *gitlabReader) match(a, b expr.Tree) cond {
	if a.Op != "variable" || b.Op != "pattern" && !(b.Op == "text" && expr.IsPattern(b.Text)) {
		return r.fail("only a variable can be matched with a pattern that is written out")
	}
	end := strings.LastIndex(b.Text, "/")
	source, flags := strings.ReplaceAll(b.Text[1:end], `\/`, "/"), b.Text[end+1:]
	if strings.Trim(flags, "i") != "" {
		return r.fail("the pattern has the flags %s", flags)
	}
	f := r.fact(a.Text)
	if f != event {
		return patternOf(f, source)
	}
	var kids []cond
	for name, is := range sources {
		if p, err := expr.CompilePattern(b.Text); err == nil && p.Match(name) {
			kids = append(kids, ask(event, equals, is))
		}
	}
	return or(sorted(kids)...)
}

func sorted(kids []cond) []cond {
	for i := range kids {
		for k := i; k > 0 && kids[k].test.text < kids[k-1].test.text; k-- {
			kids[k], kids[k-1] = kids[k-1], kids[k]
		}
	}
	return kids
}

// isGitLabs reports whether GitLab defines the variable.
func isGitLabs(name string) bool {
	return strings.HasPrefix(name, "CI_") || name == "CI" || strings.HasPrefix(name, "GITLAB_")
}

// gitlab writes the condition for rules:if. It is an error where GitLab has no word for it.
func (c cond) gitlab() (string, error) { return c.gitlabIn(isOr) }

func (c cond) gitlabIn(around op) (string, error) {
	switch c.op {
	case isTrue:
		return `"true"`, nil
	case isFalse:
		return `null`, nil
	case isTest:
		return c.test.gitlab(around)
	}
	word := map[op]string{isAnd: " && ", isOr: " || "}[c.op]
	parts := make([]string, len(c.kids))
	for i, k := range c.kids {
		text, err := k.gitlabIn(c.op)
		if err != nil {
			return "", err
		}
		parts[i] = text
	}
	text := strings.Join(parts, word)
	if c.op == isOr && around == isAnd {
		text = "(" + text + ")"
	}
	return text, nil
}

func (t test) gitlab(around op) (string, error) {
	name := gitlabNames[t.fact]
	if v, ok := strings.CutPrefix(string(t.fact), "var:"); ok {
		name = v
	}
	if name == "" {
		return "", fmt.Errorf("GitLab has nothing for %s", t.fact)
	}
	if t.fact == event {
		return t.source(around)
	}
	is, finds := "==", "=~"
	if t.not {
		is, finds = "!=", "!~"
	}
	switch t.verb {
	case isSet:
		switch {
		case !t.not:
			return "$" + name, nil
		case gitlabNames[t.fact] != "":
			return "$" + name + " == null", nil
		}
		return bracket("$"+name+` == null || $`+name+` == ""`, around), nil
	case equals:
		return "$" + name + " " + is + " " + gitlabText(t.text), nil
	case isDefault:
		return "$" + name + " " + is + " $CI_DEFAULT_BRANCH", nil
	default:
		return "$" + name + " " + finds + " " + pattern(t.verb, t.text), nil
	}
}

func bracket(text string, around op) string {
	if around == isAnd {
		return "(" + text + ")"
	}
	return text
}

// source is a test of the event. GitLab's api and trigger are both GitHub's repository_dispatch.
func (t test) source(around op) (string, error) {
	is, with := " == ", " || "
	if t.not {
		is, with = " != ", " && "
	}
	switch t.text {
	case "repository_dispatch":
		text := `$CI_PIPELINE_SOURCE` + is + `"trigger"` + with + `$CI_PIPELINE_SOURCE` + is + `"api"`
		if t.not {
			return text, nil
		}
		return bracket(text, around), nil
	case "pull_request_target":
		return `$CI_PIPELINE_SOURCE` + is + `"merge_request_event"`, nil
	}
	for name, is := range sources {
		if is == t.text {
			word := "=="
			if t.not {
				word = "!="
			}
			return "$CI_PIPELINE_SOURCE " + word + ` "` + name + `"`, nil
		}
	}
	if t.not {
		return `"true"`, nil
	}
	return "null", nil // never happens on GitLab
}

// inputVariable is the name of a variable for an input.
func inputVariable(name string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if word(r) {
			return r
		}
		return '_'
	}, name))
}

// gitlabText is a text of the language. It has no escapes, so a text with both quotes is written as a pattern would be.
func gitlabText(s string) string {
	if strings.Contains(s, `"`) {
		return "'" + s + "'"
	}
	return `"` + s + `"`
}
