package expr

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Check finds the contexts and functions of h that do not exist or may not stand at this key of a workflow or action
// (see AvailableAt for the keys), each placed where it is named.
func Check(h Holder, key string) fault.Faults {
	var list fault.List
	a, ok := AvailableAt(key)
	for _, e := range h.Expressions() {
		if !ok {
			list.Add(fault.At(CodePlace, e.Place(), "no expression is evaluated at %s", key).WithHint("write a plain value"))
			continue
		}
		Walk(e.root, func(n Node) bool {
			switch n := n.(type) {
			case *Variable:
				list.Add(a.context(n, key))
			case *Call:
				list.Add(a.function(n, key))
			}
			return true
		})
	}
	return list.Sorted()
}

func (a Availability) context(n *Variable, key string) *fault.Fault {
	name := asciiLower(n.Name)
	if slices.Contains(a.Contexts, name) {
		return nil
	}
	if !slices.Contains(contextNames, name) {
		return unknownContext(n)
	}
	f := fault.At(CodePlace, n.Place(), "the context %q is not available at %s", name, key)
	switch {
	case len(a.Contexts) == 0:
		return f
	case name == "secrets" && strings.HasSuffix(key, ".if") && slices.Contains(a.Contexts, "env"):
		return f.WithHint("set a variable in env: of the job from the secret, and ask env.NAME here")
	case name == "secrets" && strings.HasPrefix(key, "runs."):
		return f.WithHint("a composite action gets secrets as inputs: give it one with with:")
	case name == "env" && slices.Contains(a.Contexts, "vars"):
		return f.WithHint("variables of the repository are known here: vars.NAME; available are %s", strings.Join(sorted(a.Contexts), ", "))
	}
	return f.WithHint("available are %s", strings.Join(sorted(a.Contexts), ", "))
}

func (a Availability) function(n *Call, key string) *fault.Fault {
	f := functions[n.Name]
	if !f.Given {
		return nil
	}
	if !slices.Contains(a.Functions, n.Name) {
		bad := fault.At(CodePlace, n.Place(), "the function %s is not available at %s", f.Name, key)
		if f.Status {
			return bad.WithHint("%s can be asked in if: only; the status of the job is job.status", f.Name)
		}
		return bad.WithHint("hashFiles reads the files of the machine that runs the job: use it in a step")
	}
	if f.Status && len(n.Args) > 0 && key != "jobs.<job_id>.if" {
		return fault.At(CodeArity, Start(n.Args[0]), "%s takes no arguments at %s", f.Name, key)
	}
	return nil
}

func sorted(names []string) []string {
	out := slices.Clone(names)
	slices.Sort(out)
	return out
}
