package application

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Begin is the state of an operation that starts now.
func Begin(app Application, op Operation, now time.Time) OperationState {
	s := OperationState{Operation: op, Phase: Running, StartedAt: now}
	if op.Sync == nil {
		s.Phase, s.Message, s.FinishedAt = Errored, "Invalid operation request: no operation specified", &now
	}
	return s
}

// Sources are what an operation renders: what it began with, so that a change of the application comes after it; at its
// beginning its own, where it was given some, else the application's. many says that they are several, or may be.
func (s OperationState) Sources(app Application) (list []Source, many bool) {
	op := s.Operation.Sync
	switch r := s.SyncResult; {
	case r != nil && len(r.Sources) > 0:
		return r.Sources, true
	case r != nil && r.Source.RepoURL != "":
		return []Source{r.Source}, false
	case op != nil && len(op.Sources) > 0:
		return op.Sources, true
	case op != nil && op.Source != nil:
		return []Source{*op.Source}, false
	}
	return app.Spec.All(), len(app.Spec.Sources) > 0
}

// Resolved is the state with what the operation was resolved to: the commit (or chart version) of each source.
func (s OperationState) Resolved(app Application, sources []Source, revisions []string) OperationState {
	r := SyncResult{}
	if s.SyncResult != nil {
		r = *s.SyncResult
	}
	if _, many := s.Sources(app); many {
		r.Sources, r.Revisions, r.Source, r.Revision = sources, revisions, Source{}, ""
	} else if len(sources) == 1 && len(revisions) == 1 {
		r.Source, r.Revision = sources[0], revisions[0]
	}
	if p := app.Spec.SyncPolicy; p != nil {
		r.ManagedNamespaceMetadata = p.ManagedNamespaceMetadata
	}
	s.SyncResult = &r
	return s
}

// Conclude is what becomes of an operation whose phase is final: it is tried again where its retry says so (the phase is
// Running then, and RetryAt tells when), else it has ended. terminated says that it was told to end, which is never retried
// (https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/, "Automatic Retry with a limit").
func Conclude(s OperationState, terminated bool, now time.Time) OperationState {
	if !s.Phase.Completed() {
		return s
	}
	s.FinishedAt = &now
	failed := s.Phase == Failed || s.Phase == Errored
	if failed && !terminated && (s.Operation.Retry.Limit < 0 || s.RetryCount < s.Operation.Retry.Limit) {
		wait, err := s.Operation.Retry.wait(s.RetryCount)
		if err != nil {
			s.Phase, s.Message = Failed, fmt.Sprintf("%s (failed to retry: %v)", s.Message, err)
			return s
		}
		s.RetryCount++
		s.Phase = Running
		s.Message = fmt.Sprintf("%s. Retrying attempt #%d at %s.", s.Message, s.RetryCount, now.Add(wait).Format(time.Kitchen))
		return s
	}
	if s.RetryCount > 0 {
		s.Message = fmt.Sprintf("%s (retried %d times).", s.Message, s.RetryCount)
	}
	return s
}

// RetryAt tells when an operation that waits for its next try goes on; false where it waits for none.
func (s OperationState) RetryAt() (time.Time, bool) {
	if s.Phase != Running || s.RetryCount == 0 || s.FinishedAt == nil {
		return time.Time{}, false
	}
	wait, err := s.Operation.Retry.wait(s.RetryCount - 1)
	if err != nil {
		return *s.FinishedAt, true
	}
	return s.FinishedAt.Add(wait), true
}

// Again begins the next try. Where retry.refresh is set, the revisions are forgotten, so that the newest commit is taken.
func (s OperationState) Again() OperationState {
	extra := ""
	if s.SyncResult != nil {
		r := *s.SyncResult
		r.Resources = nil
		s.SyncResult = &r
	}
	if s.Operation.Retry.Refresh && s.Operation.Sync != nil {
		sync := *s.Operation.Sync
		sync.Revision, sync.Revisions = "", nil
		s.Operation.Sync, s.SyncResult = &sync, nil
		extra = " with latest revisions"
	}
	s.FinishedAt = nil
	s.Message = fmt.Sprintf("Retrying operation%s. Attempt #%d", extra, s.RetryCount)
	return s
}

// wait is the pause after a number of retries: duration × factor^n, at most maxDuration; 5 s, 2 and 3 m where not told.
func (r Retry) wait(retried int64) (time.Duration, error) {
	base, limit, factor := 5*time.Second, 3*time.Minute, int64(2)
	if b := r.Backoff; b != nil {
		var err error
		if b.Duration != "" {
			if base, err = duration(b.Duration); err != nil {
				return 0, fmt.Errorf("retry.backoff.duration: %w", err)
			}
		}
		if b.MaxDuration != "" {
			if limit, err = duration(b.MaxDuration); err != nil {
				return 0, fmt.Errorf("retry.backoff.maxDuration: %w", err)
			}
		}
		if b.Factor != nil {
			factor = *b.Factor
		}
	}
	wait := float64(base) * math.Pow(float64(factor), float64(retried))
	if wait > float64(limit) || math.IsNaN(wait) {
		return limit, nil
	}
	return max(time.Duration(wait), 0), nil
}

// duration reads a Go duration; a bare number is seconds.
func duration(text string) (time.Duration, error) {
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	return time.ParseDuration(text)
}

// Recorded reports whether an operation that ended belongs in the history: a whole sync that succeeded and was no dry run.
func (s OperationState) Recorded() bool {
	op := s.Operation.Sync
	return s.Phase == Succeeded && op != nil && !op.DryRun && len(op.Resources) == 0
}

const historyDefault = 10

// Remember appends what an operation brought to the history and cuts it to the application's limit (revisionHistoryLimit,
// 10 where not told; 0 keeps none).
func Remember(app Application, s OperationState, now time.Time) []History {
	list := slices.Clone(app.Status.History)
	if !s.Recorded() || s.SyncResult == nil {
		return list
	}
	var id int64
	for _, h := range list {
		id = max(id, h.ID+1)
	}
	started := s.StartedAt
	list = append(list, History{
		Revision: s.SyncResult.Revision, Revisions: s.SyncResult.Revisions, Source: s.SyncResult.Source, Sources: s.SyncResult.Sources,
		DeployedAt: now, DeployStartedAt: &started, ID: id, InitiatedBy: s.Operation.InitiatedBy,
	})
	limit := historyDefault
	if l := app.Spec.RevisionHistoryLimit; l != nil {
		limit = int(max(*l, 0))
	}
	if len(list) > limit {
		list = list[len(list)-limit:]
	}
	return list
}

// Rollback is the operation that goes back to an entry of the history; id < 0 is the one before the newest. An application
// that syncs by itself is refused, because it would be synced forward again at once.
func Rollback(app Application, id int64, prune, dryRun bool, by string) (Operation, error) {
	if p := app.Spec.SyncPolicy; p != nil && p.Automated != nil && (p.Automated.Enabled == nil || *p.Automated.Enabled) {
		return Operation{}, errors.New("rollback cannot be initiated when auto-sync is enabled")
	}
	h, err := entry(app.Status.History, id)
	if err != nil {
		return Operation{}, fmt.Errorf("roll back %s: %w", app.QualifiedName(), err)
	}
	op := Operation{
		Sync:        &SyncOperation{Prune: prune, DryRun: dryRun, SyncStrategy: &SyncStrategy{Apply: &ApplyStrategy{}}},
		InitiatedBy: Initiator{Username: by},
	}
	if p := app.Spec.SyncPolicy; p != nil {
		op.Sync.SyncOptions = slices.Clone(p.SyncOptions)
	}
	if len(h.Sources) > 0 {
		op.Sync.Sources, op.Sync.Revisions = h.Sources, h.Revisions
	} else {
		source := h.Source
		op.Sync.Source, op.Sync.Revision = &source, h.Revision
	}
	return op, nil
}

func entry(list []History, id int64) (History, error) {
	if id < 0 {
		if len(list) < 2 {
			return History{}, fmt.Errorf("the history holds %d entries; two are needed to go back", len(list))
		}
		return list[len(list)-2], nil
	}
	for _, h := range list {
		if h.ID == id {
			return h, nil
		}
	}
	return History{}, fmt.Errorf("no history entry has the id %d", id)
}
