package objects

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func notFound(k *Served, n string) error {
	return &manifest.Refusal{Code: 404, Reason: manifest.ReasonNotFound, Message: fmt.Sprintf("%s %q not found", k.Resource(), n)}
}

func exists(k *Served, n string) error {
	return &manifest.Refusal{Code: 409, Reason: manifest.ReasonExists, Message: fmt.Sprintf("%s %q already exists", k.Resource(), n)}
}

func conflict(k *Served, n, format string, args ...any) error {
	return &manifest.Refusal{Code: 409, Reason: manifest.ReasonConflict, Message: fmt.Sprintf("Operation cannot be fulfilled on %s %q: ", k.Resource(), n) + fmt.Sprintf(format, args...)}
}

func stale(k *Served, n string) error {
	return conflict(k, n, "the object has been modified; please apply your changes to the latest version and try again")
}

// invalid is the refusal of a value; problem is "spec.selector: Invalid value: …" as field errors read.
func invalid(k *Served, n, problem string) error {
	kind := k.Kind.Kind
	if k.Kind.Group != "" {
		kind += "." + k.Kind.Group
	}
	return &manifest.Refusal{Code: 422, Reason: manifest.ReasonInvalid, Message: fmt.Sprintf("%s %q is invalid: %s", kind, n, problem)}
}

func badRequest(format string, args ...any) error {
	return &manifest.Refusal{Code: 400, Reason: "BadRequest", Message: fmt.Sprintf(format, args...)}
}

func forbidden(k *Served, n, format string, args ...any) error {
	return &manifest.Refusal{Code: 403, Reason: manifest.ReasonForbidden, Message: fmt.Sprintf("%s %q is forbidden: ", k.Resource(), n) + fmt.Sprintf(format, args...)}
}

func expired(rev, oldest int64) error {
	return &manifest.Refusal{Code: 410, Reason: manifest.ReasonExpired, Message: fmt.Sprintf("too old resource version: %d (%d)", rev, oldest)}
}

// refusal turns what apimachinery answers into ours.
func refusal(err error) error {
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		st := status.Status()
		return &manifest.Refusal{Code: int(st.Code), Reason: string(st.Reason), Message: st.Message}
	}
	if r, ok := errors.AsType[*manifest.Refusal](err); ok {
		return r
	}
	return &manifest.Refusal{Code: 500, Reason: "InternalError", Message: err.Error()}
}
