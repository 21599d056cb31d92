package argo

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func judgeApplication(o manifest.Object, as Reading) fault.Faults {
	var s application.Spec
	if err := o.Sub("spec").Into(&s); err != nil {
		return fault.Faults{fault.New(CodeInvalid, "spec: %v", err)}
	}
	return judgeSpec(s, as)
}

func judgeSpec(s application.Spec, as Reading) fault.Faults {
	var out fault.Faults
	hydrated := len(s.SourceHydrator) > 0
	if len(s.All()) == 0 && !hydrated && !as.Home {
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
		out = append(out, judgeSource(src, path, as)...)
	}
	if s.Destination.Server != "" && s.Destination.Name != "" {
		out = append(out, fault.New(CodeInvalid, "spec.destination.server: application destination can't have both name and server defined: %s %s", s.Destination.Name, s.Destination.Server))
	}
	if p := s.SyncPolicy; p != nil {
		for i, option := range p.SyncOptions {
			name, _, ok := strings.Cut(option, "=")
			if !ok || !slices.ContainsFunc(SyncOptions, func(r Row) bool { return optionName(r) == name }) {
				out = append(out, fault.New(CodeField, "spec.syncPolicy.syncOptions[%d]: there is no sync option %q", i, option).WithSeverity(fault.Warning))
			}
		}
	}
	return out
}

func judgeSource(s application.Source, path string, as Reading) fault.Faults {
	var out fault.Faults
	wrong := func(format string, args ...any) { out = append(out, fault.New(CodeInvalid, format, args...)) }
	own := s.RepoURL == "" || s.RepoURL == "." || strings.HasPrefix(s.RepoURL, "./") || strings.HasPrefix(s.RepoURL, "../")
	if own && !as.Home {
		f := fault.New(CodeInvalid, "%s.repoURL: a source needs repoURL", path)
		if s.RepoURL != "" {
			f = fault.New(CodeInvalid, "%s.repoURL: %q is a folder, which `sluice deliver` and `sluice up` take for the repository that the file stands in, and Argo CD does not", path, s.RepoURL).WithSeverity(fault.Warning)
		}
		out = append(out, f)
	}
	if s.Path != "" && s.Chart != "" {
		wrong("%s.chart: a source has a path or a chart, not both", path)
	}
	if s.Path == "" && s.Chart == "" && s.Ref == "" && !(own && as.Home) {
		wrong("%s.path: spec.source.repoURL and either spec.source.path, spec.source.chart, or spec.source.ref are required", path)
	}
	if s.Chart != "" && s.TargetRevision == "" {
		wrong("%s.targetRevision: spec.source.targetRevision is required if the manifest source is a helm chart", path)
	}
	if s.Ref != "" && !name.MatchString(s.Ref) {
		wrong("%s.ref: %q is no name for a source: letters, digits, _ and -", path, s.Ref)
	}
	explicit := 0
	for _, set := range []bool{s.Helm != nil, s.Kustomize != nil, s.Directory != nil} {
		if set {
			explicit++
		}
	}
	if explicit > 1 {
		wrong("%s: a source is Helm, Kustomize or a directory, only one of them", path)
	}
	return out
}

var name = lazy.Pattern(`^[A-Za-z0-9_-]+$`)

// judgeSet looks at what can be known of a set before anyone is asked for parameters.
func judgeSet(o manifest.Object, _ Reading) fault.Faults {
	set, err := applicationset.Decode(o)
	if err != nil {
		return fault.Faults{fault.New(CodeInvalid, "spec: %v", err)}
	}
	var out fault.Faults
	wrong := func(format string, args ...any) { out = append(out, fault.New(CodeInvalid, format, args...)) }
	if len(set.Spec.Generators) == 0 {
		wrong("spec.generators: an ApplicationSet has at least one generator")
	}
	for i, g := range set.Spec.Generators {
		out = append(out, judgeGenerator(g, "spec.generators["+strconv.Itoa(i)+"]", 0)...)
	}
	if set.Spec.Template.Text("metadata", "name") == "" && set.Spec.TemplatePatch == nil {
		wrong("spec.template: the template has no metadata.name")
	}
	if p := set.Spec.SyncPolicy; p != nil && !slices.Contains([]string{"", "sync", "create-only", "create-update", "create-delete"}, p.ApplicationsSync) {
		wrong("spec.syncPolicy.applicationsSync: %q is not sync, create-only, create-update or create-delete", p.ApplicationsSync)
	}
	if s := set.Spec.Strategy; s != nil {
		if !slices.Contains([]string{"", "AllAtOnce", "RollingSync"}, s.Type) {
			wrong("spec.strategy.type: %q is not AllAtOnce or RollingSync", s.Type)
		}
		if s.RollingSync != nil {
			for i, step := range s.RollingSync.Steps {
				for j, e := range step.MatchExpressions {
					if e.Operator != "In" && e.Operator != "NotIn" {
						wrong("spec.strategy.rollingSync.steps[%d].matchExpressions[%d].operator: %q is not In or NotIn", i, j, e.Operator)
					}
				}
			}
		}
	}
	return out
}

func judgeGenerator(g applicationset.Generator, path string, deep int) fault.Faults {
	var out fault.Faults
	wrong := func(format string, args ...any) { out = append(out, fault.New(CodeInvalid, format, args...)) }
	given := 0
	for _, is := range []bool{
		g.List != nil, g.Clusters != nil, g.Git != nil, g.SCMProvider != nil, g.PullRequest != nil, g.Matrix != nil, g.Merge != nil, len(g.Decision) > 0, len(g.Plugin) > 0,
	} {
		if is {
			given++
		}
	}
	if given == 0 {
		wrong("%s: no generator that there is: list, clusters, git, scmProvider, pullRequest, matrix or merge", path)
	}
	if g.Git != nil && (len(g.Git.Directories) > 0) == (len(g.Git.Files) > 0) {
		wrong("%s.git: the git generator takes directories or files, one of them", path)
	}
	for word, c := range map[string]*applicationset.Combination{"matrix": g.Matrix, "merge": g.Merge} {
		if c == nil {
			continue
		}
		at := path + "." + word
		switch {
		case deep == 2:
			wrong("%s: matrix and merge generators can be nested once only", at)
			continue
		case word == "matrix" && len(c.Generators) != 2:
			wrong("%s.generators: a matrix has two generators, not %d", at, len(c.Generators))
		case word == "merge" && len(c.Generators) < 2:
			wrong("%s.generators: a merge has at least two generators", at)
		case word == "merge" && len(c.MergeKeys) == 0:
			wrong("%s.mergeKeys: a merge needs the keys that parameters are joined by", at)
		}
		for i, child := range c.Generators {
			out = append(out, judgeGenerator(child, at+".generators["+strconv.Itoa(i)+"]", deep+1)...)
		}
	}
	return out
}
