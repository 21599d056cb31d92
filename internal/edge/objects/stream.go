package objects

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// bookmarks is how often a watch that asks for them is told the revision it has seen.
const bookmarks = 10 * time.Second

// stream answers a watch: from a revision, from now with what is there first, or as a list that is streamed
// (sendInitialEvents).
func (s *Store) stream(w http.ResponseWriter, r *http.Request, c *call) error {
	q := r.URL.Query()
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	if n, err := strconv.Atoi(q.Get("timeoutSeconds")); err == nil && n > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(n)*time.Second)
	}
	defer cancel()
	out := &watching{w: w, r: r, k: c.k, flush: http.NewResponseController(w)}
	rev, err := strconv.ParseInt(q.Get("resourceVersion"), 10, 64)
	if initial := q.Get("sendInitialEvents") == "true"; initial || err != nil || rev == 0 {
		var list []manifest.Object
		list, rev = s.list(c.k, c.filter)
		if q.Get("sendInitialEvents") == "false" {
			list = nil
		}
		out.begin()
		for _, o := range list {
			if err := out.send(manifest.Added, o); err != nil {
				return nil //nolint:nilerr // the client has gone
			}
		}
		if initial {
			if err := out.bookmark(rev, true); err != nil {
				return nil //nolint:nilerr // as above
			}
		}
	} else if err := s.known(rev); err != nil {
		return err
	}
	out.begin()
	s.pump(ctx, c, rev, out, q.Get("allowWatchBookmarks") == "true")
	return nil
}

// known refuses a revision whose changes are forgotten, and one that is still to come.
func (s *Store) known(rev int64) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, ok := s.history.since(rev); !ok || rev > s.rev {
		return expired(rev, s.history.begun)
	}
	return nil
}

// pump sends changes until the client or the context ends.
func (s *Store) pump(ctx context.Context, c *call, rev int64, out *watching, marks bool) {
	for ctx.Err() == nil {
		turn, cancel := context.WithTimeout(ctx, bookmarks)
		var err error
		rev, err = s.follow(turn, c.k, c.filter, rev, func(ch manifest.Change) error { return out.send(ch.Type, ch.Object) })
		cancel()
		if r, ok := errors.AsType[*manifest.Refusal](err); ok { // told in the stream, as the API server does
			_ = out.put("ERROR", map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": r.Message, "reason": r.Reason, "code": r.Code})
			return
		}
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return
		}
		if marks {
			if out.bookmark(rev, false) != nil {
				return
			}
		}
	}
}

// watching is the stream of one watch.
type watching struct {
	w     http.ResponseWriter
	r     *http.Request
	k     *Served
	flush *http.ResponseController
	begun bool
}

func (o *watching) begin() {
	if !o.begun {
		o.begun = true
		o.w.Header().Set("Content-Type", "application/json")
		o.w.WriteHeader(http.StatusOK)
		_ = o.flush.Flush()
	}
}

func (o *watching) send(change string, object manifest.Object) error {
	return o.put(change, form(o.r, o.k, []manifest.Object{object}, object.Revision(), true))
}

// bookmark tells the revision that has been seen; the first one after a streamed list says that it has ended.
func (o *watching) bookmark(rev int64, end bool) error {
	mark := manifest.Object{"kind": o.k.Kind.Kind, "apiVersion": o.k.Kind.APIVersion(), "metadata": map[string]any{"resourceVersion": strconv.FormatInt(rev, 10), "creationTimestamp": nil}}
	if end {
		mark.SetAnnotation("k8s.io/initial-events-end", "true")
	}
	return o.put(manifest.Bookmark, form(o.r, o.k, []manifest.Object{mark}, strconv.FormatInt(rev, 10), true))
}

func (o *watching) put(change string, object any) error {
	data, err := json.Marshal(map[string]any{"type": change, "object": object})
	if err != nil {
		return err
	}
	if _, err := o.w.Write(append(data, '\n')); err != nil {
		return err
	}
	return o.flush.Flush()
}
