package expr

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// contains asks for an item of an array by ==, or for a part of a text ignoring case.
func contains(ev *evaluator, n *Call) (Value, error) {
	in, err := ev.eval(n.Args[0])
	if err != nil || in.kind == KindObject {
		return Bool(false), err
	}
	item, err := ev.eval(n.Args[1])
	if err != nil {
		return Null(), err
	}
	if in.kind == KindArray {
		for _, v := range in.arr.items {
			if err := ev.spend(n, cost(item, v)); err != nil {
				return Null(), err
			}
			if Equal(item, v) {
				return Bool(true), nil
			}
		}
		return Bool(false), nil
	}
	return ev.search(n, in, item, strings.Contains)
}

func startsWith(ev *evaluator, n *Call) (Value, error) { return ev.affix(n, strings.HasPrefix) }
func endsWith(ev *evaluator, n *Call) (Value, error)   { return ev.affix(n, strings.HasSuffix) }

func (ev *evaluator) affix(n *Call, test func(s, part string) bool) (Value, error) {
	in, err := ev.eval(n.Args[0])
	if err != nil || !in.primitive() {
		return Bool(false), err
	}
	item, err := ev.eval(n.Args[1])
	if err != nil {
		return Null(), err
	}
	return ev.search(n, in, item, test)
}

// search compares text ignoring case. Arrays and objects are no text and are never found.
func (ev *evaluator) search(n Node, in, item Value, test func(s, part string) bool) (Value, error) {
	if !item.primitive() {
		return Bool(false), nil
	}
	s, part := in.Text(), item.Text()
	if err := ev.spend(n, len(s)+len(part)); err != nil {
		return Null(), err
	}
	return Bool(test(upper(s), upper(part))), nil
}

// join puts the items of an array into one text. Anything else that has a text form is that text.
func join(ev *evaluator, n *Call) (Value, error) {
	items, err := ev.eval(n.Args[0])
	switch {
	case err != nil:
		return Null(), err
	case items.primitive():
		return String(items.Text()), nil
	case items.kind == KindObject:
		return String(""), nil
	}
	separator := ","
	if len(n.Args) > 1 && len(items.arr.items) > 1 {
		v, err := ev.eval(n.Args[1])
		if err != nil {
			return Null(), err
		}
		if v.primitive() {
			separator = v.Text()
		}
	}
	b := builder{ev: ev, node: n}
	for i, item := range items.arr.items {
		if i > 0 {
			if err := b.add(separator); err != nil {
				return Null(), err
			}
		}
		if err := b.add(item.Text()); err != nil {
			return Null(), err
		}
	}
	return b.done()
}

func toJSON(ev *evaluator, n *Call) (Value, error) {
	v, err := ev.eval(n.Args[0])
	if err != nil {
		return Null(), err
	}
	w := printer{indent: true, limit: MaxMemory / 2}
	w.value(v, 0)
	if w.full {
		return Null(), ev.spend(n, MaxMemory+1)
	}
	return String(w.String()), ev.spend(n, 2*w.Len())
}

func fromJSON(ev *evaluator, n *Call) (Value, error) {
	v, err := ev.eval(n.Args[0])
	if err != nil {
		return Null(), err
	}
	text := v.Text()
	if err := ev.spend(n, 2*len(text)); err != nil {
		return Null(), err
	}
	out, err := FromJSON([]byte(text))
	if err == nil {
		return out, nil
	}
	f := fault.At(CodeJSON, n.Place(), "fromJSON cannot read its argument: %v", err)
	switch {
	case strings.TrimSpace(text) == "":
		f.Message = "fromJSON cannot read its argument: the text is empty"
		f.Hint = "check that the step or job that sets " + n.Args[0].String() + " has run"
	case !v.primitive():
		f.Hint = n.Args[0].String() + " is a value already: leave fromJSON out"
	}
	return Null(), f
}

// choose is case(): conditions must be booleans, as on the runner; what is not chosen is not evaluated.
func choose(ev *evaluator, n *Call) (Value, error) {
	last := len(n.Args) - 1
	for i := 0; i < last; i += 2 {
		v, err := ev.eval(n.Args[i])
		if err != nil {
			return Null(), err
		}
		if v.kind != KindBool {
			return Null(), fault.At(CodeCase, Start(n.Args[i]), "a condition of case must be true or false, not %s", describe(v)).
				WithHint("compare it: %s != ''", n.Args[i])
		}
		if v.Bool() {
			return ev.eval(n.Args[i+1])
		}
	}
	return ev.eval(n.Args[last])
}

// describe names a value's type in a sentence.
func describe(v Value) string {
	return [...]string{"null", "a boolean", "a number", "a text", "an array", "an object"}[v.kind]
}
