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
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// scouting is what an API may be able to do besides.
type scouting interface {
	// Scout follows a kind by the metadata of its objects alone: each is told with its names, labels, annotations and
	// owners, at first all that are there and then, after a nil, what comes or changes. An object may be told again, and
	// what goes is not told. It returns as Watch does.
	Scout(ctx context.Context, kind manifest.Kind, namespace string, each func(manifest.Object)) error
}

// scouts are the looks at kinds that no application uses: an object there may still carry an application's mark, because
// somebody copied it, or because the application's own record of what it holds is lost. The state's lock guards them.
type scouts struct {
	out   map[place]*look
	dead  map[place]bool                    // may not be looked at
	seen  map[string]map[manifest.Kind]bool // the kinds in which a mark was seen, by mark
	slots chan struct{}
}

// look is one scout. looked is closed when all that is there was told, or it is over.
type look struct {
	stop   context.CancelFunc
	sent   time.Time
	looked chan struct{}
}

// firstLooks is how long after a scout was sent a comparison still waits for it to see what is there. A kind that cannot be
// listed in that time, because the server of its API does not answer, is left out until it can.
const firstLooks = 10 * time.Second

// passed are kinds that change all the time, or that nobody renders: those that Argo CD excludes unless told otherwise
// (documentation page "Declarative Setup, Resource Exclusion").
var passed = []struct{ group, kind string }{
	{"", "Event"},
	{"events.k8s.io", "*"},
	{"", "Endpoints"},
	{"discovery.k8s.io", "*"},
	{"coordination.k8s.io", "Lease"},
	{"", "Node"},
	{"authentication.k8s.io", "*"},
	{"authorization.k8s.io", "*"},
	{"certificates.k8s.io", "CertificateSigningRequest"},
	{"metrics.k8s.io", "*"},
	{"cert-manager.io", "CertificateRequest"},
	{"cilium.io", "Cilium*"},
	{"wgpolicyk8s.io", "*"},
	{"reports.kyverno.io", "*"},
	{"kyverno.io", "*Report"},
}

func scouted(d manifest.Discovered) bool {
	return !slices.ContainsFunc(passed, func(p struct{ group, kind string }) bool {
		hit, err := path.Match(p.kind, d.Kind.Kind)
		return p.group == d.Kind.Group && err == nil && hit
	})
}

// scout sends out a scout for each kind that is served and not watched; the lock is held.
func (s *State) scout() {
	api, able := s.api.(scouting)
	if !able || s.scope.Used {
		return
	}
	if s.scouts.slots == nil {
		s.scouts = scouts{out: map[place]*look{}, dead: map[place]bool{}, seen: map[string]map[manifest.Kind]bool{}, slots: make(chan struct{}, 4)}
	}
	for k, d := range s.served {
		if k.Version != "" || !scouted(d) { // without a version it is the preferred one
			continue
		}
		for _, ns := range s.spaces(d, nil) {
			p := place{d.Kind, ns}
			if s.scouts.out[p] != nil || s.scouts.dead[p] || s.feeds[p] != nil {
				continue
			}
			ctx, stop := context.WithCancel(s.ctx)
			l := &look{stop: stop, sent: time.Now(), looked: make(chan struct{})}
			s.scouts.out[p] = l
			s.loops.Go(func() { s.send(ctx, api, p, l) })
		}
	}
}

// send follows one kind until ctx ends or it is gone or forbidden.
func (s *State) send(ctx context.Context, api scouting, p place, l *look) {
	select {
	case <-ctx.Done():
		close(l.looked)
		return
	case s.scouts.slots <- struct{}{}: // few first looks at once
	}
	first := true
	leave := func() {
		if first {
			first = false
			<-s.scouts.slots
			close(l.looked)
		}
	}
	err := api.Scout(ctx, p.kind, p.namespace, func(o manifest.Object) {
		if o == nil {
			leave()
			return
		}
		s.sight(ctx, p, o)
	})
	leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil {
		delete(s.scouts.out, p)
		s.scouts.dead[p] = denied(err)
	}
}

// sight notes the marks that an object carries, and tells of them where they are new.
func (s *State) sight(ctx context.Context, p place, o manifest.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil || s.feeds[p] != nil {
		return
	}
	for _, t := range s.schemes {
		mark := t.Owner(o)
		if mark == "" || s.scouts.seen[mark][p.kind] {
			continue
		}
		if s.scouts.seen[mark] == nil {
			s.scouts.seen[mark] = map[manifest.Kind]bool{}
		}
		s.scouts.seen[mark][p.kind] = true
		s.tell(map[string]bool{mark: true}, o)
	}
}

// sighted are kinds with those in which an application's mark was seen, by a scout or by a watch that others need.
func (s *State) sighted(mark string, kinds []manifest.Kind) []manifest.Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(kinds)
	add := func(k manifest.Kind) {
		if !slices.ContainsFunc(out, func(o manifest.Kind) bool { return o.Group == k.Group && o.Kind == k.Kind }) {
			out = append(out, k)
		}
	}
	for k := range s.scouts.seen[mark] {
		add(k)
	}
	if s.scope.Used {
		return out
	}
	for p, f := range s.feeds {
		if len(f.marked[mark]) > 0 {
			add(p.kind)
		}
	}
	return out
}

// lookedAll waits, not for ever, until all scouts have seen what is there.
func (s *State) lookedAll(ctx context.Context) error {
	s.mu.Lock()
	var wait []*look
	for _, l := range s.scouts.out {
		wait = append(wait, l)
	}
	s.mu.Unlock()
	for _, l := range wait {
		select {
		case <-l.looked:
		case <-time.After(time.Until(l.sent.Add(firstLooks))):
		case <-s.ctx.Done():
			return errClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// recall ends all scouts, so that new ones look with other eyes; the lock is held.
func (s *State) recall() {
	for p, l := range s.scouts.out {
		l.stop()
		delete(s.scouts.out, p)
	}
}

// slim is what a scout reads of an object.
type slim struct {
	Metadata struct {
		Name            string            `json:"name"`
		Namespace       string            `json:"namespace,omitempty"`
		UID             string            `json:"uid"`
		ResourceVersion string            `json:"resourceVersion"`
		Continue        string            `json:"continue"`
		Labels          map[string]string `json:"labels"`
		Annotations     map[string]string `json:"annotations"`
		Owners          []json.RawMessage `json:"ownerReferences"`
	} `json:"metadata"`
}

// object is a slim object of a kind; nil where nothing could mark it, or where another object owns it.
func (m slim) object(kind manifest.Kind) manifest.Object {
	if len(m.Metadata.Labels)+len(m.Metadata.Annotations) == 0 || len(m.Metadata.Owners) > 0 {
		return nil
	}
	texts := func(from map[string]string) map[string]any {
		out := make(map[string]any, len(from))
		for k, v := range from {
			out[k] = v
		}
		return out
	}
	meta := map[string]any{"name": m.Metadata.Name, "uid": m.Metadata.UID, "resourceVersion": m.Metadata.ResourceVersion}
	if m.Metadata.Namespace != "" {
		meta["namespace"] = m.Metadata.Namespace
	}
	if len(m.Metadata.Labels) > 0 {
		meta["labels"] = texts(m.Metadata.Labels)
	}
	if len(m.Metadata.Annotations) > 0 {
		meta["annotations"] = texts(m.Metadata.Annotations)
	}
	return manifest.Object{"apiVersion": kind.APIVersion(), "kind": kind.Kind, "metadata": meta}
}

// The media types of objects' metadata (Kubernetes API concepts, "Metadata-only fetches").
const (
	slimList = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
	slimOne  = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
)

// Scout follows a kind by the metadata of its objects alone; nothing of them is kept. What cuts it is mended.
func (c *Cluster) Scout(ctx context.Context, kind manifest.Kind, namespace string, each func(manifest.Object)) error {
	revision, listed := "", false
	for failures := 0; ; {
		began := time.Now()
		next, err := c.scoutRound(ctx, kind, namespace, revision, each)
		revision = next
		listed = listed || next != ""
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case manifest.NotFound(err):
			return c.served(kind, err)
		case !listed && denied(err):
			return err
		case err != nil && !manifest.Is(err, manifest.ReasonExpired) && !manifest.Passing(err) && revision == "":
			return err // it will never be told
		case manifest.Is(err, manifest.ReasonExpired):
			revision = ""
		}
		if failures++; time.Since(began) > 10*time.Second {
			failures = 1
		}
		if sleep(ctx, backoff(min(failures, 5), err)) != nil {
			return context.Cause(ctx)
		}
	}
}

// scoutRound lists where that is needed and follows changes until the stream ends. It gives where to go on.
func (c *Cluster) scoutRound(ctx context.Context, kind manifest.Kind, namespace, revision string, each func(manifest.Object)) (string, error) {
	r, err := c.collection(ctx, http.MethodGet, kind, namespace)
	if err != nil {
		return revision, err
	}
	if revision == "" {
		if revision, err = c.scoutList(ctx, r, each); err != nil {
			return "", err
		}
		each(nil)
	}
	r.accept = slimOne
	r.query = url.Values{
		"watch": {"1"}, "allowWatchBookmarks": {"true"}, "resourceVersion": {revision},
		"timeoutSeconds": {strconv.Itoa(300 + rand.IntN(300))},
	}
	answer, err := c.open(ctx, r)
	if err != nil {
		return revision, err
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
				return revision, nil
			}
			return revision, lost(ctx, r, err)
		}
		if e.Type == "ERROR" {
			status, err := parse(e.Object)
			if err != nil {
				return revision, unreadable(r.path, err)
			}
			out := &manifest.Refusal{}
			fromStatus(out, r, status)
			return revision, out
		}
		var m slim
		if err := json.Unmarshal(e.Object, &m); err != nil {
			return revision, unreadable(r.path, err)
		}
		revision = m.Metadata.ResourceVersion
		if o := m.object(r.kind); o != nil && (e.Type == manifest.Added || e.Type == manifest.Modified) {
			each(o)
		}
	}
}

// scoutList tells all that is there and gives the revision that it is of.
func (c *Cluster) scoutList(ctx context.Context, r call, each func(manifest.Object)) (string, error) {
	r.accept, r.twice = slimList, true
	for next := ""; ; {
		r.query = url.Values{"limit": {strconv.Itoa(page)}}
		if next != "" {
			r.query.Set("continue", next)
		}
		data, err := c.do(ctx, r)
		if next != "" && manifest.Is(err, manifest.ReasonExpired) {
			next = "" // what was told may be told again
			continue
		}
		if err != nil {
			return "", err
		}
		var l struct {
			slim
			Items []slim `json:"items"`
		}
		if err := json.Unmarshal(data, &l); err != nil {
			return "", unreadable(r.path, err)
		}
		for _, m := range l.Items {
			if o := m.object(r.kind); o != nil {
				each(o)
			}
		}
		if next = l.Metadata.Continue; next == "" {
			return l.Metadata.ResourceVersion, nil
		}
	}
}
