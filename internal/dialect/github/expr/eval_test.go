package expr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// column places an offset in the first line of a file, so that places can be asked for.
func column(offset int) fault.Place { return fault.Place{File: "w.yml", Line: 1, Column: offset + 1} }

const contexts = `{
	"github": {"ref": "refs/heads/main", "event_name": "push", "head_ref": "", "event": {"n": null, "labels": [{"name": "Bug"}, {"name": "help wanted"}, {"id": 3}],
		"grid": [["a", "b"], ["c"], {"k": "v"}, 7, null], "obj": {"One": 1, "two": {"three": 3}, "*": "star"}, "": "empty"}},
	"env": {"FOO": "bar", "n": "12"},
	"matrix": {"os": "linux", "v": 3, "list": [1, "x", true, null], "inner": {"a": [1]}},
	"steps": {"s-1": {"outputs": {"my_out": "yes"}, "outcome": "success"}}
}`

func world(t testing.TB) *expr.Env {
	t.Helper()
	v, err := expr.FromJSON([]byte(contexts))
	if err != nil {
		t.Fatal(err)
	}
	env := &expr.Env{Contexts: map[string]expr.Value{}, Funcs: map[string]func([]expr.Value) (expr.Value, error){}}
	for _, p := range v.Pairs() {
		env.Contexts[p.Key] = p.Value
	}
	for name, result := range map[string]bool{"success": true, "failure": false, "cancelled": false, "always": true} {
		env.Funcs[name] = func([]expr.Value) (expr.Value, error) { return expr.Bool(result), nil }
	}
	return env
}

func TestExpressionsHaveTheValuesThatGitHubGivesThem(t *testing.T) {
	env := world(t)
	for in, want := range map[string]string{
		// Literals.
		"null": "null", "true": "true", "false": "false", "711": "711", "-9.2": "-9.2", "0xff": "255", "0o17": "15", "-2.99e-2": "-0.0299", ".5": "0.5", "+3": "3", "1.": "1",
		"'It''s open source!'": `"It's open source!"`, "''": `""`, "''''": `"'"`, "'a''''b'": `"a''b"`, "NaN": "NaN", "Infinity": "Infinity", "-Infinity": "-Infinity", "+Infinity": "Infinity", "-0": "0",
		"0xFFFFFFFF": "-1", "0x7fffffff": "2147483647",
		// Operators and how they bind.
		"true || false && false": "true", "(true || false) && false": "false", "!true == false": "true", "!(true == false)": "true", "1 < 2 == true": "true", "true == 1 < 2": "true", "1 == 1 == 1": "true",
		"3 > 2 > 1": "false", "!!1": "true", "false || 'x'": `"x"`, "'' || 'default'": `"default"`, "'a' && 'b'": `"b"`, "0 && 'b'": "0", "null || 0": "0", "true && null": "null", "a == b || true": "true",
		"github.event_name=='push'&&1": "1", "! false": "true",
		// Loose equality.
		"null == 0": "true", "null == ''": "true", "null == false": "true", "null == null": "true", "true == 1": "true", "true == '1'": "true", "true == 'true'": "false", "false == ''": "true", "false == ' 0.0 '": "true",
		"'' == 0": "true", "' 0x10 ' == 16": "true", "'0o10' == 8": "true", "' +1.2e2 ' == 120": "true", "'1e' == 1": "false", "'abc' == 0": "false", "'abc' == NaN": "false", "NaN == NaN": "false", "NaN != NaN": "true",
		"'ABC' == 'abc'": "true", "'ÄÖ' == 'äö'": "true", "'ı' == 'I'": "false", "'Infinity' == Infinity": "true", "'infinity' == Infinity": "true", "'1_000' == 1000": "false", "'0X10' == 16": "false",
		"matrix.list == matrix.list": "true", "matrix.list == fromJSON('[1]')": "false", "github.event == github.event": "true", "matrix.inner == 'Object'": "false", "matrix.list != 1": "true", "'-0x1' == -1": "false",
		// Order.
		"1 < 2": "true", "'a' < 'B'": "true", "'_' < 'a'": "false", "'b' > 'A'": "true", "'10' < 9": "false", "'10' < '9'": "true", "true > false": "true", "null < 1": "true", "null >= 0": "true", "NaN < 1": "false", "NaN >= NaN": "false",
		"matrix.list < 1": "false", "matrix.list >= matrix.list": "true", "'a' <= 'A'": "true", "1 >= '1'": "true", "'x' > 1": "false",
		// Properties and indexes.
		"github.ref": `"refs/heads/main"`, "GITHUB.REF": `"refs/heads/main"`, "github['ref']": `"refs/heads/main"`, "github.none": "null", "github.none.deeper": "null", "github.ref.none": "null", "github.event.obj.ONE": "1",
		"steps.s-1.outputs.my_out": `"yes"`, "matrix.list[0]": "1", "matrix.list[1.9]": `"x"`, "matrix.list['1']": `"x"`, "matrix.list[true]": `"x"`, "matrix.list['']": "1", "matrix.list[-1]": "null", "matrix.list[9]": "null",
		"matrix.list['x']": "null", "matrix.list[NaN]": "null", "matrix.list[Infinity]": "null", "matrix.list.length": "null", "github.event[null]": `"empty"`, "github.event.obj['*']": `"star"`, "matrix[matrix.list[9] || 'os']": `"linux"`,
		"matrix.inner[matrix.list]": "null", "(matrix.inner).a[0]": "1", "matrix . v": "3", "matrix\n.v": "3", "env.foo": `"bar"`, "fromJSON('{\"true\":1}').true": "1", "('abc').x": "null",
		// Object filters.
		"github.event.labels.*.name": `["Bug","help wanted"]`, "github.event.labels[*].name": `["Bug","help wanted"]`, "github.event.obj.*": `[1,{"three":3},"star"]`, "github.event.obj.*.three": "[3]", "github.event.grid.*[0]": `["a","c"]`,
		"github.event.grid.*.*": `["a","b","c","v"]`, "github.event.grid.*.k": `["v"]`, "github.ref.*": "[]", "null.*": "", "github.event.labels.*.name[0]": "[]", "github.event.n.*.x": "[]", "(github.event.labels.*).name": `["Bug","help wanted"]`,
		"fromJSON(toJSON(github.event.labels.*.name))[1]": `"help wanted"`, "github.event.labels.*['NAME']": `["Bug","help wanted"]`,
		// contains, startsWith, endsWith.
		"contains('Hello world', 'LLO')": "true", "contains('abc', 'd')": "false", "contains('abc', '')": "true", "contains(github.event.labels.*.name, 'bug')": "true", "contains(github.event.labels.*.name, 'bu')": "false",
		"contains(fromJSON('[\"push\", \"pull_request\"]'), github.event_name)": "true", "contains(matrix.list, '1')": "true", "contains(matrix.list, false)": "true", "contains(matrix.inner, 'a')": "false", "contains(123, 2)": "true",
		"contains('a', matrix.list)": "false", "contains(null, '')": "true", "contains(matrix.list, 'Y')": "false", "startsWith('Hello world', 'HE')": "true", "startsWith(null, 'a')": "false", "startsWith(12, 1)": "true", "startsWith(matrix.list, 'A')": "false",
		"endsWith('Hello world', 'LD')": "true", "endswith('x', '')": "true", "endsWith(true, 'ue')": "true", "CONTAINS('a','A')": "true", "contains('straße', 'STRASSE')": "false",
		// format.
		"format('Hello {0} {1} {2}', 'Mona', 'the', 'Octocat')": `"Hello Mona the Octocat"`, "format('{{Hello {0} {1} {2}!}}', 'Mona', 'the', 'Octocat')": `"{Hello Mona the Octocat!}"`, "format('{0}{0}', 1)": `"11"`,
		"format('{0}', null)": `""`, "format('{0}', matrix.list)": `"Array"`, "format('{0}', matrix.inner)": `"Object"`, "format('{0}', true)": `"true"`, "format('')": `""`, "format(null)": `""`, "format('}}{{')": `"}{"`, "format('{0:}', 1)": `"1"`,
		"format('{00}', 1)": `"1"`, "format('{{{0}}}', 1)": `"{1}"`, "format('x', unknown)": `"x"`,
		// join.
		"join(github.event.labels.*.name, ', ')": `"Bug, help wanted"`, "join(matrix.list)": `"1,x,true,"`, "join(matrix.list, '')": `"1xtrue"`, "join('abc', 'x')": `"abc"`, "join(12.5)": `"12.5"`, "join(matrix.inner)": `""`, "join(null)": `""`,
		"join(github.event.grid, '-')": `"Array-Array-Object-7-"`, "join(matrix.list, matrix.inner)": `"1,x,true,"`, "join(fromJSON('[]'), '-')": `""`,
		// toJSON and fromJSON.
		"toJSON(matrix.inner)": `"{\n  \"a\": [\n    1\n  ]\n}"`, "toJSON('a\"b')": `"\"a\\\"b\""`, "toJSON(null)": `"null"`, "toJSON(-0)": `"0"`, "toJSON(fromJSON('{}'))": `"{}"`, "toJSON(fromJSON('[]'))": `"[]"`, "tojson(1.50)": `"1.5"`,
		"fromJSON('true')": "true", "fromJSON('3')": "3", "fromJSON('\"x\"')": `"x"`, "fromJSON(' null ')": "null", "fromJSON('[1,[2]]')[1][0]": "2", "fromJSON('{\"A\":1,\"a\":2}')": `{"A":2}`, "fromJSON(true)": "true", "fromJSON(env.n) == 12": "true",
		"fromJSON('{''a'': 1, b: [2,],}').b[0]": "2",
		// case.
		"case(true, 1, 2)": "1", "case(false, 1, 2)": "2", "case(false, 1, true, 'two', 3)": `"two"`, "case(github.ref == 'refs/heads/main', 'production', 'development')": `"production"`, "case(true, 1, unknown)": "1", "case(false, unknown, 2)": "2",
		// Status functions come from the caller.
		"success()": "true", "always() && !cancelled()": "true", "failure()": "false", "Success( )": "true",
	} {
		if want == "" {
			continue
		}
		if strings.HasPrefix(in, "a == b") {
			continue // unknown contexts are a fault; asked below
		}
		e, f := expr.Parse(in, column)
		if f != nil {
			t.Errorf("%s: %v", in, f)
			continue
		}
		v, err := e.Eval(env)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := v.JSON(false); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestNumbersInTextHaveAtMost15Digits(t *testing.T) {
	for in, want := range map[string]string{
		"0.84551240822557006": "0.84551240822557", "1e14": "100000000000000", "999999999999999": "999999999999999", "1e15": "1E+15", "123456789012345678": "1.23456789012346E+17", "1e100": "1E+100", "1e-4": "0.0001",
		"0.00001": "1E-05", "1.5e-7": "1.5E-07", "-2.0": "-2", "0.1": "0.1", "1e400": "Infinity", "123456.789": "123456.789", "1234567890123456": "1.23456789012346E+15", "-1e-300": "-1E-300", "999999999999999.9": "1E+15", "0.012": "0.012",
	} {
		tmpl, faults := expr.ParseTemplate("<${{ "+in+" }}>", column)
		if faults != nil {
			t.Fatal(faults)
		}
		if got, err := tmpl.Text(nil); err != nil || got != "<"+want+">" {
			t.Errorf("%s is %s (%v), want %s", in, got, err, want)
		}
	}
}

func TestFaultsOfEvaluationArePlaced(t *testing.T) {
	env := world(t)
	for in, want := range map[string]struct {
		code   string
		column int
		text   string
	}{
		"true && gihub.ref":                {expr.CodeContext, 9, `did you mean "github"?`},
		"hello":                            {expr.CodeContext, 1, "text stands in single quotes: 'hello'"},
		"'a' == runner.os":                 {expr.CodeContext, 8, "has no value here"},
		"format('{1}', 1)":                 {expr.CodeFormat, 8, "{1}"},
		"format('{0', 1)":                  {expr.CodeFormat, 8, "not closed"},
		"format('{a}', 1)":                 {expr.CodeFormat, 8, "not the number"},
		"format('{0:x}', 1)":               {expr.CodeFormat, 8, "format of its own"},
		"format('{}', 1)":                  {expr.CodeFormat, 8, "not the number"},
		"format('{256}', 1)":               {expr.CodeFormat, 8, "255"},
		"format('{0}}', '')":               {expr.CodeFormat, 8, "closes nothing"},
		"1 == fromJSON('[1,')":             {expr.CodeJSON, 6, "line 1, column 4"},
		"fromJSON(github.event.none)":      {expr.CodeJSON, 1, "the text is empty"},
		"fromJSON(matrix.inner)":           {expr.CodeJSON, 1, "leave fromJSON out"},
		"fromJSON('{} x')":                 {expr.CodeJSON, 1, "something follows"},
		"case(1, 2, 3)":                    {expr.CodeCase, 6, "not a number"},
		"case(false, 2, github.ref, 3, 4)": {expr.CodeCase, 16, "not a text"},
		"hashFiles('x')":                   {expr.CodePlace, 1, "not available here"},
		"fromJSON('" + strings.Repeat("[", 101+1) + "')": {expr.CodeJSON, 1, "levels deep"},
	} {
		e, f := expr.Parse(in, column)
		if f != nil {
			t.Errorf("%s: %v", in, f)
			continue
		}
		_, err := e.Eval(env)
		got, ok := errors.AsType[*fault.Fault](err)
		if !ok || got.Code != want.code || got.Place.Column != want.column || !strings.Contains(got.Error(), want.text) {
			t.Errorf("%s: got %v, want %s at column %d with %q", in, err, want.code, want.column, want.text)
		}
	}
}

var errLater = errors.New("hash these files first")

func TestErrorsOfGivenFunctionsComeOutUnchanged(t *testing.T) {
	env := &expr.Env{Funcs: map[string]func([]expr.Value) (expr.Value, error){
		"hashfiles": func(args []expr.Value) (expr.Value, error) {
			if len(args) != 2 || args[0].Text() != "a" {
				t.Errorf("arguments %v", args)
			}
			return expr.Null(), errLater
		},
	}}
	tmpl, faults := expr.ParseTemplate("key-${{ hashFiles('a', '**/b') }}", column)
	if faults != nil {
		t.Fatal(faults)
	}
	if _, err := tmpl.Text(env); err != errLater { //nolint:errorlint // the very same error is promised
		t.Errorf("got %v", err)
	}
	env.Funcs["hashfiles"] = func([]expr.Value) (expr.Value, error) { return expr.Null(), fault.New("SL1", "no such folder") }
	if _, err := tmpl.Text(env); fault.CodeOf(err) != "SL1" || !strings.HasPrefix(err.Error(), "w.yml:1:9: ") {
		t.Errorf("a fault without a place gets the function's: %v", err)
	}
}

func TestContextsThatAreMissingAreAskedFor(t *testing.T) {
	env := &expr.Env{Missing: func(name string) (expr.Value, error) {
		if name == "secrets" {
			return expr.NewObject(expr.Pair{Key: "TOKEN", Value: expr.String("x")}), nil
		}
		return expr.Null(), errLater
	}}
	e, _ := expr.Parse("Secrets.token", nil)
	if v, err := e.Eval(env); err != nil || v.Text() != "x" {
		t.Errorf("got %v %v", v, err)
	}
	e, _ = expr.Parse("needs.a", nil)
	if _, err := e.Eval(env); !errors.Is(err, errLater) {
		t.Errorf("got %v", err)
	}
}

func TestResultsAreBounded(t *testing.T) {
	big := expr.String(strings.Repeat("x", 1<<20))
	items := make([]expr.Value, 1000)
	for i := range items {
		items[i] = expr.NewObject(expr.Pair{Key: "k", Value: expr.String(strings.Repeat("y", 1000))})
	}
	env := &expr.Env{Contexts: map[string]expr.Value{"big": big, "many": expr.Array(big, big, big, big, big, big), "list": expr.Array(items...)}}
	ten := strings.Repeat("{0}", 10)
	bombs := []string{
		"format('" + ten + "', big)",
		"format('" + ten + "', format('" + ten + "', format('" + ten + "', big)))",
		"join(many, big)",
		"toJSON(many)",
		"startsWith(format('{0}{0}{0}{0}{0}{0}{0}', toJSON(list)), 'x')",
	}
	for _, in := range bombs {
		e, f := expr.Parse(in, column)
		if f != nil {
			t.Fatal(f)
		}
		if _, err := e.Eval(env); fault.CodeOf(err) != expr.CodeMemory {
			t.Errorf("%.60s: got %v", in, err)
		}
	}
	numbers := make([]expr.Value, 1000)
	env.Contexts["numbers"] = expr.Array(numbers...)
	env.Contexts["digits"] = expr.String(strings.Repeat("1", 4<<20))
	for _, in := range []string{"contains(numbers, digits)", strings.Repeat("digits == 1 || ", 60) + "0"} {
		e, _ := expr.Parse(in, column)
		if _, err := e.Eval(env); fault.CodeOf(err) != expr.CodeMemory {
			t.Errorf("%.40s: reading the same text over and over: %v", in, err)
		}
	}
	text, faults := expr.ParseTemplate(strings.Repeat("${{ big }} ", 7), column)
	if faults != nil {
		t.Fatal(faults)
	}
	if _, err := text.Text(env); fault.CodeOf(err) != expr.CodeMemory {
		t.Errorf("a text: got %v", err)
	}
	work := strings.Repeat("contains(join(many), 'z') || ", 60) + "true"
	e, _ := expr.Parse(work, column)
	if _, err := e.Eval(env); fault.CodeOf(err) != expr.CodeMemory {
		t.Errorf("many results: got %v", err)
	}
	e, _ = expr.Parse("contains(toJSON(list), 'z')", column)
	if _, err := e.Eval(env); err != nil {
		t.Errorf("a result of 2 MB is small enough: %v", err)
	}
}
