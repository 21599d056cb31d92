package expr

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// untrustedPaths are the values that anybody who opens an issue, a pull request or a discussion can choose. They are
// those of the documentation's "Secure use reference" (body, default_branch, email, head_ref, label, message, name,
// page_name, ref, title) where events carry them. A * is any item.
var untrustedPaths = []string{
	"github.head_ref",
	"github.event.issue.title",
	"github.event.issue.body",
	"github.event.pull_request.title",
	"github.event.pull_request.body",
	"github.event.pull_request.head.ref",
	"github.event.pull_request.head.label",
	"github.event.pull_request.head.repo.default_branch",
	"github.event.comment.body",
	"github.event.review.body",
	"github.event.review_comment.body",
	"github.event.discussion.title",
	"github.event.discussion.body",
	"github.event.pages.*.page_name",
	"github.event.commits.*.message",
	"github.event.commits.*.author.email",
	"github.event.commits.*.author.name",
	"github.event.commits.*.committer.email",
	"github.event.commits.*.committer.name",
	"github.event.head_commit.message",
	"github.event.head_commit.author.email",
	"github.event.head_commit.author.name",
	"github.event.head_commit.committer.email",
	"github.event.head_commit.committer.name",
	"github.event.changes.title.from",
	"github.event.changes.body.from",
	"github.event.workflow_run.display_title",
	"github.event.workflow_run.head_branch",
	"github.event.workflow_run.head_commit.message",
	"github.event.workflow_run.head_commit.author.email",
	"github.event.workflow_run.head_commit.author.name",
	"github.event.workflow_run.head_repository.description",
	"github.event.workflow_run.pull_requests.*.head.ref",
}

// branch is a part of the tree that the paths make.
type branch struct {
	path string
	sub  map[string]*branch
}

var untrustedTree = plant(untrustedPaths)

func plant(paths []string) *branch {
	root := &branch{}
	for _, path := range paths {
		at := root
		for name := range strings.SplitSeq(path, ".") {
			if at.sub == nil {
				at.sub = map[string]*branch{}
			}
			next, ok := at.sub[name]
			if !ok {
				next = &branch{path: strings.TrimPrefix(at.path+"."+name, ".")}
				at.sub[name] = next
			}
			at = next
		}
	}
	return root
}

// Finding is one read of a value that a stranger can choose.
type Finding struct {
	Place fault.Place
	Node  Node     // the context that it begins at
	Paths []string // what is read: github.event.issue.title; several where .* or a computed name reads several
	Whole bool     // an object or array that holds such values is read as a whole
}

// Fault is the finding as a warning.
func (f Finding) Fault() *fault.Fault {
	what := strings.Join(f.Paths, ", ")
	if f.Whole {
		return fault.At(CodeUntrusted, f.Place, "%s holds text that a stranger can choose", what).WithSeverity(fault.Warning).
			WithHint("hand it to the script as a variable of env:, not by ${{ }}")
	}
	return fault.At(CodeUntrusted, f.Place, "a stranger can choose %s", what).WithSeverity(fault.Warning).
		WithHint("hand it to the script as a variable of env:, not by ${{ }}")
}

// Untrusted finds the values that a stranger can choose and that become part of the expression's result. What is only
// compared, searched or asked for is no part of it.
func Untrusted(e *Expr) []Finding { return findings(sources(e.root)) }

// UntrustedReads finds all reads of such values, whatever becomes of them, but for those in the arguments of contains,
// startsWith and endsWith. It tells more than Untrusted: comparisons, conditions and indexes too.
func UntrustedReads(e *Expr) []Finding {
	var found []stream
	var visit func(n Node)
	visit = func(n Node) {
		if c, ok := n.(*Call); ok && (c.Name == "contains" || c.Name == "startswith" || c.Name == "endswith") {
			return
		}
		if pathOf(n) != nil {
			keys(n, visit)
			found = append(found, sources(n)...)
			return
		}
		for _, c := range n.Children() {
			visit(c)
		}
	}
	visit(e.root)
	return findings(found)
}

// findings gathers streams by the context that they come from.
func findings(streams []stream) []Finding {
	var out []Finding
	byRoot := map[Node]int{}
	for _, s := range streams {
		i, ok := byRoot[s.root]
		if !ok {
			i = len(out)
			byRoot[s.root] = i
			out = append(out, Finding{Place: s.root.Place(), Node: s.root})
		}
		out[i].Paths = append(out[i].Paths, s.at.path)
		out[i].Whole = out[i].Whole || s.at.sub != nil
	}
	for i := range out {
		if exact := leaves(streams, out[i].Node); len(exact) > 0 {
			out[i].Paths, out[i].Whole = exact, false
		}
		slices.Sort(out[i].Paths)
		out[i].Paths = slices.Compact(out[i].Paths)
	}
	return out
}

// leaves are the paths from one context that end at a chosen text. Where there are some, what else .* reaches is not told.
func leaves(streams []stream, root Node) []string {
	var out []string
	for _, s := range streams {
		if s.root == root && s.at.sub == nil {
			out = append(out, s.at.path)
		}
	}
	return out
}

// stream is a value on its way from a context into the result.
type stream struct {
	root     Node
	at       *branch
	filtered bool // it came through .*
	parsed   bool // it came through fromJSON, so that its parts are chosen too
}

// sources are the values that may become part of n's value.
func sources(n Node) []stream {
	switch n := n.(type) {
	case *Variable:
		if b, ok := untrustedTree.sub[asciiLower(n.Name)]; ok {
			return []stream{{root: n, at: b}}
		}
	case *Property:
		return down(sources(n.Of), asciiLower(n.Name))
	case *Star:
		out := down(sources(n.Of), anyPart)
		for i := range out {
			out[i].filtered = true
		}
		return out
	case *Index:
		if l, ok := n.Key.(*Literal); ok && l.Value.kind == KindString {
			return down(sources(n.Of), asciiLower(l.Value.text))
		}
		return down(sources(n.Of), anyPart)
	case *Binary:
		switch n.Op {
		case "||":
			return append(sources(n.Left), sources(n.Right)...)
		case "&&":
			return sources(n.Right) // the left side is the value only where it is empty or false
		}
	case *Call:
		return passed(n)
	}
	return nil
}

// passed are the values that a function hands on.
func passed(n *Call) []stream {
	var out []stream
	switch n.Name {
	case "format", "join", "tojson", "fromjson":
		for _, a := range n.Args {
			out = append(out, sources(a)...)
		}
	case "case":
		for i, a := range n.Args {
			if i%2 == 1 || i == len(n.Args)-1 {
				out = append(out, sources(a)...)
			}
		}
	}
	for i := range out {
		out[i].parsed = out[i].parsed || n.Name == "fromjson"
	}
	return out
}

// down follows a name, or any name where it is *.
func down(from []stream, name string) []stream {
	var out []stream
	for _, s := range from {
		item := s.at.sub[anyPart]
		switch {
		case s.at.sub == nil && (s.parsed || s.filtered && name == anyPart):
			out = append(out, s)
		case s.at.sub[name] != nil:
			s.at = s.at.sub[name]
			out = append(out, s)
		case item != nil && ParseNumber(name) >= 0:
			s.at = item
			out = append(out, s)
		case name == anyPart:
			for _, key := range sortedKeys(s.at.sub) {
				below := s
				below.at = s.at.sub[key]
				out = append(out, below)
			}
		}
	}
	return out
}

func sortedKeys(m map[string]*branch) []string {
	out := make([]string, 0, len(m))
	for key := range m {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}
