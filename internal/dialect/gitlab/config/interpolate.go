package config

import (
	"bytes"
	"context"
	"strings"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

const (
	blockStart  = "$[["
	maxNodeText = 1 << 20 // bytes of a text that holds a block (CI/CD inputs)
	maxBlock    = 1 << 10 // bytes inside of a block
)

// blockPattern is a block: $[[ something of at least two characters on one line ]].
var blockPattern = lazy.Pattern(`\$\[\[\s*(\S.*?\S)\s*\]\]`)

func hasBlock(content []byte) bool { return bytes.Contains(content, []byte(blockStart)) }

// interpolated is the body of a file with its inputs put in. nil where that does not work; the faults are told.
func (l *loader) interpolated(ctx context.Context, o *origin, t *text) *yamlx.Node {
	if t.header == nil {
		if o.inputs != nil && len(o.inputs.Pairs) > 0 {
			at := o.at
			if o.parent != nil {
				at = o.inputs.Pairs[0].Key.Place
			}
			l.tell(CodeNoHeader, at, "inputs are given to %s, which declares none", o.name).
				WithHint("declare them in its header: spec, inputs and a line with ---")
			return nil
		}
		if t.blocks {
			l.literal(t.body, o)
		}
		return t.body
	}
	before := l.errors()
	s := l.header(ctx, o, t.header)
	if s == nil {
		return nil
	}
	resolved := l.resolve(o, s)
	ok := l.errors() == before
	if o.parent == nil {
		l.config.Inputs = declaredInputs(s, resolved)
	}
	if !ok || !t.blocks {
		return t.onlyIf(ok)
	}
	i := &interpolator{l: l, o: o, values: map[string]map[string]*yamlx.Node{"inputs": resolved}, blocks: map[string]*block{}, done: map[*yamlx.Node]*yamlx.Node{}}
	if component := i.component(s); component != nil {
		i.values["component"] = component
	}
	body := i.node(t.body)
	if !i.failed && body.Size() > yamlx.MaxSize {
		i.fail(CodeTotalSize, body.Place, "%s has more than %d values when its inputs are put in", o.name, yamlx.MaxSize)
	}
	if i.failed {
		return nil
	}
	return body
}

func (t *text) onlyIf(ok bool) *yamlx.Node {
	if ok {
		return t.body
	}
	return nil
}

func declaredInputs(s *spec, resolved map[string]*yamlx.Node) []Declared {
	out := make([]Declared, 0, len(s.inputs))
	for _, in := range s.inputs {
		d := Declared{Name: in.name, Type: in.kind, Description: in.description, Required: in.required(), Default: in.given, Value: resolved[in.name], Place: in.place}
		if in.options != nil {
			d.Options = in.options.Items
		}
		out = append(out, d)
	}
	return out
}

// literal warns of the first block in a file without a header, where GitLab leaves it as text.
func (l *loader) literal(body *yamlx.Node, o *origin) {
	if n := firstBlock(body, map[*yamlx.Node]bool{}); n != nil {
		l.tell(CodeLiteral, n.Place, "%s declares no inputs, so this $[[ ]] stays as it is", o.name).
			WithHint("declare the input in a header: spec, inputs and a line with ---").WithSeverity(fault.Warning)
	}
}

func firstBlock(n *yamlx.Node, seen map[*yamlx.Node]bool) *yamlx.Node {
	if n.Kind == yamlx.Scalar {
		if m := blockPattern.FindStringSubmatch(n.Value); m != nil && contextOf(m[1]) == "inputs" {
			return n
		}
		return nil
	}
	if seen[n] {
		return nil
	}
	seen[n] = true
	for _, c := range n.Items {
		if found := firstBlock(c, seen); found != nil {
			return found
		}
	}
	for _, p := range n.Pairs {
		if found := firstBlock(p.Key, seen); found != nil {
			return found
		}
		if found := firstBlock(p.Value, seen); found != nil {
			return found
		}
	}
	return nil
}

// interpolator puts values into the blocks of one file. Parts without a block stay the very nodes that they were.
type interpolator struct {
	l      *loader
	o      *origin
	values map[string]map[string]*yamlx.Node // by context: inputs, component
	blocks map[string]*block
	done   map[*yamlx.Node]*yamlx.Node
	told   int
	failed bool
}

// component is what the file may read of the component that it belongs to.
func (i *interpolator) component(s *spec) map[string]*yamlx.Node {
	if i.o.component == nil || len(s.components) == 0 {
		return nil
	}
	out := map[string]*yamlx.Node{}
	for _, key := range s.components {
		out[key] = i.o.component[key]
	}
	return out
}

func (i *interpolator) node(n *yamlx.Node) *yamlx.Node {
	if n.Kind == yamlx.Scalar {
		return i.scalar(n)
	}
	if out, ok := i.done[n]; ok {
		return out
	}
	out := n
	if n.Kind == yamlx.Sequence {
		out = i.sequence(n)
	} else {
		out = i.mapping(n)
	}
	i.done[n] = out
	return out
}

// sequence puts the items of a list input into the list around it, as GitLab does.
func (i *interpolator) sequence(n *yamlx.Node) *yamlx.Node {
	items, changed := make([]*yamlx.Node, 0, len(n.Items)), false
	for _, c := range n.Items {
		v := i.node(c)
		changed = changed || v != c
		if c.Kind == yamlx.Scalar && v.IsSequence() {
			if !i.grow(c.Place, 0, len(v.Items)) {
				return n
			}
			items = append(items, v.Items...)
			continue
		}
		items = append(items, v)
	}
	if !changed {
		return n
	}
	return yamlx.NewTagged(n.Tag, yamlx.NewSequence(items, n.Place))
}

func (i *interpolator) mapping(n *yamlx.Node) *yamlx.Node {
	pairs, changed := make([]yamlx.Pair, 0, len(n.Pairs)), false
	for _, p := range n.Pairs {
		q := yamlx.Pair{Key: i.key(p.Key), Value: i.node(p.Value)}
		changed = changed || q != p
		pairs = append(pairs, q)
	}
	if !changed {
		return n
	}
	return yamlx.NewMapping(i.unique(pairs), n.Place)
}

// key is a name with its blocks filled in; whatever the type of an input, a name is text.
func (i *interpolator) key(k *yamlx.Node) *yamlx.Node {
	out := i.scalar(k)
	if out == k || out.Type == yamlx.Str && out.Kind == yamlx.Scalar {
		return out
	}
	return yamlx.NewString(out.Text(), k.Place)
}

// unique keeps the last of pairs whose names became equal, at the place of the first.
func (i *interpolator) unique(pairs []yamlx.Pair) []yamlx.Pair {
	at := make(map[string]int, len(pairs))
	out := pairs[:0]
	for _, p := range pairs {
		j, ok := at[p.Key.Value]
		if !ok {
			at[p.Key.Value] = len(out)
			out = append(out, p)
			continue
		}
		i.l.tell(CodeSameName, p.Key.Place, "with its inputs this key is %q, which is already at line %d; only the last one counts", p.Key.Value, out[j].Key.Place.Line).
			WithSeverity(fault.Warning)
		out[j] = p
	}
	return out
}

// scalar fills in one text. A text that is nothing but one block becomes the value itself, with its type; in a longer
// text values are text.
func (i *interpolator) scalar(n *yamlx.Node) *yamlx.Node {
	if n.Type != yamlx.Str || !strings.Contains(n.Value, blockStart) {
		return n
	}
	if len(n.Value) > maxNodeText {
		i.fail(CodeBlockLimit, n.Place, "a text with $[[ ]] has more than %d bytes", maxNodeText)
		return n
	}
	found := blockPattern.FindAllStringSubmatchIndex(n.Value, -1)
	if len(found) == 1 && found[0][0] == 0 && found[0][1] == len(n.Value) {
		if b := i.block(n, found[0]); b != nil && b.value != nil {
			return i.placed(b.value, n)
		}
		return n
	}
	// The parts are joined when all are known to fit: a text that grows by doubling would take several times its size.
	parts := make([]string, 0, 2*len(found)+1)
	last := 0
	for _, m := range found {
		text := n.Value[m[0]:m[1]]
		if b := i.block(n, m); b != nil && b.value != nil {
			text = b.inspected()
		}
		if !i.grow(n.Place, m[0]-last+len(text), 0) {
			return n
		}
		parts = append(parts, n.Value[last:m[0]], text)
		last = m[1]
	}
	if last == 0 {
		return n
	}
	parts = append(parts, n.Value[last:])
	out := yamlx.NewString(strings.Join(parts, ""), n.Place)
	out.Style = n.Style
	if out.Style == yamlx.Plain {
		out.Style = yamlx.Made
	}
	return out
}

// placed is a value at the place where it is used; a list keeps the places of its own.
func (i *interpolator) placed(v, use *yamlx.Node) *yamlx.Node {
	if v.Kind != yamlx.Scalar {
		return v
	}
	out := *v
	out.Place, out.Style = use.Place, yamlx.Made
	return &out
}

// fail tells a mistake and lets the file fail; the first hundred are enough.
func (i *interpolator) fail(code string, at fault.Place, format string, args ...any) *fault.Fault {
	i.failed = true
	if i.told++; i.told > 100 {
		return &fault.Fault{}
	}
	return i.l.tell(code, at, format, args...)
}

// grow accounts for text and list items that interpolation makes. Beyond the limits the file fails.
func (i *interpolator) grow(at fault.Place, text, items int) bool {
	i.l.made, i.l.spliced = i.l.made+text, i.l.spliced+items
	if i.l.made <= MaxTotalBytes && i.l.spliced <= yamlx.MaxSize {
		return true
	}
	if !i.failed {
		i.fail(CodeBlockLimit, at, "the configuration grows without bound when its inputs are put in")
	}
	return false
}

// placeIn is the place of a part of a text. Behind a line break or in a block it is that of the text.
func placeIn(n *yamlx.Node, offset int) fault.Place {
	at := n.Place
	if n.Style == yamlx.Block || n.Style == yamlx.Made || strings.Contains(n.Value[:offset], "\n") || at.Column == 0 {
		return at
	}
	at.Column += utf8.RuneCountInString(n.Value[:offset])
	if n.Style == yamlx.Quoted {
		at.Column++
	}
	return at
}
