package expr_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"pgregory.net/rapid"
)

// shape prints a tree so that two parsers can be compared: (operator operands…), rows of && and || laid flat. It is the
// form of tools/oracle.
func shape(n expr.Node) string {
	list := func(head string, nodes ...expr.Node) string {
		for _, c := range nodes {
			head += " " + shape(c)
		}
		return "(" + head + ")"
	}
	switch n := n.(type) {
	case *expr.Literal:
		if n.Value.Kind() == expr.KindString {
			return fmt.Sprintf("%q", n.Value.Text())
		}
		return n.String()
	case *expr.Variable:
		return strings.ToLower(n.Name)
	case *expr.Property:
		return "(. " + shape(n.Of) + " " + strings.ToLower(n.Name) + ")"
	case *expr.Star:
		return list(".*", n.Of)
	case *expr.Index:
		return list("[]", n.Of, n.Key)
	case *expr.Not:
		return list("!", n.Of)
	case *expr.Call:
		return list(n.Name+"()", n.Args...)
	case *expr.Binary:
		if n.Op == "&&" || n.Op == "||" {
			return list(n.Op, row(n, n.Op)...)
		}
		return list(n.Op, n.Left, n.Right)
	}
	return fmt.Sprintf("%T", n)
}

func row(n expr.Node, op string) []expr.Node {
	if b, ok := n.(*expr.Binary); ok && b.Op == op {
		return append(row(b.Left, op), row(b.Right, op)...)
	}
	return []expr.Node{n}
}

func TestOperatorsBindAsDocumented(t *testing.T) {
	for in, want := range map[string]string{
		"a || b && c":             "(|| a (&& b c))",
		"a && b || c && d":        "(|| (&& a b) (&& c d))",
		"a == b && c != d":        "(&& (== a b) (!= c d))",
		"a == b < c":              "(== a (< b c))",
		"a < b == c":              "(== (< a b) c)",
		"a < b <= c":              "(<= (< a b) c)",
		"a == b != c":             "(!= (== a b) c)",
		"!a == b":                 "(== (! a) b)",
		"a == !b == c":            "(== (== a (! b)) c)",
		"!a.b[0]":                 "(! ([] (. a b) 0))",
		"!!a && b":                "(&& (! (! a)) b)",
		"(a || b) && c":           "(&& (|| a b) c)",
		"a.*.b.*[1]":              "([] (.* (. (.* a) b)) 1)",
		"a[*].b":                  "(. (.* a) b)",
		"a[b[c].d]":               "([] a (. ([] b c) d))",
		"format('{0}', a || b)":   `(format() "{0}" (|| a b))`,
		"fromJSON('{}').a['b']":   `([] (. (fromjson() "{}") a) "b")`,
		"a.true.null.NaN":         "(. (. (. a true) null) nan)",
		"((a)).b":                 "(. a b)",
		"a-b_c.d-e":               "(. a-b_c d-e)",
		"-1 == .5":                "(== -1 0.5)",
		"a && (b && c) && d":      "(&& a b c d)",
		"success ( ) || always()": "(|| (success()) (always()))",
	} {
		e, f := expr.Parse(in, nil)
		if f != nil {
			t.Errorf("%s: %v", in, f)
			continue
		}
		if got := shape(e.Root()); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestMistakesArePlacedAtTheCharacter(t *testing.T) {
	for in, want := range map[string]struct {
		code   string
		column int
		text   string
	}{
		"":                               {expr.CodeSyntax, 1, "empty"},
		"  \n ":                          {expr.CodeSyntax, 1, "empty"},
		`github.ref == "main"`:           {expr.CodeSyntax, 15, "single quotes"},
		"'it's'":                         {expr.CodeSyntax, 6, "written twice"},
		"a == 'open":                     {expr.CodeSyntax, 6, "no end"},
		"1 <":                            {expr.CodeSyntax, 4, "ends where a value"},
		"1 < )":                          {expr.CodeSyntax, 5, "unexpected )"},
		"> 1":                            {expr.CodeSyntax, 1, "unexpected >"},
		"a = b":                          {expr.CodeSyntax, 3, "did you mean ==?"},
		"a & b":                          {expr.CodeSyntax, 3, "did you mean &&?"},
		"a | b":                          {expr.CodeSyntax, 3, "did you mean ||?"},
		"a + b":                          {expr.CodeSyntax, 3, "no arithmetic"},
		"a - b":                          {expr.CodeSyntax, 3, "no arithmetic"},
		"a * b":                          {expr.CodeSyntax, 3, "unexpected *"},
		"a ? b : c":                      {expr.CodeSyntax, 3, "case(condition"},
		"github.()":                      {expr.CodeSyntax, 8, "name of a property"},
		"github.'ref'":                   {expr.CodeSyntax, 8, "write ['ref']"},
		"a.5":                            {expr.CodeSyntax, 3, "write [5]"},
		"a..b":                           {expr.CodeSyntax, 3, "name of a property"},
		"'a'.b":                          {expr.CodeSyntax, 4, "no properties"},
		"1[0]":                           {expr.CodeSyntax, 2, "no properties"},
		"(1,":                            {expr.CodeSyntax, 3, "unexpected ,"},
		"(a":                             {expr.CodeSyntax, 1, "not closed"},
		"a[0":                            {expr.CodeSyntax, 2, "add ]"},
		"a[]":                            {expr.CodeSyntax, 3, "unexpected ]"},
		"a]":                             {expr.CodeSyntax, 2, "unexpected ]"},
		"a[* .b]":                        {expr.CodeSyntax, 5, "unexpected ."},
		"contains(a, b":                  {expr.CodeSyntax, 9, "add )"},
		"contains(a,)":                   {expr.CodeSyntax, 12, "unexpected )"},
		"contains(,a)":                   {expr.CodeSyntax, 10, "unexpected ,"},
		"contains(a b)":                  {expr.CodeSyntax, 12, "unexpected b"},
		"1 2":                            {expr.CodeSyntax, 3, "unexpected 2"},
		"a b":                            {expr.CodeSyntax, 3, "unexpected b"},
		"a!":                             {expr.CodeSyntax, 2, "unexpected !"},
		"0x01p2":                         {expr.CodeSyntax, 1, "not a number"},
		"-Inf":                           {expr.CodeSyntax, 1, "not a number"},
		"-0xFF":                          {expr.CodeSyntax, 1, "not a number"},
		"1.2.3":                          {expr.CodeSyntax, 1, "not a number"},
		"0x1FFFFFFFF":                    {expr.CodeSyntax, 1, "not a number"},
		".github/x":                      {expr.CodeSyntax, 1, "not a number"},
		"github/workflow.md":             {expr.CodeSyntax, 7, "unexpected character '/'"},
		"1 @abc":                         {expr.CodeSyntax, 3, "unexpected character '@'"},
		"😊 x":                            {expr.CodeSyntax, 1, "unexpected character '😊'"},
		"naïve":                          {expr.CodeSyntax, 3, "unexpected character 'ï'"},
		"${{ a }}":                       {expr.CodeSyntax, 1, "without $"},
		"a =~ 'x'":                       {expr.CodeSyntax, 3, "single ="},
		"matrix.a(1)":                    {expr.CodeSyntax, 9, "unexpected ("},
		"contain('a', 'b')":              {expr.CodeFunction, 1, `did you mean "contains"?`},
		"true && toJson2(a)":             {expr.CodeFunction, 9, `did you mean "toJSON"?`},
		"contains('a')":                  {expr.CodeArity, 1, "two arguments, not 1"},
		"contains('a', 'b', c.d)":        {expr.CodeArity, 20, "two arguments, not 3"},
		"join()":                         {expr.CodeArity, 1, "one argument or two arguments"},
		"always(1)":                      {expr.CodeArity, 8, "no arguments"},
		"hashFiles()":                    {expr.CodeArity, 1, "at least one argument"},
		"case(true, 1)":                  {expr.CodeArity, 1, "at least three"},
		"case(true, 1, true, 2)":         {expr.CodeArity, 1, "odd number"},
		strings.Repeat(" ", 21000) + "1": {expr.CodeLimit, 1, "21001 characters"},
		strings.Repeat("!", 50) + "1":    {expr.CodeLimit, 51, "50 levels"},
	} {
		e, f := expr.Parse(in, column)
		if f == nil {
			t.Errorf("%.60s: read as %s", in, shape(e.Root()))
			continue
		}
		at := len([]rune(in[:min(len(in), f.Place.Column-1)])) + 1
		if f.Code != want.code || at != want.column || !strings.Contains(f.Error(), want.text) {
			t.Errorf("%.60s: got %v, want %s at column %d with %q", in, f, want.code, want.column, want.text)
		}
	}
}

func TestDepthCountsAsOnGitHub(t *testing.T) {
	chain := func(n int, link string) string { return "github" + strings.Repeat(link, n) }
	rowOf := func(n int, op string) string { return "1" + strings.Repeat(" "+op+" 2", n) }
	nest := func(n int) string { return strings.Repeat("toJSON(", n) + "1" + strings.Repeat(")", n) }
	for name, world := range map[string]struct {
		in   string
		fits bool
	}{
		"49 negations":       {strings.Repeat("! ", 49) + "1", true},
		"50 negations":       {strings.Repeat("! ", 50) + "1", false},
		"49 properties":      {chain(49, "._a"), true},
		"50 properties":      {chain(50, "._a"), false},
		"49 stars":           {chain(49, ".*"), true},
		"50 stars":           {chain(50, "[*]"), false},
		"49 indexes":         {chain(49, "[1]"), true},
		"50 indexes":         {chain(50, "[1]"), false},
		"49 calls":           {nest(49), true},
		"50 calls":           {nest(50), false},
		"a row of 3000 ands": {rowOf(3000, "&&"), true},
		"a row of 3000 ors":  {rowOf(3000, "||"), true},
		"49 equals":          {rowOf(49, "=="), true},
		"50 equals":          {rowOf(50, "=="), false},
		"parentheses":        {strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000), true},
	} {
		_, f := expr.Parse(world.in, nil)
		if (f == nil) != world.fits || f != nil && f.Code != expr.CodeLimit {
			t.Errorf("%s: %v", name, f)
		}
	}
	if _, f := expr.Parse("'"+strings.Repeat("é", 20998)+"'", nil); f != nil {
		t.Errorf("the length counts characters: %v", f)
	}
	if _, f := expr.Parse("'"+strings.Repeat("😊", 10500)+"'", nil); f == nil {
		t.Error("characters beyond the first plane count twice, as on .NET")
	}
}

func TestPlacesOfNodes(t *testing.T) {
	e, f := expr.Parse(" github.event.x == matrix['a'].* && !contains(b, 'c')", column)
	if f != nil {
		t.Fatal(f)
	}
	want := map[string]int{"github": 2, "event": 9, "x": 15, "==": 17, "matrix": 20, "[": 26, "*": 32, "&&": 34, "!": 37, "contains": 38, "b": 47, "'c'": 50}
	got := map[string]int{}
	expr.Walk(e.Root(), func(n expr.Node) bool {
		at := n.Place().Column
		switch n := n.(type) {
		case *expr.Variable:
			got[n.Name] = at
		case *expr.Property:
			got[n.Name] = at
		case *expr.Binary:
			got[n.Op] = at
		case *expr.Index:
			got["["] = at
		case *expr.Star:
			got["*"] = at
		case *expr.Not:
			got["!"] = at
		case *expr.Call:
			got[n.Written] = at
		case *expr.Literal:
			if n.String() == "'c'" {
				got["'c'"] = at
			}
		}
		return true
	})
	for name, column := range want {
		if got[name] != column {
			t.Errorf("%s is at column %d, want %d", name, got[name], column)
		}
	}
	if p := expr.Start(e.Root()); p.Column != 2 || e.Place().Column != 2 {
		t.Errorf("the expression starts at %v, %v", p, e.Place())
	}
}

func TestPrintedTreesParseToTheSameTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := expression(t, 3)
		e, f := expr.Parse(in, nil)
		if f != nil {
			if f.Code == expr.CodeLimit {
				return
			}
			t.Fatalf("%s: %v", in, f)
		}
		again, f := expr.Parse(e.String(), nil)
		if f != nil {
			t.Fatalf("%s, printed %s: %v", in, e, f)
		}
		if a, b := shape(e.Root()), shape(again.Root()); a != b || e.String() != again.String() {
			t.Fatalf("%s\n%s\n%s", in, a, b)
		}
	})
}

func TestEveryMistakeHasAPlaceAndACode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := mangled(t)
		_, f := expr.Parse(in, column)
		if f == nil {
			return
		}
		if f.Place.Column < 1 || f.Place.Column > len(in)+1 || f.Code == "" || f.Severity != fault.Error {
			t.Fatalf("%q: %+v", in, f)
		}
	})
}
