package expr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"pgregory.net/rapid"
)

func TestTextTakesValues(t *testing.T) {
	env := world(t)
	for in, want := range map[string]string{
		"":                                     "",
		"plain }} $ {{ text":                   "plain }} $ {{ text",
		"${{ github.ref }}":                    "refs/heads/main",
		"a ${{ matrix.v }}-${{ matrix.os }} z": "a 3-linux z",
		"${{null}}${{ github.none }}|${{ true }}": "|true",
		"${{ '}}' }}${{ '${{' }}":                 "}}${{",
		"${{ 'it''s }}' }}":                       "it's }}",
		"x${{ matrix.list }}${{ matrix.inner }}":  "xArrayObject",
		"{0} ${{ 1 }} {1} ' ''":                   "{0} 1 {1} ' ''",
		"${{\n  github.ref\n}}\n":                 "refs/heads/main\n",
		"${{ format('{0}', 1) }}}":                "1}",
	} {
		tmpl, faults := expr.ParseTemplate(in, column)
		if faults != nil {
			t.Errorf("%q: %v", in, faults)
			continue
		}
		got, err := tmpl.Text(env)
		if err != nil || got != want {
			t.Errorf("%q\n got %q %v\nwant %q", in, got, err, want)
		}
		if tmpl.Source() != in || tmpl.Static() != !strings.Contains(in, "${{") {
			t.Errorf("%q: source %q, static %v", in, tmpl.Source(), tmpl.Static())
		}
	}
}

func TestASingleExpressionKeepsItsType(t *testing.T) {
	env := world(t)
	for in, want := range map[string]string{
		"${{ matrix.list }}":             `[1,"x",true,null]`,
		"${{ fromJSON('{\"a\":[1]}') }}": `{"a":[1]}`,
		"${{ true }}":                    `true`,
		"${{ 12 }}":                      `12`,
		"${{ null }}":                    `null`,
		" ${{ true }}":                   `" true"`,
		"${{ true }}\n":                  `"true\n"`,
		"${{ 1 }}${{ 2 }}":               `"12"`,
		"true":                           `"true"`,
	} {
		tmpl, faults := expr.ParseTemplate(in, nil)
		if faults != nil {
			t.Fatal(faults)
		}
		v, err := tmpl.Value(env)
		if err != nil || v.JSON(false) != want {
			t.Errorf("%q: got %s %v, want %s", in, v.JSON(false), err, want)
		}
	}
	tmpl, _ := expr.ParseTemplate("${{ matrix.list }}", column)
	_, err := tmpl.Text(env)
	if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Code != expr.CodeText || f.Place.Column != 5 || !strings.Contains(f.Hint, "toJSON(matrix.list)") {
		t.Errorf("got %v", err)
	}
}

func TestMistakesOfTextArePlaced(t *testing.T) {
	for in, want := range map[string][]string{
		"a ${{ b":                               {"w.yml:1:3: this ${{ is not closed by }} [SL1601]"},
		"${{ 'x }}":                             {"w.yml:1:1: this ${{ is not closed by }} [SL1601] - the }} stands inside of a text"},
		"${{ }}":                                {"w.yml:1:1: there is no expression in ${{ }}"},
		"${{ a b }} ${{ c( }}":                  {"w.yml:1:7: unexpected b", "w.yml:1:17: the bracket that opens here"},
		"ok ${{ \"x\" }}":                       {"w.yml:1:8: unexpected character '\"'"},
		"${{ nofun() }} ${{ open":               {"w.yml:1:5: there is no function", "w.yml:1:16: this ${{ is not closed"},
		strings.Repeat("x", 21000) + "${{ 1 }}": {"w.yml:1:1: the text has 21018 characters"},
	} {
		tmpl, faults := expr.ParseTemplate(in, column)
		if tmpl != nil || len(faults) != len(want) {
			t.Errorf("%.40q: %v", in, faults)
			continue
		}
		for i, f := range faults {
			if !strings.HasPrefix(f.Error(), want[i]) {
				t.Errorf("%.40q\n got %v\nwant %s", in, f, want[i])
			}
		}
	}
	if _, faults := expr.ParseTemplate(strings.Repeat("x", 30000), nil); faults != nil {
		t.Errorf("text without expressions may have any length: %v", faults)
	}
}

func TestUsesTellWhatIsRead(t *testing.T) {
	tmpl, faults := expr.ParseTemplate("${{ Steps.Build.outputs['Tag'] }} ${{ toJSON(needs.*.result) && hashFiles(matrix[github.job]) }} ${{ fromJSON(env.X).steps }}", nil)
	if faults != nil {
		t.Fatal(faults)
	}
	u := tmpl.Uses()
	if got := strings.Join(u.Contexts, " "); got != "env github matrix needs steps" {
		t.Errorf("contexts %s", got)
	}
	if got := strings.Join(u.Functions, " "); got != "fromjson hashfiles tojson" {
		t.Errorf("functions %s", got)
	}
	if !u.Context("STEPS") || u.Context("secrets") || !u.Function("hashFiles") || u.Function("success") {
		t.Errorf("asked: %+v", u)
	}
	for path, want := range map[string]bool{
		"steps": true, "steps build": true, "steps BUILD outputs tag": true, "steps build outcome": false, "steps test": false, "needs a": true, "needs a result": true, "needs a outputs": false, "matrix os": true, "github job": true, "github ref": false,
		"env X": true, "env Y": false, "secrets": false, "steps build outputs tag deeper": true,
	} {
		parts := strings.Fields(path)
		if got := u.Mentions(parts[0], parts[1:]...); got != want {
			t.Errorf("mentions %s: %v", path, got)
		}
	}
	whole, _ := expr.Parse("toJSON(steps)", nil)
	if !whole.Uses().Mentions("steps", "any", "outputs") {
		t.Error("the whole of steps holds all of them")
	}
	if both := whole.Uses().With(u); !both.Context("steps") || !both.Context("env") || !both.Mentions("env", "x") {
		t.Errorf("together: %+v", both)
	}
	if n := len(tmpl.Expressions()); n != 3 {
		t.Errorf("%d expressions", n)
	}
	var none *expr.Template
	if u := none.Uses(); len(u.Contexts) != 0 {
		t.Errorf("no template uses %v", u)
	}
}

func TestConditions(t *testing.T) {
	for in, want := range map[string]struct {
		implied, result, afterFailure bool
	}{
		"":                                {false, true, false},
		"true":                            {true, true, false},
		"false":                           {true, false, false},
		"github.ref == 'refs/heads/main'": {true, true, false},
		"${{ github.ref == 'nope' }}":     {true, false, false},
		"always()":                        {false, true, true},
		"${{ Always() && true }}":         {false, true, true},
		"!cancelled()":                    {false, true, true},
		"failure() || matrix.v == 3":      {false, true, true},
		"success() && 'x'":                {false, true, false},
		"contains(fromJSON('[1]'), 1) && github.none": {true, false, false},
		"matrix.list":             {true, true, false},
		"case(always(), '', 'x')": {false, false, false},
	} {
		c, f := expr.ParseCondition(in, column)
		if f != nil {
			t.Errorf("%q: %v", in, f)
			continue
		}
		if c.Implied() != want.implied || c.Warnings() != nil || c.Source() != in {
			t.Errorf("%q: implied %v, warnings %v", in, c.Implied(), c.Warnings())
		}
		env := world(t)
		if got, err := c.Eval(env); err != nil || got != want.result {
			t.Errorf("%q: %v %v", in, got, err)
		}
		env.Funcs["success"] = func([]expr.Value) (expr.Value, error) { return expr.Bool(false), nil }
		env.Funcs["failure"] = func([]expr.Value) (expr.Value, error) { return expr.Bool(true), nil }
		if got, err := c.Eval(env); err != nil || got != want.afterFailure {
			t.Errorf("%q after a failure: %v %v", in, got, err)
		}
	}
}

func TestTextAroundMakesAConditionTrue(t *testing.T) {
	for _, in := range []string{"${{ false }} && ${{ false }}", "!${{ true }}", "${{ false }}\n", " ${{ false }}", "${{ false }} == true", "${{ false }}{}'"} {
		c, f := expr.ParseCondition(in, column)
		if f != nil {
			t.Errorf("%q: %v", in, f)
			continue
		}
		w := c.Warnings()
		if len(w) != 1 || w[0].Code != expr.CodeAlways || w[0].Severity != fault.Warning || w[0].Place.Column != 1 {
			t.Errorf("%q: warnings %v", in, w)
		}
		if got, err := c.Eval(world(t)); err != nil || !got || !c.Implied() {
			t.Errorf("%q: %v %v, implied %v", in, got, err, c.Implied())
		}
	}
	c, f := expr.ParseCondition("${{ failure() }} || x", column)
	if f != nil || c.Implied() {
		t.Errorf("a status function inside counts: %v", f)
	}
	for in, want := range map[string]string{
		"a ==":       "w.yml:1:5: the expression ends",
		"${{ a":      "w.yml:1:1: this ${{ is not closed",
		"${{ a b }}": "w.yml:1:7: unexpected b",
		" ":          "w.yml:1:1: the expression is empty",
	} {
		if _, f := expr.ParseCondition(in, column); f == nil || !strings.HasPrefix(f.Error(), want) {
			t.Errorf("%q: %v", in, f)
		}
	}
	c, _ = expr.ParseCondition("github.ref", column)
	if _, err := c.Eval(&expr.Env{}); fault.CodeOf(err) != expr.CodePlace {
		t.Errorf("the implied success() must be given: %v", err)
	}
}

func TestEvaluationNeverPanics(t *testing.T) {
	env := world(t)
	rapid.Check(t, func(t *rapid.T) {
		in := expression(t, 4)
		e, f := expr.Parse(in, column)
		if f != nil {
			return
		}
		v, err := e.Eval(env)
		if err != nil {
			f, ok := errors.AsType[*fault.Fault](err)
			if !ok || f.Place.Column < 1 || f.Place.Column > len(in) {
				t.Fatalf("%s: %v", in, err)
			}
			return
		}
		// What a template makes of it is what the value's text is.
		tmpl, faults := expr.ParseTemplate("<${{ "+in+" }}>", nil)
		if faults != nil {
			t.Fatalf("%s: %v", in, faults)
		}
		if got, err := tmpl.Text(env); err != nil || got != "<"+v.Text()+">" {
			t.Fatalf("%s: %q %v", in, got, err)
		}
		again, _ := expr.Parse(e.String(), nil)
		if w, err := again.Eval(env); err != nil || w.JSON(false) != v.JSON(false) {
			t.Fatalf("%s printed %s: %s is not %s", in, e, w.JSON(false), v.JSON(false))
		}
		expr.Infer(e, expr.Scope())
		expr.Untrusted(e)
		expr.UntrustedReads(e)
		expr.Check(e, "jobs.<job_id>.steps.run")
	})
}
