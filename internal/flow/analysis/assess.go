package analysis

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// mostTurns bounds how often the predicates of one condition are evaluated, and mostCondition its length in bytes.
const (
	mostTurns     = 1_000_000
	mostCondition = 10_000
)

// Assess is what a measured value says: its phase by the metric's conditions, or Error with the reason. Without conditions
// every value is Successful; with one, what it does not say is the opposite; with both, neither is Inconclusive and a
// failure wins. value is what the provider measured: float64, []float64, or what JSON gives.
func Assess(m Metric, value any) (Phase, error) {
	success, failure := false, false
	var err error
	if m.SuccessCondition != "" {
		if success, err = condition(value, m.SuccessCondition); err != nil {
			return Error, err
		}
	}
	if m.FailureCondition != "" {
		if failure, err = condition(value, m.FailureCondition); err != nil {
			return Error, err
		}
	}
	switch {
	case m.SuccessCondition == "" && m.FailureCondition == "":
		return Successful, nil
	case m.FailureCondition == "":
		failure = !success
	case m.SuccessCondition == "":
		success = !failure
	}
	switch {
	case failure:
		return Failed, nil
	case success:
		return Successful, nil
	}
	return Inconclusive, nil
}

func condition(value any, text string) (bool, error) {
	out, err := evaluate(text, environment(value))
	if err != nil {
		return false, err
	}
	yes, ok := out.(bool)
	if !ok {
		return false, refuse(CodeCondition, "expected bool, but got %T", out)
	}
	return yes, nil
}

// Moment is the time that an expression of a range query gives ("now() - duration(\"5m\")").
func Moment(text string, now time.Time) (time.Time, error) {
	out, err := evaluate(text, map[string]any{
		"isNaN": math.IsNaN,
		"isInf": isInf,
		"now":   func() time.Time { return now },
	}, expr.DisableBuiltin("now"))
	if err != nil {
		return time.Time{}, err
	}
	at, ok := out.(time.Time)
	if !ok {
		return time.Time{}, refuse(CodeCondition, "expected time.Time, but got %T", out)
	}
	return at, nil
}

func environment(value any) map[string]any {
	value = pointed(value)
	return map[string]any{
		"result":  value,
		"asInt":   asInt,
		"asFloat": asFloat,
		"isNaN":   math.IsNaN,
		"isInf":   isInf,
		"isNil":   func(any) bool { return isNil(value) },
		"default": func(_, other any) any {
			if isNil(value) {
				return other
			}
			return value
		},
	}
}

// evaluate runs an expression with a bound on its length, its nodes, its memory and the turns of its loops.
func evaluate(text string, env map[string]any, options ...expr.Option) (out any, err error) {
	if len(text) > mostCondition {
		return nil, refuse(CodeCondition, "the condition has %d bytes, at most %d are evaluated", len(text), mostCondition)
	}
	left := mostTurns
	env[turn] = func() bool {
		if left--; left < 0 {
			panic(fmt.Sprintf("the condition takes more than %d turns", mostTurns))
		}
		return true
	}
	program, err := expr.Compile(text, append([]expr.Option{expr.Env(env), expr.Patch(counted{})}, options...)...)
	if err != nil {
		return nil, plain(err)
	}
	if out, err = expr.Run(program, env); err != nil {
		return nil, plain(err)
	}
	return out, nil
}

// turn is the name of the function that counts; users' names cannot hold it.
const turn = "__turn"

// counted makes every predicate count its turns, so that nested loops over a large result end.
type counted struct{}

// Visit wraps the body of a predicate.
func (counted) Visit(node *ast.Node) {
	p, ok := (*node).(*ast.PredicateNode)
	if !ok {
		return
	}
	if c, done := p.Node.(*ast.ConditionalNode); done {
		if call, is := c.Cond.(*ast.CallNode); is {
			if id, named := call.Callee.(*ast.IdentifierNode); named && id.Value == turn {
				return
			}
		}
	}
	call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: turn}}
	p.Node = &ast.ConditionalNode{Cond: call, Exp1: p.Node, Exp2: &ast.NilNode{}}
}

// plain is expr's own message without the excerpt of the source.
func plain(err error) error {
	var placed *file.Error
	if errors.As(err, &placed) {
		return refuse(CodeCondition, "%s", placed.Message)
	}
	return refuse(CodeCondition, "%s", err.Error())
}

func isInf(f float64) bool { return math.IsInf(f, 0) }

func asInt(v any) int64 {
	if s, ok := v.(string); ok {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			panic(err)
		}
		return n
	}
	switch r := reflect.ValueOf(v); {
	case r.IsValid() && r.CanInt():
		return r.Int()
	case r.IsValid() && r.CanUint():
		return int64(r.Uint())
	case r.IsValid() && r.CanFloat():
		return int64(r.Float())
	}
	panic(fmt.Sprintf("asInt() not supported on %v %v", reflect.TypeOf(v), v))
}

func asFloat(v any) float64 {
	if s, ok := v.(string); ok {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			panic(err)
		}
		return n
	}
	switch r := reflect.ValueOf(v); {
	case r.IsValid() && r.CanInt():
		return float64(r.Int())
	case r.IsValid() && r.CanUint():
		return float64(r.Uint())
	case r.IsValid() && r.CanFloat():
		return r.Float()
	}
	panic(fmt.Sprintf("asFloat() not supported on %v %v", reflect.TypeOf(v), v))
}

func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		return r.IsNil()
	}
	return false
}

func pointed(v any) any {
	if isNil(v) {
		return nil
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer {
		return r.Elem().Interface()
	}
	return v
}

// Text is a measured value as Argo Rollouts writes it into a measurement: a number in full ("0.95", "NaN", "+Inf"), numbers
// as "[0.95,1]" (an empty answer is "[]"). Values of JSON keep their JSON text, which the web provider writes itself.
func Text(value any) string {
	switch v := value.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []float64:
		parts := make([]string, len(v))
		for i, f := range v {
			parts[i] = strconv.FormatFloat(f, 'f', -1, 64)
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return fmt.Sprint(value)
}
