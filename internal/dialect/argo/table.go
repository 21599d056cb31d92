package argo

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/application/project"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/experiment"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// Support says what becomes of a field, or of a word that a field holds.
type Support string

// What may become of a field.
const (
	Works   Support = "works"
	Noted   Support = "works with a note"
	Refused Support = "refused"
)

// Row is what becomes of a field. The reader and docs/argo.md share it.
type Row struct {
	Path    string // as Field.Path; of a List the word
	Support Support
	Note    string
	Hint    string         // what to do without a field that is refused
	Tell    fault.Severity // how the reader tells of a field that is there; "" for not at all, or by the kind's own judge
	As      string         // the field whose fields this one has, too
}

func works(path string) Row       { return Row{Path: path, Support: Works} }
func noted(path, note string) Row { return Row{Path: path, Support: Noted, Note: note} }

// warned is a field that can be written and has no effect.
func warned(path, note string) Row {
	return Row{Path: path, Support: Noted, Note: note, Tell: fault.Warning}
}

func refused(path, note, hint string) Row {
	return Row{Path: path, Support: Refused, Note: note, Hint: hint, Tell: fault.Error}
}

// judged is a field that the model's own check refuses, in the words of a controller.
func judged(path, note string) Row { return Row{Path: path, Support: Refused, Note: note} }

// Table is what becomes of every field of some kinds that share a spec.
type Table struct {
	Kinds []string
	About string
	Rows  []Row
}

// part is a part of a kind's objects: where it stands and the type that it is read into.
type part struct {
	prefix string
	form   reflect.Type
}

// model is a table and the types behind it.
type model struct {
	kinds []string
	about string
	parts []part
	rows  []Row
}

var models = []model{
	{
		kinds: []string{"Application"}, about: "What is delivered from where to where. Metadata is Kubernetes' own; the annotations are listed below.",
		parts: []part{{"spec.", reflect.TypeFor[application.Spec]()}, {"operation.", reflect.TypeFor[application.Operation]()}}, rows: applicationRows,
	},
	{
		kinds: []string{"AppProject"}, about: "What the Applications of a project may be. A project `default` that nobody made permits everything.",
		parts: []part{{"spec.", reflect.TypeFor[project.Spec]()}}, rows: projectRows,
	},
	{
		kinds: []string{"ApplicationSet"}, about: "Applications made from parameters.",
		parts: []part{{"spec.", reflect.TypeFor[applicationset.Spec]()}}, rows: setRows,
	},
	{
		kinds: []string{"Rollout"}, about: "A Deployment that ships in steps.",
		parts: []part{{"spec.", reflect.TypeFor[rollout.Spec]()}}, rows: rolloutRows,
	},
	{
		kinds: []string{"AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun"}, about: "What is measured, and what the measurements must be.",
		parts: []part{{"spec.", reflect.TypeFor[analysis.Spec]()}}, rows: analysisRows,
	},
	{
		kinds: []string{"Experiment"}, about: "Replica sets that run side by side for a while.",
		parts: []part{{"spec.", reflect.TypeFor[experiment.Spec]()}}, rows: experimentRows,
	},
}

func (m model) fields() []Field {
	var out []Field
	seen := map[reflect.Type]string{}
	for _, p := range m.parts {
		out = walk(p.form, p.prefix, seen, out)
	}
	return out
}

// Tables are the fields of every kind, in the order in which they are declared, each with what becomes of it.
func Tables() []Table {
	var out []Table
	for _, m := range models {
		rows := map[string]Row{}
		for _, r := range m.rows {
			rows[r.Path] = r
		}
		t := Table{Kinds: m.kinds, About: m.about}
		for _, f := range m.fields() {
			r := rows[f.Path]
			r.As = f.As
			t.Rows = append(t.Rows, r)
		}
		out = append(out, t)
	}
	return out
}

// fieldOf names a field by the struct that declares it, for one kind.
type fieldOf struct {
	kind, name string
	owner      reflect.Type
}

// told are the fields that the reader tells of.
var told = sync.OnceValue(func() map[fieldOf]Row {
	out := map[fieldOf]Row{}
	for _, m := range models {
		rows := map[string]Row{}
		for _, r := range m.rows {
			if r.Tell != "" {
				rows[r.Path] = r
			}
		}
		for _, f := range m.fields() {
			if r, ok := rows[f.Path]; ok {
				for _, kind := range m.kinds {
					out[fieldOf{kind, f.name, f.owner}] = r
				}
			}
		}
	}
	return out
})

// Missing are the fields without a row and the rows without a field, which no table may have.
func Missing() (fields, rows []string) {
	for _, m := range models {
		var have, want []string
		for _, f := range m.fields() {
			have = append(have, f.Path)
		}
		for _, r := range m.rows {
			want = append(want, r.Path)
		}
		for _, p := range have {
			if !slices.Contains(want, p) {
				fields = append(fields, strings.Join(m.kinds, ", ")+": "+p)
			}
		}
		for i, p := range want {
			if !slices.Contains(have, p) || slices.Contains(want[:i], p) {
				rows = append(rows, strings.Join(m.kinds, ", ")+": "+p)
			}
		}
	}
	return fields, rows
}
