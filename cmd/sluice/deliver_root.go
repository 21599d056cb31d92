package main

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// rooted renders for a delivery of one repository: Applications in it that name no repository mean that one, and what two
// of them would hold is held by one.
type rooted struct {
	deliver.Sources

	repo, path, name, namespace string

	mu     sync.Mutex
	shared bool // an Application of the folder has the same folder as its source
}

func (r *rooted) wrap(s deliver.Sources) deliver.Sources {
	r.Sources = s
	return r
}

// Render renders, and puts the folder's Applications right.
func (r *rooted) Render(ctx context.Context, app application.Application, sources []application.Source, revisions []string, to deliver.Target) (application.Desired, error) {
	d, err := r.Sources.Render(ctx, app, sources, revisions, to)
	if err != nil {
		return d, err
	}
	if app.Object.Labels()[impliedLabel] != "" {
		d.Objects = r.own(d.Objects)
		return d, nil
	}
	if len(sources) == 1 && r.isRoot(sources[0]) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.shared {
			d.Objects = without(d.Objects, declares)
		}
	}
	return d, nil
}

// own are the objects of the folder's own Application: each Application among them with its repository, and nothing that one
// of them holds.
func (r *rooted) own(objects []manifest.Object) []manifest.Object {
	shared := false
	out := make([]manifest.Object, len(objects))
	for i, o := range objects {
		if o.Kind().Group == applicationKind.Group && (o.Kind().Kind == "Application" || o.Kind().Kind == "ApplicationSet") {
			o = o.Copy()
			spec := o.Sub("spec")
			if o.Kind().Kind == "ApplicationSet" {
				spec = o.Sub("spec", "template", "spec")
			}
			if spec != nil {
				shared = r.complete(spec) || shared
			}
			if o.Namespace() == "" {
				o.Set(deliver.DefaultNamespace, "metadata", "namespace")
			}
		}
		if o.Kind().Group == applicationKind.Group && o.Kind().Kind == "AppProject" && o.Namespace() == "" {
			o = o.Copy()
			o.Set(deliver.DefaultNamespace, "metadata", "namespace")
		}
		out[i] = o
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shared = shared; shared {
		return without(out, func(o manifest.Object) bool { return !declares(o) })
	}
	return out
}

// complete fills what an Application leaves open: repository, destination and project. It reports whether a source of it is
// the folder itself.
func (r *rooted) complete(spec manifest.Object) bool {
	if spec.Text("project") == "" {
		spec["project"] = "default"
	}
	if spec.Text("destination", "server") == "" && spec.Text("destination", "name") == "" {
		spec.Set(inClusterName, "destination", "name")
	}
	if spec.Text("destination", "namespace") == "" && spec.Text("destination", "name") == inClusterName {
		spec.Set(r.namespace, "destination", "namespace")
	}
	sources := []any{}
	if s, ok := spec["source"].(map[string]any); ok {
		sources = append(sources, s)
	}
	root := false
	for _, s := range append(sources, spec.List("sources")...) {
		m, ok := s.(map[string]any)
		if !ok {
			continue
		}
		one := manifest.Object(m)
		if one.Text("chart") == "" && relative(one.Text("repoURL")) {
			m["repoURL"] = r.repo
			if one.Text("path") == "" && one.Text("ref") == "" {
				m["path"] = r.path
			}
		}
		root = root || r.isRoot(application.Source{RepoURL: one.Text("repoURL"), Path: one.Text("path")})
	}
	return root
}

// relative reports whether an address means the repository that it stands in.
func relative(repoURL string) bool {
	return repoURL == "" || repoURL == "." || strings.HasPrefix(repoURL, "./") || strings.HasPrefix(repoURL, "../")
}

func (r *rooted) isRoot(s application.Source) bool {
	return source.Normal(s.RepoURL) == source.Normal(r.repo) && path.Clean("/"+s.Path) == path.Clean("/"+r.path)
}

// declares reports whether an object says what is delivered, and is not delivered itself.
func declares(o manifest.Object) bool {
	k := o.Kind()
	if k.Group == applicationKind.Group {
		return k.Kind == "Application" || k.Kind == "ApplicationSet" || k.Kind == "AppProject"
	}
	return k.Group == "" && k.Kind == "Secret" && o.Labels()[cluster.LabelSecretType] != ""
}

func without(objects []manifest.Object, which func(manifest.Object) bool) []manifest.Object {
	var out []manifest.Object
	for _, o := range objects {
		if !which(o) {
			out = append(out, o)
		}
	}
	return out
}

// teller prints what happens, a line each.
type teller struct {
	mu   sync.Mutex
	w    io.Writer
	last string
}

func (t *teller) say(app, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := oneLine(text)
	if app != "" {
		line = oneLine(app) + ": " + line
	}
	if line == t.last {
		return
	}
	t.last = line
	fmt.Fprintf(t.w, "%s %s\n", time.Now().Format(time.TimeOnly), line)
}

func (t *teller) tell(x deliver.Told) { t.say(x.Name, x.Message) }

// drift says who changed what.
func (t *teller) drift(d deliver.Drift) {
	_, app, _ := strings.Cut(d.Application, "/")
	what := d.Key.Kind + " " + d.Key.Name
	done := "differs"
	if d.Reverted {
		done = "is put right"
	}
	if d.Missing {
		t.say(app, what+" was deleted; it "+done)
		return
	}
	for _, x := range d.Differences {
		by := ""
		if x.Manager != "" {
			by = " by " + x.Manager
			if !x.At.IsZero() {
				by += " at " + x.At.UTC().Format(time.RFC3339)
			}
		}
		t.say(app, fmt.Sprintf("%s: %s was changed%s; it %s", what, x.Path, by, done))
	}
}
