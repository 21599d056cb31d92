package applicationset

import (
	"errors"
	"fmt"
	"reflect"
)

// The bounds of the templates of one Application. A template that exceeds them fails with its name; no other does.
const (
	maxText  = 1 << 20 // bytes of a template, of a value that one makes and of what one writes
	maxWork  = 8 << 20 // steps: values looked at, turns of loops, perStep bytes of text each
	perStep  = 8
	turn     = 16  // steps of a turn of a loop
	maxDepth = 200 // of values in values
	maxNest  = 100 // of templates in templates
)

var (
	errWork  = errors.New("the template does too much: its loops and values are over the bound")
	errLarge = fmt.Errorf("the template makes a text of more than %d bytes", maxText)
	errDeep  = errors.New("the template makes values that hold themselves or are too deep")
	errNest  = fmt.Errorf("templates call each other more than %d deep", maxNest)
)

// budget is the work that is left for the templates of one Application. Templates run in this process, so each function,
// each turn of a loop and each value that is printed is charged before it costs anything.
type budget struct {
	left int
	nest int
}

func (b *budget) renew() { b.left, b.nest = maxWork, 0 }

func (b *budget) charge(n int) error {
	if n > b.left || n < 0 {
		b.left = 0
		return errWork
	}
	b.left -= n
	return nil
}

// measure charges a value by all that hangs on it, as often as it hangs there: that is what printing it would cost.
func (b *budget) measure(v reflect.Value, deep int) error {
	if deep > maxDepth {
		return errDeep
	}
	if err := b.charge(1); err != nil {
		return err
	}
	switch v.Kind() {
	case reflect.String:
		if v.Len() > maxText {
			return errLarge
		}
		return b.charge(v.Len() / perStep)
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			return b.measure(v.Elem(), deep+1)
		}
	case reflect.Slice, reflect.Array:
		switch k := v.Type().Elem().Kind(); {
		case k == reflect.Uint8:
			return b.charge(v.Len() / perStep)
		case k >= reflect.Bool && k <= reflect.Complex128:
			return b.charge(v.Len())
		}
		for i := range v.Len() {
			if err := b.measure(v.Index(i), deep+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := b.measure(it.Key(), deep+1); err != nil {
				return err
			}
			if err := b.measure(it.Value(), deep+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// guard wraps a function of a template: what it is given is measured, then what it makes. The cost tells of functions that
// make much of little, and that take long.
func (b *budget) guard(name string, fn any) any {
	f := reflect.ValueOf(fn)
	t := f.Type()
	cost := costs[name]
	return reflect.MakeFunc(t, func(in []reflect.Value) []reflect.Value {
		before := b.left
		for _, v := range in {
			if err := b.measure(v, 0); err != nil {
				panic(err) // text/template makes an error of it
			}
		}
		if cost != nil {
			if err := b.charge(cost(flat(in, t.IsVariadic()), before-b.left)); err != nil {
				panic(err)
			}
		}
		var out []reflect.Value
		if t.IsVariadic() {
			out = f.CallSlice(in)
		} else {
			out = f.Call(in)
		}
		if err := b.measure(out[0], 0); err != nil {
			panic(err)
		}
		return out
	}).Interface()
}

// flat are the arguments one by one, as any.
func flat(in []reflect.Value, variadic bool) []any {
	var out []any
	for i, v := range in {
		if variadic && i == len(in)-1 {
			for j := range v.Len() {
				out = append(out, v.Index(j).Interface())
			}
			break
		}
		out = append(out, v.Interface())
	}
	return out
}
