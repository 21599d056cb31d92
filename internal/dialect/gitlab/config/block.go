package config

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// block is the value of one $[[ ]], worked out once per file.
type block struct {
	value *yamlx.Node // nil where it has a mistake
	code  string
	text  string
	hint  string
	shown *string // the value within a longer text, once it was asked for
}

// inspected is the value as it stands within a longer text.
func (b *block) inspected() string {
	if b.shown == nil {
		s := inspect(b.value, false)
		b.shown = &s
	}
	return *b.shown
}

// block is the block that m found in n. It has no value where it has a mistake, which is told, and where it is about a
// matrix: such blocks are for later and stay.
func (i *interpolator) block(n *yamlx.Node, m []int) *block {
	data := n.Value[m[2]:m[3]]
	b, ok := i.blocks[data]
	if !ok {
		if len(i.blocks) >= MaxBlocks {
			if !i.failed {
				i.fail(CodeBlockLimit, placeIn(n, m[0]), "the file has more than %d different $[[ ]]", MaxBlocks)
			}
			return nil
		}
		b = i.evaluate(data)
		i.blocks[data] = b
	}
	if b.code != "" {
		f := i.fail(b.code, placeIn(n, m[0]), "%s", b.text)
		f.Hint = b.hint
	}
	return b
}

// contextOf is the first part of an access: inputs of inputs.name.
func contextOf(data string) string {
	access, _, _ := strings.Cut(data, "|")
	name, _, _ := strings.Cut(strings.TrimSpace(access), ".")
	return name
}

// evaluate reads `context.name | function | function`.
func (i *interpolator) evaluate(data string) *block {
	if contextOf(data) == "matrix" {
		return &block{}
	}
	parts := strings.Split(data, "|")
	access := strings.TrimSpace(parts[0])
	switch {
	case len(access) > maxBlock:
		return &block{code: CodeBlockLimit, text: "what stands in $[[ ]] is longer than 1 KB"}
	case len(parts)-1 > MaxFunctions:
		return &block{code: CodeBlock, text: "too many functions in $[[ ]]", hint: "at most 3 are allowed"}
	}
	value, bad := i.access(access)
	if bad != nil {
		return bad
	}
	for _, f := range parts[1:] {
		if value, bad = i.apply(strings.TrimSpace(f), value); bad != nil {
			return bad
		}
	}
	return &block{value: value}
}

// access is the value of inputs.name or component.name.
func (i *interpolator) access(access string) (*yamlx.Node, *block) {
	context, name, ok := strings.Cut(access, ".")
	if !ok || name == "" {
		return nil, &block{code: CodeBlock, text: "$[[ " + access + " ]] names no value", hint: "write $[[ inputs.NAME ]]"}
	}
	known, ok := i.values[context]
	if !ok {
		bad := &block{code: CodeUnknownBlock, text: "there is no " + context + " in $[[ " + access + " ]]", hint: "write $[[ inputs.NAME ]]"}
		if context == "component" {
			bad.text = "$[[ " + access + " ]] is not available here"
			bad.hint = "list it in spec:component of a file that is included with include:component"
		}
		return nil, bad
	}
	if v := known[name]; v != nil {
		return v, nil
	}
	names := make([]string, 0, len(known))
	for n := range known {
		names = append(names, n)
	}
	bad := &block{code: CodeUnknownBlock, text: "there is no " + context + "." + name, hint: "declare it in the header of this file"}
	if near := i.l.near(name, names); near != "" {
		bad.hint = "did you mean " + context + "." + near + "?"
	}
	return nil, bad
}

// inspect is a value as text within a longer text. Lists and mappings look as Ruby prints them.
func inspect(n *yamlx.Node, quoted bool) string {
	switch {
	case n.IsNull():
		if quoted {
			return "nil"
		}
		return ""
	case n.Kind == yamlx.Sequence:
		items := make([]string, len(n.Items))
		for i, c := range n.Items {
			items[i] = inspect(c, true)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case n.Kind == yamlx.Mapping:
		pairs := make([]string, len(n.Pairs))
		for i, p := range n.Pairs {
			pairs[i] = rubyQuote(p.Key.Value) + " => " + inspect(p.Value, true)
		}
		return "{" + strings.Join(pairs, ", ") + "}"
	case quoted && n.Type == yamlx.Str:
		return rubyQuote(n.Value)
	default:
		return n.Text()
	}
}

var rubyEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`, "#{", `\#{`, "#$", `\#$`, "#@", `\#@`)

func rubyQuote(s string) string { return `"` + rubyEscapes.Replace(s) + `"` }
