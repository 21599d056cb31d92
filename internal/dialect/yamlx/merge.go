package yamlx

// Merge lays over upon base: mappings are merged at any depth, anything else of over replaces what base has. Keys of
// base keep their order, new ones follow. Both stay as they are; parts that do not change are shared.
// A tagged mapping or list is a value like any other and is not merged.
func Merge(base, over *Node) *Node {
	switch {
	case base == nil:
		return over
	case over == nil:
		return base
	case !base.IsMapping() || !over.IsMapping() || len(base.Pairs) == 0:
		return over
	case len(over.Pairs) == 0 || base == over:
		return base
	}
	out := make([]Pair, len(base.Pairs), len(base.Pairs)+len(over.Pairs))
	copy(out, base.Pairs)
	for _, p := range over.Pairs {
		i := base.find(p.Key.Value)
		if i < 0 {
			out = append(out, p)
			continue
		}
		out[i] = Pair{Key: p.Key, Value: Merge(base.Pairs[i].Value, p.Value)}
	}
	return NewMapping(out, over.Place)
}

// With is a copy of a mapping in which the key has the value; a nil value takes the key out.
func (n *Node) With(key, value *Node) *Node {
	out := make([]Pair, 0, len(n.Pairs)+1)
	found := false
	for _, p := range n.Pairs {
		switch {
		case p.Key.Value != key.Value:
			out = append(out, p)
		case value != nil:
			out = append(out, Pair{p.Key, value})
			found = true
		}
	}
	if !found && value != nil {
		out = append(out, Pair{key, value})
	}
	return NewMapping(out, n.Place)
}

// Without is a copy of a mapping that lacks the key; n itself where it has no such key.
func (n *Node) Without(key string) *Node {
	if !n.Has(key) {
		return n
	}
	return n.With(NewString(key, n.Place), nil)
}

// Equal reports whether two trees mean the same; places, styles and the order of keys do not count.
func Equal(a, b *Node) bool {
	switch {
	case a == b:
		return true
	case a == nil || b == nil:
		return a.IsNull() && b.IsNull()
	case a.Kind != b.Kind || a.Tag != b.Tag || a.Type != b.Type || a.size != b.size:
		return false
	case a.Kind == Scalar:
		return a.Type == Null || a.Text() == b.Text()
	case len(a.Items) != len(b.Items) || len(a.Pairs) != len(b.Pairs):
		return false
	}
	for i := range a.Items {
		if !Equal(a.Items[i], b.Items[i]) {
			return false
		}
	}
	for _, p := range a.Pairs {
		q, ok := b.Find(p.Key.Value)
		if !ok || !Equal(p.Value, q.Value) {
			return false
		}
	}
	return true
}
