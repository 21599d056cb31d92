package applicationset

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// matrix gives each set of the first generator with each of the second, which the first one's parameters are filled into
// (documentation page "Matrix Generator").
func (g *generating) matrix(c Combination) ([]map[string]any, error) {
	if len(c.Generators) < 2 {
		return nil, errors.New("found less than two generators, Matrix support only two")
	}
	if len(c.Generators) > 2 {
		return nil, errors.New("found more than two generators, Matrix support only two")
	}
	first, err := g.child(c.Generators[0], nil)
	if err != nil {
		return nil, fmt.Errorf("error failed to get params for first generator in matrix generator: %w", err)
	}
	var out []map[string]any
	for _, a := range first {
		second, err := g.child(c.Generators[1], a)
		if err != nil {
			return nil, fmt.Errorf("failed to get params for second generator in the matrix generator: %w", err)
		}
		for _, b := range second {
			both, err := g.combine(a, b)
			if err != nil {
				return nil, fmt.Errorf("failed to combine string maps with merging params for the matrix generator: %w", err)
			}
			out = append(out, both)
		}
	}
	return out, nil
}

// combine puts two sets together. With Go templates the first one's parameters count; without, differing ones are refused.
func (g *generating) combine(a, b map[string]any) (map[string]any, error) {
	if g.set.Spec.GoTemplate {
		return laid(a, b), nil
	}
	out := map[string]any{}
	for k, v := range a {
		out[k] = fmt.Sprintf("%v", v)
	}
	for _, k := range slices.Sorted(maps.Keys(b)) {
		v := fmt.Sprintf("%v", b[k])
		if had, there := out[k]; there && had != v {
			return nil, fmt.Errorf("found duplicate key %s with different value, a: %s ,b: %s", k, had, v)
		}
		out[k] = v
	}
	return out, nil
}

// merge gives the first generator's sets with what the others' say of those with the same merge keys (documentation page
// "Merge Generator").
func (g *generating) merge(c Combination) ([]map[string]any, error) {
	if len(c.Generators) < 2 {
		return nil, errors.New("found less than two generators, Merge requires two or more")
	}
	var sets [][]map[string]any
	for i, child := range c.Generators {
		s, err := g.child(child, nil)
		if err != nil {
			return nil, fmt.Errorf("error getting param sets from generators: error getting params from generator %d of %d: %w", i+1, len(c.Generators), err)
		}
		sets = append(sets, s)
	}
	order, base, err := keyed(c.MergeKeys, sets[0])
	if err != nil {
		return nil, fmt.Errorf("error getting param sets by merge key: %w", err)
	}
	for _, more := range sets[1:] {
		_, others, err := keyed(c.MergeKeys, more)
		if err != nil {
			return nil, fmt.Errorf("error getting param sets by merge key: %w", err)
		}
		for key, other := range others {
			mine, there := base[key]
			switch {
			case !there:
			case g.set.Spec.GoTemplate:
				base[key] = laid(other, mine)
			default:
				mine = maps.Clone(mine)
				maps.Copy(mine, other)
				base[key] = mine
			}
		}
	}
	var out []map[string]any
	for _, key := range order {
		out = append(out, base[key])
	}
	return out, nil
}

// keyed are sets by the values of the merge keys, and the order they came in.
func keyed(keys []string, sets []map[string]any) ([]string, map[string]map[string]any, error) {
	if len(keys) == 0 {
		return nil, nil, errors.New("no merge keys were specified, Merge requires at least one")
	}
	var order []string
	out := map[string]map[string]any{}
	for _, s := range sets {
		key := map[string]any{}
		for _, k := range keys {
			key[k] = s[k]
		}
		data, err := json.Marshal(key)
		if err != nil {
			return nil, nil, fmt.Errorf("error marshalling param set key json: %w", err)
		}
		if _, twice := out[string(data)]; twice {
			return nil, nil, fmt.Errorf("the parameters from a generator were not unique by the given mergeKeys, Merge requires all param sets to be unique. Duplicate key was %s", data)
		}
		out[string(data)] = s
		order = append(order, string(data))
	}
	return order, out, nil
}

// laid is what lies below with what is laid over it: maps are laid over each other, lists that hold something and other values
// take the place of what is below.
func laid(over, below map[string]any) map[string]any {
	out := maps.Clone(below)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range over {
		if l, ok := v.([]any); ok && len(l) == 0 && out[k] != nil {
			continue
		}
		a, b := asMap(v), asMap(out[k])
		switch {
		case a == nil || b == nil:
			out[k] = v
		case sameTexts(v, out[k]):
			both := maps.Clone(out[k].(map[string]string))
			maps.Copy(both, v.(map[string]string))
			out[k] = both
		default:
			out[k] = laid(a, b)
		}
	}
	return out
}

func sameTexts(a, b any) bool {
	_, x := a.(map[string]string)
	_, y := b.(map[string]string)
	return x && y
}

func asMap(v any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		return v
	case map[string]string:
		out := make(map[string]any, len(v))
		for k, s := range v {
			out[k] = s
		}
		return out
	}
	return nil
}

// child asks a generator in a combination.
func (g *generating) child(one Generator, from map[string]any) ([]map[string]any, error) {
	made, err := g.transform(one, from)
	if err != nil {
		return nil, fmt.Errorf("child generator returned an error on parameter generation: %w", err)
	}
	switch len(made) {
	case 0:
		return nil, errors.New("child generator generated no parameters")
	case 1:
		return made[0].params, nil
	}
	return nil, errors.New("found more than one generator in matrix.Generators")
}

// valued are the generators whose values are filled with their own parameters later.
var valued = []string{"clusters", "git", "scmProvider", "pullRequest"}

// interpolate fills parameters into every text of a generator. In values, what needs parameters that are not there yet
// stays.
func (g *generating) interpolate(one Generator, from map[string]any) (Generator, error) {
	data, err := json.Marshal(one)
	if err != nil {
		return one, err
	}
	var raw map[string]any
	if err := json.Unmarshal(data, &raw); err != nil {
		return one, err
	}
	filled, err := g.interpolated(raw, from)
	if err != nil {
		return one, fmt.Errorf("failed to replace parameters in generator: %w", err)
	}
	if data, err = json.Marshal(filled); err != nil {
		return one, err
	}
	var out Generator
	if err := json.Unmarshal(data, &out); err != nil {
		return one, fmt.Errorf("the generator with its parameters: %w", err)
	}
	out.Selector = one.Selector
	return out, nil
}

func (g *generating) interpolated(raw map[string]any, from map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		v := raw[name]
		var kept map[string]any
		sub, _ := v.(map[string]any)
		if slices.Contains(valued, name) && sub != nil {
			kept, _ = sub["values"].(map[string]any)
			sub = maps.Clone(sub)
			delete(sub, "values")
			v = sub
		}
		if children, ok := sub["generators"].([]any); ok && (name == "matrix" || name == "merge") {
			filled, err := g.children(sub, children, from)
			if err != nil {
				return nil, err
			}
			out[name] = filled
			continue
		}
		filled, err := g.fill.deeply(v, from)
		if err != nil {
			return nil, err
		}
		if kept != nil {
			values, err := g.early(kept, from)
			if err != nil {
				return nil, err
			}
			filled.(map[string]any)["values"] = values
		}
		out[name] = filled
	}
	return out, nil
}

func (g *generating) children(combination map[string]any, children []any, from map[string]any) (map[string]any, error) {
	rest := maps.Clone(combination)
	delete(rest, "generators")
	filled, err := g.fill.deeply(rest, from)
	if err != nil {
		return nil, err
	}
	out := filled.(map[string]any)
	var list []any
	for _, c := range children {
		m, ok := c.(map[string]any)
		if !ok {
			continue
		}
		f, err := g.interpolated(m, from)
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	out["generators"] = list
	return out, nil
}

// early fills the values that need nothing but these parameters.
func (g *generating) early(values map[string]any, from map[string]any) (map[string]any, error) {
	if g.strict == nil {
		f, err := g.fill.strict()
		if err != nil {
			return nil, err
		}
		g.strict = f
	}
	out := map[string]any{}
	for k, v := range values {
		s, _ := v.(string)
		filled, err := g.strict.text(s, from)
		switch {
		case err == nil:
			out[k] = filled
		case missing(err):
			out[k] = s
		default:
			return nil, fmt.Errorf("failed to pre-resolve Values key %q: %w", k, err)
		}
	}
	return out, nil
}
