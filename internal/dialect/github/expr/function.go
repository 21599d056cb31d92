package expr

import (
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Function describes one function of the language.
type Function struct {
	Name     string // as the documentation writes it
	Min, Max int    // how many arguments it takes
	// Given says that the caller gives it in Env.Funcs, because it depends on the run.
	Given bool
	// Status says that it asks how the run stands, so that success() && … is not implied.
	Status bool

	run func(*evaluator, *Call) (Value, error)
}

// maxArgs is the most arguments that the runner takes.
const maxArgs = 255

// functions by lower-case name. Filled by init, since the functions evaluate their arguments themselves.
var functions map[string]Function

func init() {
	functions = map[string]Function{
		"contains":   {Name: "contains", Min: 2, Max: 2, run: contains},
		"startswith": {Name: "startsWith", Min: 2, Max: 2, run: startsWith},
		"endswith":   {Name: "endsWith", Min: 2, Max: 2, run: endsWith},
		"format":     {Name: "format", Min: 1, Max: maxArgs, run: format},
		"join":       {Name: "join", Min: 1, Max: 2, run: join},
		"tojson":     {Name: "toJSON", Min: 1, Max: 1, run: toJSON},
		"fromjson":   {Name: "fromJSON", Min: 1, Max: 1, run: fromJSON},
		"case":       {Name: "case", Min: 3, Max: maxArgs, run: choose},
		"hashfiles":  {Name: "hashFiles", Min: 1, Max: maxArgs, Given: true},
		"success":    {Name: "success", Max: maxArgs, Given: true, Status: true},
		"failure":    {Name: "failure", Max: maxArgs, Given: true, Status: true},
		"cancelled":  {Name: "cancelled", Given: true, Status: true},
		"always":     {Name: "always", Given: true, Status: true},
	}
}

// FunctionNames are the names of all functions as the documentation writes them, sorted.
func FunctionNames() []string {
	out := make([]string, 0, len(functions))
	for _, f := range functions {
		out = append(out, f.Name)
	}
	slices.Sort(out)
	return out
}

// LookupFunction finds a function by its name, in any case.
func LookupFunction(name string) (Function, bool) {
	f, ok := functions[asciiLower(name)]
	return f, ok
}

// checkCall refuses functions that do not exist and calls with a wrong number of arguments.
func checkCall(c *Call) *fault.Fault {
	f, ok := functions[c.Name]
	if !ok {
		bad := fault.At(CodeFunction, c.Place(), "there is no function %q", c.Written)
		if near := nearest(c.Written, FunctionNames()); near != "" {
			return bad.WithHint("did you mean %q?", near)
		}
		return bad
	}
	n := len(c.Args)
	switch {
	case n < f.Min:
		return fault.At(CodeArity, c.Place(), "%s takes %s, not %d", f.Name, f.takes(), n)
	case n > f.Max:
		return fault.At(CodeArity, Start(c.Args[f.Max]), "%s takes %s, not %d", f.Name, f.takes(), n)
	case c.Name == "case" && n%2 == 0:
		return fault.At(CodeArity, c.Place(), "case takes an odd number of arguments, not %d", n).
			WithHint("pairs of condition and value, then the default: case(a, 1, b, 2, 3)")
	}
	return nil
}

func (f Function) takes() string {
	switch {
	case f.Max == 0:
		return "no arguments"
	case f.Min == f.Max:
		return plural(f.Min)
	case f.Max == maxArgs:
		return "at least " + plural(f.Min)
	default:
		return plural(f.Min) + " or " + plural(f.Max)
	}
}

func plural(n int) string {
	return [...]string{"no argument", "one argument", "two arguments", "three arguments"}[n]
}
