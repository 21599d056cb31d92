package expr

import "math"

func (ev *evaluator) index(n *Index) (Value, error) {
	of, err := ev.eval(n.Of)
	if err != nil {
		return Null(), err
	}
	// The runner does not compute the index of something that has no parts.
	if of.primitive() {
		return Null(), nil
	}
	key, err := ev.eval(n.Key)
	if err != nil {
		return Null(), err
	}
	return ev.dereference(n, of, key)
}

// dereference is of[key]. On the result of .* it applies to each item and leaves out those that have no such part.
func (ev *evaluator) dereference(n Node, of, key Value) (Value, error) {
	if of.kind != KindArray || !of.arr.filtered {
		v, _ := part(of, key)
		return v, nil
	}
	var out []Value
	for _, item := range of.arr.items {
		if v, ok := part(item, key); ok {
			out = append(out, v)
		}
	}
	return filter(out), ev.spend(n, 8*len(of.arr.items))
}

// part is the property or item of one value: objects are asked by text, arrays by a number rounded down.
func part(of, key Value) (Value, bool) {
	switch of.kind {
	case KindObject:
		if !key.primitive() {
			return Null(), false
		}
		return of.Lookup(key.Text())
	case KindArray:
		i := math.Floor(key.Number())
		if math.IsNaN(i) || i < 0 || i >= float64(len(of.arr.items)) {
			return Null(), false
		}
		return of.arr.items[int(i)], true
	default:
		return Null(), false
	}
}

// star is of.* : all items of an array or values of an object; on the result of another .*, those of every item.
func (ev *evaluator) star(n Node, of Value) (Value, error) {
	if of.kind != KindArray || !of.arr.filtered {
		out := of.Items()
		return filter(out), ev.spend(n, 8*len(out))
	}
	var out []Value
	for _, item := range of.arr.items {
		out = append(out, item.Items()...)
		if 8*len(out) > MaxMemory {
			break
		}
	}
	return filter(out), ev.spend(n, 8*len(out))
}
