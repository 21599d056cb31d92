package expr

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// results are the types that functions return whatever they are given.
var results = map[string]Type{
	"contains": TBool, "startswith": TBool, "endswith": TBool, "format": TString, "join": TString, "tojson": TString,
	"hashfiles": TString, "success": TBool, "failure": TBool, "cancelled": TBool, "always": TBool,
}

func (in *inference) call(n *Call) Type {
	args := make([]Type, len(n.Args))
	for i, a := range n.Args {
		args[i] = in.infer(a)
	}
	switch n.Name {
	case "contains":
		if args[0].Kind == KnownObject {
			in.warnAt(CodeType, Start(n.Args[0]), "contains searches an array or a text, not an object").WithHint("search its values: %s.*", n.Args[0])
		} else if args[0].scalar() {
			in.text(n, args, 1)
		}
	case "startswith", "endswith", "hashfiles":
		in.text(n, args, 0)
	case "join":
		if args[0].Kind == KnownObject {
			in.warnAt(CodeType, Start(n.Args[0]), "join wants an array or a text, not an object").WithHint("join its values: %s.*", n.Args[0])
		}
		in.text(n, args, 1)
	case "format":
		in.text(n, args, 0)
		in.format(n)
	case "fromjson":
		in.text(n, args, 0)
		return in.fromJSON(n)
	case "case":
		return in.choose(n, args)
	}
	return results[n.Name]
}

// text warns of arrays and objects among the arguments from a given one on.
func (in *inference) text(n *Call, args []Type, from int) {
	for i := from; i < len(args); i++ {
		if !args[i].collection() {
			continue
		}
		f := in.warnAt(CodeType, Start(n.Args[i]), "%s wants a text here, not %s", n.Written, args[i])
		if args[i].Kind == KnownArray {
			f.Hint = "write join(…) or toJSON(…) around it"
		} else {
			f.Hint = "write toJSON(…) around it"
		}
	}
}

// format compares a fixed template with the values that are given.
func (in *inference) format(n *Call) {
	l, ok := n.Args[0].(*Literal)
	if !ok {
		return
	}
	parts, bad := splitFormat(l.Value.Text())
	if bad != "" {
		in.faults.Add(fault.At(CodeFormat, l.Place(), "the template of format is not valid: %s", bad).
			WithHint("{0} stands for the first value; a brace itself is written twice"))
		return
	}
	used := make([]bool, len(n.Args))
	for _, p := range parts {
		switch {
		case p.arg < 0:
		case p.arg+1 >= len(n.Args):
			in.faults.Add(fault.At(CodeFormat, l.Place(), "the template of format uses {%d}, but there is no such value", p.arg).
				WithHint("format has %d values; {0} is the first", len(n.Args)-1))
			return
		default:
			used[p.arg+1] = true
		}
	}
	for i := 1; i < len(n.Args); i++ {
		if !used[i] {
			in.warnAt(CodeFormat, Start(n.Args[i]), "the template of format does not use this value").WithHint("write {%d} where it is to stand", i-1)
		}
	}
}

// fromJSON reads a fixed text now.
func (in *inference) fromJSON(n *Call) Type {
	l, ok := n.Args[0].(*Literal)
	if !ok {
		return TAny
	}
	v, err := FromJSON([]byte(l.Value.Text()))
	if err != nil {
		in.faults.Add(fault.At(CodeJSON, l.Place(), "fromJSON cannot read its argument: %v", err))
		return TAny
	}
	return TypeOf(v)
}

func (in *inference) choose(n *Call, args []Type) Type {
	last := len(args) - 1
	out := args[last]
	for i := 0; i < last; i += 2 {
		if t := args[i]; t.Kind != KnownNothing && t.Kind != KnownBool {
			in.faults.Add(fault.At(CodeCase, Start(n.Args[i]), "a condition of case must be true or false, not %s", t).
				WithHint("compare it: %s != ''", n.Args[i]))
		}
		out = merge(out, args[i+1])
	}
	return out
}
