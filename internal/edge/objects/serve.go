package objects

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// bodyLimit is the largest object that is taken; the API server's own is as large.
const bodyLimit = 3 << 20

// Logs reads what a pod's container printed.
type Logs interface {
	Logs(ctx context.Context, pod manifest.Object, o LogOptions, w io.Writer) error
}

// LogOptions are the parameters of pods/log.
type LogOptions struct {
	Container                    string
	Follow, Previous, Timestamps bool
	Tail                         int64     // lines from the end; -1 for all
	Since                        time.Time // zero for all
	Limit                        int64     // bytes; 0 for all
}

// Serve answers Kubernetes' REST interface on a loopback listener until ctx ends, to whoever shows the token.
func (s *Store) Serve(ctx context.Context, l net.Listener, a Access) error {
	if at, ok := l.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
		return fault.New(CodeAddress, "the objects' interface was to listen on %s", l.Addr())
	}
	if a.token == "" {
		return fault.New(CodeAddress, "the objects' interface was to be served without a token")
	}
	server := &http.Server{
		Handler:           s.guard(a.token),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{a.certificate}},
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	undo := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer undo()
	if err := server.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// guard is the REST interface, for whoever shows the token.
func (s *Store) guard(token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(shown), []byte(token)) != 1 {
			fail(w, nil, &manifest.Refusal{Code: 401, Reason: manifest.ReasonUnauthorized, Message: "Unauthorized"})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit)
		if err := s.route(w, r); err != nil {
			fail(w, nil, err)
		}
	})
}

// call is a request for one kind.
type call struct {
	k                    *Served
	namespace, name, sub string
	filter               filter
	writing              manifest.Writing
}

func (s *Store) route(w http.ResponseWriter, r *http.Request) error {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var group, version string
	switch {
	case parts[0] == "api" && len(parts) >= 2:
		version, parts = parts[1], parts[2:]
	case parts[0] == "apis" && len(parts) >= 3:
		group, version, parts = parts[1], parts[2], parts[3:]
	default:
		return s.about(w, r, parts)
	}
	if len(parts) == 0 {
		return s.resources(w, group, version)
	}
	if group == "authorization.k8s.io" {
		return allow(w, r)
	}
	c, err := s.aim(group, version, parts)
	if err != nil {
		return err
	}
	if err := c.read(r); err != nil {
		return err
	}
	if err := s.answer(w, r, c); err != nil {
		fail(w, c, err)
	}
	return nil
}

func missing() error {
	return &manifest.Refusal{Code: 404, Reason: manifest.ReasonNotFound, Message: "the server could not find the requested resource"}
}

// aim finds what a path names: [namespaces/N/]resource[/name[/sub]].
func (s *Store) aim(group, version string, parts []string) (*call, error) {
	c := &call{}
	if parts[0] == "namespaces" && len(parts) >= 3 && parts[2] != "status" && parts[2] != "finalize" {
		c.namespace, parts = parts[1], parts[2:]
	}
	for _, k := range s.kinds {
		if k.Kind.Group == group && k.Kind.Version == version && k.Plural == parts[0] {
			c.k = k
		}
	}
	if c.k == nil || len(parts) > 3 || c.namespace != "" && !c.k.Namespaced {
		return nil, missing()
	}
	if len(parts) > 1 {
		c.name = parts[1]
	}
	if len(parts) > 2 {
		c.sub = parts[2]
	}
	if c.name != "" && c.k.Namespaced && c.namespace == "" {
		return nil, missing()
	}
	return c, nil
}

func (c *call) read(r *http.Request) error {
	q := r.URL.Query()
	var err error
	if c.filter, err = newFilter(c.namespace, q.Get("labelSelector"), q.Get("fieldSelector")); err != nil {
		return err
	}
	c.writing = manifest.Writing{DryRun: q.Get("dryRun") == "All", Manager: q.Get("fieldManager"), Validation: q.Get("fieldValidation"), Propagation: q.Get("propagationPolicy")}
	if c.writing.Manager == "" {
		agent, _, _ := strings.Cut(r.UserAgent(), "/")
		c.writing.Manager = agent
	}
	if g := q.Get("gracePeriodSeconds"); g != "" {
		n, err := strconv.ParseInt(g, 10, 64)
		if err != nil {
			return badRequest("gracePeriodSeconds: %v", err)
		}
		c.writing.Grace = &n
	}
	return nil
}

func (s *Store) answer(w http.ResponseWriter, r *http.Request, c *call) error {
	watch := r.URL.Query().Get("watch")
	switch {
	case r.Method == http.MethodGet && (watch == "true" || watch == "1"):
		if c.name != "" {
			return missing()
		}
		return s.stream(w, r, c)
	case r.Method == http.MethodGet && c.name == "":
		list, rev := s.list(c.k, c.filter)
		return reply(w, r, 200, c.k, list, strconv.FormatInt(rev, 10), false)
	case r.Method == http.MethodGet && c.k.Kind.Kind == "Pod" && c.sub == "log":
		return s.logs(w, r, c)
	case r.Method == http.MethodGet:
		o, err := s.Get(r.Context(), c.k.Kind, c.namespace, c.name)
		if err == nil && c.sub == "scale" && c.k.Scale {
			o = c.k.scaleOf(o)
		} else if err == nil && c.sub != "" && (c.sub != "status" || !c.k.Status) {
			err = missing()
		}
		return one(w, r, 200, c.k, o, err)
	case r.Method == http.MethodPost:
		return s.post(w, r, c)
	case r.Method == http.MethodPut && c.name != "":
		return s.replaceBy(w, r, c)
	case r.Method == http.MethodPatch && c.name != "":
		return s.patchBy(w, r, c)
	case r.Method == http.MethodDelete:
		return s.deleteBy(w, r, c)
	}
	return &manifest.Refusal{Code: 405, Reason: "MethodNotAllowed", Message: "the server does not allow this method on the requested resource"}
}

// body reads the one object of a request.
func body(r *http.Request) (manifest.Object, error) {
	data, err := raw(r)
	if err != nil {
		return nil, err
	}
	o, err := manifest.Parse(data)
	if err != nil || o == nil {
		return nil, badRequest("the object provided is unrecognized (must be of type JSON)") // the text may hold a secret: it is not told
	}
	return o, nil
}

// raw is the body of a request; protobuf, which typed clients send, is made JSON.
func raw(r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(r.Body)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, &manifest.Refusal{Code: 413, Reason: "RequestEntityTooLarge", Message: fmt.Sprintf("limit is %d", bodyLimit)}
	}
	if err != nil {
		return nil, badRequest("%v", err)
	}
	switch t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); t {
	case runtime.ContentTypeProtobuf:
		o, _, err := protobuf.NewSerializer(wire(), wire()).Decode(data, nil, nil)
		if err != nil {
			return nil, badRequest("the object provided is unrecognized (must be of type JSON or a known protobuf)")
		}
		return json.Marshal(o)
	case runtime.ContentTypeCBOR:
		return nil, &manifest.Refusal{Code: 415, Reason: "UnsupportedMediaType", Message: "the body of the request was in an unknown format - accepted media types include: application/json, application/vnd.kubernetes.protobuf"}
	case runtime.ContentTypeYAML:
		if data, err = yaml.YAMLToJSON(data); err != nil {
			return nil, badRequest("the object provided is unrecognized (must be of type YAML)")
		}
	}
	return data, nil
}

func (s *Store) post(w http.ResponseWriter, r *http.Request, c *call) error {
	o, err := body(r)
	if err != nil {
		return err
	}
	if c.name != "" {
		if c.sub != "eviction" || c.k.Kind.Kind != "Pod" {
			return missing()
		}
		if g, ok := o.At("deleteOptions", "gracePeriodSeconds"); ok {
			n, _ := g.(int64)
			c.writing.Grace = &n
		}
		if err := s.Delete(r.Context(), c.k.Kind, c.namespace, c.name, c.writing); err != nil {
			return err
		}
		write(w, 201, success(c))
		return nil
	}
	if err := c.fits(o); err != nil {
		return err
	}
	o, err = s.Create(r.Context(), o, c.writing)
	return one(w, r, 201, c.k, o, err)
}

// fits sets what the path says of an object and refuses what contradicts it.
func (c *call) fits(o manifest.Object) error {
	if o.Text("kind") == "" {
		o["kind"] = c.k.Kind.Kind
	}
	if o.Text("apiVersion") == "" {
		o["apiVersion"] = c.k.Kind.APIVersion()
	}
	if o.Kind() != c.k.Kind {
		return badRequest("%s in version %q cannot be handled as a %s: the path names %s", o.Text("kind"), o.Text("apiVersion"), c.k.Kind.Kind, c.k.Resource())
	}
	if c.k.Namespaced {
		if ns := o.Namespace(); ns != "" && ns != c.namespace {
			return badRequest("the namespace of the provided object does not match the namespace sent on the request")
		}
		o.Set(c.namespace, "metadata", "namespace")
	}
	if c.name != "" && o.Name() != c.name {
		if o.Name() != "" {
			return badRequest("the name of the object (%s) does not match the name on the URL (%s)", o.Name(), c.name)
		}
		o.Set(c.name, "metadata", "name")
	}
	return nil
}

func (s *Store) replaceBy(w http.ResponseWriter, r *http.Request, c *call) error {
	o, err := body(r)
	if err != nil {
		return err
	}
	if c.sub == "scale" && c.k.Scale || c.sub == "finalize" && c.k.Kind.Kind == "Namespace" {
		o["apiVersion"], o["kind"] = c.k.Kind.APIVersion(), c.k.Kind.Kind
	}
	if c.sub == "finalize" {
		c.sub = ""
	}
	if err := c.fits(o); err != nil {
		return err
	}
	o, err = s.Update(r.Context(), o, c.sub, c.writing)
	if err == nil && c.sub == "scale" {
		o = c.k.scaleOf(o)
	}
	return one(w, r, 200, c.k, o, err)
}

func (s *Store) patchBy(w http.ResponseWriter, r *http.Request, c *call) error {
	data, err := raw(r)
	if err != nil {
		return err
	}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	p := manifest.Patch{Kind: kind, Data: data, Sub: c.sub, Force: r.URL.Query().Get("force") == "true"}
	if kind == manifest.ApplyPatch && r.URL.Query().Get("fieldManager") == "" {
		return &manifest.Refusal{Code: 422, Reason: manifest.ReasonInvalid, Message: "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"}
	}
	_, before := s.Get(r.Context(), c.k.Kind, c.namespace, c.name)
	o, err := s.Patch(r.Context(), c.k.Kind, c.namespace, c.name, p, c.writing)
	if err == nil && c.sub == "scale" {
		o = c.k.scaleOf(o)
	}
	code := 200
	if before != nil {
		code = 201
	}
	return one(w, r, code, c.k, o, err)
}

// deleteOptions are the body of a deletion.
type deleteOptions struct {
	GracePeriodSeconds *int64   `json:"gracePeriodSeconds"`
	PropagationPolicy  string   `json:"propagationPolicy"`
	OrphanDependents   *bool    `json:"orphanDependents"`
	DryRun             []string `json:"dryRun"`
	Preconditions      struct {
		UID             string `json:"uid"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"preconditions"`
}

func (s *Store) deleteBy(w http.ResponseWriter, r *http.Request, c *call) error {
	data, err := raw(r)
	if err != nil {
		return err
	}
	var o deleteOptions
	if len(data) > 0 {
		if err := json.Unmarshal(data, &o); err != nil {
			return badRequest("the delete options cannot be read: %v", err)
		}
	}
	if o.GracePeriodSeconds != nil {
		c.writing.Grace = o.GracePeriodSeconds
	}
	if o.PropagationPolicy != "" {
		c.writing.Propagation = o.PropagationPolicy
	}
	if o.OrphanDependents != nil && *o.OrphanDependents {
		c.writing.Propagation = "Orphan"
	}
	c.writing.UID, c.writing.DryRun = o.Preconditions.UID, c.writing.DryRun || len(o.DryRun) > 0
	if c.name != "" {
		left, err := s.remove(c.k.Kind, c.namespace, c.name, c.writing, o.Preconditions.ResourceVersion)
		if err == nil && left == nil {
			write(w, 200, success(c))
			return nil
		}
		return one(w, r, 200, c.k, left, err)
	}
	list, rev := s.list(c.k, c.filter)
	for _, e := range list {
		if _, err := s.remove(c.k.Kind, e.Namespace(), e.Name(), c.writing, ""); err != nil && !manifest.NotFound(err) {
			return err
		}
	}
	return reply(w, r, 200, c.k, list, strconv.FormatInt(rev, 10), false)
}

func (s *Store) logs(w http.ResponseWriter, r *http.Request, c *call) error {
	pod, err := s.Get(r.Context(), c.k.Kind, c.namespace, c.name)
	if err != nil {
		return err
	}
	if s.c.Logs == nil {
		return &manifest.Refusal{Code: 501, Reason: "NotImplemented", Message: "nothing runs pods here, so there are no logs"}
	}
	q := r.URL.Query()
	o := LogOptions{Container: q.Get("container"), Follow: q.Get("follow") == "true", Previous: q.Get("previous") == "true", Timestamps: q.Get("timestamps") == "true", Tail: -1}
	if n, err := strconv.ParseInt(q.Get("tailLines"), 10, 64); err == nil {
		o.Tail = n
	}
	if n, err := strconv.ParseInt(q.Get("sinceSeconds"), 10, 64); err == nil {
		o.Since = s.c.Now().Add(-time.Duration(n) * time.Second)
	}
	if t, err := time.Parse(time.RFC3339, q.Get("sinceTime")); err == nil {
		o.Since = t
	}
	if n, err := strconv.ParseInt(q.Get("limitBytes"), 10, 64); err == nil {
		o.Limit = n
	}
	w.Header().Set("Content-Type", "text/plain")
	out := &flushing{w: w}
	if err := s.c.Logs.Logs(r.Context(), pod, o, out); err != nil && !out.begun {
		return err
	}
	return nil
}

// flushing sends each write at once.
type flushing struct {
	w     http.ResponseWriter
	begun bool
}

func (f *flushing) Write(p []byte) (int, error) {
	f.begun = true
	n, err := f.w.Write(p)
	if fl, ok := f.w.(http.Flusher); ok {
		fl.Flush()
	}
	return n, err
}
