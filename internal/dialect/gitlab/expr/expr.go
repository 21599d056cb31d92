// Package expr is the language of rules:if, only:variables and workflow rules: it parses an expression, says which
// variables and inputs it reads, and evaluates it. Rules: GitLab documentation, "Specify when jobs run with rules",
// CI/CD variable expressions.
//
// It refuses what GitLab refuses, with the place of the mistake. It expands no variables, reads no environment and
// knows nothing of pipelines: values come from functions that the caller hands in.
package expr

import "slices"

// Limits of one expression. The number of tokens is GitLab's; the others keep a hostile file cheap.
const (
	MaxTokens  = 99       // GitLab gives up at the hundredth token
	MaxText    = 64 << 10 // bytes of an expression
	MaxPattern = 8 << 10  // bytes of a regular expression
	MaxProgram = 10_000   // steps of a compiled regular expression, repetitions multiplied out
)

// Expr is a parsed expression. It is read-only and safe for concurrent use.
type Expr struct {
	text string
	root node
}

// Parse reads an expression. A mistake is an *Error with the byte offset of the place where it was noticed.
func Parse(text string) (*Expr, error) {
	p := parser{text: text}
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	return &Expr{text: text, root: root}, nil
}

// String is the expression as written.
func (e *Expr) String() string { return e.text }

// Eval reports whether the expression holds, given the variables: vars returns a value and whether the variable is
// defined. Inputs ($[[ inputs.x ]]) count as undefined. Values are used as they are: a reference inside a value is
// not followed.
func (e *Expr) Eval(vars func(name string) (string, bool)) (bool, error) {
	return e.EvalIn(Scope{Variables: vars})
}

// Scope is what an expression can see. A nil function defines nothing.
type Scope struct {
	Variables func(name string) (string, bool)
	Inputs    func(name string) (Value, bool)
}

// EvalIn is Eval with inputs.
func (e *Expr) EvalIn(s Scope) (bool, error) {
	v, err := e.root.eval(s)
	if err != nil {
		return false, err
	}
	return v.Holds(), nil
}

// Result is the value of the whole expression, before it is reduced to true or false: `$A && "x"` gives "x".
func (e *Expr) Result(s Scope) (Value, error) { return e.root.eval(s) }

// Variables are the names of the variables that the expression reads, in order of first appearance, each once.
func (e *Expr) Variables() []string {
	return collect(e.root, func(n node) (string, bool) {
		v, ok := n.(variable)
		return string(v), ok
	})
}

// Inputs are the names of the inputs that the expression reads, in order of first appearance, each once.
func (e *Expr) Inputs() []string {
	return collect(e.root, func(n node) (string, bool) {
		v, ok := n.(input)
		return string(v), ok
	})
}

func collect(root node, name func(node) (string, bool)) []string {
	var out []string
	var walk func(node)
	walk = func(n node) {
		if s, ok := name(n); ok && !slices.Contains(out, s) {
			out = append(out, s)
		}
		for _, below := range n.below() {
			walk(below)
		}
	}
	walk(root)
	return out
}
