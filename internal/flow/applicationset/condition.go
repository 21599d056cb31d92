package applicationset

import (
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The types of conditions.
const (
	ErrorOccurred       = "ErrorOccurred"
	ParametersGenerated = "ParametersGenerated"
	ResourcesUpToDate   = "ResourcesUpToDate"
	RolloutProgressing  = "RolloutProgressing"
)

// The reasons of conditions.
const (
	ReasonError       = "ErrorOccurred"
	ReasonUpToDate    = "ApplicationSetUpToDate"
	ReasonGenerated   = "ParametersGenerated"
	ReasonParams      = "ApplicationGenerationFromParamsError"
	ReasonTemplate    = "RenderTemplateParamsError"
	ReasonValidation  = "ApplicationValidationError"
	ReasonCreate      = "CreateApplicationError"
	ReasonUpdate      = "UpdateApplicationError"
	ReasonDelete      = "DeleteApplicationError"
	ReasonRefresh     = "RefreshApplicationError"
	ReasonModified    = "ApplicationSetModified"
	ReasonRolloutDone = "ApplicationSetRolloutComplete"
)

const (
	yes = "True"
	no  = "False"
)

// Outcome is how a reconciliation went: the reason and message of what went wrong, both "" where all went well, and whether
// the parameters were made.
type Outcome struct {
	Reason, Message string
	Generated       bool
	Rollout         *Condition // of Roll; nil where it says nothing new
}

// Conditions are the conditions of a set after a reconciliation, as Argo CD writes them: by type, and one that did not change
// keeps its time.
func Conditions(s Set, o Outcome, now time.Time) []Condition {
	fresh := map[string]Condition{}
	put := func(kind, status, reason, message string) {
		fresh[kind] = Condition{Type: kind, Status: status, Reason: reason, Message: message}
	}
	if o.Generated {
		put(ParametersGenerated, yes, ReasonGenerated, "Successfully generated parameters for all Applications")
	} else {
		put(ParametersGenerated, no, ReasonError, o.Message)
	}
	if o.Reason == "" {
		const well = "All applications have been generated successfully"
		put(ErrorOccurred, no, ReasonUpToDate, well)
		put(ResourcesUpToDate, yes, ReasonUpToDate, well)
	} else {
		put(ErrorOccurred, yes, o.Reason, o.Message)
		put(ResourcesUpToDate, no, ReasonError, o.Message)
	}
	if o.Rollout != nil {
		fresh[RolloutProgressing] = *o.Rollout
	}
	var out []Condition
	for _, c := range s.Status.Conditions {
		_, evaluated := fresh[c.Type]
		if !evaluated && (c.Type != RolloutProgressing || s.Rolls()) {
			out = append(out, timed(c, now))
		}
	}
	for _, c := range fresh {
		if at := slices.IndexFunc(s.Status.Conditions, func(old Condition) bool { return old.Type == c.Type }); at >= 0 {
			if old := s.Status.Conditions[at]; old.Message == c.Message && old.Reason == c.Reason && old.Status == c.Status {
				c.LastTransitionTime = old.LastTransitionTime
			}
		}
		out = append(out, timed(c, now))
	}
	slices.SortFunc(out, func(a, b Condition) int { return strings.Compare(a.Type, b.Type) })
	return out
}

func timed(c Condition, now time.Time) Condition {
	if c.LastTransitionTime == nil {
		c.LastTransitionTime = &now
	}
	return c
}

// HealthOf is a set's health by its conditions: Degraded with an error, Progressing while a rollout goes on, Healthy when the
// Applications are as they should be.
func HealthOf(list []Condition) application.Health {
	is := map[string]string{}
	for _, c := range list {
		if c.Status == yes {
			is[c.Type] = c.Message
		}
	}
	for _, of := range [][2]string{{ErrorOccurred, "Degraded"}, {RolloutProgressing, "Progressing"}, {ResourcesUpToDate, "Healthy"}} {
		if message, ok := is[of[0]]; ok {
			return application.Health{Status: of[1], Message: message}
		}
	}
	if len(list) == 0 {
		return application.Health{Status: "Unknown", Message: "No status conditions found for ApplicationSet"}
	}
	return application.Health{Status: "Unknown", Message: "Waiting for health status to be determined"}
}

// Rolls reports whether a set has the strategy RollingSync.
func (s Set) Rolls() bool {
	return s.Spec.Strategy != nil && s.Spec.Strategy.Type == "RollingSync" && s.Spec.Strategy.RollingSync != nil
}

// Steps are the steps of its RollingSync, nil where it has none.
func (s Set) Steps() []RollingStep {
	if !s.Rolls() {
		return nil
	}
	return s.Spec.Strategy.RollingSync.Steps
}

// Resources are the Applications of a set as its status tells of them, by name, at most most of them (0 for all), and how many
// there are.
func Resources(apps []manifest.Object, most int) ([]application.Resource, int64) {
	var out []application.Resource
	for _, o := range apps {
		r := application.Resource{
			Group: applicationKind.Group, Version: applicationKind.Version, Kind: applicationKind.Kind,
			Namespace: o.Namespace(), Name: o.Name(), Status: application.SyncCode(o.Text("status", "sync", "status")),
			Health: &application.Health{Status: o.Text("status", "health", "status")},
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b application.Resource) int { return strings.Compare(a.Name, b.Name) })
	n := int64(len(out))
	if most > 0 && len(out) > most {
		out = out[:most]
	}
	return out, n
}

// The waits until a set is looked at anew though nothing changed (pages of the generators).
const (
	AfterGit   = 3 * time.Minute
	AfterForge = 30 * time.Minute
	AfterError = 3 * time.Minute
)

// Requeue is after which time the generators of a set are to be asked again, zero for never. git is the wait of git
// generators that say none.
func Requeue(s Set, git time.Duration) time.Duration {
	var out time.Duration
	for _, g := range s.Spec.Generators {
		out = sooner(out, g.requeue(git))
	}
	return out
}

func (g Generator) requeue(git time.Duration) time.Duration {
	var out time.Duration
	seconds := func(n *int64, other time.Duration) {
		if n != nil {
			other = time.Duration(*n) * time.Second
		}
		out = sooner(out, other)
	}
	if g.Git != nil {
		seconds(g.Git.RequeueAfterSeconds, git)
	}
	if g.SCMProvider != nil {
		seconds(g.SCMProvider.RequeueAfterSeconds, AfterForge)
	}
	if g.PullRequest != nil {
		seconds(g.PullRequest.RequeueAfterSeconds, AfterForge)
	}
	for _, c := range []*Combination{g.Matrix, g.Merge} {
		if c == nil {
			continue
		}
		for _, child := range c.Generators {
			out = sooner(out, child.requeue(git))
		}
	}
	return out
}

// sooner is the shorter of two waits, of which zero is never.
func sooner(a, b time.Duration) time.Duration {
	if a <= 0 {
		return max(b, 0)
	}
	if b <= 0 {
		return a
	}
	return min(a, b)
}
