package lua

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// The bounds of one script.
const (
	stackSize    = 256 // calls in each other
	registryFrom = 256 // values on the stack, at first and at most
	registryTo   = 256 * 20
	maxPrinted   = 16 << 10 // bytes that are kept of what a script prints
	maxCompiled  = 1024     // scripts that stay compiled
)

// chunk is what error messages call a script, as Argo CD's do.
const chunk = "<string>"

// Interpreter runs scripts, each in a state of its own that nothing outlives. It keeps them compiled and is not safe for
// concurrent use.
type Interpreter struct {
	compiled  map[string]*glua.FunctionProto
	libraries []library
	now       time.Time // that the script at work sees
	printed   strings.Builder
}

// NewInterpreter makes an interpreter.
func NewInterpreter() *Interpreter {
	i := &Interpreter{compiled: map[string]*glua.FunctionProto{}}
	i.libraries = libraries(func() time.Time { return i.now }, i.print)
	return i
}

func (i *Interpreter) compile(source string) (*glua.FunctionProto, error) {
	if p, ok := i.compiled[source]; ok {
		return p, nil
	}
	p, err := compile(source)
	if err != nil {
		return nil, err
	}
	if len(i.compiled) >= maxCompiled {
		clear(i.compiled)
	}
	i.compiled[source] = p
	return p, nil
}

func compile(source string) (p *glua.FunctionProto, err error) {
	defer func() { // the compiler panics where it meets its own bounds
		if r := recover(); r != nil {
			err = fmt.Errorf("the script cannot be compiled: %v", r)
		}
	}()
	tree, err := parse.Parse(strings.NewReader(source), chunk)
	if err != nil {
		return nil, err
	}
	return glua.Compile(tree, chunk)
}

// run runs a script on an object and gives the last value that it returns. An error's text is the script's own message.
func (i *Interpreter) run(ctx context.Context, now time.Time, source string, object map[string]any, params map[string]string) (any, error) {
	proto, err := i.compile(source)
	if err != nil {
		return nil, fmt.Errorf("%s", strings.TrimSpace(err.Error()))
	}
	l := glua.NewState(glua.Options{
		SkipOpenLibs: true, CallStackSize: stackSize, MinimizeStackMemory: true,
		RegistrySize: registryFrom, RegistryMaxSize: registryTo, RegistryGrowStep: registryFrom,
	})
	defer l.Close()
	i.now = now
	open(l, i.libraries)
	l.SetContext(ctx)
	given := l.CreateTable(0, len(params))
	for name, value := range params {
		given.RawSetString(name, glua.LString(value))
	}
	l.SetGlobal("actionParams", given)
	l.SetGlobal("obj", toLua(l, object))
	l.Push(l.NewFunctionFromProto(proto))
	if err := l.PCall(0, glua.MultRet, nil); err != nil {
		if a, ok := errors.AsType[*glua.ApiError](err); ok {
			return nil, errors.New(a.Object.String())
		}
		return nil, err
	}
	returned := l.Get(-1)
	if l.GetTop() == 0 {
		returned = glua.LNil
	}
	switch returned.(type) {
	case *glua.LTable, *glua.LNilType:
		return fromLua(returned)
	default:
		return nil, wrongType(returned.Type().String())
	}
}

func wrongType(got string) error {
	return fmt.Errorf("expect table output from Lua script, not %s", got)
}

// print keeps what scripts print, up to a bound.
func (i *Interpreter) print(line string) {
	if i.printed.Len()+len(line) < maxPrinted {
		i.printed.WriteString(line + "\n")
	}
}
