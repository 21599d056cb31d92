package expr_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"pgregory.net/rapid"
)

const oracles = "../../../../tools/oracle"

// ask gives one JSON line to an oracle for each question, and reads one answer for each.
func ask[T any](t *testing.T, questions []any, name string, args ...string) []T {
	t.Helper()
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, q := range questions {
		if err := enc.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	answers := make([]T, 0, len(questions))
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var a T
		if err := dec.Decode(&a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d questions, %d answers", len(questions), len(answers))
	}
	return answers
}

// corpus is the seeds, and random expressions, good and bad; the same ones at every run.
func corpus(n int) []string {
	good := rapid.Custom(func(t *rapid.T) string { return expression(t, rapid.IntRange(1, 3).Draw(t, "depth")) })
	bad := rapid.Custom(mangled)
	out := append([]string{}, seeds...)
	for i := range n {
		if i%3 == 0 {
			out = append(out, bad.Example(i))
			continue
		}
		out = append(out, good.Example(i))
	}
	return out
}

// TestTreesAreThoseOfActionlint parses a corpus with actionlint, too. Where the two differ on purpose, GitHub's runner
// is with us: actionlint knows no NaN, Infinity, +1, .5, 0o17 and [*], reads comparisons from right to left, allows 'a'.b, and
// leaves unknown functions and the number of arguments to a later stage.
func TestTreesAreThoseOfActionlint(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "oracle")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	build.Dir = oracles
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("NOT COMPARED WITH ACTIONLINT: %s cannot be built: %v\n%s", oracles, err, out)
	}
	texts := corpus(6000)
	questions := make([]any, len(texts))
	for i, in := range texts {
		questions[i] = map[string]string{"expr": in}
	}
	type verdict struct {
		OK    bool
		Shape string
		Error string
	}
	compared := 0
	for i, theirs := range ask[verdict](t, questions, binary, "expr") {
		in := texts[i]
		e, f := expr.Parse(in, column)
		switch {
		case f == nil && known(e):
		case f == nil && !theirs.OK:
			t.Errorf("%q\nactionlint refuses it: %s", in, theirs.Error)
		case f == nil && shape(e.Root()) != theirs.Shape:
			t.Errorf("%q\n got %s\nwant %s", in, shape(e.Root()), theirs.Shape)
		case f != nil && theirs.OK && !stricter(f) && !strings.Contains(in, "NaN(") && !strings.Contains(in, "Infinity("):
			t.Errorf("%q\nactionlint reads it as %s: %v", in, theirs.Shape, f)
		default:
			compared++
		}
	}
	if compared < len(texts)/4 {
		t.Errorf("only %d of %d could be compared", compared, len(texts))
	}
}

// known reports whether an expression holds something that actionlint is known to read otherwise.
func known(e *expr.Expr) bool {
	other := strings.Contains(e.Source(), "[*]") || strings.Contains(e.Source(), "0o") || strings.Contains(e.Source(), "+") || strings.Contains(e.Source(), "1.") && !strings.Contains(e.Source(), "1.5")
	expr.Walk(e.Root(), func(n expr.Node) bool {
		switch n := n.(type) {
		case *expr.Literal:
			f := n.Value.Number()
			other = other || n.Value.Kind() == expr.KindNumber && (math.IsNaN(f) || math.IsInf(f, 0) || math.Abs(f) < 1 || f != math.Trunc(f) || f > math.MaxInt32)
		case *expr.Binary:
			for _, side := range n.Children() {
				b, ok := side.(*expr.Binary)
				logical := n.Op == "&&" || n.Op == "||"
				other = other || ok && !logical && b.Op != "&&" && b.Op != "||"
			}
		}
		return true
	})
	return other
}

// stricter reports whether a fault is one that actionlint finds later or not at all.
func stricter(f *fault.Fault) bool {
	return f.Code == expr.CodeFunction || f.Code == expr.CodeArity || strings.Contains(f.Message, "a literal has no properties") || strings.Contains(f.Message, "is not a number")
}

// TestValuesAreThoseOfGitHubsLibrary evaluates a corpus with @actions/expressions, GitHub's own implementation for
// editors. It differs from the runner in what is left out here: it evaluates all arguments and indexes, and its JSON
// knows no NaN and Infinity and no single quotes.
func TestValuesAreThoseOfGitHubsLibrary(t *testing.T) {
	folder := filepath.Join(oracles, "actions")
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "@actions", "expressions")); err != nil {
		t.Skipf("NOT COMPARED WITH @actions/expressions: run npm ci in tools/oracle/actions (%v)", err)
	}
	env := world(t)
	env.Funcs = nil
	texts := corpus(6000)
	questions := []any{json.RawMessage(contexts)}
	for _, in := range texts {
		questions = append(questions, map[string]string{"expr": in})
	}
	type verdict struct {
		JSON   *string
		Parse  string
		Failed string
	}
	compared := 0
	for i, theirs := range ask[verdict](t, questions, "node", filepath.Join(folder, "eval.mjs"))[1:] {
		in := texts[i]
		if strings.Contains(in, "NaN") || strings.Contains(in, "Infinity") || strings.Contains(in, "e400") || strings.Contains(in, "''") || strings.TrimSpace(in) == "" {
			continue
		}
		v, err := evaluate(in, env)
		switch {
		case theirs.JSON == nil && (err != nil || theirs.Parse == ""):
		case theirs.JSON == nil:
			t.Errorf("%q\nis %s, and not refused: %s", in, v.JSON(false), theirs.Parse)
		case err != nil:
			t.Errorf("%q\n got %v\nwant %s", in, err, *theirs.JSON)
		case v.JSON(false) != *theirs.JSON:
			t.Errorf("%q\n got %s\nwant %s", in, v.JSON(false), *theirs.JSON)
		default:
			compared++
		}
	}
	if compared < len(texts)/4 {
		t.Errorf("only %d of %d could be compared", compared, len(texts))
	}
}

func evaluate(in string, env *expr.Env) (expr.Value, error) {
	e, f := expr.Parse(in, column)
	if f != nil {
		return expr.Null(), f
	}
	return e.Eval(env)
}
