package diff

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/itchyny/gojq"
)

// steps bounds how long one jq expression may work on one object. It counts the interpreter's steps, not time, so that the
// same object is judged the same way on every machine; it is about a tenth of a second.
const steps = 1_000_000

var errSteps = fmt.Errorf("it took more than %d steps", steps)

// query is a jq path expression that is ready to run.
type query struct {
	text string
	code *gojq.Code
	err  error
}

// compile reads a path expression. What would write, read or wait is refused: an expression shall name fields.
func compile(text string) query {
	if _, err := gojq.Parse(text); err != nil {
		return query{text: text, err: fmt.Errorf("no jq expression: %w", err)}
	}
	q, err := gojq.Parse("path(" + text + "\n)")
	if err != nil {
		return query{text: text, err: fmt.Errorf("no jq path expression: %w", err)}
	}
	if name := forbidden(q); name != "" {
		return query{text: text, err: fmt.Errorf("a path expression may not use %s", name)}
	}
	code, err := gojq.Compile(q)
	return query{text: text, code: code, err: err}
}

// paths are the pointers that the expression names in v, longest-standing first.
func (q query) paths(v any) ([][]string, error) {
	if q.err != nil {
		return nil, q.err
	}
	var out [][]string
	iter := q.code.RunWithContext(&budget{left: steps}, forJQ(v))
	for {
		next, ok := iter.Next()
		if !ok {
			return out, nil
		}
		switch next := next.(type) {
		case error:
			if errors.Is(next, errSteps) {
				return nil, errSteps
			}
			return nil, errors.New("it does not fit the object")
		case []any:
			parts, ok := tokensOf(next)
			if ok {
				out = append(out, parts)
			}
			if len(out) > 10_000 {
				return nil, errSteps
			}
		}
	}
}

func tokensOf(path []any) ([]string, bool) {
	out := make([]string, len(path))
	for i, p := range path {
		switch p := p.(type) {
		case string:
			out[i] = p
		case int:
			out[i] = strconv.Itoa(p)
		case float64:
			out[i] = strconv.Itoa(int(math.Floor(p)))
		default:
			return nil, false // a slice names no single field
		}
	}
	return out, true
}

// forJQ is a copy of a value with the types that the interpreter knows.
func forJQ(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = forJQ(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = forJQ(e)
		}
		return out
	case int64:
		return int(v)
	case string, bool, nil, int, float64:
		return v
	}
	return fmt.Sprint(v)
}

// budget is a context that ends after a number of steps: the interpreter asks for Done before each.
type budget struct {
	left int
	done chan struct{}
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Done is closed once the steps are used up.
func (b *budget) Done() <-chan struct{} {
	if b.left--; b.left < 0 {
		return closed
	}
	return b.done
}

// Err is why the context ended.
func (b *budget) Err() error {
	if b.left < 0 {
		return errSteps
	}
	return nil
}

// Deadline is none.
func (*budget) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Value is none.
func (*budget) Value(any) any { return nil }

var _ context.Context = (*budget)(nil)
