package manifest

import (
	"errors"
	"fmt"
	"time"
)

// Refusal is what a cluster answers when it does not do what was asked. Code is the HTTP status, Reason Kubernetes' own
// word for it (StatusReason in the API conventions), RetryAfter what the server asks for, zero where it asks for nothing.
type Refusal struct {
	Code       int
	Reason     string
	Message    string
	RetryAfter time.Duration
}

func (r *Refusal) Error() string {
	if r.Message != "" {
		return r.Message
	}
	return fmt.Sprintf("the cluster answered %d %s", r.Code, r.Reason)
}

// The reasons that callers tell apart; the words are Kubernetes'.
const (
	ReasonNotFound  = "NotFound"
	ReasonExists    = "AlreadyExists"
	ReasonConflict  = "Conflict"
	ReasonInvalid   = "Invalid"
	ReasonForbidden = "Forbidden"
	ReasonExpired   = "Expired" // a watch or a list from a revision that is gone (410)
	ReasonThrottled = "TooManyRequests"
	ReasonNoKind    = "NoKindMatch" // the cluster does not know the kind: its definition is missing

	ReasonUnauthorized = "Unauthorized"
	ReasonUnreachable  = "Unreachable" // no answer came: the connection failed, ended or took too long (Code is 0)
)

// Is reports whether err is a refusal for a reason.
func Is(err error, reason string) bool {
	r, ok := errors.AsType[*Refusal](err)
	return ok && r.Reason == reason
}

// NotFound reports whether the object, or its whole kind, is not there.
func NotFound(err error) bool { return Is(err, ReasonNotFound) || Is(err, ReasonNoKind) }

// Passing reports whether the same request may succeed later: a conflict, too many requests, a server's error, no
// answer at all.
func Passing(err error) bool {
	r, ok := errors.AsType[*Refusal](err)
	return ok && (r.Reason == ReasonUnreachable || r.Reason == ReasonConflict || r.Reason == ReasonThrottled || r.Reason == ReasonExpired || r.Code >= 500)
}

// Patch kinds.
const (
	MergePatch     = "application/merge-patch+json"
	JSONPatch      = "application/json-patch+json"
	StrategicPatch = "application/strategic-merge-patch+json"
	ApplyPatch     = "application/apply-patch+yaml" // server-side apply; Data is the whole object
)

// Patch is a change of one object. Sub is "" or a subresource ("status", "scale").
type Patch struct {
	Kind  string // one of the patch kinds above
	Data  []byte // JSON
	Sub   string
	Force bool // server-side apply takes over fields of other managers
}

// Writing is how a write is to be done; the zero value writes.
type Writing struct {
	DryRun      bool   // the server answers as if, and keeps nothing
	Manager     string // field manager; "" for the driver's own ("sluice")
	Propagation string // deletion: Foreground, Background, Orphan; "" for the server's own
	UID         string // deletion: only the object with this UID
	Grace       *int64 // deletion: seconds
	Validation  string // fieldValidation: Strict, Warn, Ignore; "" for the server's own
	As          string // the user that it is done as, whom the driver's own must be allowed to impersonate; "" for its own
}

// Change is one message of a watch. Type is Added, Modified, Deleted or Bookmark; Object of the last holds only its revision.
// The first Bookmark says that all that was there when the watch began has been told. Where a deletion was noticed only
// later, Object of Deleted holds no more than apiVersion, kind and metadata.
type Change struct {
	Type   string
	Object Object
}

// The types of a change; the words are Kubernetes'.
const (
	Added    = "ADDED"
	Modified = "MODIFIED"
	Deleted  = "DELETED"
	Bookmark = "BOOKMARK"
)

// Discovered is a kind as the cluster serves it.
type Discovered struct {
	Kind       Kind     `json:"kind"`
	Plural     string   `json:"plural"`
	Namespaced bool     `json:"namespaced"`
	Verbs      []string `json:"verbs"`
	Preferred  bool     `json:"preferred"` // the group's preferred version
}
