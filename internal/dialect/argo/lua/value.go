package lua

import (
	"errors"
	"fmt"
	"math"

	glua "github.com/yuin/gopher-lua"
)

// most is how many values a script may return, and how deep.
const (
	most    = 1 << 18
	deepest = 1000
)

// toLua makes a Lua value of what JSON can say.
func toLua(l *glua.LState, v any) glua.LValue {
	switch v := v.(type) {
	case bool:
		return glua.LBool(v)
	case string:
		return glua.LString(v)
	case float64:
		return glua.LNumber(v)
	case int64:
		return glua.LNumber(v)
	case int:
		return glua.LNumber(v)
	case []any:
		t := l.CreateTable(len(v), 0)
		for _, e := range v {
			t.Append(toLua(l, e))
		}
		return t
	case map[string]any:
		t := l.CreateTable(0, len(v))
		for k, e := range v {
			t.RawSetString(k, toLua(l, e))
		}
		return t
	default:
		return glua.LNil
	}
}

// reader makes JSON's values of Lua's.
type reader struct {
	seen  int
	above map[*glua.LTable]bool
}

// fromLua makes what JSON can say of a Lua value. A table is a list where its first key is a number and also where it is
// empty: Lua cannot tell the two apart.
func fromLua(v glua.LValue) (any, error) {
	r := reader{above: map[*glua.LTable]bool{}}
	return r.value(v)
}

func (r *reader) value(v glua.LValue) (any, error) {
	if r.seen++; r.seen > most || len(r.above) > deepest {
		return nil, errors.New("cannot encode so large a table to JSON")
	}
	switch v := v.(type) {
	case *glua.LNilType:
		return nil, nil
	case glua.LBool:
		return bool(v), nil
	case glua.LString:
		return string(v), nil
	case glua.LNumber:
		return number(float64(v))
	case *glua.LTable:
		if r.above[v] {
			return nil, errors.New("cannot encode recursively nested tables to JSON")
		}
		r.above[v] = true
		defer delete(r.above, v)
		switch first, _ := v.Next(glua.LNil); first.(type) {
		case *glua.LNilType:
			return []any{}, nil
		case glua.LNumber:
			return r.list(v)
		case glua.LString:
			return r.object(v)
		}
		return nil, errors.New("cannot encode mixed or invalid key types")
	default:
		return nil, fmt.Errorf("cannot encode %s to JSON", v.Type())
	}
}

func number(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("cannot encode %v to JSON", f)
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return int64(f), nil
	}
	return f, nil
}

func (r *reader) list(t *glua.LTable) (any, error) {
	var out []any
	for k, v := t.Next(glua.LNil); k != glua.LNil; k, v = t.Next(k) {
		n, ok := k.(glua.LNumber)
		if !ok {
			return nil, errors.New("cannot encode mixed or invalid key types")
		}
		if int(n) != len(out)+1 {
			return nil, errors.New("cannot encode sparse array")
		}
		e, err := r.value(v)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (r *reader) object(t *glua.LTable) (any, error) {
	out := map[string]any{}
	for k, v := t.Next(glua.LNil); k != glua.LNil; k, v = t.Next(k) {
		name, ok := k.(glua.LString)
		if !ok {
			return nil, errors.New("cannot encode mixed or invalid key types")
		}
		e, err := r.value(v)
		if err != nil {
			return nil, err
		}
		out[string(name)] = e
	}
	return out, nil
}
