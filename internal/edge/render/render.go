package render

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/sandbox"
	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Target is what a rendering may know of its cluster. It has the fields of engine/deliver's.
type Target struct {
	KubeVersion string
	APIVersions []string // "apps/v1", "apps/v1/Deployment"
	Namespace   string
	Tracking    application.Tracking
}

// Sources resolves and renders the sources of Applications. It is safe for concurrent use.
type Sources struct {
	Cache *source.Cache
	Pool  *sandbox.Pool // of kind Kind
	// Warn is told of what was passed over, nil for nobody.
	Warn func(app string, f *fault.Fault)
	// Home is the namespace of Argo CD's own, "argocd" unless told: applications of others are called namespace_name.
	Home string
	// Rules gives the rules that hold now, nil for none.
	Rules func() Rules
	// Work reads repositories of this machine as their files stand, committed or not.
	Work bool

	kept kept
}

// refreshing are the values of the annotation that asks for a new look at the repository.
const refreshing = "argocd.argoproj.io/refresh"

// Resolve is the commit, or the chart's version, that each source's target revision means now. Servers are believed for
// as long as the cache says, unless the application asks for a refresh.
func (s *Sources) Resolve(ctx context.Context, app application.Application, sources []application.Source) ([]string, error) {
	fresh := app.Object.Annotation(refreshing) != ""
	out := make([]string, len(sources))
	for i, one := range sources {
		var err error
		var away error
		if one.Chart != "" {
			w := chartWant(app, one)
			w.Fresh = fresh
			out[i], away, err = s.Cache.ResolveChart(ctx, w)
		} else {
			out[i], away, err = s.Cache.Resolve(ctx, source.Want{RepoURL: one.RepoURL, Project: app.Spec.Project, Revision: one.TargetRevision, Prefix: one.TagPrefix, Fresh: fresh, Work: s.Work})
		}
		if err != nil {
			return nil, which(sources, i, err)
		}
		if f, ok := errors.AsType[*fault.Fault](away); ok {
			s.warn(app, f)
		}
	}
	return out, nil
}

func chartWant(app application.Application, one application.Source) source.ChartWant {
	return source.ChartWant{RepoURL: one.RepoURL, Project: app.Spec.Project, Chart: one.Chart, Revision: one.TargetRevision, PassCredentials: helmOf(one).PassCredentials}
}

func (s *Sources) warn(app application.Application, f *fault.Fault) {
	if s.Warn != nil {
		copied := *f
		s.Warn(app.Object.Name(), copied.WithSeverity(fault.Warning))
	}
}

// Render makes the objects of the sources at revisions that Resolve gave, one source's after the other's. What was
// rendered before, of the same files with the same settings, is given again.
func (s *Sources) Render(ctx context.Context, app application.Application, sources []application.Source, revisions []string, to Target) (application.Desired, error) {
	if len(revisions) != len(sources) {
		return application.Desired{}, fault.New(CodeSource, "the application has %d sources, and %d revisions were given", len(sources), len(revisions))
	}
	out := application.Desired{Revisions: slices.Clone(revisions), Types: make([]string, len(sources))}
	trees, err := s.trees(ctx, app, sources, revisions)
	if err != nil {
		return application.Desired{}, err
	}
	var wrong fault.List
	for i, one := range sources {
		if one.Ref != "" && one.Path == "" && one.Chart == "" {
			continue // it only lends its files
		}
		a, err := s.one(ctx, app, one, trees, i, to)
		if err != nil {
			if ctx.Err() != nil {
				return application.Desired{}, context.Cause(ctx)
			}
			wrong.AddError(which(sources, i, err))
			continue
		}
		out.Types[i] = a.Type
		for _, raw := range a.Objects {
			o, err := manifest.Parse(raw)
			if err != nil {
				return application.Desired{}, fmt.Errorf("read what was rendered: %w", err)
			}
			out.Objects = append(out.Objects, o)
		}
		for _, w := range a.Warnings {
			s.warn(app, w)
		}
	}
	return out, single(wrong.Err())
}

// single is a list of one mistake as that mistake.
func single(err error) error {
	if list, ok := errors.AsType[fault.Faults](err); ok && len(list) == 1 {
		return list[0]
	}
	return err
}

// woods are the trees of an application's sources.
type woods struct {
	own  []*source.Tree          // by source
	refs map[string]*source.Tree // by ref
}

func (s *Sources) trees(ctx context.Context, app application.Application, sources []application.Source, revisions []string) (woods, error) {
	w := woods{own: make([]*source.Tree, len(sources)), refs: map[string]*source.Tree{}}
	for i, one := range sources {
		var err error
		switch {
		case one.Chart != "" && one.Ref != "":
			err = fault.New(CodeSource, "a source with ref: %s names a chart", one.Ref).WithHint("only git repositories lend their files; leave chart or ref out")
		case one.Chart != "" && one.Path != "":
			err = fault.New(CodeSource, "a source names a chart and a path").WithHint("leave one out")
		case one.Chart != "":
			w.own[i], err = s.Cache.Chart(ctx, chartWant(app, one), revisions[i])
		default:
			w.own[i], err = s.Cache.Tree(ctx, source.Want{RepoURL: one.RepoURL, Project: app.Spec.Project, Work: s.Work}, revisions[i])
		}
		if err == nil && one.Ref != "" && w.refs[one.Ref] != nil {
			err = fault.New(CodeSource, "two sources have ref: %s", one.Ref)
		}
		if err != nil {
			return w, which(sources, i, err)
		}
		if one.Ref != "" {
			w.refs[one.Ref] = w.own[i]
		}
	}
	return w, nil
}

// one renders one source, or finds what was rendered of the same.
func (s *Sources) one(ctx context.Context, app application.Application, one application.Source, w woods, i int, to Target) (answer, error) {
	r := s.request(app, one, w, w.own[i].Revision, to)
	asked := &witness{ctx: ctx, cache: s.Cache, app: app, source: one, trees: map[string]*source.Tree{mainTree: w.own[i]}}
	for name, tree := range w.refs {
		asked.trees[name] = tree
	}
	key, err := keyOf(r)
	if err != nil {
		return answer{}, err
	}
	if a, ok, err := s.kept.find(key, r.Revision, asked); ok {
		return a, err
	}
	var a answer
	if err := s.Pool.Do(ctx, r, &a, asked.answer); err != nil {
		if ctx.Err() == nil {
			s.kept.fail(key, err, asked.seen())
		}
		return answer{}, err
	}
	s.kept.add(key, r.Revision, a, asked.seen())
	return a, nil
}

func (s *Sources) request(app application.Application, one application.Source, w woods, revision string, to Target) request {
	home := s.Home
	if home == "" {
		home = "argocd"
	}
	name := app.Object.Name()
	r := request{
		Source: one, App: name, Qualified: name, Namespace: to.Namespace, Project: app.Spec.Project, Revision: revision,
		KubeVersion: kubeVersion(to.KubeVersion), APIVersions: to.APIVersions,
	}
	if ns := app.Object.Namespace(); ns != "" && ns != home {
		r.Qualified = ns + "_" + name
	}
	if r.Namespace == "" {
		r.Namespace = app.Spec.Destination.Namespace
	}
	if r.Project == "" {
		r.Project = "default"
	}
	for ref := range w.refs {
		r.Refs = append(r.Refs, ref)
	}
	slices.Sort(r.Refs)
	if s.Rules != nil {
		r.Rules = s.Rules()
	}
	return r
}

// which says of which source a mistake is, where there are several, and names its file so that it can be opened.
func which(sources []application.Source, i int, err error) error {
	list, ok := errors.AsType[fault.Faults](err)
	if one, single := errors.AsType[*fault.Fault](err); !ok && single {
		list = fault.Faults{one}
	}
	if len(list) == 0 {
		return fmt.Errorf("source %d (%s): %w", i+1, sources[i].RepoURL, err)
	}
	out := make(fault.Faults, len(list))
	for n, f := range list {
		copied := *f
		if dir, local := source.Local(sources[i].RepoURL); local && copied.Place.File != "" && !strings.HasPrefix(copied.Place.File, "$") {
			copied.Place.File = filepath.Join(dir, copied.Place.File)
		}
		if len(sources) > 1 {
			copied.Message = fmt.Sprintf("source %d: %s", i+1, copied.Message)
		}
		out[n] = &copied
	}
	if len(out) == 1 {
		return out[0]
	}
	return out
}

// witness answers a child's questions for files, and remembers what was answered: what was rendered is good for as long as
// the answers stay the same.
type witness struct {
	ctx    context.Context
	cache  *source.Cache
	app    application.Application
	source application.Source
	trees  map[string]*source.Tree
	deps   []dep
	known  map[string]bool
}

func (w *witness) answer(method string, with json.RawMessage) (any, error) {
	switch method {
	case askRead:
		var s several
		if err := json.Unmarshal(with, &s); err != nil {
			return nil, err
		}
		out := make([]content, len(s.Names))
		for i, name := range s.Names {
			out[i] = w.read(s.Tree, name)
		}
		return out, nil
	case askChart:
		var d dependency
		if err := json.Unmarshal(with, &d); err != nil {
			return nil, err
		}
		return w.chart(d)
	}
	var p place
	if err := json.Unmarshal(with, &p); err != nil {
		return nil, err
	}
	w.note(method, p)
	if method == askBase {
		return w.base(p.Name)
	}
	tree, err := w.tree(p.Tree)
	if err != nil {
		return nil, err
	}
	switch method {
	case askStat:
		real, e, err := tree.Stat(w.ctx, p.Name)
		return found{real, e.Sort}, err
	case askList:
		return tree.List(w.ctx, p.Name)
	case askWalk:
		return walk(w.ctx, tree, p.Name)
	}
	return nil, fmt.Errorf("nobody answers %q", method)
}

func (w *witness) tree(name string) (*source.Tree, error) {
	t, ok := w.trees[name]
	if !ok {
		return nil, fmt.Errorf("there is no source $%s", name)
	}
	return t, nil
}

func (w *witness) read(tree, name string) content {
	w.note(askRead, place{tree, name})
	t, err := w.tree(tree)
	if err != nil {
		return content{Error: err.Error()}
	}
	text, err := t.Read(w.ctx, name)
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return content{Fault: f}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return content{Missing: true}
	}
	if err != nil {
		return content{Error: err.Error()}
	}
	return content{Text: text}
}

// walk lists everything below a folder by its whole name, links as links.
func walk(ctx context.Context, tree *source.Tree, folder string) ([]source.Entry, error) {
	real, _, err := tree.Stat(ctx, folder)
	if err != nil {
		return nil, err
	}
	out := []source.Entry{}
	var below func(at string) error
	below = func(at string) error {
		list, err := tree.List(ctx, at)
		if err != nil {
			return err
		}
		for _, e := range list {
			e.Name = strings.TrimPrefix(at+"/"+e.Name, "/")
			out = append(out, e)
			if e.Sort == source.Folder {
				if err := below(e.Name); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return out, below(real)
}

// chart fetches a dependency of a chart, where its repository is one that somebody made known.
func (w *witness) chart(d dependency) (map[string][]byte, error) {
	w.deps = append(w.deps, dep{Method: askChart}) // a repository may change: never kept
	at, ok := w.cache.Known(d.Repository, w.app.Spec.Project)
	if !ok && w.source.Chart != "" && source.Normal(d.Repository) == source.Normal(w.source.RepoURL) {
		at, ok = d.Repository, true
	}
	if !ok {
		return nil, fault.New(CodeDepend, "the dependency %s comes from %s, which is not a known repository", d.Name, d.Repository).
			WithHint("make it known by a Secret with the label %s: repository and type: helm, or run `helm dependency build` and commit charts/", source.SecretLabel)
	}
	want := source.ChartWant{RepoURL: at, Project: w.app.Spec.Project, Chart: d.Name, Revision: d.Version}
	version, _, err := w.cache.ResolveChart(w.ctx, want)
	if err != nil {
		return nil, err
	}
	tree, err := w.cache.Chart(w.ctx, want, version)
	if err != nil {
		return nil, err
	}
	paths, err := tree.Paths(w.ctx, "")
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, p := range paths {
		if out[p], err = tree.Read(w.ctx, p); err != nil {
			return nil, err
		}
	}
	return out, nil
}
