package convert

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
)

// githubFacts are the properties of contexts that stand for a fact.
var githubFacts = map[string]fact{
	"github.event_name": event, "github.base_ref": base, "github.head_ref": head, "github.actor": actor, "github.repository": repository,
	"github.repository_owner": owner, "github.ref_protected": protected, "github.event.head_commit.message": message,
	"github.event.pull_request.title": title, "github.event.pull_request.base.ref": base, "github.event.pull_request.head.ref": head,
	"github.triggering_actor": actor,
}

// githubNames are the ways in which facts are asked for.
var githubNames = map[fact]string{
	event: "github.event_name", base: "github.base_ref", head: "github.head_ref", actor: "github.actor", repository: "github.repository",
	owner: "github.repository_owner", protected: "github.ref_protected", message: "github.event.head_commit.message",
	title: "github.event.pull_request.title", refName: "(github.head_ref || github.ref_name)",
}

const defaultBranch = "github.event.repository.default_branch"

// standing is how the jobs before a job ended, for status functions.
type standing struct{ success, failure bool }

// The standings that tell GitLab's whens apart: all went well, something failed, something was skipped.
var standings = [...]standing{{success: true}, {failure: true}, {}}

// fromGitHub reads the if of a job: the condition in each of the standings. implied says that success() stands before
// it.
func fromGitHub(text string) (in [len(standings)]cond, err error) {
	parsed, bad := expr.ParseCondition(strings.TrimSpace(text), nil)
	if bad != nil {
		return in, fmt.Errorf("it cannot be read: %s", bad.Message)
	}
	for i, s := range standings {
		r := &githubReader{in: s}
		in[i] = r.cond(parsed.Expr().Root())
		if parsed.Implied() && !s.success {
			in[i] = no
		}
		if r.err != nil {
			return in, r.err
		}
	}
	return in, nil
}

type githubReader struct {
	in  standing
	err error
}

func (r *githubReader) fail(format string, args ...any) cond {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	return no
}

func (r *githubReader) cond(n expr.Node) cond {
	switch n := n.(type) {
	case *expr.Literal:
		return truth(n.Value.Truthy())
	case *expr.Not:
		return not(r.cond(n.Of))
	case *expr.Call:
		return r.call(n)
	case *expr.Binary:
		switch n.Op {
		case "&&":
			return and(r.cond(n.Left), r.cond(n.Right))
		case "||":
			return or(r.cond(n.Left), r.cond(n.Right))
		case "==":
			return r.compare(n.Left, n.Right)
		case "!=":
			return not(r.compare(n.Left, n.Right))
		}
		return r.fail("GitLab cannot compare with %s", n.Op)
	}
	if name, ok := inputOf(n); ok {
		return ask(fact("input:"+name), equals, "true")
	}
	return r.about(n, isSet, "")
}

// inputOf is the name of an input that is read.
func inputOf(n expr.Node) (string, bool) {
	path := pathOf(n)
	for _, before := range []string{"inputs.", "github.event.inputs."} {
		if name, ok := strings.CutPrefix(strings.ToLower(path), before); ok {
			return path[len(path)-len(name):], true
		}
	}
	return "", false
}

// pathOf is a chain of properties as written, or "".
func pathOf(n expr.Node) string {
	switch n := n.(type) {
	case *expr.Variable:
		return n.Name
	case *expr.Property:
		if of := pathOf(n.Of); of != "" {
			return of + "." + n.Name
		}
	case *expr.Index:
		if l, ok := n.Key.(*expr.Literal); ok && l.Value.Kind() == expr.KindString {
			if of := pathOf(n.Of); of != "" {
				return of + "." + l.Value.Text()
			}
		}
	}
	return ""
}

// call reads a function.
func (r *githubReader) call(n *expr.Call) cond {
	verbs := map[string]verb{"startswith": begins, "endswith": ends, "contains": has}
	switch n.Name {
	case "always":
		return yes
	case "success":
		return r.status(n, r.in.success)
	case "failure":
		return r.status(n, r.in.failure)
	case "cancelled":
		return no // a pipeline that is canceled starts no jobs
	case "startswith", "endswith", "contains":
		if list, ok := r.list(n.Args[0]); ok && n.Name == "contains" {
			var kids []cond
			for _, text := range list {
				kids = append(kids, r.about(n.Args[1], equals, text))
			}
			return or(kids...)
		}
		l, ok := n.Args[1].(*expr.Literal)
		if !ok {
			return r.fail("%s is not asked for a text that is written out", n)
		}
		return r.about(n.Args[0], verbs[n.Name], l.Value.Text())
	}
	return r.fail("GitLab has no function like %s", n.Written)
}

func (r *githubReader) status(n *expr.Call, answer bool) cond {
	if len(n.Args) > 0 {
		return r.fail("GitLab cannot ask how one job ended")
	}
	return truth(answer)
}

// list is fromJSON('["a", "b"]').
func (r *githubReader) list(n expr.Node) ([]string, bool) {
	call, ok := n.(*expr.Call)
	if !ok || call.Name != "fromjson" || len(call.Args) != 1 {
		return nil, false
	}
	l, ok := call.Args[0].(*expr.Literal)
	if !ok {
		return nil, false
	}
	v, err := expr.FromJSON([]byte(l.Value.Text()))
	if err != nil || v.Kind() != expr.KindArray {
		return nil, false
	}
	var out []string
	for _, item := range v.Items() {
		out = append(out, item.Text())
	}
	return out, true
}

// compare reads ==.
func (r *githubReader) compare(a, b expr.Node) cond {
	if _, ok := a.(*expr.Literal); ok {
		a, b = b, a
	}
	if strings.EqualFold(pathOf(a), defaultBranch) {
		a, b = b, a
	}
	switch {
	case strings.EqualFold(pathOf(b), defaultBranch):
		return r.about(a, isDefault, "")
	case strings.EqualFold(pathOf(a), "github.ref") && b.String() == "format('refs/heads/{0}', "+defaultBranch+")":
		return ask(branch, isDefault, "")
	}
	l, ok := b.(*expr.Literal)
	if !ok {
		return r.fail("%s is not compared with a text that is written out", a)
	}
	if other, both := a.(*expr.Literal); both {
		return truth(strings.EqualFold(other.Value.Text(), l.Value.Text()))
	}
	text := l.Value.Text()
	if name, ok := inputOf(a); ok {
		if text == "false" {
			return not(ask(fact("input:"+name), equals, "true"))
		}
		return ask(fact("input:"+name), equals, text)
	}
	if text == "" {
		return not(r.about(a, isSet, ""))
	}
	return r.about(a, equals, text)
}

// about is a test of what a node reads.
func (r *githubReader) about(n expr.Node, v verb, text string) cond {
	if name, ok := fallback(n); ok {
		return ask(fact("var:"+name), v, text)
	}
	if n.String() == "github.head_ref || github.ref_name" {
		return ask(refName, v, text)
	}
	path := pathOf(n)
	lower := strings.ToLower(path)
	if f, ok := githubFacts[lower]; ok {
		if f == protected && v == isSet {
			return ask(f, equals, "true")
		}
		return ask(f, v, text)
	}
	switch {
	case lower == "github.ref":
		return r.ref(v, text)
	case lower == "github.ref_name" && v == isDefault:
		return ask(branch, v, text)
	case lower == "github.ref_name":
		return or(ask(branch, v, text), ask(tag, v, text))
	case lower == "github.ref_type" && v == equals && strings.EqualFold(text, "tag"):
		return ask(tag, isSet, "")
	case lower == "github.ref_type" && v == equals && strings.EqualFold(text, "branch"):
		return not(ask(tag, isSet, ""))
	case strings.HasPrefix(lower, "vars."), strings.HasPrefix(lower, "env."):
		return ask(fact("var:"+path[strings.Index(path, ".")+1:]), v, text)
	}
	if name, ok := inputOf(n); ok {
		return ask(fact("input:"+name), v, text)
	}
	return r.fail("GitLab has nothing for %s", n)
}

// fallback is the variable of `vars.NAME || 'otherwise'` and of `inputs.NAME || 'otherwise'`.
func fallback(n expr.Node) (string, bool) {
	b, ok := n.(*expr.Binary)
	if !ok || b.Op != "||" {
		return "", false
	}
	if _, ok := b.Right.(*expr.Literal); !ok {
		return "", false
	}
	if name, ok := inputOf(b.Left); ok {
		return inputVariable(name), true
	}
	return strings.CutPrefix(pathOf(b.Left), "vars.")
}

// ref is a test of the whole ref.
func (r *githubReader) ref(v verb, text string) cond {
	for _, kind := range []struct {
		prefix string
		fact   fact
	}{{"refs/heads/", branch}, {"refs/tags/", tag}} {
		rest, ok := strings.CutPrefix(text, kind.prefix)
		switch {
		case !ok:
		case rest == "" && (v == begins || v == has):
			return ask(kind.fact, isSet, "")
		case v == has:
			return ask(kind.fact, begins, rest)
		case v == equals || v == begins:
			return ask(kind.fact, v, rest)
		}
	}
	if v == ends || v == has {
		return or(ask(branch, v, text), ask(tag, v, text))
	}
	return r.fail("github.ref is compared with %q, which is no branch or tag", text)
}

// seer says how a GitHub condition sees a variable of the file; the error says why it cannot.
type seer func(name string) (string, error)

// github writes the condition as an expression.
func (c cond) github(see seer) (string, error) { return c.githubIn(isOr, see) }

func (c cond) githubIn(around op, see seer) (string, error) {
	switch c.op {
	case isTrue:
		return "true", nil
	case isFalse:
		return "false", nil
	case isTest:
		return c.test.github(around, see)
	}
	parts := make([]string, len(c.kids))
	for i, k := range c.kids {
		text, err := k.githubIn(c.op, see)
		if err != nil {
			return "", err
		}
		parts[i] = text
	}
	if c.op == isAnd {
		return strings.Join(parts, " && "), nil
	}
	return bracket(strings.Join(parts, " || "), around), nil
}

func (t test) github(around op, see seer) (string, error) {
	if t.fact == branch || t.fact == tag {
		return t.githubRef(around)
	}
	name, ok := githubNames[t.fact]
	switch rest, kind := string(t.fact), ""; {
	case ok:
	case strings.HasPrefix(rest, "var:"):
		kind = "var:"
		var err error
		if name, err = see(rest[len(kind):]); err != nil {
			return "", err
		}
	case strings.HasPrefix(rest, "input:"):
		name = "inputs." + rest[len("input:"):]
		if t.verb == equals && t.text == "true" {
			return negated(name, t.not), nil
		}
	default:
		return "", fmt.Errorf("GitHub has nothing for %s", t.fact)
	}
	if t.fact == protected && t.verb == equals && t.text == "true" {
		return negated(name, t.not), nil
	}
	return t.plain(name)
}

func negated(text string, not bool) string {
	if not {
		return "!" + text
	}
	return text
}

// plain is the test of a value that is there under its own name.
func (t test) plain(name string) (string, error) {
	is := " == "
	if t.not {
		is = " != "
	}
	switch t.verb {
	case isSet:
		if t.not {
			return name + " == ''", nil
		}
		return name + " != ''", nil
	case equals:
		return name + is + quoted(t.text), nil
	case isDefault:
		return name + is + defaultBranch, nil
	case matches:
		return "", fmt.Errorf("GitHub has no regular expressions, and /%s/ is more than a beginning, an end or a part", t.text)
	}
	function := map[verb]string{begins: "startsWith", ends: "endsWith", has: "contains"}[t.verb]
	name = strings.TrimSuffix(strings.TrimPrefix(name, "("), ")")
	return negated(function+"("+name+", "+quoted(t.text)+")", t.not), nil
}

// githubRef is a test of a branch or tag, which GitHub sees as one ref.
func (t test) githubRef(around op) (string, error) {
	prefix := map[fact]string{branch: "refs/heads/", tag: "refs/tags/"}[t.fact]
	is := " == "
	if t.not {
		is = " != "
	}
	kind := "startsWith(github.ref, " + quoted(prefix) + ")"
	part := ""
	switch t.verb {
	case isSet:
		return negated(kind, t.not), nil
	case equals:
		return "github.ref" + is + quoted(prefix+t.text), nil
	case begins:
		return negated("startsWith(github.ref, "+quoted(prefix+t.text)+")", t.not), nil
	case isDefault:
		return "github.ref" + is + "format('" + prefix + "{0}', " + defaultBranch + ")", nil
	case ends:
		part = "endsWith(github.ref, " + quoted(t.text) + ")"
	case has:
		part = "contains(github.ref_name, " + quoted(t.text) + ")"
	default:
		return "", fmt.Errorf("GitHub has no regular expressions, and /%s/ is more than a beginning, an end or a part", t.text)
	}
	if t.not {
		return bracket("!"+kind+" || !"+part, around), nil
	}
	return kind + " && " + part, nil
}

// quoted is a text of GitHub's expressions.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
