package terminal

import (
	"cmp"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// widest is how many columns a job's name takes at most where it stands before its lines.
const widest = 24

// between stands between the names of a child pipeline's job and the job that it came from.
const between = " / "

// names are the jobs' names as people see them, by ID.
type names map[string]string

// of is a job's name; a child pipeline's job has its parent's before it.
func (n names) of(j run.Job) string {
	if name, ok := n[j.ID]; ok {
		return name
	}
	name := clean(j.Plan.Name)
	if j.Parent != "" {
		parent, ok := n[j.Parent]
		if !ok {
			parent = clean(j.Parent)
		}
		name = parent + between + name
	}
	n[j.ID] = name
	return name
}

// learn names the jobs of a plan's workflows that share a name: with the workflow before it, as GitHub does on pull
// requests.
func (n names) learn(p *plan.Plan) {
	if p == nil || len(p.Workflows) < 2 {
		return
	}
	title, shared := map[string]string{}, map[string]string{} // by file; the first file by name, "" for several
	for _, w := range p.Workflows {
		title[w.File] = cmp.Or(w.Name, w.File)
	}
	for _, j := range p.Jobs {
		if file, ok := shared[j.Name]; ok && file != j.Workflow {
			shared[j.Name] = ""
		} else {
			shared[j.Name] = j.Workflow
		}
	}
	for _, j := range p.Jobs {
		if shared[j.Name] == "" {
			n[j.ID] = clean(title[j.Workflow]) + between + clean(j.Name)
		}
	}
}

// longest is the width of the longest name of a plan, at most widest.
func (n names) longest(p *plan.Plan) int {
	wide := 0
	if p != nil {
		for _, j := range p.Jobs {
			wide = max(wide, displaywidth.String(cmp.Or(n[j.ID], clean(j.Name))))
		}
	}
	return min(wide, widest)
}

// fit is a name of exactly so many columns: filled up, or elided in the middle, as the end of a name often is what
// tells it from others (test 1/20).
func fit(name string, columns int) string {
	have := displaywidth.String(name)
	if have > columns {
		name = elide(name, columns)
		have = displaywidth.String(name)
	}
	return name + strings.Repeat(" ", max(0, columns-have))
}

// elide takes the middle out of a text that is wider than so many columns.
func elide(text string, columns int) string {
	if displaywidth.String(text) <= columns {
		return text
	}
	if columns < 3 {
		return displaywidth.TruncateString(text, columns, "")
	}
	var parts []string
	var widths []int
	for g := displaywidth.StringGraphemes(text); g.Next(); {
		parts = append(parts, g.Value())
		widths = append(widths, g.Width())
	}
	tail := (columns - 1) / 2
	end := len(parts)
	for end > 0 && tail >= widths[end-1] {
		end--
		tail -= widths[end]
	}
	head := columns - 1 - ((columns-1)/2 - tail)
	begin := 0
	for begin < end && head >= widths[begin] {
		head -= widths[begin]
		begin++
	}
	return strings.Join(parts[:begin], "") + "…" + strings.Join(parts[end:], "")
}
