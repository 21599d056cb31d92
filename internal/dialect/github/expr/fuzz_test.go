package expr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

var seeds = []string{
	"", "github.ref == 'refs/heads/main' && !contains(matrix.list, 'x')", "github.event.labels.*.name[0]", "format('{0}{{}}{1:}', 1, null)", "fromJSON('{\"a\":[1,{}]}').a[0] >= 0x1f", "case(1 == 1, a, b)", "!!(!x)", "join(a.*.b, ', ')",
	"'it''s", "1e400 < -Infinity", "a[*][b['c']].d-e", "success() || failure( )", "toJSON(fromJSON(toJSON('\\u00e9')))", "((((1))))", "a.\"b\"", "\xff\xfe", "-", "..", "hashFiles('**/x')",
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		e, bad := expr.Parse(in, column)
		if bad != nil {
			if bad.Place.Column < 1 || bad.Place.Column > len(in)+1 || bad.Code == "" {
				t.Fatalf("%q: %+v", in, bad)
			}
			return
		}
		printed := e.String()
		again, bad := expr.Parse(printed, nil)
		if bad != nil {
			if bad.Code == expr.CodeLimit {
				return // blanks and parentheses may make it longer
			}
			t.Fatalf("%q printed %q: %v", in, printed, bad)
		}
		if a, b := shape(e.Root()), shape(again.Root()); a != b {
			t.Fatalf("%q printed %q\n%s\n%s", in, printed, a, b)
		}
		expr.Walk(e.Root(), func(n expr.Node) bool {
			if n.Offset() < 0 || n.Offset() >= len(in) {
				t.Fatalf("%q: %s at %d", in, n, n.Offset())
			}
			return true
		})
	})
}

func FuzzEval(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	env := world(f)
	f.Fuzz(func(t *testing.T, in string) {
		e, bad := expr.Parse(in, column)
		if bad != nil {
			return
		}
		_, faults := expr.Infer(e, expr.Scope())
		for _, f := range append(faults, expr.Check(e, "jobs.<job_id>.if")...) {
			if f.Place.Column < 1 || f.Code == "" {
				t.Fatalf("%q: %+v", in, f)
			}
		}
		for _, f := range append(expr.Untrusted(e), expr.UntrustedReads(e)...) {
			if len(f.Paths) == 0 || f.Fault().Place.Column < 1 {
				t.Fatalf("%q: %+v", in, f)
			}
		}
		v, err := e.Eval(env)
		if err != nil {
			if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Place.Column < 1 {
				t.Fatalf("%q: %v", in, err)
			}
			return
		}
		if v.Kind() >= expr.KindArray || strings.Contains(v.Text(), "\ufffd") {
			return
		}
		back, err := expr.FromJSON([]byte(v.JSON(true)))
		if err != nil || back.JSON(false) != v.JSON(false) {
			t.Fatalf("%q is %s, read back %s %v", in, v.JSON(false), back.JSON(false), err)
		}
	})
}

func FuzzTemplate(f *testing.F) {
	for _, s := range seeds {
		f.Add("x ${{ " + s + " }} ${{'}}'}}")
		f.Add("${{" + s + "}}")
	}
	env := world(f)
	f.Fuzz(func(t *testing.T, in string) {
		tmpl, faults := expr.ParseTemplate(in, column)
		if (tmpl == nil) != (len(faults) > 0) {
			t.Fatalf("%q: %v", in, faults)
		}
		for _, f := range faults {
			if f.Place.Column < 1 || f.Place.Column > len(in)+1 {
				t.Fatalf("%q: %+v", in, f)
			}
		}
		c, bad := expr.ParseCondition(in, column)
		if bad == nil {
			_, _ = c.Eval(env)
			expr.Check(c, "jobs.<job_id>.steps.if")
		}
		if tmpl == nil {
			return
		}
		got, err := tmpl.Text(env)
		if tmpl.Static() && (err != nil || got != in) {
			t.Fatalf("%q: %q %v", in, got, err)
		}
	})
}

func FuzzFromJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,true,null,"x"]}`, `{'a':1,b:/**/2,}`, "[NaN]", `"\ud83d\ude0a"`, "010", "-0x1", "[[[", "//x\n1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		v, err := expr.FromJSON([]byte(in))
		if err != nil {
			return
		}
		once := v.JSON(false)
		back, err := expr.FromJSON([]byte(once))
		if err != nil || back.JSON(false) != once {
			t.Fatalf("%q: %s: %s %v", in, once, back.JSON(false), err)
		}
	})
}
