package argo

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/application/project"
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
	judge func(manifest.Object) fault.Faults
}{
	"Application":             {reflect.TypeFor[operated](), judgeApplication},
	"AppProject":              {reflect.TypeFor[whole[project.Spec]](), nil},
	"Rollout":                 {reflect.TypeFor[whole[rollout.Spec]](), judgeRollout},
	"AnalysisTemplate":        {reflect.TypeFor[whole[analysis.Spec]](), judgeTemplate},
	"ClusterAnalysisTemplate": {reflect.TypeFor[whole[analysis.Spec]](), judgeTemplate},
	"AnalysisRun":             {reflect.TypeFor[whole[analysis.Spec]](), judgeTemplate},
	"Experiment":              {reflect.TypeFor[whole[experiment.Spec]](), nil},
}

// Kinds are the names of the kinds that Check judges.
func Kinds() []string {
	out := make([]string, 0, len(kinds))
	for k := range kinds {
		out = append(out, k)
	}
	return out
}

// Check judges a document of argoproj.io; others are passed over. Warnings are what a cluster would pass over too.
func Check(d Document, faults *fault.List) {
	kind := d.Object.Kind()
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
	var found fault.List
	fields{&found}.value(d.node, k.form, "")
	if found.HasErrors() || k.judge == nil { // what cannot be read cannot be judged
		faults.Add(found.Sorted()...)
		return
	}
	for _, f := range k.judge(d.Object) {
		found.Add(d.place(f))
	}
	faults.Add(found.Sorted()...)
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

func judgeRollout(o manifest.Object) fault.Faults {
	r, err := rollout.Decode(o)
	if err != nil {
		return fault.Faults{fault.New(CodeInvalid, "%v", err)}
	}
	return rollout.Lint(r)
}

func judgeTemplate(o manifest.Object) fault.Faults {
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

func judgeApplication(o manifest.Object) fault.Faults {
	var out fault.Faults
	var s application.Spec
	if err := o.Sub("spec").Into(&s); err != nil {
		return fault.Faults{fault.New(CodeInvalid, "spec: %v", err)}
	}
	if len(s.SourceHydrator) > 0 {
		out = append(out, fault.New(CodeRefused, "spec.sourceHydrator: the source hydrator is not supported").WithHint("point source at the branch that holds the manifests"))
	}
	if len(s.All()) == 0 && len(s.SourceHydrator) == 0 {
		out = append(out, fault.New(CodeInvalid, "spec.source: spec.source.repoURL and either spec.source.path, spec.source.chart, or spec.source.ref are required"))
	}
	if s.Source != nil && len(s.Sources) > 0 {
		out = append(out, fault.New(CodeInvalid, "spec.source: source is not used where there are sources").WithSeverity(fault.Warning))
	}
	for i, src := range s.All() {
		path := "spec.source"
		if len(s.Sources) > 0 {
			path = "spec.sources[" + strconv.Itoa(i) + "]"
		}
		out = append(out, judgeSource(src, path)...)
	}
	if s.Destination.Server != "" && s.Destination.Name != "" {
		out = append(out, fault.New(CodeInvalid, "spec.destination.server: application destination can't have both name and server defined: %s %s", s.Destination.Name, s.Destination.Server))
	}
	if p := s.SyncPolicy; p != nil {
		for i, option := range p.SyncOptions {
			if name, _, ok := strings.Cut(option, "="); !ok || !slices.Contains(options, name) {
				out = append(out, fault.New(CodeField, "spec.syncPolicy.syncOptions[%d]: there is no sync option %q", i, option).WithSeverity(fault.Warning))
			}
		}
	}
	return out
}

// options are the sync options (Argo CD, "Sync Options").
var options = []string{
	"ApplyOutOfSyncOnly", "ClientSideApplyMigration", "CreateNamespace", "Delete", "FailOnSharedResource", "Force", "Prune", "PruneLast",
	"PrunePropagationPolicy", "Replace", "RespectIgnoreDifferences", "ServerSideApply", "SkipDryRunOnMissingResource", "Validate",
}

func judgeSource(s application.Source, path string) fault.Faults {
	var out fault.Faults
	if len(s.Plugin) > 0 {
		out = append(out, fault.New(CodeRefused, "%s.plugin: config management plugins are not supported", path).WithHint("render in a pipeline and commit the result"))
	}
	if s.RepoURL == "" {
		out = append(out, fault.New(CodeInvalid, "%s.repoURL: a source needs repoURL", path))
	}
	if s.Path != "" && s.Chart != "" {
		out = append(out, fault.New(CodeInvalid, "%s.chart: a source has a path or a chart, not both", path))
	}
	if s.Path == "" && s.Chart == "" && s.Ref == "" {
		out = append(out, fault.New(CodeInvalid, "%s.path: spec.source.repoURL and either spec.source.path, spec.source.chart, or spec.source.ref are required", path))
	}
	if s.Chart != "" && s.TargetRevision == "" {
		out = append(out, fault.New(CodeInvalid, "%s.targetRevision: spec.source.targetRevision is required if the manifest source is a helm chart", path))
	}
	if s.Ref != "" && !name.MatchString(s.Ref) {
		out = append(out, fault.New(CodeInvalid, "%s.ref: %q is no name for a source: letters, digits, _ and -", path, s.Ref))
	}
	explicit := 0
	for _, set := range []bool{s.Helm != nil, s.Kustomize != nil, s.Directory != nil} {
		if set {
			explicit++
		}
	}
	if explicit > 1 {
		out = append(out, fault.New(CodeInvalid, "%s: a source is Helm, Kustomize or a directory, only one of them", path))
	}
	return out
}

var name = lazy.Pattern(`^[A-Za-z0-9_-]+$`)
