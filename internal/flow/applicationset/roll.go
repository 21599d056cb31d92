package applicationset

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The statuses of an Application in a progressive sync.
const (
	Waiting     = "Waiting"
	Pending     = "Pending"
	Progressing = "Progressing"
	Healthy     = "Healthy"
)

// Syncing is what Roll decides from.
type Syncing struct {
	Set      Set
	Existing []manifest.Object // the set's Applications as they are
	Desired  []manifest.Object // those that it wants and that may be
	Now      time.Time
	// Runs are the phases of the set's AnalysisRuns by name.
	Runs map[string]analysis.Phase
	// Ready are the Applications whose blue-green Rollouts all have their preview ready and wait to be promoted.
	Ready map[string]bool
}

// Rolled is what a progressive sync does now.
type Rolled struct {
	Statuses []ApplicationStatus // by name
	// Desired are the wanted Applications without automatic syncs, those that are to be synced now with an operation.
	Desired []manifest.Object
	Rollout Condition
	After   time.Duration // when to look again though nothing changed; zero for never
	Refresh []string      // Applications that are to be compared anew: they have not seen a revision that a later step waits for
	Analyse *Analysing    // a run to be made
	CutOver []string      // Applications whose previews are to be promoted
}

// Roll takes a set with the strategy RollingSync a step on (documentation page "Progressive Syncs"): the Applications of a
// step are synced, at most maxUpdate at once, when those of all earlier steps are healthy, have soaked and were analysed. An
// error says that an annotation of the promotion order is wrong: nothing is synced then.
func Roll(in Syncing) (Rolled, error) {
	r := &rolling{Syncing: in, existing: map[string]manifest.Object{}, statuses: map[string]*ApplicationStatus{}, desired: map[string]manifest.Object{}}
	var err error
	if r.order, err = in.Set.Order(); err != nil {
		return Rolled{}, err
	}
	r.Now = r.Now.UTC().Truncate(time.Second)
	for _, o := range in.Existing {
		r.existing[o.Name()] = o
	}
	for _, o := range in.Desired {
		r.desired[o.Name()] = o
	}
	r.members, r.step = stepsOf(in.Set, in.Desired)
	for _, o := range in.Existing {
		r.statuses[o.Name()] = r.status(o)
	}
	allowed, at, why := r.allowed()
	r.begin(allowed)
	for _, o := range in.Desired {
		r.out.Desired = append(r.out.Desired, r.prepared(o, allowed))
	}
	done := at < 0
	if done {
		at, why = len(r.members)-1, r.cutOver()
	}
	r.out.Rollout = r.condition(at, why)
	if r.out.Rollout.Status == no && !done {
		r.out.Rollout = progressing(at, why) // an Application is not made yet
	}
	for _, s := range r.statuses {
		r.out.Statuses = append(r.out.Statuses, *s)
	}
	slices.SortFunc(r.out.Statuses, func(a, b ApplicationStatus) int { return strings.Compare(a.Application, b.Application) })
	slices.Sort(r.out.Refresh)
	r.out.Refresh = slices.Compact(r.out.Refresh)
	return r.out, nil
}

type rolling struct {
	Syncing

	order    Order
	members  [][]string
	step     map[string]int
	existing map[string]manifest.Object
	desired  map[string]manifest.Object
	statuses map[string]*ApplicationStatus
	out      Rolled
}

func (r *rolling) healthy(name string) bool {
	s := r.statuses[name]
	return s != nil && s.Status == Healthy
}

// allowed are the Applications that may be synced: those of the first step that is not done and of all before it. at is that
// step and why what the step after it waits for, "" for its own Applications.
func (r *rolling) allowed() (allowed map[string]bool, at int, why string) {
	allowed = map[string]bool{}
	for i, names := range r.members {
		for _, n := range names {
			allowed[n] = true
		}
		for _, n := range names {
			if r.existing[n] == nil || !r.healthy(n) && !r.held(n) {
				return allowed, i, ""
			}
		}
		if !r.waits(i + 1) {
			continue
		}
		if behind := r.behindStep(i); len(behind) > 0 {
			r.out.Refresh = append(r.out.Refresh, behind...)
			r.out.After = sooner(r.out.After, 10*time.Second)
			return allowed, i, "it has not compared the revision that the next step waits for"
		}
		if open, why := r.gate(i); !open {
			return allowed, i, why
		}
	}
	return allowed, -1, ""
}

// waits reports whether something from a step on is yet to be synced.
func (r *rolling) waits(from int) bool {
	for i := from; i < len(r.members); i++ {
		for _, n := range r.members[i] {
			if r.existing[n] == nil || !r.healthy(n) && !r.held(n) {
				return true
			}
		}
	}
	return false
}

// behindStep are the Applications up to a step that are behind those of later steps that wait.
func (r *rolling) behindStep(upTo int) []string {
	var done, waiting []string
	for name, s := range r.statuses {
		i, ok := r.step[name]
		switch {
		case !ok:
		case i <= upTo:
			done = append(done, name)
		case s.Status == Waiting:
			waiting = append(waiting, name)
		}
	}
	return r.behind(done, waiting)
}

// behind are those of done that follow the same branch as one of the others and have not seen the revision that it has: each
// Application compares in its own time, and whoever comes first must not go first.
func (r *rolling) behind(done, others []string) []string {
	var out []string
	for _, name := range done {
		o := r.existing[name]
		at := moment(o, "status", "reconciledAt")
		for _, other := range others {
			x := r.existing[other]
			theirs := moment(x, "status", "reconciledAt")
			// Who compared last and still has another revision is not behind: the other is.
			newer := theirs != nil && at != nil && !theirs.Before(*at)
			if newer && follows(o) != "" && follows(o) == follows(x) && !slices.Equal(revisions(o), revisions(x)) {
				out = append(out, name)
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

// follows names the branch of a git repository that an Application follows by its only source, "" where it has more.
func follows(o manifest.Object) string {
	s := o.Sub("spec", "source")
	if s == nil || s.Text("chart") != "" || len(o.List("spec", "sources")) > 0 {
		return ""
	}
	return s.Text("repoURL") + "\x00" + s.Text("targetRevision")
}

// begin makes Pending what may be synced now.
func (r *rolling) begin(allowed map[string]bool) {
	for i := range r.members {
		total, busy := 0, 0
		var waiting []string
		for name, s := range r.statuses {
			if at, ok := r.step[name]; !ok || at != i {
				continue
			}
			total++
			switch {
			case s.Status == Pending, s.Status == Progressing && !r.held(name):
				busy++
			case s.Status == Waiting && allowed[name]:
				waiting = append(waiting, name)
			}
		}
		slices.Sort(waiting)
		for _, name := range waiting[:min(len(waiting), max(r.Set.Steps()[i].most(total)-busy, 0))] {
			s := r.statuses[name]
			s.Status, s.LastTransitionTime = Pending, &r.Now
			s.Message = "Application moved to Pending status, watching for the Application resource to start Progressing"
		}
	}
}

const initiator = "applicationset-controller"

// prepared is a wanted Application as it is written during a progressive sync: without automatic syncs, and with an operation
// where it is to be synced.
func (r *rolling) prepared(o manifest.Object, allowed map[string]bool) manifest.Object {
	o = o.Copy()
	prune := manual(o)
	name := o.Name()
	s, live := r.statuses[name], r.existing[name]
	if s == nil || s.Status != Pending || !allowed[name] || live["operation"] != nil || started(live, *s) {
		return o
	}
	op := application.Operation{
		InitiatedBy: application.Initiator{Username: initiator, Automated: true},
		Info:        []application.Info{{Name: "Reason", Value: "ApplicationSet RollingSync triggered a sync of this Application resource"}},
		Sync:        &application.SyncOperation{},
		Retry:       application.Retry{Limit: 5},
	}
	var policy *application.SyncPolicy
	if m := o.Sub("spec", "syncPolicy"); m != nil && m.Into(&policy) == nil && policy != nil {
		if policy.Retry != nil {
			op.Retry = *policy.Retry
		}
		op.Sync.SyncOptions, op.Sync.Prune = policy.SyncOptions, prune
	}
	data, err := json.Marshal(op)
	if err != nil {
		return o
	}
	if wire, err := manifest.Parse(data); err == nil {
		o["operation"] = map[string]any(wire)
	}
	return o
}

// manual turns automatic syncs of an Application off and tells whether they would have pruned.
func manual(o manifest.Object) (prune bool) {
	auto := o.Sub("spec", "syncPolicy", "automated")
	if auto == nil {
		return false
	}
	if auto["enabled"] != false {
		prune, _ = auto["prune"].(bool)
	}
	auto["enabled"] = false
	return prune
}

// condition tells how far the rollout is. why is what comes after the step at waits for.
func (r *rolling) condition(at int, why string) Condition {
	for i := range r.Set.Steps() {
		step := strconv.Itoa(i + 1)
		for _, s := range r.statuses {
			if s.Step == step && s.Status != Healthy && !r.held(s.Application) {
				return progressing(i, "")
			}
		}
		if at == i && why != "" {
			return progressing(i, why)
		}
	}
	return Completed()
}

// Completed is the condition of a rollout that has nothing left to do.
func Completed() Condition {
	return Condition{Type: RolloutProgressing, Status: no, Reason: ReasonRolloutDone, Message: "ApplicationSet Rollout has completed"}
}

func progressing(step int, why string) Condition {
	message := "ApplicationSet is performing rollout of step " + strconv.Itoa(step+1)
	if why != "" {
		message += ": " + why
	}
	return Condition{Type: RolloutProgressing, Status: yes, Reason: ReasonModified, Message: message}
}
