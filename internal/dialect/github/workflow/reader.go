package workflow

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// MaxValues bounds the values of a file with its aliases followed, and so the memory that reading it takes (about 300
// bytes each). GitHub reads 50,000.
const MaxValues = 250_000

// maxTold bounds the faults of one file.
const maxTold = 1000

// Read reads a workflow file. file is its path for places, text its content. The File is never nil; where the faults
// have errors it holds what could be read and is not to be run.
func Read(file string, text []byte) (*File, fault.Faults) {
	r := newReader(file, text)
	f := &File{Path: file}
	if root := r.document("workflow"); root != nil {
		f.Node = root
		r.workflow(f, root)
	}
	return f, r.sorted()
}

// ReadAction reads the metadata of an action: action.yml or action.yaml. The Action is never nil; see Read.
func ReadAction(file string, text []byte) (*Action, fault.Faults) {
	r := newReader(file, text)
	r.inAction = true
	a := &Action{Path: file}
	if root := r.document("action"); root != nil {
		a.Node = root
		r.action(a, root)
	}
	return a, r.sorted()
}

// reader reads one file.
type reader struct {
	source
	faults   fault.List
	told     int
	inAction bool
	root     fault.Place
	steps    map[*yamlx.Node]*Step // steps read already: an alias is the same step again
	told1    map[string]bool       // notes that are told once
}

func newReader(file string, text []byte) *reader {
	return &reader{source: source{file: file, raw: text}, steps: map[*yamlx.Node]*Step{}, told1: map[string]bool{}}
}

// document is the root of the file's one document, or nil where that is no mapping.
func (r *reader) document(what string) *yamlx.Node {
	docs := r.parse()
	r.root = fault.Place{File: r.file, Line: 1, Column: 1}
	switch {
	case len(docs) == 0 && r.faults.HasErrors():
		return nil
	case len(docs) == 0 || len(docs) == 1 && docs[0].IsNull():
		r.tell(fault.At(CodeFile, r.root, "the file is empty and holds no %s", what))
		return nil
	case len(docs) > 1:
		r.tell(fault.At(CodeFile, docs[1].Place, "a second YAML document begins here; a %s is one document", what).
			WithHint("remove the line --- before it"))
	}
	if !docs[0].IsMapping() {
		r.tell(fault.At(CodeFile, docs[0].Place, "a %s is a mapping of keys, not %s", what, docs[0].Describe()))
		return nil
	}
	return docs[0]
}

// parse reads the YAML. Tags that are not YAML's own are mistakes to GitHub.
func (r *reader) parse() []*yamlx.Node {
	var faults fault.List
	docs := yamlx.Parse(r.raw, yamlx.Options{File: r.file, Schema: yamlx.Core, NoMerge: true, Duplicate: fault.Error, MaxSize: MaxValues}, &faults)
	for _, f := range faults.Sorted() {
		if f.Code == yamlx.CodeTag && f.Severity == fault.Warning {
			f = fault.At(f.Code, f.Place, "this tag is not known to GitHub").WithHint("put text that starts with ! in quotes")
		}
		r.faults.Add(f)
	}
	return docs
}

func (r *reader) sorted() fault.Faults {
	if extra := r.told - maxTold; extra > 0 {
		r.faults.Add(fault.At(CodeMore, r.root, "the file has %d more mistakes than are told here", extra))
	}
	return r.faults.Sorted()
}

func (r *reader) tell(f *fault.Fault) *fault.Fault {
	if r.told++; r.told <= maxTold {
		r.faults.Add(f)
	}
	return f
}

func (r *reader) mistake(code string, at fault.Place, format string, args ...any) *fault.Fault {
	return r.tell(fault.At(code, at, format, args...))
}

func (r *reader) warn(code string, at fault.Place, format string, args ...any) *fault.Fault {
	return r.tell(fault.At(code, at, format, args...).WithSeverity(fault.Warning))
}

// once tells a note the first time.
func (r *reader) once(code string, at fault.Place, severity fault.Severity, message string) {
	if !r.told1[message] {
		r.told1[message] = true
		r.tell(fault.At(code, at, "%s", message).WithSeverity(severity))
	}
}

// fields calls read for every entry of the mapping n, which the table of keys knows under path. Keys that it does not
// know are told. Where n is no mapping, that is told, and ok is false.
func (r *reader) fields(n *yamlx.Node, what, path string, read func(name string, key, value *yamlx.Node)) (ok bool) {
	if !r.mapping(n, what) {
		return false
	}
	known := scopes[path]
	for _, p := range n.Pairs {
		name := p.Key.Value
		key := known[name]
		if key == nil {
			r.unknown(p.Key, what, path)
			continue
		}
		r.support(key, p.Key.Place)
		read(name, p.Key, p.Value)
	}
	return true
}

// support tells what a key does less here than on GitHub.
func (r *reader) support(k *Key, at fault.Place) {
	switch {
	case k.Support == Refused:
		r.mistake(CodeRefused, at, "%q is not supported: %s", k.Name(), k.Note)
	case k.Tell != "":
		r.once(CodeNoted, at, k.Tell, k.Name()+": "+k.Note)
	}
}

// loose are the scopes of a workflow in which GitHub accepts any key and passes over those it does not know.
var loose = []string{"on.workflow_dispatch.inputs.<input_id>", "on.schedule[*]"}

func (r *reader) unknown(key *yamlx.Node, what, path string) {
	name := key.Value
	if name == "<<" {
		r.merge(key)
		return
	}
	if strings.Contains(name, open) {
		r.mistake(CodeNoExpression, key.Place, "a key of %s is an expression", what).
			WithHint("${{ insert }} and other expressions in place of keys are not supported")
		return
	}
	f := fault.At(CodeUnknownKey, key.Place, "%s has no key %q", what, name)
	near := nearest(name, namesOf(path))
	switch other := elsewhere(name, path); {
	case near != "":
		f.WithHint("did you mean %q?", near)
	case other != "":
		f.WithHint("%s is a key of %s: check the indentation", name, other)
	default:
		f.WithHint("known are %s", strings.Join(namesOf(path), ", "))
	}
	if r.inAction && (path == actionScope || path == actionScope+"inputs.<input_id>") || slices.Contains(loose, path) {
		f.Severity = fault.Warning // the runner and GitHub pass over them
	}
	r.tell(f)
}

func (r *reader) merge(key *yamlx.Node) {
	r.mistake(CodeMerge, key.Place, "GitHub does not read merge keys (<<)").
		WithHint("give the whole mapping by an alias, or repeat its entries")
}

// nearest is the known name that was probably meant; upper and lower case do not count.
func nearest(name string, names []string) string {
	for _, n := range names {
		if strings.EqualFold(n, name) || strings.EqualFold(n, strings.ReplaceAll(name, "_", "-")) || strings.EqualFold(n, strings.ReplaceAll(name, "-", "_")) {
			return n
		}
	}
	if len(name) < 3 {
		return "" // everything short is near
	}
	return fault.Nearest(strings.ToLower(name), names)
}

// mapping reports whether n is a mapping, and tells where it is not, and of keys that differ only in case.
func (r *reader) mapping(n *yamlx.Node, what string) bool {
	switch {
	case n.IsNull():
		r.mistake(CodeEmpty, n.Place, "%s is empty: a mapping is missing", what).WithHint("write its keys below it, indented, or remove it")
		return false
	case !n.IsMapping():
		r.mistake(CodeType, n.Place, "%s is a mapping, not %s", what, n.Describe())
		return false
	}
	r.sameKeys(n)
	return true
}

// sameKeys tells keys that GitHub takes for the same; those that are equal byte by byte are told by yamlx.
func (r *reader) sameKeys(n *yamlx.Node) {
	if len(n.Pairs) < 2 {
		return
	}
	if len(n.Pairs) <= 12 {
		for i, p := range n.Pairs {
			for _, q := range n.Pairs[:i] {
				if len(p.Key.Value) == len(q.Key.Value) && p.Key.Value != q.Key.Value && strings.EqualFold(p.Key.Value, q.Key.Value) {
					r.sameKey(p.Key, q.Key)
				}
			}
		}
		return
	}
	seen := make(map[string]*yamlx.Node, len(n.Pairs))
	for _, p := range n.Pairs {
		lower := strings.ToLower(p.Key.Value)
		if first := seen[lower]; first != nil {
			r.sameKey(p.Key, first)
			continue
		}
		seen[lower] = p.Key
	}
}

func (r *reader) sameKey(key, first *yamlx.Node) {
	r.mistake(CodeDuplicate, key.Place, "the key %q is already at line %d as %q: GitHub does not tell upper from lower case", key.Value, first.Place.Line, first.Value)
}

// need tells a key that is missing, at the key of what lacks it.
func (r *reader) need(n *yamlx.Node, at fault.Place, what, name string) bool {
	if n.Has(name) {
		return true
	}
	r.mistake(CodeMissing, at, "%s has no %s", what, name)
	return false
}

// value is a scalar as GitHub makes text of it: 1.10 is 1.1, True is true, nothing is "".
func value(n *yamlx.Node) string {
	switch n.Type {
	case yamlx.Null:
		return ""
	case yamlx.Bool:
		return n.Text()
	case yamlx.Int, yamlx.Float:
		if f, ok := n.Float(); ok {
			return expr.FormatNumber(f)
		}
	}
	return n.Value
}
