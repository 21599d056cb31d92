package expr

import (
	"slices"
	"strings"
)

// TypeKind is what is known of a value before it is computed.
type TypeKind int

// The kinds of types. The zero Type is TAny.
const (
	KnownNothing TypeKind = iota
	KnownNull
	KnownBool
	KnownNumber
	KnownString
	KnownArray
	KnownObject
)

// Type is what is known of a value before it is computed.
type Type struct {
	Kind TypeKind
	// Props are the known properties of an object, by lower-case name.
	Props map[string]Type
	// Rest is the type of an object's other properties; nil makes it strict: it has no others.
	Rest *Type
	// Item is the type of an array's items; nil is anything.
	Item *Type

	filtered bool // made by .*
}

// The types without parts.
var (
	TAny    = Type{}
	TNull   = Type{Kind: KnownNull}
	TBool   = Type{Kind: KnownBool}
	TNumber = Type{Kind: KnownNumber}
	TString = Type{Kind: KnownString}
)

// TArray is an array of items of one type.
func TArray(item Type) Type { return Type{Kind: KnownArray, Item: &item} }

// TStrict is an object that has these properties and no others. Names are taken in any case.
func TStrict(props map[string]Type) Type {
	return Type{Kind: KnownObject, Props: lowered(props)}
}

// TOpen is an object that has these properties and may have others of type rest.
func TOpen(props map[string]Type, rest Type) Type {
	return Type{Kind: KnownObject, Props: lowered(props), Rest: &rest}
}

// TMap is an object of any properties, all of one type.
func TMap(of Type) Type { return TOpen(nil, of) }

func lowered(props map[string]Type) map[string]Type {
	out := make(map[string]Type, len(props))
	for name, t := range props {
		out[asciiLower(name)] = t
	}
	return out
}

// TypeOf is the type of a value that is known, as a strict object where it is one.
func TypeOf(v Value) Type {
	switch v.kind {
	case KindArray:
		item := TAny
		for i, x := range v.arr.items {
			if t := TypeOf(x); i == 0 {
				item = t
			} else {
				item = merge(item, t)
			}
		}
		return TArray(item)
	case KindObject:
		props := map[string]Type{}
		for _, p := range v.obj.pairs {
			props[p.Key] = TypeOf(p.Value)
		}
		return TStrict(props)
	default:
		return Type{Kind: TypeKind(v.kind) + KnownNull}
	}
}

// String describes the type in a sentence.
func (t Type) String() string {
	return [...]string{"any value", "null", "a boolean", "a number", "a text", "an array", "an object"}[t.Kind]
}

// scalar reports whether it is known to have no parts.
func (t Type) scalar() bool { return t.Kind >= KnownNull && t.Kind <= KnownString }

// collection reports whether it is known to be an array or object.
func (t Type) collection() bool { return t.Kind >= KnownArray }

// item is the type of an array's items.
func (t Type) item() Type {
	if t.Item == nil {
		return TAny
	}
	return *t.Item
}

// all is the type of any of an object's properties.
func (t Type) all() Type {
	out, some := TAny, false
	add := func(p Type) {
		if !some {
			out, some = p, true
			return
		}
		out = merge(out, p)
	}
	for _, name := range t.names() {
		add(t.Props[name])
	}
	if t.Rest != nil {
		add(*t.Rest)
	}
	return out
}

func (t Type) names() []string {
	out := make([]string, 0, len(t.Props))
	for name := range t.Props {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// property is the type of a property, and whether there can be one of that name.
func (t Type) property(name string) (Type, bool) {
	if p, ok := t.Props[asciiLower(name)]; ok {
		return p, true
	}
	if t.Rest != nil {
		return *t.Rest, true
	}
	return TAny, false
}

// Merge is the type of a value that is one or the other: any value where the two are of different kinds.
func Merge(a, b Type) Type { return merge(a, b) }

// merge is the type of a value that is one or the other. Where both are objects, a property of one is one of the result.
func merge(a, b Type) Type {
	if a.Kind != b.Kind {
		return TAny
	}
	switch a.Kind {
	case KnownArray:
		t := TArray(merge(a.item(), b.item()))
		t.filtered = a.filtered && b.filtered
		return t
	case KnownObject:
		return mergeObjects(a, b)
	default:
		return a
	}
}

func mergeObjects(a, b Type) Type {
	out := Type{Kind: KnownObject, Props: map[string]Type{}}
	switch {
	case a.Rest != nil && b.Rest != nil:
		rest := merge(*a.Rest, *b.Rest)
		out.Rest = &rest
	case a.Rest != nil || b.Rest != nil:
		out.Rest = &Type{}
	}
	for _, t := range []Type{a, b} {
		for name, p := range t.Props {
			if have, ok := out.Props[name]; ok {
				p = merge(have, p)
			}
			out.Props[name] = p
		}
	}
	return out
}

// StepType is what steps.<id> holds: its results, and its outputs. nil outputs are outputs of any name.
func StepType(outputs []string) Type {
	return TStrict(map[string]Type{"outputs": outputType(outputs), "outcome": TString, "conclusion": TString})
}

// NeedType is what needs.<id> and jobs.<id> hold: the result and the outputs. nil outputs are outputs of any name.
func NeedType(outputs []string) Type {
	return TStrict(map[string]Type{"outputs": outputType(outputs), "result": TString})
}

func outputType(names []string) Type {
	if names == nil {
		return TMap(TString)
	}
	props := map[string]Type{}
	for _, name := range names {
		props[name] = TString
	}
	return TStrict(props)
}

// Scope is the contexts as the documentation's "Contexts reference" describes them, before anything is known of a
// workflow: steps, needs, matrix, inputs, jobs, secrets, vars and env hold anything. The caller narrows what it knows
// in the map, which is its own.
func Scope() map[string]Type {
	return map[string]Type{
		"github":   githubType(),
		"env":      TMap(TString),
		"vars":     TMap(TString),
		"secrets":  TMap(TString),
		"inputs":   TMap(TAny),
		"matrix":   TMap(TAny),
		"needs":    TMap(NeedType(nil)),
		"jobs":     TMap(NeedType(nil)),
		"steps":    TMap(StepType(nil)),
		"job":      jobType(),
		"runner":   textsType("name os arch temp tool_cache debug environment workspace"),
		"strategy": TStrict(map[string]Type{"fail-fast": TBool, "job-index": TNumber, "job-total": TNumber, "max-parallel": TNumber}),
	}
}

func textsType(names string) Type {
	t := Type{Kind: KnownObject, Props: map[string]Type{}}
	for _, name := range strings.Fields(names) {
		t.Props[name] = TString
	}
	return t
}

// githubType holds the documented properties, and those that the runner sets without documentation: output, state,
// step_summary, repository_visibility, artifact_cache_size_limit.
func githubType() Type {
	t := textsType(`action action_path action_ref action_repository action_status actor actor_id api_url artifacts artifacts_list
		base_ref env event_name event_path graphql_url head_ref job output path ref ref_name ref_type repository repository_id
		repository_owner repository_owner_id repository_visibility repositoryurl retention_days run_id run_number run_attempt
		secret_source server_url sha state step_summary token triggering_actor workflow workflow_ref workflow_sha workspace`)
	t.Props["event"] = TMap(TAny)
	t.Props["ref_protected"] = TBool
	t.Props["artifact_cache_size_limit"] = TAny
	return t
}

func jobType() Type {
	t := textsType("status workflow_ref workflow_sha workflow_repository workflow_file_path")
	t.Props["check_run_id"] = TNumber
	t.Props["container"] = textsType("id network")
	service := textsType("id network")
	service.Props["ports"] = TAny // by number or text: ports[5432], as the documentation writes it, and ports['5432']
	t.Props["services"] = TMap(service)
	return t
}
