package expr

import (
	"errors"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// MaxMemory bounds one value that an expression makes, in bytes as .NET counts them (two a character).
const MaxMemory = 10 << 20

// maxWork bounds all values that one evaluation makes together.
const maxWork = 16 * MaxMemory

// Env is what an expression is evaluated in.
type Env struct {
	// Contexts by lower-case name.
	Contexts map[string]Value
	// Funcs are the functions that depend on the run, by lower-case name: hashfiles, success, failure, cancelled,
	// always. An error of theirs that is no fault comes out of Eval unchanged.
	Funcs map[string]func(args []Value) (Value, error)
	// Missing gives a context that is not in Contexts, by lower-case name; nil makes it a fault.
	Missing func(context string) (Value, error)
}

// Eval computes the expression. A nil env knows no context. Errors are placed *fault.Fault, or what a function of env
// returned.
func (e *Expr) Eval(env *Env) (Value, error) {
	return newEvaluator(env).eval(e.root)
}

func newEvaluator(env *Env) *evaluator {
	if env == nil {
		env = &Env{}
	}
	return &evaluator{env: env}
}

type evaluator struct {
	env  *Env
	work int
}

// spend accounts for a value of size bytes made at n.
func (ev *evaluator) spend(n Node, size int) error {
	ev.work += size
	if size > MaxMemory || ev.work > maxWork {
		return fault.At(CodeMemory, n.Place(), "the result is larger than GitHub allows (about %d MB)", MaxMemory>>20)
	}
	return nil
}

func (ev *evaluator) eval(n Node) (Value, error) {
	switch n := n.(type) {
	case *Literal:
		return n.Value, nil
	case *Variable:
		return ev.context(n)
	case *Property:
		of, err := ev.eval(n.Of)
		if err != nil {
			return Null(), err
		}
		return ev.dereference(n, of, String(n.Name))
	case *Index:
		return ev.index(n)
	case *Star:
		of, err := ev.eval(n.Of)
		if err != nil {
			return Null(), err
		}
		return ev.star(n, of)
	case *Call:
		return ev.call(n)
	case *Not:
		of, err := ev.eval(n.Of)
		return Bool(!of.Truthy()), err
	case *Binary:
		return ev.binary(n)
	default:
		return Null(), fault.At(CodeSyntax, n.Place(), "an unknown kind of expression: %T", n)
	}
}

func (ev *evaluator) context(n *Variable) (Value, error) {
	name := asciiLower(n.Name)
	if v, ok := ev.env.Contexts[name]; ok {
		return v, nil
	}
	if ev.env.Missing != nil {
		v, err := ev.env.Missing(name)
		return v, placed(n, err)
	}
	return Null(), unknownContext(n)
}

// unknownContext is the fault of a name that stands for nothing here.
func unknownContext(n *Variable) *fault.Fault {
	name := asciiLower(n.Name)
	for _, known := range contextNames {
		if known == name {
			return fault.At(CodeContext, n.Place(), "the context %q has no value here", n.Name)
		}
	}
	f := fault.At(CodeContext, n.Place(), "there is no context %q", n.Name)
	if near := nearest(name, contextNames); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f.WithHint("text stands in single quotes: '%s'", n.Name)
}

func (ev *evaluator) binary(n *Binary) (Value, error) {
	left, err := ev.eval(n.Left)
	if err != nil {
		return Null(), err
	}
	switch {
	case n.Op == "&&" && !left.Truthy(), n.Op == "||" && left.Truthy():
		return left, nil
	}
	right, err := ev.eval(n.Right)
	if err != nil || n.Op == "&&" || n.Op == "||" {
		return right, err
	}
	if err := ev.spend(n, cost(left, right)); err != nil {
		return Null(), err
	}
	return Bool(compare(n.Op, left, right)), nil
}

// cost is the work of comparing two values: what is read of the text.
func cost(a, b Value) int {
	if a.kind == KindString && b.kind == KindString {
		return min(len(a.text), len(b.text))
	}
	return len(a.text) + len(b.text)
}

func compare(op string, a, b Value) bool {
	switch op {
	case "==":
		return Equal(a, b)
	case "!=":
		return !Equal(a, b)
	case "<":
		return Less(a, b)
	case "<=":
		return Less(a, b) || Equal(a, b)
	case ">":
		return Less(b, a)
	default:
		return Less(b, a) || Equal(a, b)
	}
}

func (ev *evaluator) call(n *Call) (Value, error) {
	f := functions[n.Name]
	if f.run != nil {
		return f.run(ev, n)
	}
	given, ok := ev.env.Funcs[n.Name]
	if !ok {
		return Null(), fault.At(CodePlace, n.Place(), "the function %s is not available here", n.Written)
	}
	args := make([]Value, len(n.Args))
	for i, a := range n.Args {
		v, err := ev.eval(a)
		if err != nil {
			return Null(), err
		}
		args[i] = v
	}
	v, err := given(args)
	if err != nil {
		return Null(), placed(n, err)
	}
	return v, nil
}

// placed gives a fault without a place the node's; every other error stays as it is.
func placed(n Node, err error) error {
	if f, ok := errors.AsType[*fault.Fault](err); ok && error(f) == err && f.Place.IsZero() {
		here := *f
		here.Place = n.Place()
		return &here
	}
	return err
}

// builder collects text within the bounds of memory.
type builder struct {
	strings.Builder
	ev    *evaluator
	node  Node
	bytes int
}

func (b *builder) add(s string) error {
	b.bytes += 2 * len(s)
	if b.bytes > MaxMemory {
		return b.ev.spend(b.node, b.bytes)
	}
	b.WriteString(s)
	return nil
}

func (b *builder) done() (Value, error) {
	if err := b.ev.spend(b.node, b.bytes); err != nil {
		return Null(), err
	}
	return String(b.String()), nil
}
