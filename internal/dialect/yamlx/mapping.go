package yamlx

import (
	"go.yaml.in/yaml/v4"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// origin says where a pair of a mapping comes from.
type origin uint8

const (
	local  origin = iota // written in the mapping itself
	merged               // copied by a merge key
)

// cheap is the size up to which two values are compared only to spare a warning.
const cheap = 1000

// pairs collects the entries of one mapping while it is built.
type pairs struct {
	list    []Pair
	origins []origin
	index   map[string]int // from indexFrom entries on
}

func (p *pairs) find(key string) int {
	if p.index != nil {
		if i, ok := p.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range p.list {
		if p.list[i].Key.Value == key {
			return i
		}
	}
	return -1
}

func (p *pairs) add(pair Pair, from origin) {
	p.list = append(p.list, pair)
	p.origins = append(p.origins, from)
	switch {
	case p.index != nil:
		p.index[pair.Key.Value] = len(p.list) - 1
	case len(p.list) >= indexFrom:
		p.index = make(map[string]int, 2*len(p.list))
		for i := range p.list {
			p.index[p.list[i].Key.Value] = i
		}
	}
}

// mapping reads the pairs in order. A key written twice counts with its last value, at the place of the first in the
// order, as in Ruby, whose reader GitLab uses: a merge key also wins over what stands before it, and what stands behind
// it wins over the merge; of several merge keys the later one wins, and in a list of mappings the earlier one.
func (b *builder) mapping(n *yaml.Node, depth int) *Node {
	p := pairs{list: make([]Pair, 0, len(n.Content)/2), origins: make([]origin, 0, len(n.Content)/2)}
	for i := 0; i+1 < len(n.Content) && !b.stopped; i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if !b.options.NoMerge && isMerge(k) {
			b.merge(&p, k, v, depth)
			continue
		}
		key := b.key(k, depth)
		value := b.node(v, depth+1)
		if key == nil {
			continue
		}
		b.put(&p, Pair{key, value})
	}
	out := b.take(n)
	out.Kind, out.Pairs, out.Tag = Mapping, p.list, b.tag(n)
	out.measureWith(p.index)
	return out
}

func isMerge(k *yaml.Node) bool {
	return k.Kind == yaml.ScalarNode && k.Value == "<<" &&
		(k.Style == 0 || k.Style&yaml.TaggedStyle != 0 && k.Tag == "!!merge")
}

// key is the name of an entry, or nil where it is no name.
func (b *builder) key(k *yaml.Node, depth int) *Node {
	key := b.node(k, depth+1)
	if key.Kind != Scalar {
		b.tell(fault.At(CodeKey, b.place(k), "%s cannot be a key", key.Describe()).
			WithHint("put the key in quotes if it is text"))
		return nil
	}
	return key
}

// put enters a pair that the mapping itself has.
func (b *builder) put(p *pairs, pair Pair) {
	i := p.find(pair.Key.Value)
	if i < 0 {
		p.add(pair, local)
		return
	}
	if p.origins[i] == local && b.told <= maxTold {
		b.tell(fault.At(CodeDuplicate, pair.Key.Place, "the key %q is already at line %d; only the last one counts",
			pair.Key.Value, p.list[i].Key.Place.Line).
			WithHint("remove one of them or give it another name").WithSeverity(b.options.Duplicate))
	}
	p.list[i], p.origins[i] = pair, local
}

// merge carries out one merge key: its value is a mapping, or a list of mappings of which the first has the last word.
func (b *builder) merge(p *pairs, k, v *yaml.Node, depth int) {
	told := b.told
	value := b.node(v, depth)
	if b.stopped || value.IsNull() && b.told > told {
		return
	}
	switch {
	case value.IsMapping():
		b.mergeOne(p, k, value)
	case value.IsSequence():
		taken := pairs{}
		for i, item := range value.Items {
			if !item.IsMapping() {
				b.tell(b.noMapping(v.Content, i, v, item))
				continue
			}
			for _, pair := range item.Pairs {
				if taken.find(pair.Key.Value) < 0 {
					taken.add(pair, merged)
				}
			}
			if b.count(k, len(item.Pairs)) {
				return
			}
		}
		b.mergeOne(p, k, &Node{Kind: Mapping, Pairs: taken.list})
	default:
		b.tell(b.noMapping(nil, 0, v, value))
	}
}

// noMapping tells that something which is no mapping is merged.
func (b *builder) noMapping(items []*yaml.Node, i int, v *yaml.Node, got *Node) *fault.Fault {
	at := b.place(v)
	if i < len(items) {
		at = b.place(items[i])
	}
	f := fault.At(CodeMerge, at, "<< merges mappings, but this is %s", got.Describe())
	if got.Tag == "!reference" {
		f.WithHint("use extends, or an anchor of this file")
	}
	return f
}

func (b *builder) mergeOne(p *pairs, k *yaml.Node, from *Node) {
	if b.count(k, len(from.Pairs)) {
		return
	}
	for _, pair := range from.Pairs {
		i := p.find(pair.Key.Value)
		switch {
		case i < 0:
			p.add(pair, merged)
		case p.origins[i] == merged:
			p.list[i] = pair
		case pair.Value.Size() > cheap || !Equal(p.list[i].Value, pair.Value):
			b.tell(fault.At(CodeLateMerge, b.place(k), "%q stands before this <<, so the merged value wins over it, as in GitLab",
				pair.Key.Value).WithHint("write << first to keep the value that is written here").WithSeverity(fault.Warning))
			p.list[i] = pair
		}
	}
}

// count bounds the work that merge keys make: each copies pairs, so a chain of them could be quadratic.
func (b *builder) count(k *yaml.Node, n int) (stopped bool) {
	b.merged += n
	if b.merged > MaxMerged {
		b.stop(k, CodeBomb, "merge keys copy more than %d entries", MaxMerged)
	}
	return b.stopped
}
