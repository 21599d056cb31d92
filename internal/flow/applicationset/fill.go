package applicationset

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"
)

// filler fills parameters into texts: by Go templates (documentation page "Go Template") or by {{ name }} (page "Template").
// It belongs to one ApplicationSet and is used by one caller at a time.
type filler struct {
	golang  bool
	options []string
	budget  budget
	base    *template.Template
	calls   charger
	parsed  map[string]*template.Template
}

func newFiller(golang bool, options []string) (*filler, error) {
	f := &filler{golang: golang, options: options, parsed: map[string]*template.Template{}}
	f.budget.renew()
	if !golang {
		return f, nil
	}
	for _, o := range options {
		if !slices.Contains([]string{"missingkey=default", "missingkey=invalid", "missingkey=zero", "missingkey=error"}, o) {
			return nil, fmt.Errorf("goTemplateOptions: %q is no option of Go templates: missingkey=error, default, invalid or zero", o)
		}
	}
	funcs := f.functions()
	f.base = template.New("base").Funcs(funcs).Option(options...)
	var err error
	f.calls, err = newCharger(funcs)
	return f, err
}

// strict is a filler whose templates fail where a parameter is missing.
func (f *filler) strict() (*filler, error) { return newFiller(f.golang, []string{"missingkey=error"}) }

// functions are those that a template may call (page "Go Template", available template functions). What reads the
// environment or the network is none of them.
func (f *filler) functions() template.FuncMap {
	all := template.FuncMap(sprig.GenericFuncMap())
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(all, name)
	}
	maps.Copy(all, template.FuncMap{
		"normalize": normalize, "slugify": slugify, "toYaml": toYAML, "fromYaml": fromYAML, "fromYamlArray": fromYAMLArray,
		"print": fmt.Sprint, "printf": fmt.Sprintf, "println": fmt.Sprintln,
		"html": template.HTMLEscaper, "js": template.JSEscaper, "urlquery": template.URLQueryEscaper,
	})
	for name, fn := range all {
		all[name] = f.budget.guard(name, fn)
	}
	all[tick] = func() (string, error) { return "", f.budget.charge(turn) }
	all[enter] = func() (string, error) {
		if f.budget.nest++; f.budget.nest > maxNest {
			return "", errNest
		}
		return "", nil
	}
	all[leave] = func() string { f.budget.nest--; return "" }
	all[printed] = func(v any) (any, error) { return v, f.budget.measure(reflect.ValueOf(v), 0) }
	return all
}

// The functions that are put into templates to charge them. No template can name them: they are no words of its language
// that a person would write, and calling them does no harm.
const (
	tick    = "sluice__tick"
	enter   = "sluice__enter"
	leave   = "sluice__leave"
	printed = "sluice__printed"
)

func slugify(args ...any) (string, error) {
	most, smart, ok := 50, true, true
	if len(args) == 0 {
		return "", nil
	}
	name, isText := args[len(args)-1].(string)
	if len(args) > 1 {
		most, ok = args[0].(int)
	}
	if ok && len(args) > 2 {
		smart, ok = args[1].(bool)
	}
	if !isText || !ok || len(args) > 3 {
		return "", errors.New("slugify takes a length, whether to cut at a word's end, and a text")
	}
	return slug(normalize(name), most, smart), nil
}

func toYAML(v any) (string, error) {
	data, err := yaml.Marshal(v)
	return strings.TrimSuffix(string(data), "\n"), err
}

func fromYAML(s string) (map[string]any, error) {
	m := map[string]any{}
	err := yaml.Unmarshal([]byte(s), &m)
	return m, err
}

func fromYAMLArray(s string) ([]any, error) {
	a := []any{}
	err := yaml.Unmarshal([]byte(s), &a)
	return a, err
}

// text fills one text.
func (f *filler) text(s string, params map[string]any) (string, error) {
	if !strings.Contains(s, "{{") {
		return s, nil
	}
	if !f.golang {
		return plainly(s, params)
	}
	t := f.parsed[s]
	if t == nil {
		var err error
		if t, err = f.parse(s); err != nil {
			return "", fmt.Errorf("failed to parse template %s: %w", s, err)
		}
		f.parsed[s] = t
	}
	f.budget.nest = 0
	var out limited
	if err := t.Execute(&out, params); err != nil {
		return "", fmt.Errorf("failed to execute go template %s: %w", s, err)
	}
	return out.String(), nil
}

// limited is a text that may not grow over the bound.
type limited struct{ strings.Builder }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxText {
		return 0, errLarge
	}
	return l.Builder.Write(p)
}

// parse reads a template and has it charge what it does.
func (f *filler) parse(s string) (*template.Template, error) {
	if len(s) > maxText {
		return nil, errLarge
	}
	if err := nested(s); err != nil {
		return nil, err
	}
	t, err := f.base.Clone()
	if err != nil {
		return nil, err
	}
	if t, err = t.Parse(s); err != nil {
		return nil, err
	}
	for _, each := range t.Templates() {
		if each.Tree != nil && each.Root != nil {
			f.calls.list(each.Root)
			each.Root.Nodes = slices.Concat([]parse.Node{f.calls.enter, f.calls.tick}, each.Root.Nodes, []parse.Node{f.calls.leave})
		}
	}
	return t, nil
}

// nested refuses templates that a parser would go too deep into.
func nested(s string) error {
	deep := 0
	for _, r := range s {
		if r == '(' {
			deep++
		}
	}
	blocks := strings.Count(s, "{{")
	if deep > 10000 || blocks > 50000 {
		return errors.New("the template has too many actions")
	}
	return nil
}

// charger puts calls into a template's tree.
type charger struct {
	tick, enter, leave parse.Node
	printed            *parse.CommandNode
}

func newCharger(funcs template.FuncMap) (charger, error) {
	t, err := template.New("").Funcs(funcs).Parse("{{" + tick + "}}{{" + enter + "}}{{" + leave + "}}{{0 | " + printed + "}}")
	if err != nil {
		return charger{}, err
	}
	n := t.Root.Nodes
	return charger{n[0], n[1], n[2], n[3].(*parse.ActionNode).Pipe.Cmds[1]}, nil
}

func (c charger) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			if len(n.Pipe.Decl) == 0 {
				n.Pipe.Cmds = append(n.Pipe.Cmds, c.printed)
			}
		case *parse.IfNode:
			c.list(n.List)
			c.list(n.ElseList)
		case *parse.WithNode:
			c.list(n.List)
			c.list(n.ElseList)
		case *parse.RangeNode:
			c.list(n.List)
			c.list(n.ElseList)
			n.List.Nodes = slices.Insert(n.List.Nodes, 0, c.tick)
		}
	}
}
