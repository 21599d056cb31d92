package expr_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"pgregory.net/rapid"
)

func world(name string) (string, bool) {
	v, ok := map[string]string{
		"PRESENT": "my variable", "PATH_": "a/path/variable/value", "FULL": "/a/full/path/variable/value", "EMPTY": "", "BLANK": " \t\n",
		"ABC": "abcde", "STARTS": "/^ab.*/", "NOT": "/^at.*/", "BROKEN": "/a(/", "PLAIN": "xx abcde xx", "ESCAPED": `/path\/variable/`, "FOLD": "/ABC/i",
		"NO_PATTERN": "//", "LINES": "first\nsecond", "TWO": "x\n/second/\ny", "FALSE": "false", "TRUE": "true", "ONE": "1", "REFERENCE": "$PRESENT", "1A": "digit first",
	}[name]
	return v, ok
}

func inputs(name string) (expr.Value, bool) {
	v, ok := map[string]expr.Value{"cloud": expr.Text("aws"), "flag": expr.Truth(true), "off": expr.Truth(false), "n": expr.Number("5")}[name]
	return v, ok
}

// The rows say what an expression comes to; where the documentation or GitLab's behaviour is surprising, the name
// says so.
var results = []struct{ text, want string }{
	// Equality compares texts; null is only the undefined.
	{`$PRESENT == "my variable"`, "true"},
	{`"my variable" == $PRESENT`, "true"},
	{`$PRESENT == 'my variable'`, "true"},
	{`$PRESENT == "other"`, "false"},
	{`$PRESENT == null`, "false"},
	{`$EMPTY == null`, "false"},
	{`"" == $EMPTY`, "true"},
	{`$UNDEFINED == null`, "true"},
	{`null == $UNDEFINED`, "true"},
	{`$UNDEFINED == ""`, "false"},
	{`$UNDEFINED == $ALSO_UNDEFINED`, "true"},
	{`$PRESENT == $PRESENT`, "true"},
	{`$PRESENT == $EMPTY`, "false"},
	{`$PRESENT != "my variable"`, "false"},
	{`$PRESENT != null`, "true"},
	{`$EMPTY != null`, "true"},
	{`"" != $EMPTY`, "false"},
	{`$UNDEFINED != null`, "false"},
	{`$UNDEFINED != ""`, "true"},
	{`$TRUE == "true"`, "true"},
	{`$TRUE == true`, "false"},
	{`true == true`, "true"},
	{`null == false`, "false"},
	{`$REFERENCE == "$PRESENT"`, "true"},
	{`$1A == "digit first"`, "true"},
	// A lone value is itself.
	{`$PRESENT`, `"my variable"`},
	{`$EMPTY`, `""`},
	{`$UNDEFINED`, "null"},
	{`null`, "null"},
	{`true`, "true"},
	{`"a'b"`, `"a'b"`},
	{`'a"b'`, `'a"b'`},
	{`/ab/i`, "/ab/i"},
	// Patterns are searched for, not anchored.
	{`$PRESENT =~ /var.*e$/`, "true"},
	{`$PRESENT =~ /^var.*/`, "false"},
	{`$EMPTY =~ /var.*/`, "false"},
	{`$EMPTY =~ /^$/`, "true"},
	{`$UNDEFINED =~ /var.*/`, "false"},
	{`$UNDEFINED =~ /^$/`, "true"},
	{`$PRESENT =~ /VAR.*/i`, "true"},
	{`$PRESENT =~ /VAR.*/`, "false"},
	{`$PATH_ =~ /path\/variable/`, "true"},
	{`$FULL =~ /^\/a\/full\/path\/variable\/value$/`, "true"},
	{`$FULL =~ /\\/path\\/variable\\/value$/`, "true"},
	{`$PRESENT =~ /va\/r.*e$/`, "false"},
	{`$LINES =~ /first.second/`, "false"},
	{`$LINES =~ /first.second/s`, "true"},
	{`$LINES =~ /^second$/`, "false"},
	{`$LINES =~ /^second$/m`, "true"},
	{`$LINES =~ /FIRST.SECOND/is`, "true"},
	{`$ABC =~ /a.*e/U`, "true"},
	{`$PRESENT !~ /var.*e$/`, "false"},
	{`$PRESENT !~ /^var.*/`, "true"},
	{`$EMPTY !~ /var.*/`, "true"},
	{`$UNDEFINED !~ /var.*/`, "true"},
	{`$PRESENT !~ /VAR.*/i`, "false"},
	{`$FULL =~ /a//`, "true"}, // an unescaped slash right before the last one belongs to the pattern
	// A pattern may come from a variable or a string.
	{`$ABC =~ $STARTS`, "true"},
	{`$ABC =~ $NOT`, "false"},
	{`$ABC !~ $NOT`, "true"},
	{`$ABC =~ "/^ab/"`, "true"},
	{`$PATH_ =~ $ESCAPED`, "true"},
	{`$ABC =~ $FOLD`, "true"},
	{`$ABC =~ $NO_PATTERN`, "true"},
	{`"second" =~ $TWO`, "true"},
	// A text that is no pattern is searched for the left side: documented as unexpected.
	{`$ABC =~ "abcde"`, "true"},
	{`$ABC =~ $ABC`, "true"},
	{`$ABC =~ $PLAIN`, "true"},
	{`$PLAIN =~ $ABC`, "false"},
	{`"23" =~ "1234"`, "true"},
	{`"23" =~ /1234/`, "false"},
	{`"23" !~ "1234"`, "false"},
	{`$UNDEFINED =~ "x"`, "true"},
	{`"/a(/" =~ $BROKEN`, "true"},
	{`"aa" =~ $BROKEN`, "false"},
	// Nothing matches what is not defined.
	{`$ABC =~ $UNDEFINED`, "false"},
	{`$ABC !~ $UNDEFINED`, "true"},
	{`null =~ null`, "false"},
	{`null !~ null`, "true"},
	{`$ABC =~ null`, "false"},
	// && and || give an operand; an empty text counts as given there.
	{`$PRESENT && "string"`, `"string"`},
	{`$PRESENT && $EMPTY`, `""`},
	{`$PRESENT && null`, "null"},
	{`$EMPTY && $PRESENT`, `"my variable"`},
	{`null && $PRESENT`, "null"},
	{`$EMPTY && "string"`, `"string"`},
	{`"string" && $EMPTY`, `""`},
	{`null && null`, "null"},
	{`false && "x"`, "false"},
	{`$PRESENT || $UNDEFINED`, `"my variable"`},
	{`$UNDEFINED || $PRESENT`, `"my variable"`},
	{`$EMPTY || "string"`, `""`},
	{`false || "x"`, `"x"`},
	{`null || false`, "false"},
	{`$UNDEFINED == null || $PRESENT`, "true"},
	{`$PRESENT || $UNDEFINED == null`, `"my variable"`},
	{`$PRESENT && null || $EMPTY == ""`, "true"},
	{`$PRESENT =~ /my var/ && $EMPTY =~ /nope/`, "false"},
	{`$EMPTY == "" && $PRESENT`, `"my variable"`},
	{`$EMPTY == "" && $PRESENT != "nope"`, "true"},
	{`$PRESENT =~ /my var/ || $EMPTY =~ /nope/`, "true"},
	// Precedence and parentheses.
	{`"a" || null && null`, `"a"`},
	{`("a" || null) && null`, "null"},
	{`null && "a" || "b"`, `"b"`},
	{`null && ("a" || "b")`, "null"},
	{`(("a"))`, `"a"`},
	{`("string" || "test") == "string"`, "true"},
	{`(null || ("test" == "string"))`, "false"},
	{`("string" == ("test" && "string"))`, "true"},
	{`("string" == ("test" || "string"))`, "false"},
	{`("string" == "test" || "string")`, `"string"`},
	{`"a" == "a" == true`, "true"},
	{`"1" == "1" == "1"`, "false"},
	{`true == ("a" == "a")`, "true"},
	{`$ABC =~ /x../ || $ABC =~ /abc/ && $PRESENT`, `"my variable"`},
	{"(\n  $PRESENT\t&&\r\n $ABC\n)", `"abcde"`},
	{`$PRESENT=="my variable"&&$ABC`, `"abcde"`},
	// Negation looks at whether there is something, not at what it says.
	{`!$UNDEFINED`, "true"},
	{`!$PRESENT`, "false"},
	{`!"false"`, "false"},
	{`!null`, "true"},
	{`!""`, "true"},
	{`!"0"`, "false"},
	{`!$EMPTY`, "true"},
	{`!$BLANK`, "true"},
	{`!!$PRESENT`, "true"},
	{`!true`, "false"},
	{`! $PRESENT`, "false"},
	{`!($PRESENT == "my variable")`, "false"},
	{`!($UNDEFINED && $PRESENT)`, "true"},
	{`$PRESENT && !$UNDEFINED`, "true"},
	{`!($PRESENT =~ /^content.*/ || $UNDEFINED) && ($EMPTY == "" || $PATH_)`, "true"},
	{`!$PRESENT == "my variable"`, "false"},
	{`!$UNDEFINED == true`, "true"},
	{`true == !$UNDEFINED`, "true"},
	// Inputs have types.
	{`$[[ inputs.cloud ]] == "aws"`, "true"},
	{`$[[inputs.cloud]] != "gcp"`, "true"},
	{`$[[ inputs.flag ]] == true`, "true"},
	{`$[[ inputs.flag ]]`, "true"},
	{`$[[ inputs.flag ]] == "true"`, "false"},
	{`!$[[ inputs.off ]]`, "true"},
	{`$[[ inputs.n ]] == "5"`, "false"},
	{`$[[ inputs.n ]] == $[[ inputs.n ]]`, "true"},
	{`$[[ inputs.unknown ]] == null`, "true"},
}

func TestResult(t *testing.T) {
	for _, row := range results {
		e, err := expr.Parse(row.text)
		if err != nil {
			t.Errorf("%s: %v", row.text, err)
			continue
		}
		v, err := e.Result(expr.Scope{Variables: world, Inputs: inputs})
		if err != nil || v.String() != row.want {
			t.Errorf("%s = %v (error %v), want %s", row.text, v, err, row.want)
		}
	}
}

func TestEvalAsksWhetherSomethingIsThere(t *testing.T) {
	for text, want := range map[string]bool{
		`$PRESENT`: true, `$UNDEFINED`: false, `$EMPTY`: false, `$BLANK`: false, `"0"`: true, `"false"`: true, `$FALSE`: true, `false`: false, `""`: false, `null`: false, `/ab/`: true,
		`$EMPTY || "string"`: false, `$EMPTY && "string"`: true, `$PRESENT == "my variable"`: true,
	} {
		e, err := expr.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got, err := e.Eval(world); got != want || err != nil {
			t.Errorf("%s holds: %v (error %v), want %v", text, got, err, want)
		}
	}
}

func TestEvalWithoutAnyVariables(t *testing.T) {
	e, err := expr.Parse(`$A == null && $[[ inputs.b ]] == null`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Eval(nil); !got || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

// Each row is an expression with ^ below the place of the mistake.
var mistakes = []struct{ name, text, mark, code, message, hint string }{
	{"nothing", ``, `^`, "SL1101", "the expression is empty", ""},
	{"white space", " \n", "^", "SL1101", "the expression is empty", ""},
	{"single equals", `$A = "b"`, `   ^`, "SL1101", "a single = compares nothing", "write =="},
	{"three equals", `$A === "b"`, `     ^`, "SL1101", "single =", "write =="},
	{"unquoted string", `$A == main`, `      ^`, "SL1101", `"main" is neither a variable nor a string`, `write $main for a variable, "main" in quotes`},
	{"missing dollar", `CI_COMMIT_TAG == "v1"`, `^`, "SL1101", `"CI_COMMIT_TAG" is neither`, "write $CI_COMMIT_TAG"},
	{"and", `$A and $B`, `   ^`, "SL1101", `"and" is not understood`, "write &&"},
	{"or in capitals", `$A OR $B`, `   ^`, "SL1101", `"OR" is not understood`, "write ||"},
	{"not", `not $A`, `^`, "SL1101", `"not" is not understood`, "write !"},
	{"nil", `$A == nil`, `      ^`, "SL1101", `"nil"`, "write null"},
	{"misspelt null", `$A == nulll`, `          ^`, "SL1101", `"l" is neither`, ""},
	{"capital true", `$A == True`, `      ^`, "SL1101", `"True" is not understood`, "write true"},
	{"misspelt false", `$A == flase`, `      ^`, "SL1101", `"flase"`, "did you mean false?"},
	{"single ampersand", `$A & $B`, `   ^`, "SL1101", "single &", "write &&"},
	{"single bar", `$A | $B`, `   ^`, "SL1101", "single |", "write ||"},
	{"less than", `$A < "3"`, `   ^`, "SL1101", "no comparison with <", "texts"},
	{"number", `$A == 3.14`, `      ^`, "SL1101", `"3.14"`, `write "3.14" in quotes`},
	{"braces", `"x" == ${A_B}`, `       ^`, "SL1101", "${A_B} is not understood", "write $A_B"},
	{"percent", `%A% == "x"`, `^`, "SL1101", "%A% is not", "write $A"},
	{"lone dollar", `$ == "x"`, `^`, "SL1101", "a $ without a name", "$NAME"},
	{"open string", `$A == "x`, `      ^`, "SL1101", "no closing \"", "no escapes"},
	{"open single string", `$A == 'x`, `      ^`, "SL1101", "no closing '", "double quotes"},
	{"string over two lines", "$A == \"x\ny\"", "      ^", "SL1101", "no closing \"", ""},
	{"typographic quotes", `$A == “x”`, `      ^`, "SL1101", `unexpected '“'`, `quotes are`},
	{"backslash", `$A == \"x\"`, `      ^`, "SL1101", `unexpected '\\'`, ""},
	{"one-character pattern", `$A =~ /./`, `      ^`, "SL1102", "at least two characters", "{1}"},
	{"empty pattern", `$A =~ //`, `      ^`, "SL1102", "at least two characters", ""},
	{"open pattern", `$A =~ /ab`, `      ^`, "SL1102", "no closing /", `\/`},
	{"unknown flag", `$A =~ /ab/x`, `          ^`, "SL1101", `"x" is no flag`, "i, m, s and U"},
	{"bad pattern", `$A =~ /a(b/`, `      ^`, "SL1102", "missing closing )", ""},
	{"look-ahead", `$A =~ /^(?!main)/`, `      ^`, "SL1102", "not a regular expression", "no look-around"},
	{"back reference", `$A =~ /(a)\1/`, `      ^`, "SL1102", "invalid escape", "no back references"},
	{"pattern over two lines", "$A =~ /a\nb/", "      ^", "SL1102", "between slashes", ""},
	{"large repetition", `$A =~ /(abcdefghijklmnop){1000}/`, `      ^`, "SL1103", "too large", "repetition"},
	{"two values", `$VAR "text"`, `     ^`, "SL1101", `expected an operator before "text"`, "&& or ||"},
	{"reverse order", `$A $B ==`, `   ^`, "SL1101", "expected an operator before $B", ""},
	{"no left side", `== "123"`, `^`, "SL1101", "expected a variable or a value, found ==", ""},
	{"no right side", `$VAR ==`, `       ^`, "SL1101", "expected a variable or a value, found the end", ""},
	{"lone negation", `!`, ` ^`, "SL1101", "found the end", ""},
	{"postfix negation", `$A !`, `   ^`, "SL1101", "expected an operator before !", ""},
	{"open parenthesis", `$VAR == ("aa"`, `             ^`, "SL1101", "expected ) or an operator, found the end", "character 9"},
	{"open and empty", `$VAR == (`, `         ^`, "SL1101", "found the end", ""},
	{"extra close", `$VAR == ("aa"))`, `              ^`, "SL1101", "a ) without its (", ""},
	{"only close", `$VAR == "aa")`, `            ^`, "SL1101", "a ) without its (", ""},
	{"empty parentheses", `()`, ` ^`, "SL1101", "before )", ""},
	{"match with true", `$A =~ true`, `   ^`, "SL1104", "needs a regular expression on its right, not true", ""},
	{"dash in a name", `$MY-VAR == "x"`, `   ^`, "SL1101", `"-VAR" is neither`, ""},
	{"number alone", `12345`, `^`, "SL1101", `"12345"`, "quotes"},
}

func TestMistake(t *testing.T) {
	for _, row := range mistakes {
		t.Run(row.name, func(t *testing.T) {
			_, err := expr.Parse(row.text)
			var e *expr.Error
			if !errors.As(err, &e) {
				t.Fatalf("%q: no mistake found (%v)", row.text, err)
			}
			if want := strings.Index(row.mark, "^"); e.Offset != want {
				t.Errorf("%q: at %d, want %d (%s)", row.text, e.Offset, want, e)
			}
			if e.Code != row.code || !strings.Contains(e.Message, row.message) || !strings.Contains(e.Hint, row.hint) {
				t.Errorf("%q: %s %q hint %q\nwant %s %q hint %q", row.text, e.Code, e.Message, e.Hint, row.code, row.message, row.hint)
			}
			if strings.Contains(e.Error(), "%!") {
				t.Errorf("badly formatted: %s", e)
			}
		})
	}
}

func TestTooManyTokens(t *testing.T) {
	if _, err := expr.Parse(`$A` + strings.Repeat(` || $A`, 49)); err != nil {
		t.Errorf("99 tokens: %v", err)
	}
	_, err := expr.Parse(`!$A` + strings.Repeat(` || $A`, 49))
	var e *expr.Error
	if !errors.As(err, &e) || e.Code != expr.CodeSize {
		t.Errorf("100 tokens: %v", err)
	}
}

func TestEvalErrors(t *testing.T) {
	large := "/" + strings.Repeat("a", expr.MaxPattern+1) + "/"
	for text, code := range map[string]string{`$A =~ ($A == $A)`: expr.CodeType, `"x" =~ $A`: expr.CodeSize, `!("x" =~ $A)`: expr.CodeSize, `"x" =~ $A && true`: expr.CodeSize, `true == ("x" =~ $A)`: expr.CodeSize} {
		p, err := expr.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Eval(func(string) (string, bool) { return large, true })
		var e *expr.Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: %v, want %s", text, err, code)
		}
	}
}

func TestVariablesAndInputs(t *testing.T) {
	e, err := expr.Parse(`($B == "$C" && !$[[ inputs.y ]] =~ $A) || $B !~ /$D../ || $A == $[[ inputs.x ]]`)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Variables(); !slices.Equal(got, []string{"B", "A"}) {
		t.Errorf("variables %v", got)
	}
	if got := e.Inputs(); !slices.Equal(got, []string{"y", "x"}) {
		t.Errorf("inputs %v", got)
	}
}

func TestFaultCarriesAll(t *testing.T) {
	_, err := expr.Parse(`$A = 1`)
	var e *expr.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	f := e.Fault(fault.Place{File: "f", Line: 3, Column: 4})
	if got, want := f.Error(), "f:3:4: a single = compares nothing [SL1101] - write == (or =~ for a regular expression)"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestEveryCodeIsExplained(t *testing.T) {
	for _, code := range []string{expr.CodeSyntax, expr.CodePattern, expr.CodeSize, expr.CodeType} {
		if !slices.ContainsFunc(expr.Docs, func(d fault.Doc) bool { return d.Code == code && d.Summary != "" && d.Text != "" }) {
			t.Errorf("%s has no explanation", code)
		}
	}
}

// A generated expression comes with the value it must have, computed beside it by other means.
func TestPropertyTruthOfGeneratedExpressions(t *testing.T) {
	type made struct {
		text string
		want bool
	}
	atom := rapid.Custom(func(t *rapid.T) made {
		v := rapid.SampledFrom([]string{"", "a", "main", "release/1", "x y"}).Draw(t, "value")
		name := map[string]string{"": "E", "a": "A", "main": "M", "release/1": "R", "x y": "X"}[v]
		w := rapid.SampledFrom([]string{"", "a", "main", "release/1"}).Draw(t, "other")
		switch rapid.IntRange(0, 4).Draw(t, "form") {
		case 0:
			return made{"$" + name + ` == "` + w + `"`, v == w}
		case 1:
			return made{"$" + name + " != '" + w + "'", v != w}
		case 2:
			return made{"$" + name + " =~ /^" + strings.ReplaceAll(w, "/", `\/`) + "$/", v == w}
		case 3:
			return made{"$" + name + " !~ /^" + strings.ReplaceAll(w, "/", `\/`) + "$/", v != w}
		default:
			return made{"!$" + name, strings.TrimSpace(v) == ""}
		}
	})
	var tree func(depth int) *rapid.Generator[made]
	tree = func(depth int) *rapid.Generator[made] {
		return rapid.Custom(func(t *rapid.T) made {
			if depth == 0 {
				return atom.Draw(t, "atom")
			}
			l, r := tree(depth-1).Draw(t, "left"), tree(depth-1).Draw(t, "right")
			switch rapid.IntRange(0, 3).Draw(t, "join") {
			case 0:
				return made{"(" + l.text + ")&&(" + r.text + ")", l.want && r.want}
			case 1:
				return made{"(" + l.text + ") || (" + r.text + ")", l.want || r.want}
			case 2:
				return made{"!(" + l.text + ")", !l.want}
			default:
				return l
			}
		})
	}
	values := map[string]string{"E": "", "A": "a", "M": "main", "R": "release/1", "X": "x y"}
	rapid.Check(t, func(t *rapid.T) {
		m := tree(3).Draw(t, "expression")
		e, err := expr.Parse(m.text)
		if err != nil {
			var limit *expr.Error
			if errors.As(err, &limit) && limit.Code == expr.CodeSize {
				return
			}
			t.Fatalf("%s: %v", m.text, err)
		}
		got, err := e.Eval(func(n string) (string, bool) { v, ok := values[n]; return v, ok })
		if err != nil || got != m.want {
			t.Fatalf("%s = %v (error %v), want %v", m.text, got, err, m.want)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, row := range results {
		f.Add(row.text)
	}
	for _, row := range mistakes {
		f.Add(row.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := expr.Parse(text)
		if err != nil {
			var m *expr.Error
			if !errors.As(err, &m) {
				t.Fatalf("%q: a foreign error %v", text, err)
			}
			if m.Offset < 0 || m.Offset > len(text) || m.Message == "" || m.Code == "" {
				t.Fatalf("%q: %+v", text, m)
			}
			return
		}
		first, err := e.Result(expr.Scope{Variables: world, Inputs: inputs})
		if err != nil {
			return
		}
		again, err := expr.Parse("(" + e.String() + ")")
		if err != nil {
			return // two more tokens may be too many
		}
		if second, err := again.Result(expr.Scope{Variables: world, Inputs: inputs}); err != nil || second.String() != first.String() {
			t.Fatalf("%q: %v, in parentheses %v (%v)", text, first, second, err)
		}
	})
}
