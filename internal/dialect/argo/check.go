package argo

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/application/project"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/experiment"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// Group is the group of Argo's kinds.
const Group = "argoproj.io"

// whole is an object of Argo's as it is written; status is the controllers'.
type whole[S any] struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   manifest.Object `json:"metadata"`
	Spec       S               `json:"spec"`
	Status     manifest.Object `json:"status"`
}

// operated is an Application, which can be asked for an operation too.
type operated struct {
	whole[application.Spec]
	Operation application.Operation `json:"operation"`
}

// kinds are the kinds of argoproj.io/v1alpha1 that are held against a model, and what is judged beyond their fields.
var kinds = map[string]struct {
	form  reflect.Type
	judge func(manifest.Object, Reading) fault.Faults
}{
	"Application":             {reflect.TypeFor[operated](), judgeApplication},
	"AppProject":              {reflect.TypeFor[whole[project.Spec]](), nil},
	"ApplicationSet":          {reflect.TypeFor[whole[applicationset.Spec]](), judgeSet},
	"Rollout":                 {reflect.TypeFor[whole[rollout.Spec]](), judgeRollout},
	"AnalysisTemplate":        {reflect.TypeFor[whole[analysis.Spec]](), judgeTemplate},
	"ClusterAnalysisTemplate": {reflect.TypeFor[whole[analysis.Spec]](), judgeTemplate},
	"AnalysisRun":             {reflect.TypeFor[whole[analysis.Spec]](), judgeTemplate},
	"Experiment":              {reflect.TypeFor[whole[experiment.Spec]](), nil},
}

// Kinds are the names of the kinds that Check judges.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Reading is where documents are read for.
type Reading struct {
	// Home says that the files are delivered as they lie: a source without repoURL, or with a relative one, is the
	// repository that the file stands in, and what an Application leaves open of its destination is filled in.
	Home bool
}

// Is reports whether a document is one that Check judges.
func Is(d Document) bool {
	k := d.Object.Kind()
	_, known := kinds[k.Kind]
	return k.Group == Group && known || shipped(d.Object)
}

// Check judges a document of argoproj.io, and a Deployment that asks for a Rollout by an annotation; others are passed
// over. Warnings are what a cluster would pass over too.
func Check(d Document, as Reading, faults *fault.List) {
	kind := d.Object.Kind()
	if shipped(d.Object) {
		judgeDeployment(d, faults)
	}
	if kind.Group != Group {
		return
	}
	k, ok := kinds[kind.Kind]
	if !ok {
		return
	}
	if kind.Version != "v1alpha1" {
		faults.Add(fault.At(CodeShape, d.At("apiVersion"), "%s is %s/v1alpha1, not %s", kind.Kind, Group, kind.APIVersion()))
		return
	}
	var found, asks fault.List
	fields{kind: kind.Kind, faults: &found, asks: &asks}.value(d.node, k.form, "")
	faults.Add(asks.Sorted()...)
	if !found.HasErrors() && k.judge != nil { // what cannot be read cannot be judged
		for _, f := range k.judge(d.Object, as) {
			found.Add(d.place(f))
		}
	}
	faults.Add(found.Sorted()...)
}

// shipped reports whether an object is a Deployment that a Rollout is made for.
func shipped(o manifest.Object) bool {
	k := o.Kind()
	_, asks := o.Annotations()[rollout.StrategyAnnotation]
	return asks && k.Group == "apps" && k.Kind == "Deployment"
}

func judgeDeployment(d Document, faults *fault.List) {
	if why := rollout.Adopt(d.Object, nil).Refused; why != "" {
		faults.Add(fault.At(CodeInvalid, d.At("metadata.annotations["+rollout.StrategyAnnotation+"]"), "%s", why))
	}
}

var leading = lazy.Pattern(`^(spec(?:\.[A-Za-z0-9]+|\[[^\]]*\])+): `)

// place gives a judgement the place of the field that its message begins with.
func (d Document) place(f *fault.Fault) *fault.Fault {
	out := *f
	if m := leading.FindStringSubmatch(f.Message); m != nil {
		out.Place = d.At(m[1])
	} else {
		out.Place = d.At("spec")
	}
	return &out
}

func judgeRollout(o manifest.Object, _ Reading) fault.Faults {
	r, err := rollout.Decode(o)
	if err != nil {
		return fault.Faults{fault.New(CodeInvalid, "%v", err)}
	}
	return rollout.Lint(r)
}

func judgeTemplate(o manifest.Object, _ Reading) fault.Faults {
	s, err := analysis.DecodeTemplate(o)
	if err != nil {
		return fault.Faults{fault.New(CodeInvalid, "%v", err)}
	}
	out := analysis.Unsupported(o.Name(), s)
	// What arguments fill in is judged when a run is made of the template.
	settled := slices.DeleteFunc(slices.Clone(s.Metrics), func(m analysis.Metric) bool {
		text, err := json.Marshal(m)
		return err != nil || strings.Contains(string(text), "{{")
	})
	if err := analysis.Validate(settled); err != nil && len(settled) > 0 {
		out = append(out, fault.New(CodeInvalid, "spec.metrics: %v", err))
	}
	return out
}
