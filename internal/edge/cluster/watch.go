package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Watch follows a kind, in a namespace or in all (""): first what is there (Added), then a Bookmark, then each change.
// What cuts it is mended: it goes on where it was, or where that revision is gone lists anew and tells what differs. It
// returns ctx's cause, or a refusal where the kind is not served (any more) or may not be listed from the beginning.
func (c *Cluster) Watch(ctx context.Context, kind manifest.Kind, namespace, selector string, each func(manifest.Change)) error {
	w := watching{c: c, kind: kind, namespace: namespace, selector: selector, each: each}
	for failures := 0; ; {
		began := time.Now()
		err := w.round(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case manifest.NotFound(err):
			w.gone()
			return c.served(w.kind, err)
		case w.known == nil && denied(err):
			return err
		case manifest.Is(err, manifest.ReasonExpired):
			w.revision = ""
		}
		if failures++; w.moved || time.Since(began) > 10*time.Second {
			failures = 1
		}
		w.moved = false
		if sleep(ctx, backoff(min(failures, 5), err)) != nil {
			return context.Cause(ctx)
		}
	}
}

func denied(err error) bool {
	return manifest.Is(err, manifest.ReasonForbidden) || manifest.Is(err, manifest.ReasonUnauthorized) || manifest.Is(err, "MethodNotAllowed")
}

// watching is a watch and what it has told. revision is where it goes on, "" where it must list.
type watching struct {
	c                   *Cluster
	kind                manifest.Kind
	namespace, selector string
	each                func(manifest.Change)
	revision            string
	moved               bool              // something was told since the last cut
	known               map[named]outline // what is there as it was told, without its contents
}

type named struct{ namespace, name string }

func nameOf(o manifest.Object) named { return named{o.Namespace(), o.Name()} }

// round lists where that is needed and watches until the stream ends. A stream that ends by itself is no error.
func (w *watching) round(ctx context.Context) error {
	d, err := w.c.catalog.find(ctx, w.kind)
	if err != nil {
		return err
	}
	w.kind = d.Kind
	if w.revision == "" {
		l, err := w.c.list(ctx, w.kind, w.namespace, w.selector)
		if err != nil {
			return err
		}
		w.compare(l)
	}
	return w.stream(ctx)
}

// gone tells that nothing of the kind is there any more.
func (w *watching) gone() {
	for _, was := range w.known {
		w.tell(manifest.Deleted, was.object())
	}
}

// compare tells how a list differs from what was told before.
func (w *watching) compare(l listing) {
	there := make(map[named]bool, len(l.objects))
	for i, o := range l.objects {
		l.objects[i] = nil // a long list need not be held until its end
		n := nameOf(o)
		there[n] = true
		switch before, was := w.known[n]; {
		case !was:
			w.tell(manifest.Added, o)
		case before.uid != o.UID():
			w.tell(manifest.Deleted, before.object())
			w.tell(manifest.Added, o)
		case before.revision != o.Revision():
			w.tell(manifest.Modified, o)
		}
	}
	for n, was := range w.known {
		if !there[n] {
			w.tell(manifest.Deleted, was.object())
		}
	}
	if w.known == nil {
		w.known = map[named]outline{}
	}
	w.bookmark(l.revision)
}

func (w *watching) bookmark(revision string) {
	w.revision = revision
	w.each(manifest.Change{Type: manifest.Bookmark, Object: manifest.Object{
		"apiVersion": w.kind.APIVersion(), "kind": w.kind.Kind, "metadata": map[string]any{"resourceVersion": revision},
	}})
}

func (w *watching) tell(change string, o manifest.Object) {
	if w.known == nil {
		w.known = map[named]outline{}
	}
	if change == manifest.Deleted {
		delete(w.known, nameOf(o))
	} else {
		w.known[nameOf(o)] = outlined(o)
	}
	w.each(manifest.Change{Type: change, Object: o})
}

// outline is what is kept of an object to tell of its deletion: what names it, marks it and whose it is, as JSON.
type outline struct {
	uid, revision string
	data          []byte
}

// object is the outline as an object.
func (l outline) object() manifest.Object {
	o, _ := manifest.Parse(l.data) // it was one
	return o
}

func outlined(o manifest.Object) outline {
	meta := map[string]any{}
	for _, field := range []string{"name", "namespace", "uid", "resourceVersion", "labels", "ownerReferences"} {
		if v, ok := o.At("metadata", field); ok {
			meta[field] = v
		}
	}
	notes := map[string]any{}
	for name, v := range o.Annotations() {
		if len(name)+len(v) < 1000 { // marks are short; last-applied-configuration is not wanted
			notes[name] = v
		}
	}
	if len(notes) > 0 {
		meta["annotations"] = notes
	}
	return outline{o.UID(), o.Revision(), manifest.Object{"apiVersion": o["apiVersion"], "kind": o["kind"], "metadata": meta}.JSON()}
}

// stream follows the changes after w.revision.
func (w *watching) stream(ctx context.Context) error {
	r, err := w.c.collection(ctx, http.MethodGet, w.kind, w.namespace)
	if err != nil {
		return err
	}
	r.query = url.Values{
		"watch": {"1"}, "allowWatchBookmarks": {"true"}, "resourceVersion": {w.revision},
		"timeoutSeconds": {strconv.Itoa(300 + rand.IntN(300))},
	}
	if w.selector != "" {
		r.query.Set("labelSelector", w.selector)
	}
	answer, err := w.c.open(ctx, r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	d := json.NewDecoder(bufio.NewReader(answer.Body))
	for {
		var e struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := d.Decode(&e); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return lost(ctx, r, err)
		}
		o, err := parse(e.Object)
		if err != nil {
			return unreadable(r.path, err)
		}
		switch e.Type {
		case manifest.Added, manifest.Modified, manifest.Deleted:
			w.revision, w.moved = o.Revision(), true
			w.event(e.Type, o)
		case manifest.Bookmark:
			w.bookmark(o.Revision())
		default: // ERROR, with a Status
			out := &manifest.Refusal{}
			fromStatus(out, r, o)
			return out
		}
	}
}

// event tells of a change, once: a stream that begins again may repeat what was told.
func (w *watching) event(change string, o manifest.Object) {
	before, was := w.known[nameOf(o)]
	switch {
	case change == manifest.Deleted && !was:
		return
	case change == manifest.Deleted:
	case was && before.revision == o.Revision():
		return
	case was && before.uid != o.UID():
		w.tell(manifest.Deleted, before.object())
		change = manifest.Added
	case was:
		change = manifest.Modified
	default:
		change = manifest.Added
	}
	w.tell(change, o)
}

// open begins a stream; the time that requests have holds for its beginning only.
func (c *Cluster) open(ctx context.Context, r call) (*http.Response, error) {
	within, stop := context.WithCancelCause(ctx)
	slow := time.AfterFunc(c.options.Timeout, func() { stop(errSlow) })
	answer, err := c.send(within, r)
	if err == nil && answer.StatusCode != http.StatusOK {
		data, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
		_ = answer.Body.Close()
		err = refusal(r, answer, data)
	}
	if err != nil {
		slow.Stop()
		stop(nil)
		return nil, err
	}
	if !slow.Stop() {
		_ = answer.Body.Close()
		return nil, lost(within, r, errSlow)
	}
	answer.Body = closing{answer.Body, func() { stop(nil) }}
	return answer, nil
}

// closing releases what belongs to a body with it.
type closing struct {
	io.ReadCloser
	also func()
}

func (c closing) Close() error {
	c.also()
	return c.ReadCloser.Close()
}
