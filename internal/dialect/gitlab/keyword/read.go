package keyword

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// maxNesting is how deep lists may be nested in scripts, rules and stages.
const maxNesting = 10

// reader turns nodes into typed values. owner and part say where it is: the job's name (or "" outside of jobs) and the
// part of the file.
type reader struct {
	faults     *fault.List
	owner      string
	part       Where
	told       map[string]bool // remarks that are told once per file
	seen       map[mistake]bool
	hints      int // nearest jobs looked for
	circles    int // circles of needs told
	conditions map[string]*expr.Expr
	patterns   map[string]*expr.Error // mistakes of regular expressions, nil for good ones
}

// mistake is what makes two faults one: a template's mistake shows in every job that extends it and is told once.
type mistake struct {
	code, text string
	at         fault.Place
}

// maxHints bounds the search for the nearest name among all jobs, which costs a pass over them each time.
const maxHints = 20

// who begins a message: the job or the part that it is about.
func (r *reader) who() string {
	switch r.part {
	case InDefault:
		return "default: "
	case InWorkflow, InGlobal:
		return ""
	default:
		return fmt.Sprintf("job %q: ", r.owner)
	}
}

// fail collects a mistake at a node.
func (r *reader) fail(code string, at *yamlx.Node, format string, args ...any) *fault.Fault {
	return r.failAt(code, at.At(), format, args...)
}

// failAt collects a mistake at a place.
func (r *reader) failAt(code string, at fault.Place, format string, args ...any) *fault.Fault {
	text := fmt.Sprintf(format, args...)
	f := fault.At(code, at, "%s%s", r.who(), text)
	if r.first(code, text, at) {
		r.faults.Add(f)
	}
	return f
}

// first reports whether a fault was not told before.
func (r *reader) first(code, text string, at fault.Place) bool {
	m := mistake{code, text, at}
	if at.IsZero() || !r.seen[m] {
		r.seen[m] = true
		return true
	}
	return false
}

// wrong collects a value of the wrong type.
func (r *reader) wrong(n *yamlx.Node, what, want string) *fault.Fault {
	return r.fail(CodeType, n, "%s should be %s, not %s", what, want, n.Describe())
}

// fields goes through the entries of a mapping that the table knows at this level and in this part of the file, and
// tells of all others. Entries with the value null count as not written and are passed over. what names the mapping, ""
// for the job or default itself.
func (r *reader) fields(n *yamlx.Node, s *scope, what string) iter.Seq2[string, yamlx.Pair] {
	return func(yield func(string, yamlx.Pair) bool) {
		for _, pair := range n.Pairs {
			name := pair.Key.Value
			k := s.kids[name]
			if k == nil {
				r.unknown(pair.Key, s, what)
				continue
			}
			if k.In&(r.part|InRule|InInclude) == 0 {
				r.misplaced(pair.Key, k, what)
				continue
			}
			if !r.remark(k, pair) || pair.Value.IsNull() {
				continue
			}
			if !yield(name, pair) {
				return
			}
		}
	}
}

// unknown tells of a keyword that is nowhere in the table at this level.
func (r *reader) unknown(key *yamlx.Node, s *scope, what string) {
	name := key.Value
	if what == "" {
		what = "it"
	}
	f := r.fail(CodeUnknown, key, "%s has no keyword %q", what, name)
	if near := fault.Nearest(name, s.names); near != "" {
		f.WithHint("did you mean %q?", near)
		return
	}
	if parent := below(s.path, name); parent != "" {
		f.WithHint("%s belongs under %s", name, parent)
	} else if k := scopeOf("").kids[name]; k != nil && s.path != "" {
		f.WithHint("%s is a keyword of: %s; it may be indented too far", name, strings.Join(k.In.Places(), ", "))
	}
}

// below finds the one level under a path where a keyword is at home, "" where there are none or several.
func below(path, name string) string {
	found := ""
	for at, s := range scopes {
		if s.kids[name] == nil || !strings.HasPrefix(at, path+":") || strings.ContainsRune(at, '<') {
			continue
		}
		if found != "" {
			return ""
		}
		found = at
	}
	return found
}

// misplaced tells of a keyword that is known but not allowed in this part of the file.
func (r *reader) misplaced(key *yamlx.Node, k *Keyword, what string) {
	if what == "" {
		what = "this place"
	}
	f := r.fail(CodeMisplaced, key, "%s is not allowed in %s", k.Name(), what)
	if r.part == InBridge && k.In&InJob != 0 {
		f.Message = fmt.Sprintf("%s%s is not allowed in a job with trigger", r.who(), k.Path)
		f.WithHint("a trigger job starts another pipeline and runs nothing itself; move %s to a job of that pipeline", k.Path)
		return
	}
	f.WithHint("it is allowed in: %s", strings.Join(k.In.Places(), ", "))
}

// remark tells what the table says about a keyword. It reports whether the keyword is to be read.
func (r *reader) remark(k *Keyword, pair yamlx.Pair) bool {
	if k.Support == Refused {
		r.fail(CodeRefused, pair.Key, "%s: %s", k.Path, k.Note)
		return false
	}
	if pair.Value.IsNull() {
		return true
	}
	if k.Tell != "" {
		code := CodeServer
		if k.Note == noEffect {
			code = CodeNoEffect
		}
		r.note(code, k.Tell, pair.Key.At(), k.Path, "%s: %s", k.Path, k.Note)
	}
	if k.Deprecated != "" {
		r.note(CodeDeprecated, fault.Note, pair.Key.At(), "deprecated "+k.Path, "%s is deprecated in GitLab", k.Path).WithHint("use %s", k.Deprecated)
	}
	return true
}

// note collects a remark; one of severity Note is told only once for each subject.
func (r *reader) note(code string, severity fault.Severity, at fault.Place, subject, format string, args ...any) *fault.Fault {
	if severity == fault.Note && r.told[subject] {
		return &fault.Fault{}
	}
	text := fmt.Sprintf(format, args...)
	f := fault.At(code, at, "%s%s", r.who(), text).WithSeverity(severity)
	if severity == fault.Note {
		r.told[subject] = true
		f.Message = text
	}
	if r.first(code, text, at) {
		r.faults.Add(f)
	}
	return f
}

// mapping reports whether n is a mapping, and tells if not.
func (r *reader) mapping(n *yamlx.Node, what string) bool {
	if n.IsMapping() {
		return true
	}
	r.wrong(n, what, "a mapping")
	return false
}

// text reads a string.
func (r *reader) text(n *yamlx.Node, what string) Text {
	s, ok := n.Str()
	if !ok {
		f := r.wrong(n, what, "text")
		if n.IsScalar() {
			f.WithHint("put it in quotes: %q", n.Value)
		}
		return Text{}
	}
	return Text{Value: s, Place: n.At(), Set: true}
}

// filled reads a string that must not be empty.
func (r *reader) filled(n *yamlx.Node, what string) Text {
	t := r.text(n, what)
	if t.Set && strings.TrimSpace(t.Value) == "" {
		r.fail(CodeMissing, n, "%s is empty", what)
		return Text{}
	}
	return t
}

// limited reads a string of at most size characters that is not empty.
func (r *reader) limited(n *yamlx.Node, what string, size int) Text {
	if t := r.filled(n, what); !t.Set {
		return t
	}
	return r.short(n, what, size)
}

// short reads a string of at most size characters.
func (r *reader) short(n *yamlx.Node, what string, size int) Text {
	t := r.text(n, what)
	if count := len([]rune(t.Value)); count > size {
		r.fail(CodeLimit, n, "%s has %d characters, at most %d are allowed", what, count, size)
	}
	return t
}

// choice reads one of some words.
func (r *reader) choice(n *yamlx.Node, what string, among []string) Text {
	t := r.text(n, what)
	if t.Set && !slices.Contains(among, t.Value) {
		r.badChoice(n, what, t.Value, among)
		return Text{}
	}
	return t
}

func (r *reader) badChoice(n *yamlx.Node, what, got string, among []string) *fault.Fault {
	f := r.fail(CodeChoice, n, "%s should be one of %s, not %q", what, strings.Join(among, ", "), got)
	if near := fault.Nearest(got, among); near != "" {
		f.WithHint("did you mean %q?", near)
	}
	return f
}

// flag reads true or false.
func (r *reader) flag(n *yamlx.Node, what string) Flag {
	b, ok := n.Bool()
	if !ok {
		f := r.wrong(n, what, "true or false")
		if s, isText := n.Str(); isText && (s == "true" || s == "false") {
			f.WithHint("take the quotes off")
		}
		return Flag{}
	}
	return Flag{Value: b, Place: n.At(), Set: true}
}

// number reads a whole number within bounds.
func (r *reader) number(n *yamlx.Node, what string, low, high int) (int, bool) {
	i, ok := n.Int()
	if !ok {
		r.wrong(n, what, "a whole number")
		return 0, false
	}
	if i < int64(low) || i > int64(high) {
		r.fail(CodeLimit, n, "%s should be from %d to %d, not %d", what, low, high, i)
		return 0, false
	}
	return int(i), true
}

// codes reads one exit code or a list of them.
func (r *reader) codes(n *yamlx.Node, what string) []int {
	if i, ok := n.Int(); ok {
		return []int{int(i)}
	}
	if !n.IsSequence() {
		r.wrong(n, what, "a whole number or a list of them")
		return nil
	}
	out := make([]int, 0, len(n.Items))
	for _, item := range n.Items {
		if i, ok := item.Int(); ok {
			out = append(out, int(i))
		} else {
			r.wrong(item, what, "a whole number or a list of them")
		}
	}
	return out
}

// texts reads a list of strings.
func (r *reader) texts(n *yamlx.Node, what string) *Texts {
	out := &Texts{Place: n.At(), Items: []Text{}}
	if !n.IsSequence() {
		f := r.wrong(n, what, "a list of texts")
		if s, ok := n.Str(); ok && !strings.Contains(s, "\n") {
			f.WithHint("write it as a list: [%q]", s)
		}
		return out
	}
	for _, item := range n.Items {
		if t := r.text(item, "an item of "+what); t.Set {
			out.Items = append(out.Items, t)
		}
	}
	return out
}

// oneOrMore reads a string or a list of strings.
func (r *reader) oneOrMore(n *yamlx.Node, what string) []Text {
	if s, ok := n.Str(); ok {
		return []Text{{Value: s, Place: n.At(), Set: true}}
	}
	if !n.IsSequence() {
		r.wrong(n, what, "text or a list of texts")
		return nil
	}
	return r.texts(n, what).Items
}

// inputs reads names with values of any shape.
func (r *reader) inputs(n *yamlx.Node, what string) []Input {
	if !r.mapping(n, what) {
		return nil
	}
	out := make([]Input, 0, len(n.Pairs))
	for _, pair := range n.Pairs {
		out = append(out, Input{Name: pair.Key.Value, Value: decode(pair.Value), Place: pair.Value.At()})
	}
	return out
}

// decode turns a node into plain values: string, int64, float64, bool, nil, []any and map[string]any.
func decode(n *yamlx.Node) any {
	switch {
	case n.IsNull():
		return nil
	case n.Kind == yamlx.Sequence:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = decode(item)
		}
		return out
	case n.Kind == yamlx.Mapping:
		out := make(map[string]any, len(n.Pairs))
		for _, pair := range n.Pairs {
			out[pair.Key.Value] = decode(pair.Value)
		}
		return out
	}
	if b, ok := n.Bool(); ok {
		return b
	}
	if i, ok := n.Int(); ok {
		return i
	}
	if f, ok := n.Float(); ok {
		return f
	}
	return n.Value
}
