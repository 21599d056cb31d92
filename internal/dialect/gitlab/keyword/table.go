package keyword

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Where says in which part of a file a keyword may stand; several are joined with |.
type Where uint8

// The parts of a file.
const (
	InHeader   Where = 1 << iota // the spec: document before the ---
	InGlobal                     // top level
	InDefault                    // default:
	InJob                        // a job with script or run
	InBridge                     // a job with trigger
	InWorkflow                   // workflow:
	InRule                       // an item of rules: or workflow:rules
	InInclude                    // an item of include: or trigger:include

	inJobs = InJob | InBridge
	shared = InDefault | InJob
	legacy = InGlobal | InDefault | InJob
)

// Places are the names of the parts, for documentation.
func (w Where) Places() []string {
	var out []string
	for i, name := range []string{"header", "global", "default", "job", "trigger job", "workflow", "rule", "include"} {
		if w&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// Support says how a keyword is carried out here.
type Support string

// The kinds of support.
const (
	Works   Support = "works"
	Noted   Support = "works with a note" // or does less here than on a server; Note says what
	Refused Support = "refused"           // an error with Note as its reason
)

// Keyword is one line of the table: a keyword or sub-keyword, by its whole path. A part in angle brackets stands for
// any name.
type Keyword struct {
	Path    string // "artifacts:reports:junit"
	In      Where
	Support Support
	// Note says what happens here where that is less than or different from GitLab.
	Note string
	// Tell is how a use of the keyword is told; "" where the note is for the documentation only. A fault.Note is told
	// once per file, a fault.Warning at every use.
	Tell fault.Severity
	// Deprecated is what GitLab's documentation recommends instead, "" for a keyword in good standing.
	Deprecated string
}

// Parent is the path without its last part, "" for a keyword of the first level.
func (k *Keyword) Parent() string {
	i := strings.LastIndexByte(k.Path, ':')
	return k.Path[:max(i, 0)]
}

// Name is the last part of the path.
func (k *Keyword) Name() string { return k.Path[strings.LastIndexByte(k.Path, ':')+1:] }

// Table returns every keyword that GitLab documents, in the order of the documentation: first the global ones, then
// those of jobs. The reader of files uses the same table, so what it says is what happens.
func Table() []Keyword { return slices.Clone(table) }

// Reports are the kinds of artifacts:reports, in the order of the table.
func Reports() []string { return slices.Clone(scopeOf("artifacts:reports").names) }

// DefaultKeywords are the keywords that default: may hold, by the alphabet.
func DefaultKeywords() []string {
	var out []string
	for _, name := range scopeOf("").names {
		if scopeOf("").kids[name].In&InDefault != 0 {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// scope is the set of keywords at one level.
type scope struct {
	path  string
	kids  map[string]*Keyword
	names []string
}

var (
	table  = slices.Concat(globals, workflow, jobs, parts)
	scopes = index(table)
)

// index groups the table by parent. A sub-keyword without a part of its own has that of its parent.
func index(rows []Keyword) map[string]*scope {
	out := map[string]*scope{"": {kids: map[string]*Keyword{}}}
	for i := range rows {
		k := &rows[i]
		parent := out[k.Parent()]
		if parent == nil {
			parent = &scope{path: k.Parent(), kids: map[string]*Keyword{}}
			out[k.Parent()] = parent
		}
		if k.In == 0 {
			k.In = partOf(k.Path, out)
		}
		if k.Support == "" {
			k.Support = Works
			if k.Note != "" {
				k.Support = Noted
			}
		}
		if was, ok := parent.kids[k.Name()]; ok {
			was.In |= k.In
			continue
		}
		parent.kids[k.Name()] = k
		parent.names = append(parent.names, k.Name())
	}
	return out
}

// partOf finds the nearest keyword above that says where it stands.
func partOf(path string, by map[string]*scope) Where {
	for {
		i := strings.LastIndexByte(path, ':')
		if i < 0 {
			return InJob
		}
		path = path[:i]
		parent := Keyword{Path: path}
		if s := by[parent.Parent()]; s != nil {
			if k := s.kids[parent.Name()]; k != nil {
				return k.In
			}
		}
	}
}

// scopeOf is the level below a path; it exists for every path that has sub-keywords.
func scopeOf(path string) *scope {
	if s := scopes[path]; s != nil {
		return s
	}
	return &scope{path: path}
}
