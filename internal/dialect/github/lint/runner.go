package lint

import (
	"path"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// hosted are the labels of GitHub's own runners (GitHub-hosted runners reference, Larger runners reference), each with
// the image that it means: labels of different images exclude each other.
var hosted = map[string]string{
	"ubuntu-latest": "ubuntu-24.04", "ubuntu-24.04": "ubuntu-24.04", "ubuntu-22.04": "ubuntu-22.04", "ubuntu-slim": "ubuntu-24.04",
	"ubuntu-24.04-arm": "ubuntu-24.04", "ubuntu-22.04-arm": "ubuntu-22.04", "ubuntu-26.04": "ubuntu-26.04", "ubuntu-26.04-arm": "ubuntu-26.04",
	"ubuntu-latest-4-cores": "ubuntu-24.04", "ubuntu-latest-8-cores": "ubuntu-24.04", "ubuntu-latest-16-cores": "ubuntu-24.04",
	"windows-latest": "windows-2025", "windows-2025": "windows-2025", "windows-2022": "windows-2022", "windows-11-arm": "windows-11",
	"windows-2025-vs2026": "windows-2025-vs2026", "windows-latest-8-cores": "windows-2025",
	"macos-latest": "macos-15", "macos-latest-large": "macos-15-large", "macos-latest-xlarge": "macos-15-xlarge",
	"macos-14": "macos-14", "macos-14-large": "macos-14-large", "macos-14-xlarge": "macos-14-xlarge",
	"macos-15": "macos-15", "macos-15-intel": "macos-15-intel", "macos-15-large": "macos-15-large", "macos-15-xlarge": "macos-15-xlarge",
	"macos-26": "macos-26", "macos-26-intel": "macos-26-intel", "macos-26-large": "macos-26-large", "macos-26-xlarge": "macos-26-xlarge",
}

// own are the labels that every runner of one's own gets by itself; those of a system have it as their image.
var own = map[string]string{"self-hosted": "", "x64": "", "arm": "", "arm64": "", "linux": "ubuntu", "macos": "macos", "windows": "windows"}

// retired are labels of GitHub's that are gone, with what to write instead.
var retired = map[string]string{
	"ubuntu-20.04": "ubuntu-22.04", "ubuntu-18.04": "ubuntu-22.04", "ubuntu-16.04": "ubuntu-22.04", "windows-2019": "windows-2022",
	"windows-2016": "windows-2022", "macos-13": "macos-15", "macos-13-large": "macos-15-large", "macos-13-xlarge": "macos-15-xlarge",
	"macos-12": "macos-15", "macos-12-large": "macos-15-large", "macos-11": "macos-15", "macos-11.0": "macos-15",
	"macos-10.15": "macos-15", "macos-10": "macos-15",
}

// label is a label as far as it is known: a text at a place.
type label struct {
	text  string
	place fault.Place
}

// runsOn checks the labels of a job.
func (c *checker) runsOn(j *workflow.Job, s scope) {
	r := j.RunsOn
	c.text(r.Group, s)
	var fixed []label
	for i, t := range r.Labels {
		if i == maxLabels {
			break
		}
		if single(t) != nil && len(r.Labels) == 1 && !r.Node.IsSequence() {
			c.labelList(t, s, r)
		} else {
			c.text(t, s)
		}
		if !t.Dynamic() {
			if !strings.Contains(t.Value, "${{") && t.Value != "" {
				c.label(label{t.Value, t.At()}, r.Group.Set)
				fixed = append(fixed, label{t.Value, t.At()})
			}
			continue
		}
		for _, l := range matrixLabels(j, single(t)) {
			c.label(l, r.Group.Set)
			c.conflict(append(slices.Clone(fixed), l))
		}
	}
	c.conflict(fixed)
}

// labelList is runs-on as one expression: text, a list, or {group, labels}.
func (c *checker) labelList(t workflow.Text, s scope, r workflow.RunsOn) {
	e := single(t)
	got := c.infer(e, s)
	switch got.Kind {
	case expr.KnownNothing, expr.KnownString, expr.KnownArray:
		return
	case expr.KnownObject:
		_, group := got.Props["group"]
		_, labels := got.Props["labels"]
		if got.Rest != nil || group || labels {
			return
		}
	}
	c.mistake(CodeKind, e.Place(), "runs-on is text, a list or {group, labels}, and the expression gives %s", got)
}

// matrixLabels are the labels that ${{ matrix.name }} stands for.
func matrixLabels(j *workflow.Job, e *expr.Expr) []label {
	if e == nil || j.Strategy == nil || j.Strategy.Matrix == nil {
		return nil
	}
	name, ok := strings.CutPrefix(pathOf(e.Root()), "matrix.")
	if !ok || strings.Contains(name, ".") {
		return nil
	}
	var out []label
	add := func(n *yamlx.Node) {
		for _, item := range append([]*yamlx.Node{n}, n.Items...) {
			if s, ok := item.Str(); ok && item.IsScalar() && !strings.Contains(s, "${{") && s != "" {
				out = append(out, label{s, item.Place})
			}
		}
	}
	m := j.Strategy.Matrix
	for _, row := range m.Rows {
		if strings.EqualFold(row.Name.Value, name) {
			for _, n := range row.Values {
				add(n)
			}
		}
	}
	if m.Include == nil {
		return out
	}
	for _, n := range m.Include.Items {
		for _, p := range n.Pairs {
			if strings.EqualFold(p.Key.Value, name) {
				add(p.Value)
			}
		}
	}
	return out
}

// label tells a label that no runner has. With a group, labels are those of its runners.
func (c *checker) label(l label, group bool) {
	lower := strings.ToLower(l.text)
	if _, ok := hosted[lower]; ok || group {
		return
	}
	if _, ok := own[lower]; ok {
		return
	}
	var listed []string
	if c.in.Config != nil {
		listed = c.in.Config.Labels
	}
	for _, pattern := range listed {
		if ok, err := path.Match(strings.ToLower(pattern), lower); ok || err != nil {
			return
		}
	}
	f := c.warn(CodeLabel, l.place, "no runner of GitHub's has the label %q", l.text)
	if instead := retired[lower]; instead != "" {
		f.Message = "GitHub has retired the runner " + l.text
		f.WithHint("write %s", instead)
		return
	}
	names := slices.Clone(listed)
	for name := range hosted {
		names = append(names, name)
	}
	for name := range own {
		names = append(names, name)
	}
	slices.Sort(names)
	if strings.HasPrefix(lower, "linux-") {
		f.WithHint("did you mean ubuntu-%s?", lower[len("linux-"):])
	} else if meant := near(l.text, names); meant != "" {
		f.WithHint("did you mean %s?", meant)
	} else {
		f.WithHint("list labels of runners of your own in .github/actionlint.yaml: self-hosted-runner: {labels: [%s]}", l.text)
	}
}

// maxLabels bounds the labels of a job that are compared with each other.
const maxLabels = 64

// conflict tells labels that no runner has together.
func (c *checker) conflict(labels []label) {
	if len(labels) > maxLabels {
		return
	}
	for i, l := range labels {
		for _, before := range labels[:i] {
			if !together(imageOf(before.text), imageOf(l.text)) {
				c.warn(CodeLabels, l.place, "no runner has both the label %q and %q (line %d)", l.text, before.text, before.place.Line).
					WithHint("to run on each of them, make a matrix")
				return
			}
		}
	}
}

func imageOf(text string) string {
	lower := strings.ToLower(text)
	if image, ok := hosted[lower]; ok {
		return image
	}
	return own[lower]
}

// together reports whether a runner can be of both images; "" and a system alone say less.
func together(a, b string) bool {
	if a == "" || b == "" || a == b {
		return true
	}
	systemA, versionA, _ := strings.Cut(a, "-")
	systemB, versionB, _ := strings.Cut(b, "-")
	return systemA == systemB && (versionA == "" || versionB == "")
}
