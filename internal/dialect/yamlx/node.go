// Package yamlx reads YAML into a tree of our own in which every value knows where it was written.
// Anchors, aliases and merge keys are resolved while reading, and shared parts stay shared, so that a small file never
// becomes a large tree. It is the only package that knows the YAML library. It refuses files that are too large, too
// deep or that would expand without bound, it decodes into no Go types, and it opens no files: bytes in, nodes out.
package yamlx

import (
	"math"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Kind says what a node is.
type Kind uint8

// The kinds of nodes.
const (
	Scalar Kind = iota
	Sequence
	Mapping
)

// Type says what a scalar means; other nodes are of type Str.
type Type uint8

// The types of scalars.
const (
	Str Type = iota
	Null
	Bool
	Int
	Float
)

// Style says how a scalar was written.
type Style uint8

// The styles of scalars. Made is a scalar that no file holds, such as the value of an input.
const (
	Plain Style = iota
	Quoted
	Block
	Made
)

// Node is one value of a document. Nodes are shared between the places that an alias, a merge or `extends` puts them,
// so nobody changes one after it was made: whoever wants a different value makes a new node.
type Node struct {
	Kind  Kind
	Type  Type
	Style Style
	// Tag is the local tag on the node, such as "!reference"; "" where there is none.
	Tag string
	// Value is the text of a scalar as it was written, without quotes and escapes.
	Value string
	// Place is where the node was written; an alias has the place of what it stands for.
	Place fault.Place
	// Items are the values of a sequence.
	Items []*Node
	// Pairs are the entries of a mapping in the order of the file; every key is there once.
	Pairs []Pair

	index  map[string]int // of large mappings, for Get
	size   int32          // values in the tree when nothing is shared, at most MaxInt32
	height int32          // levels of nesting; 1 for a scalar
	tagged bool           // the node or one below it has a local tag
	core   bool           // the scalar follows the Core schema
}

// Pair is an entry of a mapping. The key is a scalar; its Value is the name, whatever its type.
type Pair struct {
	Key   *Node
	Value *Node
}

// indexFrom is the number of pairs from which a mapping has an index.
const indexFrom = 12

// NewScalar makes a scalar of the type and the text given; the style is Made.
func NewScalar(t Type, text string, at fault.Place) *Node {
	return &Node{Kind: Scalar, Type: t, Style: Made, Value: text, Place: at, size: 1, height: 1}
}

// NewString makes a scalar that is text.
func NewString(text string, at fault.Place) *Node { return NewScalar(Str, text, at) }

// NewSequence makes a list. It keeps the slice.
func NewSequence(items []*Node, at fault.Place) *Node {
	n := &Node{Kind: Sequence, Items: items, Place: at}
	n.measure()
	return n
}

// NewMapping makes a mapping. It keeps the slice; of two pairs with the same key, Get finds the last.
func NewMapping(pairs []Pair, at fault.Place) *Node {
	n := &Node{Kind: Mapping, Pairs: pairs, Place: at}
	n.measure()
	return n
}

// NewTagged is a copy of a node with a local tag; n itself where the tag is "".
func NewTagged(tag string, n *Node) *Node {
	if tag == "" {
		return n
	}
	out := *n
	out.Tag, out.tagged = tag, true
	return &out
}

// measure sets what is derived from the children, and the index of a large mapping.
func (n *Node) measure() {
	var index map[string]int
	if len(n.Pairs) >= indexFrom {
		index = make(map[string]int, len(n.Pairs))
		for i, p := range n.Pairs {
			index[p.Key.Value] = i
		}
	}
	n.measureWith(index)
}

func (n *Node) measureWith(index map[string]int) {
	size, height := int64(1), int32(0)
	n.tagged = n.Tag != ""
	add := func(c *Node) {
		size += int64(c.size)
		height = max(height, c.height)
		n.tagged = n.tagged || c.tagged
	}
	for _, c := range n.Items {
		add(c)
	}
	for _, p := range n.Pairs {
		add(p.Key)
		add(p.Value)
	}
	n.size, n.height, n.index = int32(min(size, math.MaxInt32)), height+1, index
}

// Size is the number of values in the tree under n, shared parts counted as often as they appear.
// It never exceeds math.MaxInt32.
func (n *Node) Size() int {
	if n == nil {
		return 0
	}
	return int(n.size)
}

// Height is the number of levels in the tree under n: 1 for a scalar or an empty list.
func (n *Node) Height() int {
	if n == nil {
		return 0
	}
	return int(n.height)
}

// HasTags reports whether n or a node below it has a local tag.
func (n *Node) HasTags() bool { return n != nil && n.tagged }

// At is the place of n; the zero place for nil.
func (n *Node) At() fault.Place {
	if n == nil {
		return fault.Place{}
	}
	return n.Place
}

// IsNull reports whether there is no value: no node, or null.
func (n *Node) IsNull() bool { return n == nil || n.Kind == Scalar && n.Type == Null }

// IsMapping reports whether n is an untagged mapping.
func (n *Node) IsMapping() bool { return n != nil && n.Kind == Mapping && n.Tag == "" }

// IsSequence reports whether n is an untagged list.
func (n *Node) IsSequence() bool { return n != nil && n.Kind == Sequence && n.Tag == "" }

// IsScalar reports whether n is an untagged scalar that is not null.
func (n *Node) IsScalar() bool { return n != nil && n.Kind == Scalar && n.Type != Null && n.Tag == "" }

// Find is the pair with the key, and whether there is one. n may be nil or anything else than a mapping.
func (n *Node) Find(key string) (Pair, bool) {
	if n == nil {
		return Pair{}, false
	}
	if i := n.find(key); i >= 0 {
		return n.Pairs[i], true
	}
	return Pair{}, false
}

// Get is the value of the key, or nil.
func (n *Node) Get(key string) *Node {
	p, _ := n.Find(key)
	return p.Value
}

// Has reports whether the key is there, even with the value null.
func (n *Node) Has(key string) bool {
	_, ok := n.Find(key)
	return ok
}

// Keys are the names in a mapping, in order.
func (n *Node) Keys() []string {
	if n == nil {
		return nil
	}
	keys := make([]string, len(n.Pairs))
	for i, p := range n.Pairs {
		keys[i] = p.Key.Value
	}
	return keys
}

func (n *Node) find(key string) int {
	if n.index != nil {
		if i, ok := n.index[key]; ok {
			return i
		}
		return -1
	}
	for i := len(n.Pairs) - 1; i >= 0; i-- {
		if n.Pairs[i].Key.Value == key {
			return i
		}
	}
	return -1
}

// Describe names the kind of value in words, for messages: "a list", "text", "null".
func (n *Node) Describe() string {
	switch {
	case n.IsNull():
		return "nothing"
	case n.Tag != "":
		return "a " + n.Tag
	case n.Kind == Sequence:
		return "a list"
	case n.Kind == Mapping:
		return "a mapping"
	case n.Type == Bool:
		return "true or false"
	case n.Type == Int, n.Type == Float:
		return "a number"
	default:
		return "text"
	}
}
