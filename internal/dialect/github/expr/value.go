package expr

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Kind is the type of a value, as the documentation's section "Literals" and the contexts know them.
type Kind int

// The kinds. The zero Kind is KindNull, so that the zero Value is null.
const (
	KindNull Kind = iota
	KindBool
	KindNumber
	KindString
	KindArray
	KindObject
)

// String is the kind's name as GitHub's messages write it: Null, Boolean, Number, String, Array, Object.
func (k Kind) String() string {
	return [...]string{"Null", "Boolean", "Number", "String", "Array", "Object"}[k]
}

// Value is the result of an expression or a part of a context. It never changes; the zero Value is null.
type Value struct {
	kind Kind
	num  float64 // KindNumber; 1 for true
	text string  // KindString
	arr  *array
	obj  *object
}

// array is shared by pointer: two arrays are equal only where they are the same one.
type array struct {
	items    []Value
	filtered bool // made by .*: what follows applies to every item
}

// object keeps the order of its keys and finds them ignoring case, or exactly where it is cased.
type object struct {
	pairs []Pair
	index map[string]int
	cased bool
}

func (o *object) find(key string) (int, bool) {
	if !o.cased {
		key = upper(key)
	}
	i, ok := o.index[key]
	return i, ok
}

// Pair is one property of an object.
type Pair struct {
	Key   string
	Value Value
}

// Null is the value null.
func Null() Value { return Value{} }

// Bool is true or false.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// Number is a number.
func Number(f float64) Value { return Value{kind: KindNumber, num: f} }

// String is a text.
func String(s string) Value { return Value{kind: KindString, text: s} }

// Array is a list of values. Every call makes an array of its own, equal to no other.
func Array(vs ...Value) Value {
	return Value{kind: KindArray, arr: &array{items: slices.Clone(vs)}}
}

// filter is what .* makes of values.
func filter(vs []Value) Value {
	return Value{kind: KindArray, arr: &array{items: vs, filtered: true}}
}

// NewObject is an object of these properties, in this order, found ignoring case. Of two that differ in case only, the
// first name and the last value stay.
func NewObject(pairs ...Pair) Value {
	b := ObjectBuilder{}
	for _, p := range pairs {
		b.Set(p.Key, p.Value)
	}
	return b.Value()
}

// ObjectBuilder makes an object property by property. The zero value is ready.
type ObjectBuilder struct {
	// Cased makes names differ by case, as those of the env context do on Linux and macOS. Set it before the first Set.
	Cased bool
	obj   *object
}

// Set adds a property, or gives the one of that name another value.
func (b *ObjectBuilder) Set(key string, v Value) *ObjectBuilder {
	if b.obj == nil {
		b.obj = &object{index: map[string]int{}, cased: b.Cased}
	}
	if i, ok := b.obj.find(key); ok {
		b.obj.pairs[i].Value = v
		return b
	}
	name := key
	if !b.obj.cased {
		name = upper(key)
	}
	b.obj.index[name] = len(b.obj.pairs)
	b.obj.pairs = append(b.obj.pairs, Pair{key, v})
	return b
}

// Value is the object. The builder is empty afterwards.
func (b *ObjectBuilder) Value() Value {
	obj := b.obj
	if obj == nil {
		obj = &object{index: map[string]int{}, cased: b.Cased}
	}
	b.obj = nil
	return Value{kind: KindObject, obj: obj}
}

// FromAny is the value of a Go value: nil, booleans, numbers, strings, json.Number, Value, slices and maps of these
// (a map's keys are sorted). Anything else becomes the text that fmt prints of it.
func FromAny(v any) Value {
	switch v := v.(type) {
	case nil:
		return Null()
	case Value:
		return v
	case bool:
		return Bool(v)
	case string:
		return String(v)
	case int:
		return Number(float64(v))
	case int64:
		return Number(float64(v))
	case uint64:
		return Number(float64(v))
	case float64:
		return Number(v)
	case json.Number:
		return Number(ParseNumber(v.String()))
	case []string:
		return listOf(v)
	case []Value:
		return Array(v...)
	case []any:
		return listOf(v)
	case map[string]string:
		return tableOf(v)
	case map[string]Value:
		return tableOf(v)
	case map[string]any:
		return tableOf(v)
	default:
		return String(fmt.Sprint(v))
	}
}

func listOf[T any](vs []T) Value {
	items := make([]Value, len(vs))
	for i, v := range vs {
		items[i] = FromAny(v)
	}
	return Value{kind: KindArray, arr: &array{items: items}}
}

func tableOf[T any](vs map[string]T) Value {
	keys := make([]string, 0, len(vs))
	for k := range vs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b := ObjectBuilder{}
	for _, k := range keys {
		b.Set(k, FromAny(vs[k]))
	}
	return b.Value()
}

// Kind is the value's type.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether it is null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Bool is the value of a boolean, false for all others (Truthy asks any value).
func (v Value) Bool() bool { return v.kind == KindBool && v.num != 0 }

// Text is the value as GitHub puts it into text: null is empty, numbers have at most 15 digits, arrays and objects are
// the words Array and Object.
func (v Value) Text() string {
	switch v.kind {
	case KindNull:
		return ""
	case KindBool:
		if v.num != 0 {
			return "true"
		}
		return "false"
	case KindNumber:
		return FormatNumber(v.num)
	case KindString:
		return v.text
	default:
		return v.kind.String()
	}
}

// Truthy reports how the value counts where a condition is asked: false, 0, -0, NaN, the empty text and null are false.
func (v Value) Truthy() bool {
	switch v.kind {
	case KindNull:
		return false
	case KindBool:
		return v.num != 0
	case KindNumber:
		return v.num != 0 && !math.IsNaN(v.num)
	case KindString:
		return v.text != ""
	default:
		return true
	}
}

// Get is the property of an object by name, null where there is none or where it is no object.
func (v Value) Get(key string) Value {
	got, _ := v.Lookup(key)
	return got
}

// Lookup is the property of an object by name, and whether it is there.
func (v Value) Lookup(key string) (Value, bool) {
	if v.kind != KindObject {
		return Null(), false
	}
	i, ok := v.obj.find(key)
	if !ok {
		return Null(), false
	}
	return v.obj.pairs[i].Value, true
}

// Path follows properties from object to object: v.Path("event", "head_commit", "id").
func (v Value) Path(keys ...string) Value {
	for _, k := range keys {
		v = v.Get(k)
	}
	return v
}

// Index is an item of an array, null outside it.
func (v Value) Index(i int) Value {
	if v.kind != KindArray || i < 0 || i >= len(v.arr.items) {
		return Null()
	}
	return v.arr.items[i]
}

// Items are the items of an array or the values of an object, in order; nil for all others.
func (v Value) Items() []Value {
	switch v.kind {
	case KindArray:
		return slices.Clone(v.arr.items)
	case KindObject:
		out := make([]Value, len(v.obj.pairs))
		for i, p := range v.obj.pairs {
			out[i] = p.Value
		}
		return out
	default:
		return nil
	}
}

// Pairs are the properties of an object, in order; nil for all others.
func (v Value) Pairs() []Pair {
	if v.kind != KindObject {
		return nil
	}
	return slices.Clone(v.obj.pairs)
}

// Keys are the names of an object's properties, in order; nil for all others.
func (v Value) Keys() []string {
	if v.kind != KindObject {
		return nil
	}
	out := make([]string, len(v.obj.pairs))
	for i, p := range v.obj.pairs {
		out[i] = p.Key
	}
	return out
}

// Len is the number of items or properties; 0 for all others.
func (v Value) Len() int {
	switch v.kind {
	case KindArray:
		return len(v.arr.items)
	case KindObject:
		return len(v.obj.pairs)
	default:
		return 0
	}
}

// Any is the value as plain Go: nil, bool, float64, string, []any, map[string]any.
func (v Value) Any() any {
	switch v.kind {
	case KindBool:
		return v.num != 0
	case KindNumber:
		return v.num
	case KindString:
		return v.text
	case KindArray:
		out := make([]any, len(v.arr.items))
		for i, item := range v.arr.items {
			out[i] = item.Any()
		}
		return out
	case KindObject:
		out := make(map[string]any, len(v.obj.pairs))
		for _, p := range v.obj.pairs {
			out[p.Key] = p.Value.Any()
		}
		return out
	default:
		return nil
	}
}

func (v Value) primitive() bool { return v.kind < KindArray }
