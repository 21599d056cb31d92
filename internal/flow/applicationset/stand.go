package applicationset

import (
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// stepName is a step as the status tells it: from 1, or -1 for none.
func (r *rolling) stepName(name string) string {
	if i, ok := r.step[name]; ok {
		return strconv.Itoa(i + 1)
	}
	return "-1"
}

// status is how far an Application is now.
func (r *rolling) status(o manifest.Object) *ApplicationStatus {
	s := ApplicationStatus{
		Application: o.Name(), TargetRevisions: revisions(o), LastTransitionTime: &r.Now, Status: Waiting,
		Message: "No Application status found, defaulting status to Waiting",
	}
	if i := slices.IndexFunc(r.Set.Status.ApplicationStatus, func(x ApplicationStatus) bool { return x.Application == o.Name() }); i >= 0 {
		s = r.Set.Status.ApplicationStatus[i]
	}
	s.Step = r.stepName(o.Name())
	was := s
	to := func(status, message string) {
		s.Status, s.Message, s.LastTransitionTime = status, message, &r.Now
	}
	changed := !slices.Equal(s.TargetRevisions, revisions(o))
	differs := r.differs(o)
	if changed || differs {
		s.TargetRevisions = revisions(o)
		message := "Application has pending changes, setting status to Waiting"
		if differs {
			message = "Application has pending changes (spec differs), setting status to Waiting"
			if changed {
				message = "Application has pending changes (revision and spec differ), setting status to Waiting"
			}
		}
		to(Waiting, message)
	}
	synced := !differs && r.current(o.Name()) && o.Text("status", "sync", "status") == string(application.Synced)
	well := o.Text("status", "health", "status") == Healthy
	switch {
	case s.Status == Waiting && synced && well:
		to(Healthy, "Application resource has synced, updating status to Healthy")
	case s.Status == Waiting && synced:
		to(Progressing, "Application resource has synced, updating status to Progressing")
	case s.Status == Healthy && r.current(o.Name()) && o.Text("status", "sync", "status") == string(application.OutOfSync):
		to(Waiting, "Application has pending changes, setting status to Waiting")
	case s.Status == Pending && r.begun(o, was):
		to(Progressing, begunMessage(o))
	case s.Status == Progressing && synced && well:
		to(Healthy, "Application resource became Healthy, updating status from Progressing to Healthy")
	}
	if s.TargetRevisions == nil {
		s.TargetRevisions = []string{}
	}
	return &s
}

// differs reports whether the Application is not yet written as it is wanted.
func (r *rolling) differs(o manifest.Object) bool {
	want := r.desired[o.Name()]
	if want == nil {
		return false
	}
	want = want.Copy()
	manual(want)
	d, err := Differs(r.Set, o, want)
	return err == nil && d // a rule that cannot be read is told where the Application is written
}

// current reports whether an Application's status speaks of its spec as it is now, as far as it says.
func (r *rolling) current(name string) bool {
	o := r.existing[name]
	to := o.Sub("status", "sync", "comparedTo")
	if to == nil {
		return true
	}
	for _, f := range []string{"source", "sources", "destination"} {
		spec, compared := set(map[string]any{f: o.Sub("spec")[f]}), set(map[string]any{f: to[f]})
		if f == "source" && len(o.Sub("spec").List("sources")) > 0 {
			continue
		}
		if !reflect.DeepEqual(spec, compared) {
			return false
		}
	}
	return true
}

// begun reports whether an Application that was asked to sync since its status became Pending has begun to, or cannot.
func (r *rolling) begun(o manifest.Object, s ApplicationStatus) bool {
	at := moment(o, "status", "reconciledAt")
	if at != nil && s.LastTransitionTime != nil && at.Before(*s.LastTransitionTime) {
		return false
	}
	return started(o, s) || broken(o)
}

// started reports whether a sync began after the status became Pending. One that began in the same second counts where it is
// ours.
func started(o manifest.Object, s ApplicationStatus) bool {
	at := moment(o, "status", "operationState", "startedAt")
	if at == nil {
		return false
	}
	if s.LastTransitionTime == nil || at.After(*s.LastTransitionTime) {
		return true
	}
	return at.Equal(*s.LastTransitionTime) && o.Text("status", "operationState", "operation", "initiatedBy", "username") == initiator && syncedThis(o)
}

// syncedThis reports whether the last operation was of the revision and the sources that the Application has now.
func syncedThis(o manifest.Object) bool {
	result := o.Sub("status", "operationState", "syncResult")
	if result == nil {
		return false
	}
	of := manifest.Object{"status": map[string]any{"sync": map[string]any(result)}}
	spec := o.Sub("spec")
	return slices.Equal(revisions(of), revisions(o)) &&
		reflect.DeepEqual(set(map[string]any{"a": spec["source"], "b": spec["sources"]}), set(map[string]any{"a": result["source"], "b": result["sources"]}))
}

func moment(o manifest.Object, path ...string) *time.Time {
	at, err := time.Parse(time.RFC3339, o.Text(path...))
	if err != nil {
		return nil
	}
	return &at
}

// broken reports whether an Application has an error that lets no sync begin.
func broken(o manifest.Object) bool {
	return slices.ContainsFunc(o.List("status", "conditions"), func(c any) bool {
		m, _ := c.(map[string]any)
		return m["type"] == "InvalidSpecError" || m["type"] == "UnknownError"
	})
}

func begunMessage(o manifest.Object) string {
	phase := application.OperationPhase(o.Text("status", "operationState", "phase"))
	switch {
	case broken(o) && phase == "":
		return "Application resource has error and cannot sync, updating status to Progressing"
	case phase == application.Succeeded:
		return "Application resource completed a sync successfully, updating status from Pending to Progressing"
	case phase.Completed():
		return "Application resource completed a sync, updating status from Pending to Progressing"
	}
	return "Application resource became Progressing, updating status from Pending to Progressing"
}
