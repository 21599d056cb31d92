package expr_test

import (
	"strings"

	"pgregory.net/rapid"
)

// atoms are what random expressions are built from.
var atoms = []string{
	"null", "true", "false", "0", "-0", "1", "2", "-1", "1.5", ".5", "1e3", "0x10", "0o17", "NaN", "Infinity", "-Infinity", "3.14159", "+7",
	"''", "'a'", "'A'", "'abc'", "'ABC'", "' 12 '", "'12'", "'0x10'", "'1e1'", "'it''s'", "'true'", "'Object'", "'{0}'", "'{0}-{1}'", "'{{x}}'", "'linux'", "'name'", "'[1,2]'", "'{\"a\":1}'",
	"github", "github.ref", "github.event", "github.event.n", "github.event.t", "github.event.f", "github.event.num", "github.event.labels", "github.event.labels.*.name",
	"github.event.nest", "github.event.nest.*", "github.event.s", "github.event.e", "github.event.obj", "github.event.obj.b.c", "github.event.none", "env.FOO", "env['0']", "env.n", "matrix.os", "matrix.v", "matrix.os[0]", "matrix['OS'][1]",
}

var operators = []string{"==", "!=", "<", "<=", ">", ">=", "&&", "||", "&&", "||"}

// expression draws a well-formed expression of a bounded depth.
func expression(t *rapid.T, depth int) string {
	if depth <= 0 {
		return rapid.SampledFrom(atoms).Draw(t, "atom")
	}
	sub := func() string { return expression(t, depth-1) }
	switch rapid.IntRange(0, 12).Draw(t, "shape") {
	case 0, 1, 2:
		return sub() + " " + rapid.SampledFrom(operators).Draw(t, "op") + " " + sub()
	case 3:
		return "(" + sub() + ")"
	case 4:
		return "!" + sub()
	case 5:
		return rapid.SampledFrom([]string{"contains", "startsWith", "endswith", "JOIN"}).Draw(t, "f") + "(" + sub() + ", " + sub() + ")"
	case 6:
		return rapid.SampledFrom([]string{"toJSON", "fromJson", "join"}).Draw(t, "f") + "(" + sub() + ")"
	case 7:
		return "format('" + rapid.SampledFrom([]string{"{0}", "x{0}y{1}", "{{{0}}}", "}}{{", "{1}{0}{1}"}).Draw(t, "template") + "', " + sub() + ", " + sub() + ")"
	case 8:
		return "(" + sub() + ")[" + sub() + "]"
	case 9:
		return "(" + sub() + ")." + rapid.SampledFrom([]string{"*", "name", "a", "obj", "id", "*.name", "*.*"}).Draw(t, "p")
	case 10:
		return "case(" + sub() + " == " + sub() + ", " + sub() + ", " + sub() + ")"
	case 11:
		return "fromJSON(toJSON(" + sub() + "))"
	default:
		return sub()
	}
}

// mangled draws text that is nearly an expression.
func mangled(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.SampledFrom(append([]string{
		"(", ")", "[", "]", ".", ",", "*", "!", "&&", "||", "==", "<", "&", "=", " ", "\n", "\"", "'", "-", "+", "1", ".5", "a", "github", "contains(", "format(", "case(", "%", "é", "x-y", "_z", "9a", "true", "null",
	}, atoms...)), 1, 7).Draw(t, "parts")
	return strings.Join(parts, "")
}
