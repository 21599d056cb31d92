package yamlx

import (
	"encoding/base64"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// builder turns the library's tree into ours.
type builder struct {
	options Options
	faults  *fault.List
	slab    []Node
	anchors map[*yaml.Node]*Node // nil value: being built, so an alias to it is a cycle
	used    map[*yaml.Node]bool  // anchors that an alias names; nil where nobody asks
	merged  int                  // pairs copied by merge keys so far
	told    int                  // faults told so far
	stopped bool                 // a limit was passed; nothing more is built
}

// document is the root of a document, or nil where a limit was passed.
func (b *builder) document(doc *yaml.Node) *Node {
	root := doc
	if doc.Kind == yaml.DocumentNode {
		if len(doc.Content) == 0 {
			return NewScalar(Null, "", b.place(doc))
		}
		root = doc.Content[0]
	}
	if b.options.Unused != "" {
		b.used = make(map[*yaml.Node]bool)
	}
	n := b.node(root, 1)
	if b.stopped {
		return nil
	}
	b.unused()
	return n
}

// unused tells anchors that no alias names.
func (b *builder) unused() {
	if b.used == nil {
		return
	}
	for n := range b.anchors {
		if !b.used[n] {
			b.tell(fault.At(CodeUnused, b.place(n), "no alias names the anchor &%s", n.Anchor).
				WithHint("remove it").WithSeverity(b.options.Unused))
		}
	}
}

// maxTold bounds the faults of one document; a generated file can hold the same mistake a million times.
const maxTold = 200

func (b *builder) tell(f *fault.Fault) {
	if b.told++; b.told <= maxTold || f.Code == CodeBomb || f.Code == CodeDeep {
		b.faults.Add(f)
	}
}

func (b *builder) place(n *yaml.Node) fault.Place {
	return fault.Place{File: b.options.File, Line: n.Line, Column: n.Column}
}

// take is a fresh node from a block of many; one allocation a node would be most of the time spent here.
func (b *builder) take(n *yaml.Node) *Node {
	if len(b.slab) == 0 {
		b.slab = make([]Node, 256)
	}
	out := &b.slab[0]
	b.slab = b.slab[1:]
	out.Place, out.size, out.height = b.place(n), 1, 1
	return out
}

// null stands for what could not be read; the fault is told already.
func (b *builder) null(n *yaml.Node) *Node {
	out := b.take(n)
	out.Type = Null
	return out
}

func (b *builder) node(n *yaml.Node, depth int) *Node {
	if b.stopped {
		return b.null(n)
	}
	if n.Kind == yaml.AliasNode {
		return b.alias(n, depth)
	}
	if depth > b.options.MaxDepth {
		return b.stop(n, CodeDeep, "values are nested more than %d levels deep", b.options.MaxDepth)
	}
	if n.Anchor != "" {
		if b.anchors == nil {
			b.anchors = make(map[*yaml.Node]*Node)
		}
		b.anchors[n] = nil
	}
	var out *Node
	switch n.Kind {
	case yaml.SequenceNode:
		out = b.sequence(n, depth)
	case yaml.MappingNode:
		out = b.mapping(n, depth)
	default:
		out = b.scalar(n)
	}
	if n.Anchor != "" {
		b.anchors[n] = out
	}
	if out.Size() > b.options.MaxSize {
		return b.stop(n, CodeBomb, "the file grows to more than %d values when its aliases are followed", b.options.MaxSize)
	}
	return out
}

// alias is the very node that the anchor is on: nothing is copied.
func (b *builder) alias(n *yaml.Node, depth int) *Node {
	target, known := b.anchors[n.Alias]
	if b.used != nil {
		b.used[n.Alias] = true
	}
	switch {
	case n.Alias == nil || !known:
		b.tell(fault.At(CodeAnchor, b.place(n), "there is no anchor &%s before this alias", n.Value))
		return b.null(n)
	case target == nil:
		b.tell(fault.At(CodeCycle, b.place(n), "the alias *%s stands inside the value that it means", n.Value))
		return b.null(n)
	case depth+target.Height()-1 > b.options.MaxDepth:
		return b.stop(n, CodeDeep, "values are nested more than %d levels deep when aliases are followed", b.options.MaxDepth)
	}
	return target
}

// stop ends the reading of the document with one fault; going on would only repeat it.
func (b *builder) stop(n *yaml.Node, code, format string, args ...any) *Node {
	if !b.stopped {
		b.tell(fault.At(code, b.place(n), format, args...))
	}
	b.stopped = true
	return b.null(n)
}

func (b *builder) sequence(n *yaml.Node, depth int) *Node {
	items := make([]*Node, len(n.Content))
	for i, c := range n.Content {
		items[i] = b.node(c, depth+1)
	}
	out := b.take(n)
	out.Kind, out.Items, out.Tag = Sequence, items, b.tag(n)
	out.measure()
	return out
}

func (b *builder) scalar(n *yaml.Node) *Node {
	out := b.take(n)
	out.Value = n.Value
	out.core = b.options.Schema == Core
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		out.Style = Block
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		out.Style = Quoted
	}
	if n.Style&yaml.TaggedStyle != 0 {
		b.tagged(n, out)
		return out
	}
	if out.Style == Plain {
		b.plain(out)
	}
	return out
}

// plain gives a plain scalar its type and tells of dates, which GitLab does not load.
func (b *builder) plain(out *Node) {
	out.Type = TypeOf(b.options.Schema, out.Value)
	if out.Type == Str && b.options.Schema == Psych && isDate(out.Value) {
		b.tell(fault.At(CodeDate, out.Place, "%s is a date to GitLab, which refuses the file; it is read as text here", out.Value).
			WithHint("put it in quotes").WithSeverity(fault.Warning))
	}
}

// tagged is a scalar with a tag: a standard one decides the type, another one stays or is told.
func (b *builder) tagged(n *yaml.Node, out *Node) {
	switch n.Tag {
	case "!!str", "!str", "!":
	case "!!binary", "!binary":
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(out.Value), ""))
		if err != nil {
			b.tell(fault.At(CodeTag, out.Place, "the value is tagged %s but is not base64", n.Tag))
			return
		}
		out.Value = string(raw)
	case "!!null":
		out.Type = Null
	case "!!float", "!float":
		b.plain(out)
		if out.Type != Int && out.Type != Float {
			b.tell(fault.At(CodeTag, out.Place, "the value is tagged %s but %q is no number", n.Tag, out.Value))
		} else {
			out.Type = Float
		}
	case "!!int", "!!bool", "!!timestamp", "!!merge":
		if out.Style == Plain {
			b.plain(out)
		}
	default:
		if out.Tag = b.tag(n); out.Tag == "" && out.Style == Plain {
			b.plain(out)
		}
		out.tagged = out.Tag != ""
	}
}

// tag is the local tag of a node where the dialect knows it. Others are told, since GitLab drops them silently.
func (b *builder) tag(n *yaml.Node) string {
	if n.Style&yaml.TaggedStyle == 0 || strings.HasPrefix(n.Tag, "!!") || n.Tag == "" || n.Tag == "!" {
		return ""
	}
	if slices.Contains(b.options.Tags, n.Tag) {
		return n.Tag
	}
	f := fault.At(CodeTag, b.place(n), "the tag %s is not known and has no effect", n.Tag).WithSeverity(fault.Warning)
	if near := fault.Nearest(n.Tag, b.options.Tags); near != "" {
		f.WithHint("did you mean %s?", near)
	}
	b.tell(f)
	return ""
}
