package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	kjson "sigs.k8s.io/json"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// page is how many objects a list asks for at once.
const page = 500

// Get reads one object in the kind's version. A namespace is passed over for what belongs to the cluster; "" is the context's.
func (c *Cluster) Get(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error) {
	r, err := c.aim(ctx, http.MethodGet, kind, namespace, name, "")
	if err != nil {
		return nil, err
	}
	r.twice = true
	return c.object(ctx, r)
}

// List reads the objects of a kind that a label selector matches ("" for all), in a namespace or in all (""), in pages.
func (c *Cluster) List(ctx context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error) {
	l, err := c.list(ctx, kind, namespace, selector)
	return l.objects, err
}

type listing struct {
	objects  []manifest.Object
	revision string
}

func (c *Cluster) list(ctx context.Context, kind manifest.Kind, namespace, selector string) (listing, error) {
	r, err := c.collection(ctx, http.MethodGet, kind, namespace)
	if err != nil {
		return listing{}, err
	}
	r.twice = true
	var out listing
	for next := ""; ; {
		r.query = url.Values{"limit": {strconv.Itoa(page)}}
		if selector != "" {
			r.query.Set("labelSelector", selector)
		}
		if next != "" {
			r.query.Set("continue", next)
		}
		data, err := c.do(ctx, r)
		if next != "" && manifest.Is(err, manifest.ReasonExpired) { // the snapshot that the pages are of is gone
			out, next = listing{}, ""
			continue
		}
		if err != nil {
			return listing{}, c.served(kind, err)
		}
		var l struct {
			Metadata struct {
				Continue        string `json:"continue"`
				ResourceVersion string `json:"resourceVersion"`
			} `json:"metadata"`
			Items []map[string]any `json:"items"`
		}
		if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &l); err != nil {
			return listing{}, unreadable(r.path, err)
		}
		for _, o := range l.Items { // the items of a list do not say what they are
			o["apiVersion"], o["kind"] = r.kind.APIVersion(), r.kind.Kind
			out.objects = append(out.objects, o)
		}
		if next, out.revision = l.Metadata.Continue, l.Metadata.ResourceVersion; next == "" {
			return out, nil
		}
	}
}

// Create makes a new object and gives what the cluster then holds. With generateName the cluster names it. A policy/v1
// Eviction evicts the pod of its name.
func (c *Cluster) Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error) {
	kind, name, sub := o.Kind(), "", ""
	if kind.Group == "policy" && kind.Kind == "Eviction" {
		kind, name, sub = manifest.Kind{Version: "v1", Kind: "Pod"}, o.Name(), "eviction"
	}
	r, err := c.aim(ctx, http.MethodPost, kind, o.Namespace(), name, sub)
	if err != nil {
		return nil, err
	}
	r.write(c, w)
	r.media, r.body = "application/json", o.JSON()
	return c.object(ctx, r)
}

// Update replaces an object or one of its subresources ("status").
func (c *Cluster) Update(ctx context.Context, o manifest.Object, sub string, w manifest.Writing) (manifest.Object, error) {
	r, err := c.aim(ctx, http.MethodPut, o.Kind(), o.Namespace(), o.Name(), sub)
	if err != nil {
		return nil, err
	}
	r.write(c, w)
	r.media, r.body, r.twice = "application/json", o.JSON(), true
	return c.object(ctx, r)
}

// Patch changes an object or one of its subresources. A server-side apply that conflicts with another manager is refused
// with ReasonConflict unless it is forced; another patch that another write came before is sent again.
func (c *Cluster) Patch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch, w manifest.Writing) (manifest.Object, error) {
	r, err := c.aim(ctx, http.MethodPatch, kind, namespace, name, p.Sub)
	if err != nil {
		return nil, err
	}
	r.write(c, w)
	if p.Kind == manifest.ApplyPatch && p.Force {
		r.query.Set("force", "true")
	}
	r.media, r.body = p.Kind, p.Data
	r.twice = p.Kind != manifest.JSONPatch // which may append
	r.stale = (p.Kind == manifest.MergePatch || p.Kind == manifest.StrategicPatch) && !versioned(p.Data)
	return c.object(ctx, r)
}

// versioned reports whether a patch names the revision that it is for.
func versioned(patch []byte) bool {
	var p struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	return json.Unmarshal(patch, &p) != nil || p.Metadata.ResourceVersion != ""
}

// Delete begins the deletion of an object; it may be there for a while after (grace, finalizers).
func (c *Cluster) Delete(ctx context.Context, kind manifest.Kind, namespace, name string, w manifest.Writing) error {
	r, err := c.aim(ctx, http.MethodDelete, kind, namespace, name, "")
	if err != nil {
		return err
	}
	options := manifest.Object{"apiVersion": "v1", "kind": "DeleteOptions"}
	if w.Propagation != "" {
		options["propagationPolicy"] = w.Propagation
	}
	if w.UID != "" {
		options.Set(w.UID, "preconditions", "uid")
	}
	if w.Grace != nil {
		options["gracePeriodSeconds"] = *w.Grace
	}
	if w.DryRun {
		options["dryRun"] = []any{"All"}
	}
	r.media, r.body, r.twice, r.stale = "application/json", options.JSON(), true, w.UID == ""
	r.as = w.As
	_, err = c.do(ctx, r)
	return c.served(kind, err)
}

// write puts how a write is to be done into the request.
func (r *call) write(c *Cluster, w manifest.Writing) {
	r.query, r.as = url.Values{"fieldManager": {or(w.Manager, c.options.Manager)}}, w.As
	if w.DryRun {
		r.query.Set("dryRun", "All")
	}
	if w.Validation != "" {
		r.query.Set("fieldValidation", w.Validation)
	}
}

// object sends a request whose answer is an object.
func (c *Cluster) object(ctx context.Context, r call) (manifest.Object, error) {
	data, err := c.do(ctx, r)
	if err != nil {
		return nil, c.served(r.kind, err)
	}
	o, err := parse(data)
	if err != nil {
		return nil, unreadable(r.path, err)
	}
	return o, nil
}

// parse is manifest.Parse by a faster reader.
func parse(data []byte) (manifest.Object, error) {
	var o map[string]any
	err := kjson.UnmarshalCaseSensitivePreserveInts(data, &o)
	return o, err
}

// served notes that a kind which was served is no more.
func (c *Cluster) served(kind manifest.Kind, err error) error {
	if manifest.Is(err, manifest.ReasonNoKind) {
		c.catalog.forget(kind)
	}
	return err
}

// aim is a request for an object, or for the collection where it has no name.
func (c *Cluster) aim(ctx context.Context, method string, kind manifest.Kind, namespace, name, sub string) (call, error) {
	d, err := c.catalog.find(ctx, kind)
	if err != nil {
		return call{}, err
	}
	if namespace == "" {
		namespace = c.Namespace
	}
	if err := single(method, d, namespace, name); err != nil {
		return call{}, err
	}
	path := collection(d, namespace)
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	if sub != "" {
		path += "/" + url.PathEscape(sub)
	}
	return call{method: method, path: path, kind: kind, secret: kind.Group == "" && kind.Kind == "Secret"}, nil
}

// single refuses names that lead to something else than one object: an empty one to all objects of the kind, which a
// deletion would delete; ".." to what is above (documentation page "Object Names and IDs", path segment names). No such
// object can be there, so whoever reads or deletes it finds none.
func single(method string, d manifest.Discovered, namespace, name string) error {
	var wrong []string
	switch {
	case name != "":
		wrong = content.IsPathSegmentName(name)
	case method != http.MethodPost: // who creates may leave the name to the server
		wrong = []string{"an object has a name"}
	}
	if d.Namespaced && namespace != "" {
		wrong = append(wrong, content.IsPathSegmentName(namespace)...)
	}
	if len(wrong) == 0 {
		return nil
	}
	r := &manifest.Refusal{
		Code: http.StatusUnprocessableEntity, Reason: manifest.ReasonInvalid,
		Message: fmt.Sprintf("%s %q is invalid: metadata.name: %s", d.Kind.Kind, name, strings.Join(wrong, ", ")),
	}
	if method == http.MethodGet || method == http.MethodDelete {
		r.Code, r.Reason = http.StatusNotFound, manifest.ReasonNotFound
	}
	return r
}

// collection is a request for the objects of a kind, in all namespaces where none is told.
func (c *Cluster) collection(ctx context.Context, method string, kind manifest.Kind, namespace string) (call, error) {
	d, err := c.catalog.find(ctx, kind)
	if err != nil {
		return call{}, err
	}
	if err := single(http.MethodPost, d, namespace, ""); err != nil {
		return call{}, err
	}
	return call{method: method, path: collection(d, namespace), kind: d.Kind}, nil
}

// collection is the path of a kind's objects.
func collection(d manifest.Discovered, namespace string) string {
	path := "/apis/" + d.Kind.APIVersion()
	if d.Kind.Group == "" {
		path = "/api/" + d.Kind.Version
	}
	if d.Namespaced && namespace != "" {
		path += "/namespaces/" + url.PathEscape(namespace)
	}
	return path + "/" + d.Plural
}
