package cluster

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// stale is how old a catalog may be that is asked for a kind that it lacks.
const stale = time.Second

// catalog is what the cluster serves, read when first wanted and again when a kind is missing: its definition may just have
// been applied.
type catalog struct {
	fetch func(context.Context) ([]manifest.Discovered, error)

	reading sync.Mutex // held while fetching
	mu      sync.Mutex
	list    []manifest.Discovered
	kinds   map[manifest.Kind]manifest.Discovered
	read    time.Time
}

// find gives how a kind is served. A kind without a version is served in the group's preferred one, else in any that has it.
func (c *catalog) find(ctx context.Context, kind manifest.Kind) (manifest.Discovered, error) {
	d, ok, at := c.look(kind)
	if ok {
		return d, nil
	}
	if time.Since(at) > stale {
		if err := c.since(ctx, at); err != nil {
			return manifest.Discovered{}, err
		}
		if d, ok, _ = c.look(kind); ok {
			return d, nil
		}
	}
	what := kind.Kind + " of " + or(kind.APIVersion(), "v1")
	return manifest.Discovered{}, &manifest.Refusal{
		Code: http.StatusNotFound, Reason: manifest.ReasonNoKind,
		Message: fmt.Sprintf("the cluster serves no %s: its definition is missing, or it serves another version%s", what, c.versions(kind)),
	}
}

func (c *catalog) look(kind manifest.Kind) (manifest.Discovered, bool, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.kinds[kind]
	return d, ok, c.read
}

// versions tells what there is of a kind that was asked for in another version.
func (c *catalog) versions(kind manifest.Kind) string {
	var out []string
	for _, d := range c.all() {
		if d.Kind.Group == kind.Group && d.Kind.Kind == kind.Kind {
			out = append(out, d.Kind.Version)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}

// refresh reads the catalog anew.
func (c *catalog) refresh(ctx context.Context) error {
	_, _, at := c.look(manifest.Kind{})
	return c.since(ctx, at)
}

// since reads the catalog unless another has done so after at.
func (c *catalog) since(ctx context.Context, at time.Time) error {
	c.reading.Lock()
	defer c.reading.Unlock()
	if _, _, now := c.look(manifest.Kind{}); now.After(at) {
		return nil
	}
	list, err := c.fetch(ctx)
	if err != nil {
		return fmt.Errorf("what the cluster serves: %w", err)
	}
	kinds := make(map[manifest.Kind]manifest.Discovered, 2*len(list))
	for _, d := range list {
		kinds[d.Kind] = d
		bare := manifest.Kind{Group: d.Kind.Group, Kind: d.Kind.Kind}
		if _, ok := kinds[bare]; !ok || d.Preferred {
			kinds[bare] = d
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list, c.kinds, c.read = list, kinds, time.Now()
	return nil
}

func (c *catalog) all() []manifest.Discovered {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

// forget makes the next question for a kind read the catalog anew.
func (c *catalog) forget(kind manifest.Kind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kinds, kind)
	delete(c.kinds, manifest.Kind{Group: kind.Group, Kind: kind.Kind})
	c.read = time.Time{}
}

// aggregated asks for all groups, versions and kinds at once; servers without that answer in the older form.
const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"

// discover asks the cluster what it serves.
func (c *Cluster) discover(ctx context.Context) ([]manifest.Discovered, error) {
	var out []manifest.Discovered
	for _, root := range []string{"/api", "/apis"} {
		o, err := c.document(ctx, root, aggregated)
		if err != nil {
			return nil, err
		}
		if o.Text("kind") == "APIGroupDiscoveryList" {
			out = append(out, groups(o)...)
			continue
		}
		list, err := c.older(ctx, root, o)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

func (c *Cluster) document(ctx context.Context, path, accept string) (manifest.Object, error) {
	data, err := c.do(ctx, call{method: http.MethodGet, path: path, accept: accept, twice: true})
	if err != nil {
		return nil, err
	}
	o, err := manifest.Parse(data)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return o, nil
}

// groups reads an APIGroupDiscoveryList. A version whose server (an APIService) does not answer is served stale and kept.
func groups(list manifest.Object) []manifest.Discovered {
	var out []manifest.Discovered
	for _, g := range objects(list.List("items")) {
		for i, v := range objects(g.List("versions")) {
			for _, r := range objects(v.List("resources")) {
				kind := manifest.Kind{Group: g.Name(), Version: v.Text("version"), Kind: r.Text("responseKind", "kind")}
				if own := r.Text("responseKind", "group"); own != "" && own != kind.Group || r.Text("resource") == "" {
					continue
				}
				out = append(out, manifest.Discovered{
					Kind: kind, Plural: r.Text("resource"), Namespaced: r.Text("scope") == "Namespaced", Verbs: texts(r.List("verbs")), Preferred: i == 0,
				})
			}
		}
	}
	return out
}

// older asks for each group and version by itself.
func (c *Cluster) older(ctx context.Context, root string, o manifest.Object) ([]manifest.Discovered, error) {
	type version struct {
		name      string // "apps/v1"
		preferred bool
	}
	var versions []version
	for i, v := range texts(o.List("versions")) { // of /api
		versions = append(versions, version{v, i == 0})
	}
	for _, g := range objects(o.List("groups")) { // of /apis
		for _, v := range objects(g.List("versions")) {
			name := v.Text("groupVersion")
			versions = append(versions, version{name, name == g.Text("preferredVersion", "groupVersion")})
		}
	}
	var out []manifest.Discovered
	for _, v := range versions {
		list, err := c.document(ctx, root+"/"+v.name, "")
		if manifest.NotFound(err) {
			continue // gone meanwhile
		}
		if err != nil {
			return nil, err
		}
		for _, r := range objects(list.List("resources")) {
			if strings.Contains(r.Text("name"), "/") {
				continue // a subresource
			}
			out = append(out, manifest.Discovered{
				Kind: manifest.KindOf(v.name, r.Text("kind")), Plural: r.Text("name"), Namespaced: r["namespaced"] == true, Verbs: texts(r.List("verbs")), Preferred: v.preferred,
			})
		}
	}
	return out, nil
}

func objects(list []any) []manifest.Object {
	var out []manifest.Object
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func texts(list []any) []string {
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
