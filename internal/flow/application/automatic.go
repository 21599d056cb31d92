package application

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Automatic is the input of MaySync: an application that was compared.
type Automatic struct {
	App        Application
	Comparison Comparison
	Revisions  []string // what it was compared with, one for each source
	Now        time.Time
	// SelfHeal is how long live is left to drift between two tries to heal it; the zero value is Argo CD's.
	SelfHeal SelfHeal
}

// SelfHeal is the pause between self-heals: Timeout (5 s where nothing is told), or, where Backoff is set, Backoff × Factor^n
// up to Cap, n being the tries in a row; a heal after Cooldown of quiet counts as the first again. The defaults of the
// backoff are those of Argo CD's controller: 2 s, 3, 300 s, 330 s.
type SelfHeal struct {
	Timeout, Backoff, Cap, Cooldown time.Duration
	Factor                          int
}

// AutomaticAnswer is whether a sync begins by itself. Operation nil: none does. Condition is what to show with the application
// then, nil for none; After is when to ask again though nothing changed, zero for never.
type AutomaticAnswer struct {
	Operation *Operation
	Why       string
	Condition *Condition
	After     time.Duration
}

// MaySync decides whether an application that was compared is synced without being asked
// (https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/). Windows and the project are not its matter.
func MaySync(a Automatic) AutomaticAnswer {
	policy := a.App.Spec.SyncPolicy
	if policy == nil || policy.Automated == nil || policy.Automated.Enabled != nil && !*policy.Automated.Enabled {
		return AutomaticAnswer{Why: "automated sync is not enabled"}
	}
	if why := a.hindrance(*policy.Automated); why != "" {
		return AutomaticAnswer{Why: "Skipping auto-sync: " + why}
	}
	op := Operation{
		Sync: &SyncOperation{
			Prune:       policy.Automated.Prune,
			SyncOptions: slices.Clone(policy.SyncOptions),
		},
		InitiatedBy: Initiator{Automated: true},
		Retry:       Retry{Limit: 5},
	}
	if policy.Retry != nil {
		op.Retry = *policy.Retry
	}
	if len(a.App.Spec.Sources) > 0 {
		op.Sync.Revisions, op.Sync.Sources = slices.Clone(a.Revisions), slices.Clone(a.App.Spec.Sources)
	} else if len(a.Revisions) > 0 && a.App.Spec.Source != nil {
		source := *a.App.Spec.Source
		op.Sync.Revision, op.Sync.Source = a.Revisions[0], &source
	}
	if a.attempted() {
		return a.again(op, *policy.Automated)
	}
	return a.begin(op, *policy.Automated)
}

func (a Automatic) hindrance(policy Automated) string {
	switch {
	case a.App.Object.Deleting():
		return "deletion in progress"
	case a.App.Operation != nil || a.App.Status.OperationState != nil && !a.App.Status.OperationState.Phase.Completed():
		return "another operation is in progress"
	case a.Comparison.Status != OutOfSync:
		return fmt.Sprintf("application status is %s", a.Comparison.Status)
	case !policy.Prune && a.onlyPrunes(false):
		return "need to prune extra resources only but automated prune is disabled"
	}
	return ""
}

// onlyPrunes reports whether all that is out of sync (or all there is) is to be pruned.
func (a Automatic) onlyPrunes(all bool) bool {
	some := false
	for _, p := range a.Comparison.Pairs {
		if p.Hook || !all && p.Status != OutOfSync {
			continue
		}
		if !p.Prune {
			return false
		}
		some = true
	}
	return some
}

// attempted reports whether the last sync was of these very revisions and sources.
func (a Automatic) attempted() bool {
	s := a.App.Status.OperationState
	if s == nil || s.SyncResult == nil || s.Operation.Sync == nil {
		return false
	}
	r := s.SyncResult
	if len(a.App.Spec.Sources) > 0 {
		return slices.Equal(r.Revisions, a.Revisions) && same(r.Sources, a.App.Spec.Sources)
	}
	return len(a.Revisions) > 0 && r.Revision == a.Revisions[0] && a.App.Spec.Source != nil && same(r.Source, *a.App.Spec.Source)
}

func (a Automatic) again(op Operation, policy Automated) AutomaticAnswer {
	last := a.App.Status.OperationState
	if last.Phase != Succeeded {
		return AutomaticAnswer{
			Why: fmt.Sprintf("Skipping auto-sync: failed previous sync attempt to %s", a.Revisions),
			Condition: &Condition{
				Type:    "SyncError",
				Message: fmt.Sprintf("Failed last sync attempt to %s: %s", a.Revisions, last.Message),
			},
		}
	}
	if !policy.SelfHeal {
		return AutomaticAnswer{Why: fmt.Sprintf("Skipping auto-sync: most recent sync already to %s", a.Revisions)}
	}
	tries := last.Operation.Sync.SelfHealAttemptsCount
	wait, quiet := a.SelfHeal.pause(tries), time.Duration(0)
	if last.FinishedAt != nil {
		quiet = a.Now.Sub(*last.FinishedAt)
	}
	if left := wait - quiet; left > 0 {
		return AutomaticAnswer{
			Why:   fmt.Sprintf("Skipping auto-sync: already attempted sync to %s with timeout %s (retrying in %s)", a.Revisions, wait, left),
			After: left,
		}
	}
	if a.SelfHeal.Backoff > 0 && quiet > a.SelfHeal.cooldown() {
		tries = 0
	}
	op.Sync.SelfHealAttemptsCount = tries + 1
	for _, p := range a.Comparison.Pairs {
		if !p.Hook && p.Status != Synced {
			op.Sync.Resources = append(op.Sync.Resources, Chosen{Group: p.Key.Group, Kind: p.Key.Kind, Name: p.Key.Name, Namespace: p.Key.Namespace})
		}
	}
	return a.begin(op, policy)
}

func (a Automatic) begin(op Operation, policy Automated) AutomaticAnswer {
	if policy.Prune && !policy.AllowEmpty && a.onlyPrunes(true) {
		message := fmt.Sprintf("Skipping sync attempt to %s: auto-sync will wipe out all resources", a.Revisions)
		return AutomaticAnswer{Why: message, Condition: &Condition{Type: "SyncError", Message: message}}
	}
	return AutomaticAnswer{Operation: &op, Why: fmt.Sprintf("Initiated automated sync to '%s'", strings.Join(a.Revisions, ", "))}
}

func (s SelfHeal) pause(tries int64) time.Duration {
	if s.Backoff <= 0 {
		if s.Timeout > 0 {
			return s.Timeout
		}
		return 5 * time.Second
	}
	limit, factor := s.Cap, s.Factor
	if limit <= 0 {
		limit = 300 * time.Second
	}
	if factor <= 0 {
		factor = 3
	}
	wait := s.Backoff
	for range tries {
		if wait *= time.Duration(factor); wait >= limit {
			return limit
		}
	}
	return min(wait, limit)
}

func (s SelfHeal) cooldown() time.Duration {
	if s.Cooldown > 0 {
		return s.Cooldown
	}
	return 330 * time.Second
}

// same compares by JSON form, so that nil and empty are one.
func same(a, b any) bool {
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && string(x) == string(y)
}

func jsonOf(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		return []byte("?") // a value that JSON cannot say
	}
	return data
}
