package application

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application/project"
)

// Fact is one answer to "why is it out of sync, stuck, or not syncing". Subject is what it is about: an object's key, a
// window, the last operation.
type Fact struct {
	Topic   string `json:"topic"` // comparison, operation, health, automatic, window, condition
	Subject string `json:"subject,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what a person can do
}

// Explaining is the input of Explain: what was decided of an application now.
type Explaining struct {
	App        Application
	Comparison Comparison
	Automatic  AutomaticAnswer  // what MaySync said
	Window     project.Windowed // what the project's windows say of an automatic sync
	Now        time.Time
}

// Explain tells the facts, the most telling first: what hinders the running operation, what differs and who changed it,
// what is not healthy, why no sync begins by itself. An application that is synced and healthy has none but the last.
func Explain(e Explaining) []Fact {
	var out []Fact
	out = append(out, e.operation()...)
	for _, c := range e.Comparison.Conditions {
		out = append(out, Fact{Topic: "condition", Subject: c.Type, Message: c.Message})
	}
	for _, p := range e.Comparison.Pairs {
		out = append(out, e.comparison(p)...)
	}
	for _, p := range e.Comparison.Pairs {
		if p.Hook || p.Health == nil || p.Health.Status == "Healthy" || p.Live == nil {
			continue
		}
		message := p.Health.Status
		if p.Health.Message != "" {
			message += ": " + p.Health.Message
		}
		out = append(out, Fact{Topic: "health", Subject: p.Key.String(), Message: message})
	}
	if e.Comparison.Status == OutOfSync {
		out = append(out, e.waiting()...)
	}
	return out
}

// operation tells of the operation that runs, or that failed last.
func (e Explaining) operation() []Fact {
	s := e.App.Status.OperationState
	if s == nil || s.Phase == Succeeded {
		return nil
	}
	f := Fact{Topic: "operation", Subject: string(s.Phase), Message: s.Message}
	switch at, retries := s.RetryAt(); {
	case retries:
		f.Hint = fmt.Sprintf("the next try is at %s", at.UTC().Format(time.RFC3339))
	case strings.HasPrefix(s.Message, "waiting for pruning confirmation"):
		f.Hint = fmt.Sprintf("approve it with the annotation %s: %s", AnnotationApproved, e.Now.UTC().Format(time.RFC3339))
	case s.Phase == Running && e.Now.Sub(s.StartedAt) > time.Minute:
		f.Hint = fmt.Sprintf("it has run for %s; `sluice app terminate` ends it", e.Now.Sub(s.StartedAt).Round(time.Second))
	}
	out := []Fact{f}
	if s.SyncResult == nil {
		return out
	}
	for _, r := range s.SyncResult.Resources {
		if r.Status == "SyncFailed" || r.HookPhase == Failed || r.HookPhase == Errored || r.HookType != "" && r.HookPhase == Running {
			out = append(out, Fact{Topic: "operation", Subject: r.id().key.String(), Message: fmt.Sprintf("%s: %s", r.HookPhase, r.Message)})
		}
	}
	return out
}

// comparison tells what of a resource differs, and what differs and is ignored.
func (e Explaining) comparison(p Pair) []Fact {
	subject := p.Key.String()
	switch {
	case p.Hook:
		return nil
	case p.Shared != "":
		return []Fact{{
			Topic: "comparison", Subject: subject, Message: "it belongs to the application " + p.Shared + " too",
			Hint: "each sync takes it back from the other; leave it to one of the two",
		}}
	case p.Prune:
		f := Fact{Topic: "comparison", Subject: subject, Message: "the sources do not hold it any more; it is to be pruned"}
		if option(p.Live, e.App.SyncOptions(nil), "Prune") == "false" {
			f.Message, f.Hint = "the sources do not hold it any more, and Prune=false keeps it", "compare-options: IgnoreExtraneous leaves it out of the sync status"
		} else if a := e.automated(); a != nil && !a.Prune {
			f.Hint = "automated.prune is off; sync with prune to delete it"
		}
		return []Fact{f}
	case p.Live == nil:
		return []Fact{{Topic: "comparison", Subject: subject, Message: "it is missing from the cluster"}}
	}
	var out []Fact
	for _, d := range p.Differences {
		message := fmt.Sprintf("%s: wanted %s, found %s", d.Path, short(d.Wanted), short(d.Found))
		if d.Manager != "" {
			message += ", set by " + d.Manager
			if !d.At.IsZero() {
				message += " at " + d.At.UTC().Format(time.RFC3339)
			}
		}
		f := Fact{Topic: "comparison", Subject: subject, Message: message}
		if d.Ignored != "" {
			f.Hint = "ignored: " + d.Ignored
		}
		out = append(out, f)
	}
	return out
}

func (e Explaining) automated() *Automated {
	if e.App.Spec.SyncPolicy == nil {
		return nil
	}
	return e.App.Spec.SyncPolicy.Automated
}

// waiting tells why nothing is done about an application that is out of sync.
func (e Explaining) waiting() []Fact {
	var out []Fact
	if s := e.App.Status.OperationState; s != nil && !s.Phase.Completed() {
		return nil
	}
	if e.Automatic.Operation == nil && e.Automatic.Why != "" {
		f := Fact{Topic: "automatic", Message: e.Automatic.Why}
		if a := e.automated(); a == nil || a.Enabled != nil && !*a.Enabled {
			f.Hint = "sync it by hand, or set spec.syncPolicy.automated"
		} else if e.Automatic.After > 0 {
			f.Hint = fmt.Sprintf("it is tried again in %s", e.Automatic.After.Round(time.Second))
		}
		out = append(out, f)
	}
	if !e.Window.Allowed && e.Window.Why != "" {
		f := Fact{Topic: "window", Message: e.Window.Why}
		if !e.Window.Next.IsZero() {
			f.Hint = "syncs are allowed from " + e.Window.Next.UTC().Format(time.RFC3339)
		}
		out = append(out, f)
	}
	return out
}

// short is a value as a fact shows it: at most 80 letters of its JSON form.
func short(v any) string {
	if v == nil {
		return "nothing"
	}
	text := string(jsonOf(v))
	if len(text) > 80 {
		return strings.ToValidUTF8(text[:77], "") + "…"
	}
	return text
}
