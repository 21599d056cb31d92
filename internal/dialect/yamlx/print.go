package yamlx

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Any is the tree as plain Go values: nil, bool, int64, float64, string, []any and map[string]any. A whole number
// beyond 64 bits is its text. Nothing is shared in the result, so mind Size.
func (n *Node) Any() any {
	if n.IsNull() {
		return nil
	}
	switch n.Kind {
	case Sequence:
		out := make([]any, len(n.Items))
		for i, c := range n.Items {
			out[i] = c.Any()
		}
		return out
	case Mapping:
		out := make(map[string]any, len(n.Pairs))
		for _, p := range n.Pairs {
			out[p.Key.Value] = p.Value.Any()
		}
		return out
	}
	switch n.Type {
	case Bool:
		b, _ := n.Bool()
		return b
	case Int:
		if i, ok := n.Int(); ok {
			return i
		}
		return n.Text()
	case Float:
		f, _ := n.Float()
		return f
	}
	return n.Value
}

// From makes a tree of plain Go values as encoding/json and Any give them, all at one place. Keys are sorted; a value of
// another type becomes null.
func From(v any, at fault.Place) *Node {
	switch v := v.(type) {
	case bool:
		return NewScalar(Bool, strconv.FormatBool(v), at)
	case string:
		return NewString(v, at)
	case int:
		return NewScalar(Int, strconv.Itoa(v), at)
	case int64:
		return NewScalar(Int, strconv.FormatInt(v, 10), at)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return NewScalar(Int, strconv.FormatInt(int64(v), 10), at)
		}
		return NewScalar(Float, rubyFloat(v), at)
	case json.Number:
		if t := TypeOf(Core, v.String()); t == Int || t == Float {
			return NewScalar(t, v.String(), at)
		}
	case []any:
		items := make([]*Node, len(v))
		for i, c := range v {
			items[i] = From(c, at)
		}
		return NewSequence(items, at)
	case map[string]any:
		pairs := make([]Pair, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, Pair{NewString(k, at), From(v[k], at)})
		}
		return NewMapping(pairs, at)
	}
	return NewScalar(Null, "", at)
}

// MarshalJSON writes the tree as JSON with the keys in the order of the file. Numbers that JSON lacks become text.
func (n *Node) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	err := n.writeJSON(&b)
	return b.Bytes(), err
}

func (n *Node) writeJSON(b *bytes.Buffer) error {
	switch {
	case n.IsNull():
		b.WriteString("null")
	case n.Kind == Sequence:
		b.WriteByte('[')
		for i, c := range n.Items {
			comma(b, i)
			if err := c.writeJSON(b); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case n.Kind == Mapping:
		b.WriteByte('{')
		for i, p := range n.Pairs {
			comma(b, i)
			if err := writeText(b, p.Key.Value); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := p.Value.writeJSON(b); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case n.Type == Bool, n.Type == Int:
		b.WriteString(n.Text())
	case n.Type == Float:
		f, _ := n.Float()
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return writeText(b, n.Text())
		}
		b.WriteString(strconv.FormatFloat(f, 'g', -1, 64))
	default:
		return writeText(b, n.Value)
	}
	return nil
}

func comma(b *bytes.Buffer, i int) {
	if i > 0 {
		b.WriteByte(',')
	}
}

// writeText writes a JSON string without the escapes that are only for HTML.
func writeText(b *bytes.Buffer, s string) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1)
	return nil
}

// Print writes the tree as YAML that both schemas read alike. Shared parts are written out, so mind Size.
func Print(n *Node) ([]byte, error) {
	return yaml.Dump(library(n), yaml.WithIndent(2), yaml.WithLineWidth(-1))
}

// specials are the floats that Ruby and YAML spell differently.
var specials = map[string]string{"Infinity": ".inf", "-Infinity": "-.inf", "NaN": ".nan"}

// library is the tree as nodes of the library, with every text quoted that could be read as something else.
func library(n *Node) *yaml.Node {
	if n.IsNull() {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
	out := &yaml.Node{Tag: n.Tag}
	if n.Tag != "" {
		out.Style |= yaml.TaggedStyle
	}
	switch n.Kind {
	case Sequence:
		out.Kind = yaml.SequenceNode
		if n.Tag != "" {
			out.Style |= yaml.FlowStyle
		}
		for _, c := range n.Items {
			out.Content = append(out.Content, library(c))
		}
	case Mapping:
		out.Kind = yaml.MappingNode
		for _, p := range n.Pairs {
			out.Content = append(out.Content, libraryKey(p.Key), library(p.Value))
		}
	default:
		out.Kind, out.Value = yaml.ScalarNode, n.Value
		switch {
		case n.Type == Float && n.Tag == "":
			out.Tag, out.Value = "!!float", n.Text()
			if special, ok := specials[out.Value]; ok {
				out.Value = special
			}
		case n.Type != Str && n.Tag == "":
			out.Value = n.Text()
		case n.Tag == "":
			out.Tag = "!!str"
			if quoted(n.Value) {
				out.Style |= yaml.DoubleQuotedStyle
			}
		}
	}
	return out
}

func libraryKey(k *Node) *yaml.Node {
	out := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: k.Value}
	if quoted(k.Value) || k.Value == "<<" {
		out.Style = yaml.DoubleQuotedStyle
	}
	return out
}

// quoted reports whether plain text would be read as something else.
func quoted(s string) bool {
	return TypeOf(Psych, s) != Str || TypeOf(Core, s) != Str || isDate(s) || s == "=" || s == "<<"
}
