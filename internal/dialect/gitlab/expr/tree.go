package expr

// Tree is an expression taken apart, for those who translate it. Op is one of
//
//	variable input text pattern null truth    with Text: the name, the text, /…/flags, "", true or false
//	!                                         with one part below
//	&& || == != =~ !~                         with two
type Tree struct {
	Op    string
	Text  string
	Below []Tree
}

// Tree takes the expression apart.
func (e *Expr) Tree() Tree { return treeOf(e.root) }

func treeOf(n node) Tree {
	t := Tree{}
	switch n := n.(type) {
	case constant:
		t.Op, t.Text = constantOf(n.value)
	case variable:
		t.Op, t.Text = "variable", string(n)
	case input:
		t.Op, t.Text = "input", string(n)
	case negation:
		t.Op = "!"
	case both:
		t.Op = "&&"
	case either:
		t.Op = "||"
	case same:
		t.Op = map[bool]string{false: "==", true: "!="}[n.not]
	case match:
		t.Op = map[bool]string{false: "=~", true: "!~"}[n.not]
	}
	for _, below := range n.below() {
		t.Below = append(t.Below, treeOf(below))
	}
	return t
}

func constantOf(v Value) (op, is string) {
	switch v.kind {
	case null:
		return "null", ""
	case truth:
		return "truth", v.text
	case regex:
		return "pattern", v.re.String()
	default:
		return "text", v.text
	}
}
