package keyword

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// needs reads needs: of a job or of a rule; path is its path in the table.
func (r *reader) needs(n *yamlx.Node, path string) *Needs {
	out := &Needs{Place: n.At()}
	items := n.Items
	switch {
	case n.IsMapping():
		items = []*yamlx.Node{n}
	case !n.IsSequence():
		f := r.wrong(n, path, "a list of jobs")
		if s, ok := n.Str(); ok {
			f.WithHint("write it as a list: [%q]", s)
		}
		return out
	}
	out.Items = make([]Need, 0, len(items))
	for _, item := range items {
		r.needItems(out, item, path, 0)
	}
	if len(out.Items) > MaxNeeds {
		r.fail(CodeLimit, n, "%s lists %d jobs, at most %d are allowed", path, len(out.Items), MaxNeeds)
	}
	others, mirrored := 0, 0
	for _, item := range out.Items {
		switch {
		case item.Kind == NeedPipeline && !item.Job.Set:
			mirrored++
		case item.Kind != NeedJob:
			others++
		}
	}
	if mirrored > 1 {
		r.fail(CodeTogether, n, "%s takes over the status of %d pipelines, only one is possible", path, mirrored)
	}
	if others > maxProjects {
		r.fail(CodeLimit, n, "%s takes artifacts from %d jobs of other pipelines, at most %d are allowed", path, others, maxProjects)
	}
	return out
}

// needItems reads one item, or the items of a nested list that a reference put there.
func (r *reader) needItems(out *Needs, item *yamlx.Node, path string, level int) {
	if !item.IsSequence() {
		if need, ok := r.need(item, path); ok {
			out.Items = append(out.Items, need)
		}
		return
	}
	if level >= maxNesting {
		r.fail(CodeNesting, item, "%s is nested more than %d levels deep", path, maxNesting)
		return
	}
	for _, inner := range item.Items {
		r.needItems(out, inner, path, level+1)
	}
}

// need reads one item of needs.
func (r *reader) need(n *yamlx.Node, path string) (Need, bool) {
	out := Need{Kind: NeedJob, Artifacts: true, Place: n.At()}
	if _, ok := n.Str(); ok {
		out.Job = r.filled(n, "an item of "+path)
		return out, out.Job.Set
	}
	if !n.IsMapping() {
		r.wrong(n, "an item of "+path, "the name of a job or a mapping with job")
		return out, false
	}
	for name, pair := range r.fields(n, scopeOf(path), "an item of "+path) {
		what, v := path+":"+name, pair.Value
		switch name {
		case "job":
			out.Job = r.filled(v, what)
		case "artifacts":
			f := r.flag(v, what)
			out.Artifacts = f.Value || !f.Set
		case "optional":
			out.Optional = r.flag(v, what).Value
		case "parallel":
			out.Matrix = r.legs(v, what)
		case "pipeline":
			out.Kind, out.Pipeline = NeedPipeline, r.filled(v, what)
			if t := strings.TrimSpace(out.Pipeline.Value); t == "$CI_PIPELINE_ID" || t == "${CI_PIPELINE_ID}" {
				r.failAt(CodeChoice, out.Pipeline.Place, "%s does not accept the current pipeline ($CI_PIPELINE_ID): it names the parent pipeline or another one", what)
			}
		case "project":
			out.Kind, out.Project = NeedProject, r.filled(v, what)
		case "ref":
			out.Ref = r.filled(v, what)
		}
	}
	return out, r.needShape(n, &out, path)
}

// needShape checks which keys an item of needs has together.
func (r *reader) needShape(n *yamlx.Node, need *Need, path string) bool {
	switch {
	case need.Project.Set && need.Pipeline.Set:
		r.fail(CodeTogether, n, "an item of %s has project and pipeline, which exclude each other", path)
	case need.Ref.Set && !need.Project.Set:
		r.failAt(CodeTogether, need.Ref.Place, "%s:ref needs project beside it", path)
	case need.Kind == NeedProject && !n.Has("ref"):
		r.fail(CodeMissing, n, "%s:project needs ref beside it", path)
	case !n.Has("job") && need.Kind != NeedPipeline:
		r.fail(CodeMissing, n, "an item of %s names no job", path)
		return false
	case r.part == InBridge && need.Kind != NeedJob && need.Job.Set:
		r.fail(CodeTogether, n, "%s of a job with trigger can name jobs of the same pipeline only", path)
	case r.part == InJob && need.Kind == NeedPipeline && !n.Has("job"):
		r.fail(CodeTogether, n, "%s:pipeline without job is for jobs that have no script", path)
	}
	return need.Job.Set || need.Kind == NeedPipeline && need.Pipeline.Set
}

// legs reads needs:parallel.
func (r *reader) legs(n *yamlx.Node, what string) []Row {
	if !n.IsMapping() {
		r.wrong(n, what, "a mapping with matrix")
		return nil
	}
	var out []Row
	for _, pair := range r.fields(n, scopeOf(what), what) {
		out = r.matrix(pair.Value, what+":matrix")
	}
	if !n.Has("matrix") {
		r.fail(CodeMissing, n, "%s needs matrix", what)
	}
	return out
}
