package objects

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// fail writes a refusal as a Status (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/).
func fail(w http.ResponseWriter, c *call, err error) {
	r, ok := errors.AsType[*manifest.Refusal](err)
	if !ok {
		r = &manifest.Refusal{Code: 500, Reason: "InternalError", Message: err.Error()}
	}
	details := map[string]any{}
	if c != nil {
		details["kind"], details["group"], details["name"] = c.k.Plural, c.k.Kind.Group, c.name
	}
	if r.RetryAfter > 0 {
		details["retryAfterSeconds"] = int64(r.RetryAfter / time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(int(r.RetryAfter/time.Second)))
	}
	reason := r.Reason
	if reason == manifest.ReasonNoKind {
		reason = manifest.ReasonNotFound
	}
	write(w, r.Code, map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure",
		"message": r.Message, "reason": reason, "details": details, "code": r.Code,
	})
}

func success(c *call) map[string]any {
	return map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Success",
		"details": map[string]any{"name": c.name, "group": c.k.Kind.Group, "kind": c.k.Plural},
	}
}

func write(w http.ResponseWriter, code int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		code, data = 500, []byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","code":500}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(data, '\n'))
}

// one answers with an object, or the error that came instead.
func one(w http.ResponseWriter, r *http.Request, code int, k *Served, o manifest.Object, err error) error {
	if err != nil {
		return err
	}
	return reply(w, r, code, k, []manifest.Object{o}, "", true)
}

// reply writes objects in the form that the request accepts: as they are, as a table, or their metadata alone.
func reply(w http.ResponseWriter, r *http.Request, code int, k *Served, list []manifest.Object, rev string, single bool) error {
	write(w, code, form(r, k, list, rev, single))
	return nil
}

func form(r *http.Request, k *Served, list []manifest.Object, rev string, single bool) any {
	as := accepts(r.Header.Get("Accept"))
	if as == "Table" && (len(list) == 0 || list[0].Text("kind") == k.Kind.Kind) {
		return table(k, list, rev, r.URL.Query().Get("includeObject"))
	}
	kind, version := k.Kind.Kind, k.Kind.APIVersion()
	if strings.HasPrefix(as, "PartialObjectMetadata") {
		kind, version = "PartialObjectMetadata", "meta.k8s.io/v1"
		for i, o := range list {
			list[i] = manifest.Object{"apiVersion": version, "kind": kind, "metadata": o["metadata"]}
		}
	}
	if single {
		return list[0]
	}
	if list == nil {
		list = []manifest.Object{}
	}
	return map[string]any{"kind": kind + "List", "apiVersion": version, "metadata": map[string]any{"resourceVersion": rev}, "items": list}
}

// accepts is the first transformation that an Accept header names and that is served here, "" for none.
func accepts(header string) string {
	for accepted := range strings.SplitSeq(header, ",") {
		media, params, _ := strings.Cut(strings.TrimSpace(accepted), ";")
		if media != "application/json" && media != "*/*" {
			continue
		}
		as, version := "", "v1"
		for p := range strings.SplitSeq(params, ";") {
			key, v, _ := strings.Cut(strings.TrimSpace(p), "=")
			switch key {
			case "as":
				as = v
			case "v":
				version = v
			}
		}
		if version == "v1" {
			return as
		}
	}
	return ""
}

// scaleOf is the scale subresource of an object.
func (s *Served) scaleOf(o manifest.Object) manifest.Object {
	selector := o.Text("status", "selector")
	if m := o.Sub("spec", "selector"); selector == "" && m != nil {
		var sel metav1.LabelSelector
		if m.Into(&sel) == nil {
			if parsed, err := metav1.LabelSelectorAsSelector(&sel); err == nil {
				selector = parsed.String()
			}
		}
		if s.Kind.Kind == "ReplicationController" {
			selector = labels.SelectorFromSet(texts(o.Sub("spec", "selector"))).String()
		}
	}
	now := o.Int(0, "status", "replicas")
	if s.HPAReplicas {
		now = o.Int(0, "status", "HPAReplicas")
	}
	meta := map[string]any{}
	for _, f := range []string{"name", "namespace", "uid", "resourceVersion", "creationTimestamp"} {
		if v, ok := o.At("metadata", f); ok {
			meta[f] = v
		}
	}
	return manifest.Object{
		"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta,
		"spec":   map[string]any{"replicas": o.Int(1, "spec", "replicas")},
		"status": map[string]any{"replicas": now, "selector": selector},
	}
}

func texts(m manifest.Object) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[k], _ = v.(string)
	}
	return out
}
