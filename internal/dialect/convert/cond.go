package convert

import (
	"slices"
	"strings"
)

// cond is a condition in neither format: true, false, a test, or several joined. It is in negation normal form: only
// tests are negated.
type cond struct {
	op   op
	kids []cond
	test test
}

type op uint8

const (
	isFalse op = iota
	isTrue
	isTest
	isAnd
	isOr
)

// test asks one fact.
type test struct {
	fact fact
	verb verb
	text string
	not  bool
}

// fact is what a condition can ask in both formats. Variables and inputs are "var:NAME" and "input:NAME".
type fact string

const (
	branch     fact = "branch" // that is built; nothing for tags and merge requests
	tag        fact = "tag"    // nothing for others
	refName    fact = "name"   // the branch or tag, of a merge request its source
	event      fact = "event"  // in GitHub's words
	base       fact = "base"   // of a merge request: where it goes
	head       fact = "head"   // and where it comes from
	actor      fact = "actor"
	repository fact = "repository"
	owner      fact = "owner"
	protected  fact = "protected" // "true" where the ref is
	message    fact = "message"   // of the commit that was pushed
	title      fact = "title"     // of the merge request
	unknown    fact = "unknown"
)

type verb uint8

const (
	isSet verb = iota
	equals
	begins
	ends
	has
	matches   // text is a regular expression
	isDefault // the default branch
)

var (
	yes = cond{op: isTrue}
	no  = cond{op: isFalse}
)

func ask(f fact, v verb, text string) cond {
	return cond{op: isTest, test: test{fact: f, verb: v, text: text}}
}

// same reports whether two conditions are written alike.
func (c cond) same(d cond) bool {
	return c.op == d.op && c.test == d.test && slices.EqualFunc(c.kids, d.kids, cond.same)
}

func not(c cond) cond {
	switch c.op {
	case isTrue:
		return no
	case isFalse:
		return yes
	case isTest:
		c.test.not = !c.test.not
		return c
	}
	kids := make([]cond, len(c.kids))
	for i, k := range c.kids {
		kids[i] = not(k)
	}
	if c.op == isAnd {
		return or(kids...)
	}
	return and(kids...)
}

func and(of ...cond) cond { return join(isAnd, of) }
func or(of ...cond) cond  { return join(isOr, of) }

// join joins conditions and leaves out what adds nothing. What holds for and holds for or with yes and no exchanged.
func join(o op, of []cond) cond {
	neutral, final := yes, no
	if o == isOr {
		neutral, final = no, yes
	}
	var kids []cond
	for _, c := range flat(o, of) {
		switch {
		case c.same(neutral):
		case c.same(final):
			return final
		case slices.ContainsFunc(kids, func(k cond) bool { return k.same(c) }):
		case slices.ContainsFunc(kids, func(k cond) bool { return contradict(o, k, c) }):
			return final
		default:
			kids = append(kids, c)
		}
	}
	kids = absorb(o, kids)
	if narrow, less := narrowed(o, kids); less {
		return join(o, narrow)
	}
	switch len(kids) {
	case 0:
		return neutral
	case 1:
		return kids[0]
	}
	return cond{op: o, kids: kids}
}

func flat(o op, of []cond) []cond {
	var out []cond
	for _, c := range of {
		if c.op == o {
			out = append(out, c.kids...)
			continue
		}
		out = append(out, c)
	}
	return out
}

// contradict reports whether two conditions joined by && can never both hold; for || whether one of them always does.
func contradict(o op, a, b cond) bool {
	if not(a).same(b) {
		return true
	}
	if o == isOr {
		a, b = not(a), not(b)
	}
	if a.op != isTest || b.op != isTest {
		return false
	}
	s, t := a.test, b.test
	if s.fact == t.fact && !s.not && !t.not && s.verb == equals && t.verb == equals && s.text != t.text {
		return true
	}
	if s.fact == t.fact {
		return s.implies(not(b).test) || t.implies(not(a).test)
	}
	return apart(s, t)
}

// apart reports whether two tests want different kinds of refs: a branch, a tag and a merge request are never built
// together.
func apart(s, t test) bool {
	return s.presents() != "" && t.presents() != "" && s.presents() != t.presents()
}

// presents is the kind of ref that must be there for the test to hold.
func (t test) presents() string {
	switch {
	case t.not:
		return ""
	case t.fact == branch, t.fact == tag:
		return string(t.fact)
	case t.fact == base, t.fact == head, t.fact == event && t.verb == equals && t.text == "pull_request":
		return "merge"
	}
	return ""
}

// implies reports whether u must hold where t does. Both are about the same fact.
func (t test) implies(u test) bool {
	switch {
	case t == u:
		return true
	case t.fact != u.fact || t.not:
		return false
	case u.not: // branch == main implies branch != tea
		return t.verb == equals && u.verb == equals && t.text != u.text
	case u.verb == isSet:
		return t.verb != isSet && (t.verb == isDefault || t.text != "")
	case t.verb == equals && u.verb == begins:
		return strings.HasPrefix(t.text, u.text)
	case t.verb == equals && u.verb == ends:
		return strings.HasSuffix(t.text, u.text)
	}
	return false
}

// absorb takes out what another part says already: a && (a || b) is a, and branch == main needs no test that there is a
// branch.
func absorb(o op, kids []cond) []cond {
	var out []cond
	for i, c := range kids {
		idle := false
		for k, other := range kids {
			if i == k {
				continue
			}
			strong, weak := other, c
			if o == isOr {
				strong, weak = c, other
			}
			if c.op != o && other.op != o && implied(strong, weak) && (!implied(weak, strong) || k < i) {
				idle = true
			}
		}
		if !idle {
			out = append(out, c)
		}
	}
	return out
}

// narrowed takes from every || what the other parts of an && rule out, and from every && what those of an || leave no
// doubt of: !a || a && b is !a || b.
func narrowed(o op, kids []cond) (out []cond, less bool) {
	out = slices.Clone(kids)
	for i, c := range out {
		if c.op == o || c.op != isAnd && c.op != isOr {
			continue
		}
		left := slices.DeleteFunc(slices.Clone(c.kids), func(k cond) bool {
			for n, other := range kids {
				if n != i && contradict(o, k, other) {
					return true
				}
			}
			return false
		})
		if len(left) < len(c.kids) {
			out[i], less = join(c.op, left), true
		}
	}
	return out, less
}

// implied reports whether b certainly holds where a does. It may miss some that do.
func implied(a, b cond) bool {
	switch {
	case b.op == isTrue || a.op == isFalse || a.same(b):
		return true
	case a.op == isOr:
		return every(a.kids, func(k cond) bool { return implied(k, b) })
	case b.op == isAnd:
		return every(b.kids, func(k cond) bool { return implied(a, k) })
	case b.op == isOr && slices.ContainsFunc(b.kids, func(k cond) bool { return implied(a, k) }):
		return true
	case a.op == isAnd:
		return slices.ContainsFunc(a.kids, func(k cond) bool { return implied(k, b) })
	case a.op == isTest && b.op == isTest:
		return a.test.implies(b.test) || apart(a.test, not(b).test)
	}
	return false
}

func every(list []cond, holds func(cond) bool) bool {
	return !slices.ContainsFunc(list, func(c cond) bool { return !holds(c) })
}

// given is the condition where the answers to some tests are known.
func (c cond) given(know func(test) (holds, known bool)) cond {
	switch c.op {
	case isTest:
		t := c.test
		t.not = false
		holds, known := know(t)
		switch {
		case !known:
			return c
		case holds != c.test.not:
			return yes
		default:
			return no
		}
	case isAnd, isOr:
		kids := make([]cond, len(c.kids))
		for i, k := range c.kids {
			kids[i] = k.given(know)
		}
		return join(c.op, kids)
	}
	return c
}

// handmade is the condition with inputs as variables of pipelines that are started by hand.
func (c cond) handmade() cond {
	switch c.op {
	case isTest:
		name, ok := strings.CutPrefix(string(c.test.fact), "input:")
		if !ok {
			return c
		}
		t, byHand := c, ask(event, equals, "workflow_dispatch")
		t.test.fact = fact("var:" + inputVariable(name))
		if c.test.not {
			return or(not(byHand), t)
		}
		return and(byHand, t)
	case isAnd, isOr:
		kids := make([]cond, len(c.kids))
		for i, k := range c.kids {
			kids[i] = k.handmade()
		}
		return join(c.op, kids)
	}
	return c
}

// tests calls visit for every test.
func (c cond) tests(visit func(test)) {
	if c.op == isTest {
		visit(c.test)
	}
	for _, k := range c.kids {
		k.tests(visit)
	}
}

// asks reports whether a test satisfies a question.
func (c cond) asks(is func(test) bool) bool {
	found := false
	c.tests(func(t test) { found = found || is(t) })
	return found
}
