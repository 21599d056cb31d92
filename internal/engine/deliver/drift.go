package deliver

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Drift is one object of an Application that somebody changed after it was synced: which fields, by whom and when. Values
// of Secrets are masked.
type Drift struct {
	At          time.Time                `json:"at"`
	Application string                   `json:"application"` // namespace/name
	Key         manifest.Key             `json:"object"`
	Missing     bool                     `json:"missing,omitempty"` // it was deleted
	Differences []application.Difference `json:"differences,omitempty"`
	Reverted    bool                     `json:"reverted"` // a sync is about to revert it
}

// note journals what drifted since the last sync, each drift once.
func (c *Controller) note(o manifest.Object, at *place, f finding) {
	if c.Journal == nil || f.failed || !driftable(at.app, f) {
		return
	}
	c.mu.Lock()
	e := c.apps[name{o.Namespace(), o.Name()}]
	c.mu.Unlock()
	if e == nil {
		return
	}
	seen := map[manifest.Key]string{}
	for _, p := range f.Pairs {
		if p.Hook || p.Prune || p.Status != application.OutOfSync {
			continue
		}
		d := driftOf(o, p, c.now(), false)
		print, err := json.Marshal(d.Differences)
		if err != nil {
			continue
		}
		seen[p.Key] = string(print)
		if old, told := e.drift[p.Key]; !told || old != string(print) {
			c.Journal(d)
		}
	}
	e.drift = seen
}

// before journals the drift that actions are about to revert.
func (c *Controller) before(at *place, f finding, actions []application.SyncAction) {
	if c.Journal == nil || !driftable(at.app, f) {
		return
	}
	going := map[manifest.Key]bool{}
	for _, a := range actions {
		if apply, ok := a.(application.Apply); ok && !apply.DryRun && apply.Hook == "" {
			going[apply.Object.Key()] = true
		}
	}
	for _, p := range f.Pairs {
		if going[p.Key] && p.Status == application.OutOfSync {
			c.Journal(driftOf(at.app.Object, p, c.now(), true))
		}
	}
}

// driftable reports whether differences come from the cluster: the same revision was synced before, so that the sources
// did not move.
func driftable(app application.Application, f finding) bool {
	past := app.Status.History
	if len(past) == 0 {
		return false
	}
	last := past[len(past)-1]
	if f.many {
		return strings.Join(last.Revisions, " ") == strings.Join(f.sync.Revisions, " ") && same(last.Sources, f.sync.ComparedTo.Sources)
	}
	return last.Revision == f.sync.Revision && same(last.Source, f.sync.ComparedTo.Source)
}

func driftOf(o manifest.Object, p application.Pair, at time.Time, reverted bool) Drift {
	d := Drift{At: at, Application: o.Namespace() + "/" + o.Name(), Key: p.Key, Missing: p.Live == nil, Reverted: reverted}
	for _, x := range p.Differences {
		if x.Ignored == "" {
			d.Differences = append(d.Differences, x)
		}
	}
	return d
}
