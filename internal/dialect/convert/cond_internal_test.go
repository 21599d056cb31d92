package convert

import (
	"testing"

	"pgregory.net/rapid"
)

// plainly sees every variable as a configuration variable.
func plainly(name string) (string, error) { return "vars." + name, nil }

func TestConditionsOfGitLab(t *testing.T) {
	for name, c := range map[string]struct{ gitlab, github string }{
		"a branch":                     {`$CI_COMMIT_BRANCH == "main"`, `github.ref == 'refs/heads/main'`},
		"not a branch":                 {`$CI_COMMIT_BRANCH != "main"`, `github.ref != 'refs/heads/main'`},
		"the default branch":           {`$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH`, `github.ref == format('refs/heads/{0}', github.event.repository.default_branch)`},
		"any tag":                      {`$CI_COMMIT_TAG`, `startsWith(github.ref, 'refs/tags/')`},
		"no tag":                       {`$CI_COMMIT_TAG == null`, `!startsWith(github.ref, 'refs/tags/')`},
		"a beginning":                  {`$CI_COMMIT_TAG =~ /^v/`, `startsWith(github.ref, 'refs/tags/v')`},
		"a beginning with a slash":     {`$CI_COMMIT_BRANCH =~ /^release\//`, `startsWith(github.ref, 'refs/heads/release/')`},
		"an end":                       {`$CI_COMMIT_BRANCH =~ /-rc$/`, `startsWith(github.ref, 'refs/heads/') && endsWith(github.ref, '-rc')`},
		"a part":                       {`$CI_COMMIT_BRANCH =~ /hot/`, `startsWith(github.ref, 'refs/heads/') && contains(github.ref_name, 'hot')`},
		"alternatives":                 {`$CI_COMMIT_BRANCH =~ /^(main|stable)$/`, `github.ref == 'refs/heads/main' || github.ref == 'refs/heads/stable'`},
		"alternatives with anchors":    {`$CI_COMMIT_BRANCH =~ /^a\/|^b\//`, `startsWith(github.ref, 'refs/heads/a/') || startsWith(github.ref, 'refs/heads/b/')`},
		"not matching":                 {`$CI_COMMIT_BRANCH !~ /^x/`, `!startsWith(github.ref, 'refs/heads/x')`},
		"an event":                     {`$CI_PIPELINE_SOURCE == "merge_request_event"`, `github.event_name == 'pull_request'`},
		"a merge request by its ID":    {`$CI_MERGE_REQUEST_IID`, `github.event_name == 'pull_request'`},
		"an event of GitLab alone":     {`$CI_PIPELINE_SOURCE == "chat"`, `false`},
		"a target":                     {`$CI_MERGE_REQUEST_TARGET_BRANCH_NAME == "main"`, `github.base_ref == 'main'`},
		"a variable":                   {`$DEPLOY == "yes"`, `vars.DEPLOY == 'yes'`},
		"a variable that is set":       {`$DEPLOY`, `vars.DEPLOY != ''`},
		"a variable that is not set":   {`$DEPLOY == null || $DEPLOY == ""`, `vars.DEPLOY == ''`},
		"brackets":                     {`$CI_COMMIT_TAG && ($A == "1" || $B == "2")`, `startsWith(github.ref, 'refs/tags/') && (vars.A == '1' || vars.B == '2')`},
		"a negation":                   {`!($A == "1" && $B == "2")`, `vars.A != '1' || vars.B != '2'`},
		"more than is needed":          {`$CI_COMMIT_BRANCH && $CI_COMMIT_BRANCH == "main"`, `github.ref == 'refs/heads/main'`},
		"what cannot be":               {`$CI_COMMIT_BRANCH == "main" && $CI_COMMIT_TAG`, `false`},
		"what is always":               {`$CI_COMMIT_BRANCH == "main" || $CI_COMMIT_BRANCH != "main"`, `true`},
		"the name of whatever it is":   {`$CI_COMMIT_REF_NAME == "main"`, `(github.head_ref || github.ref_name) == 'main'`},
		"a protected ref":              {`$CI_COMMIT_REF_PROTECTED == "true"`, `github.ref_protected`},
		"quotes":                       {`$CI_COMMIT_MESSAGE =~ /it's/`, `contains(github.event.head_commit.message, 'it''s')`},
		"a constant":                   {`"yes"`, `true`},
		"a pattern that is everything": {`$CI_COMMIT_BRANCH =~ /.*/`, `startsWith(github.ref, 'refs/heads/')`},
	} {
		t.Run(name, func(t *testing.T) {
			in, _, err := fromGitLab(c.gitlab)
			if err != nil {
				t.Fatal(err)
			}
			text, err := in.github(plainly)
			if err != nil || text != c.github {
				t.Errorf("%s is %s (%v), want %s", c.gitlab, text, err, c.github)
			}
		})
	}
}

func TestConditionsThatGitHubHasNot(t *testing.T) {
	for _, text := range []string{
		`$CI_COMMIT_TAG =~ /^v\d+$/`, `$CI_KUBERNETES_ACTIVE`, `$A == $B`, `$A =~ $B`, `$CI_COMMIT_BRANCH =~ /^a/s`, `$[[ inputs.x ]] == "1"`,
	} {
		in, _, err := fromGitLab(text)
		if err == nil {
			_, err = in.github(plainly)
		}
		if err == nil {
			t.Errorf("%s was translated", text)
		}
	}
}

func TestConditionsOfGitHub(t *testing.T) {
	for name, c := range map[string]struct{ github, gitlab string }{
		"a branch":                {`github.ref == 'refs/heads/main'`, `$CI_COMMIT_BRANCH == "main"`},
		"a name, whatever it is":  {`github.ref_name == 'main'`, `$CI_COMMIT_BRANCH == "main" || $CI_COMMIT_TAG == "main"`},
		"a name of a branch":      {`github.ref_name == 'main' && github.ref_type == 'branch'`, `$CI_COMMIT_BRANCH == "main"`},
		"a list":                  {`contains(fromJSON('["push", "schedule"]'), github.event_name)`, `$CI_PIPELINE_SOURCE == "push" || $CI_PIPELINE_SOURCE == "schedule"`},
		"an input":                {`inputs.deploy`, `$CI_PIPELINE_SOURCE == "web" && $DEPLOY == "true"`},
		"an input or another":     {`github.event_name != 'workflow_dispatch' || inputs.deploy`, `$CI_PIPELINE_SOURCE != "web" || $DEPLOY == "true"`},
		"an input's text":         {`inputs.where == 'eu' || github.ref_type == 'tag'`, `$CI_PIPELINE_SOURCE == "web" && $WHERE == "eu" || $CI_COMMIT_TAG`},
		"a variable":              {`vars.DEPLOY != 'no'`, `$DEPLOY != "no"`},
		"a fallback":              {`(vars.FULL || 'no') == 'yes'`, `$FULL == "yes"`},
		"an end":                  {`endsWith(github.ref, '-rc')`, `$CI_COMMIT_BRANCH =~ /-rc$/ || $CI_COMMIT_TAG =~ /-rc$/`},
		"an event GitLab has not": {`github.event_name == 'release'`, `null`},
		"a pull request's base":   {`github.event.pull_request.base.ref == 'main'`, `$CI_MERGE_REQUEST_TARGET_BRANCH_NAME == "main"`},
		"in one expression":       {`${{ github.repository_owner == 'octo' }}`, `$CI_PROJECT_NAMESPACE == "octo"`},
		"not":                     {`!startsWith(github.ref, 'refs/tags/')`, `$CI_COMMIT_TAG == null`},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := fromGitHub(c.github)
			if err != nil {
				t.Fatal(err)
			}
			text, err := in[0].handmade().gitlab()
			if err != nil || text != c.gitlab {
				t.Errorf("%s is %s (%v), want %s", c.github, text, err, c.gitlab)
			}
		})
	}
}

func TestStatusesOfGitHub(t *testing.T) {
	for text, want := range map[string][len(standings)]cond{
		"success()":                       {yes, no, no},
		"failure()":                       {no, yes, no},
		"always()":                        {yes, yes, yes},
		"!cancelled()":                    {yes, yes, yes},
		"!failure() && !cancelled()":      {yes, no, yes},
		"":                                {yes, no, no},
		"github.actor == 'ada'":           {ask(actor, equals, "ada"), no, no},
		"always() && vars.A == '1'":       {ask("var:A", equals, "1"), ask("var:A", equals, "1"), ask("var:A", equals, "1")},
		"success() || vars.A == '1'":      {yes, ask("var:A", equals, "1"), ask("var:A", equals, "1")},
		"failure() && vars.A || always()": {yes, yes, yes},
	} {
		got, err := fromGitHub(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		for i := range want {
			if !got[i].same(want[i]) {
				t.Errorf("%s in standing %d is %+v", text, i, got[i])
			}
		}
	}
	for _, text := range []string{"needs.a.result == 'success'", "failure('a')", "github.run_number > 3", "hashFiles('x') != ''", "matrix.a == 1"} {
		if _, err := fromGitHub(text); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

// conds draws conditions on a few facts.
func conds(depth int) *rapid.Generator[cond] {
	leaf := rapid.Custom(func(t *rapid.T) cond {
		c := ask(
			rapid.SampledFrom([]fact{branch, tag, event, "var:A", "var:B"}).Draw(t, "fact"),
			rapid.SampledFrom([]verb{isSet, equals, begins}).Draw(t, "verb"), "")
		if c.test.fact == event {
			c.test.verb = equals
		}
		if c.test.verb != isSet {
			c.test.text = rapid.SampledFrom([]string{"push", "pull_request"}).Draw(t, "text")
		}
		c.test.not = rapid.Bool().Draw(t, "not")
		return c
	})
	if depth == 0 {
		return leaf
	}
	below := conds(depth - 1)
	return rapid.OneOf(leaf, rapid.Custom(func(t *rapid.T) cond {
		kids := rapid.SliceOfN(below, 1, 3).Draw(t, "kids")
		if rapid.Bool().Draw(t, "and") {
			return cond{op: isAnd, kids: kids}
		}
		return cond{op: isOr, kids: kids}
	}))
}

// world are values that can be together.
type world struct{ branch, tag, event, a, b string }

func (w world) holds(c cond) bool {
	switch c.op {
	case isTrue:
		return true
	case isFalse:
		return false
	case isAnd:
		for _, k := range c.kids {
			if !w.holds(k) {
				return false
			}
		}
		return true
	case isOr:
		for _, k := range c.kids {
			if w.holds(k) {
				return true
			}
		}
		return false
	}
	is := map[fact]string{branch: w.branch, tag: w.tag, event: w.event, "var:A": w.a, "var:B": w.b}[c.test.fact]
	var held bool
	switch c.test.verb {
	case isSet:
		held = is != ""
	case equals:
		held = is == c.test.text
	case begins:
		held = len(is) >= len(c.test.text) && is[:len(c.test.text)] == c.test.text
	}
	return held != c.test.not
}

// rebuilt joins a condition anew, with all that joining leaves out.
func rebuilt(c cond) cond {
	if c.op != isAnd && c.op != isOr {
		return c
	}
	kids := make([]cond, len(c.kids))
	for i, k := range c.kids {
		kids[i] = rebuilt(k)
	}
	return join(c.op, kids)
}

// TestSimplerConditionsSayTheSame: what joining leaves out changes no answer, in any world that can be.
func TestSimplerConditionsSayTheSame(t *testing.T) {
	values := []string{"", "push", "pull_request", "pushed"}
	var worlds []world
	for _, a := range values {
		for _, b := range values {
			worlds = append(worlds, world{"", "", "pull_request", a, b})
			for _, ref := range values[1:] {
				for _, e := range []string{"push", "schedule"} {
					worlds = append(worlds, world{ref, "", e, a, b}, world{"", ref, e, a, b})
				}
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		c := conds(3).Draw(t, "condition")
		simple, opposite := rebuilt(c), not(c)
		for _, w := range worlds {
			if w.holds(c) != w.holds(simple) {
				t.Fatalf("%+v: %+v became %+v", w, c, simple)
			}
			if w.holds(c) == w.holds(opposite) {
				t.Fatalf("%+v: the opposite of %+v is %+v", w, c, opposite)
			}
		}
	})
}

// TestConditionsComeBack: what is written for the other forge reads as the same condition.
func TestConditionsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rebuilt(conds(2).Draw(t, "condition"))
		text, err := c.gitlab()
		if err != nil {
			t.Fatal(err)
		}
		back, _, err := fromGitLab(text)
		if err != nil || !rebuilt(back).same(c) && !equal(back, c) {
			t.Fatalf("%+v is %s on GitLab, which is %+v: %v", c, text, back, err)
		}
		if text, err = c.github(plainly); err != nil {
			t.Fatal(err)
		}
		in, err := fromGitHub(text)
		if err != nil || !equal(in[0], c) {
			t.Fatalf("%+v is %s on GitHub, which is %+v: %v", c, text, in[0], err)
		}
	})
}

func equal(a, b cond) bool { return implied(a, b) && implied(b, a) }

func TestCommonRoot(t *testing.T) {
	for want, paths := range map[string][]string{
		"dist":      {"dist/"},
		"bin":       {"bin/*.exe"},
		"a":         {"a/b.txt"},
		".":         {"dist/", "reports/x.json"},
		"out/x":     {"out/x/a/", "out/x/b.txt"},
		"build/app": {"build/app"},
	} {
		if got := commonRoot(paths); got != want {
			t.Errorf("%v: %s, want %s", paths, got, want)
		}
	}
}

func TestFilterPatterns(t *testing.T) {
	for glob, want := range map[string]string{
		"main": `$CI_COMMIT_BRANCH == "main"`, "release/**": `$CI_COMMIT_BRANCH =~ /^release\//`, "**": "$CI_COMMIT_BRANCH",
		"*": `$CI_COMMIT_BRANCH =~ /^[^\/]*$/`, "v[0-9]+.x": `$CI_COMMIT_BRANCH =~ /^v[0-9]+\.x$/`, "**-rc": `$CI_COMMIT_BRANCH =~ /-rc$/`,
	} {
		c, ok := ofGlob(branch, glob)
		text, err := c.gitlab()
		if !ok || err != nil || text != want {
			t.Errorf("%s is %s, want %s", glob, text, want)
			continue
		}
		if back, ok := c.test.glob(); !ok || back != glob {
			t.Errorf("%s comes back as %s", glob, back)
		}
	}
}

func TestSingleQuotes(t *testing.T) {
	for text, want := range map[string]bool{
		`echo '`: true, `echo "it's `: false, `echo 'a' "b"`: false, "# don't\necho ": false, `echo \'`: false, "cat <<'X'\n": true, "cat <<'X'\na\nX\n": false,
	} {
		if got := singleQuoted(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}
