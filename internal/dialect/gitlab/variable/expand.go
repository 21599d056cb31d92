package variable

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// MaxValue is the size of a value, in bytes, after its references are followed; maxGrowth that of all values of a
// collection together.
const (
	MaxValue  = 1 << 20
	maxGrowth = 32 << 20
)

// Lookup finds a variable; Collection.Get is one.
type Lookup func(name string) (plan.Variable, bool)

// Expand follows the references of a text as the server does for keywords such as environment:name, environment:url,
// resource_group, include and tags: an undefined variable is nothing. Values are put in as they are: hand in an
// expanded collection. The only error is a *fault.Fault with CodeSize.
func Expand(text string, in Lookup) (string, error) { return follow(text, in, false) }

// ExpandExisting is Expand for rules:changes and rules:exists: a reference to an undefined variable is kept.
func ExpandExisting(text string, in Lookup) (string, error) { return follow(text, in, true) }

func follow(text string, in Lookup, keep bool) (string, error) {
	out, ok := replace(text, false, MaxValue, func(r reference) (string, bool) {
		if v, ok := in(r.name); ok {
			return v.Value, true
		}
		return "", !keep
	})
	if !ok {
		return text, fault.New(CodeSize, "the references of a text stand for more than %d bytes", MaxValue)
	}
	return out, nil
}

// replace puts other text in the place of references; with is asked for each and says false to keep it. ok is false
// above limit bytes; the text then is as it was.
func replace(text string, escapes bool, limit int, with func(reference) (string, bool)) (out string, ok bool) {
	r, found := nextReference(text, 0, escapes)
	if !found {
		return text, true
	}
	var b strings.Builder
	at := 0
	for ; found; r, found = nextReference(text, at, escapes) {
		b.WriteString(text[at:r.start])
		value, put := text[r.start:r.end], false
		if r.name != "" {
			if v, ok := with(r); ok {
				value, put = v, true
			}
		}
		if put && b.Len()+len(value) > limit {
			return text, false
		}
		b.WriteString(value)
		at = r.end
	}
	b.WriteString(text[at:])
	return b.String(), true
}

// Options say which references of a collection stay as they are.
type Options struct {
	Undefined bool // to variables that are not there
	Files     bool // to variables of type file: the runner puts the path there
	Raw       bool // to variables with expand: false: else the runner would follow what is in them
}

// ForRunner is how the server expands what it hands to the runner. The zero Options are how it expands what it uses
// itself, such as the variables that environment:name refers to.
var ForRunner = Options{Undefined: true, Files: true, Raw: true}

// Expand follows the references in all values, whatever order they stand in (GitLab documentation, nested variable
// expansion). A variable that is not to be expanded stays as it is; a reference to a name means its strongest
// variable, in the value of that name itself the next weaker one. $$ and %% stay for the runner.
//
// Where variables refer to each other in a circle, nothing at all is expanded and the faults say so, as in GitLab.
// A value that would become too large stays as it is, with a fault. The faults have no place: the caller knows it.
func (c *Collection) Expand(o Options) (*Collection, []*fault.Fault) {
	all := c.All()
	order, cycles := sorted(all)
	if len(cycles) > 0 {
		var faults []*fault.Fault
		for _, names := range cycles {
			faults = append(faults, fault.New(CodeCycle, "the variables %s refer to each other in a circle", strings.Join(names, ", ")).
				WithHint("write $$ where a $ is meant literally, or set expand: false"))
		}
		return c, faults
	}
	if order == nil {
		return c, nil
	}
	e := expansion{all: all, options: o, done: make(map[string]int, len(all)), room: maxGrowth}
	for _, i := range order {
		e.one(i)
	}
	return New(e.all...), e.faults
}

// expansion is the state of Collection.Expand. done has the strongest variable of each name that is already expanded.
type expansion struct {
	all     []plan.Variable
	options Options
	done    map[string]int
	room    int
	faults  []*fault.Fault
}

func (e *expansion) one(i int) {
	v := &e.all[i]
	if !v.Raw {
		out, ok := replace(v.Value, true, min(MaxValue, e.room), e.value)
		if !ok {
			e.faults = append(e.faults, fault.New(CodeSize, "the variable %s has more than %d bytes when its references are followed", v.Name, MaxValue))
		}
		e.room -= max(len(out)-len(v.Value), 0)
		v.Value = out
	}
	if before, ok := e.done[v.Name]; !ok || before < i {
		e.done[v.Name] = i
	}
}

func (e *expansion) value(r reference) (string, bool) {
	i, ok := e.done[r.name]
	if !ok {
		return "", !e.options.Undefined
	}
	v := e.all[i]
	if v.File && e.options.Files || v.Raw && e.options.Raw {
		return "", false
	}
	return v.Value, true
}
