package project

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"
)

// May tells whether a sync of an application may begin at a time, or, where it began at started, whether it may go on
// (https://argo-cd.readthedocs.io/en/stable/user-guide/sync_windows/). manual is a sync that a person asked for, which
// windows with manualSync let through; a sync that a window turns away goes on where syncOverrun says so. A window that
// cannot be read denies: it was meant to stop something.
func (p Project) May(t Target, manual bool, started time.Time, now time.Time) Windowed {
	out := Windowed{Allowed: true}
	for _, w := range p.Spec.SyncWindows {
		if !w.Applies(t) {
			continue
		}
		a, err := w.at(now)
		if err != nil {
			return Windowed{Why: fmt.Sprintf("the %s window %q cannot be read: %v", w.Kind, w.Schedule, err), Windows: out.Windows}
		}
		out.Windows = append(out.Windows, a)
	}
	if len(out.Windows) == 0 {
		return out
	}
	out.Allowed, out.Why = may(out.Windows, manual)
	if !out.Allowed && !started.IsZero() && started.Before(now) {
		if then, ok := p.at(t, started); ok && overruns(out.Windows, then, manual) {
			out.Allowed, out.Why = true, "the sync began when it was allowed and may run over (syncOverrun)"
		}
	}
	out.Next = p.change(out, t, manual, now)
	return out
}

func (p Project) at(t Target, now time.Time) ([]Active, bool) {
	var out []Active
	for _, w := range p.Spec.SyncWindows {
		if w.Applies(t) {
			a, err := w.at(now)
			if err != nil {
				return nil, false
			}
			out = append(out, a)
		}
	}
	return out, true
}

// may is the rule: an active deny denies; where there are allows, one must be active. A manual sync passes where all the
// windows that stand against it let it.
func may(list []Active, manual bool) (bool, string) {
	var deny, allow, closed []Active
	for _, a := range list {
		switch {
		case a.Window.Kind == "deny" && a.Active:
			deny = append(deny, a)
		case a.Window.Kind == "allow" && a.Active:
			allow = append(allow, a)
		case a.Window.Kind == "allow":
			closed = append(closed, a)
		}
	}
	stops := func(a Active) bool { return !a.Window.ManualSync }
	switch {
	case len(deny) > 0:
		if manual && !slices.ContainsFunc(deny, stops) {
			return true, "the deny window allows manual syncs"
		}
		return false, "a deny window is active: " + deny[0].Window.title()
	case len(allow) > 0:
		return true, "an allow window is active: " + allow[0].Window.title()
	case len(closed) > 0:
		if manual && !slices.ContainsFunc(closed, stops) {
			return true, "the allow window allows manual syncs"
		}
		return false, "no allow window is active"
	}
	return true, "no deny window is active"
}

// overruns reports whether a sync that was permitted when it began may go on: every active deny lets it run over, and, where
// an allow window has ended, every allow does.
func overruns(now, then []Active, manual bool) bool {
	if ok, _ := may(then, manual); !ok {
		return false
	}
	denied, allowed, closed := false, false, []Active{}
	for _, a := range now {
		switch {
		case a.Window.Kind == "deny" && a.Active:
			if !a.Window.SyncOverrun {
				return false
			}
			denied = true
		case a.Window.Kind == "allow" && a.Active:
			allowed = true
		case a.Window.Kind == "allow":
			closed = append(closed, a)
		}
	}
	if denied || allowed {
		return true
	}
	return !slices.ContainsFunc(closed, func(a Active) bool { return !a.Window.SyncOverrun })
}

// change is the next time at which the answer is another one: among the starts and ends of the windows within their next two
// turns; zero where none of those changes it.
func (p Project) change(is Windowed, t Target, manual bool, now time.Time) time.Time {
	at := now
	for range 64 {
		next := time.Time{}
		list, ok := p.at(t, at)
		if !ok {
			return time.Time{}
		}
		for _, a := range list {
			edge := a.From
			if a.Active {
				edge = a.Until
			}
			if !edge.IsZero() && (next.IsZero() || edge.Before(next)) {
				next = edge
			}
		}
		if next.IsZero() {
			return time.Time{}
		}
		list, ok = p.at(t, next)
		if !ok {
			return time.Time{}
		}
		if allowed, _ := may(list, manual); allowed != is.Allowed {
			return next
		}
		at = next
	}
	return time.Time{}
}

// Applies reports whether a window is for an application: by one of its name, namespace and cluster, or by all that the
// window tells where useAndOperator is set. Globs.
func (w Window) Applies(t Target) bool {
	checks := []struct {
		told []string
		hit  bool
	}{
		{w.Applications, hits(w.Applications, t.App)},
		{w.Clusters, hits(w.Clusters, t.Server) || t.Cluster != "" && hits(w.Clusters, t.Cluster)},
		{w.Namespaces, hits(w.Namespaces, t.Namespace)},
	}
	told := false
	for _, c := range checks {
		if len(c.told) == 0 {
			continue
		}
		told = true
		if c.hit != w.UseAndOperator {
			return c.hit
		}
	}
	return told && w.UseAndOperator
}

func hits(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, text) })
}

// at tells whether a window is active at a time, when it ends and when it starts next.
func (w Window) at(now time.Time) (Active, error) {
	schedule, length, zone, err := w.read()
	if err != nil {
		return Active{}, err
	}
	now = now.In(zone)
	out := Active{Window: w}
	// The start that matters is the latest not after now: if it is not a window's length ago, the window is open.
	start := schedule.Prev(now.Truncate(time.Second).Add(time.Second))
	if start.IsZero() || !start.Add(length).After(now) {
		out.From = schedule.Next(now)
		return out, nil
	}
	out.Active, out.Until = true, start.Add(length)
	for range turns { // turns that overlap make one long window
		next := schedule.Prev(out.Until.Add(time.Second))
		if !next.Add(length).After(out.Until) {
			return out, nil
		}
		out.Until = next.Add(length)
	}
	out.Until = time.Time{} // no end is near
	return out, nil
}

// turns is how many overlapping turns of a window are followed to find its end.
const turns = 50

func (w Window) read() (cron.ScheduleWithPrev, time.Duration, *time.Location, error) {
	if w.Kind != "allow" && w.Kind != "deny" {
		return nil, 0, nil, fmt.Errorf("kind '%s' mismatch: can only be allow or deny", w.Kind)
	}
	zone := time.UTC
	if w.TimeZone != "" {
		var err error
		if zone, err = time.LoadLocation(w.TimeZone); err != nil {
			return nil, 0, nil, fmt.Errorf("cannot parse '%s' time zone: %w", w.TimeZone, err)
		}
	}
	if strings.HasPrefix(w.Schedule, "@every") || strings.Contains(w.Schedule, "TZ=") {
		return nil, 0, nil, fmt.Errorf("cannot parse schedule '%s': five fields are wanted", w.Schedule)
	}
	parsed, err := cron.ParseStandard(w.Schedule)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("cannot parse schedule '%s': %w", w.Schedule, err)
	}
	schedule, ok := parsed.(cron.ScheduleWithPrev)
	if !ok {
		return nil, 0, nil, fmt.Errorf("cannot parse schedule '%s': five fields are wanted", w.Schedule)
	}
	length, err := time.ParseDuration(w.Duration)
	if err != nil {
		if n, wrong := strconv.Atoi(w.Duration); wrong == nil {
			length, err = time.Duration(n)*time.Second, nil
		}
	}
	if err != nil || length <= 0 {
		return nil, 0, nil, fmt.Errorf("cannot parse duration '%s'", w.Duration)
	}
	return schedule, length, zone, nil
}

// Check reports what is wrong with a window; nil where it can be read.
func (w Window) Check() error {
	if _, _, _, err := w.read(); err != nil {
		return err
	}
	if len(w.Applications)+len(w.Namespaces)+len(w.Clusters) == 0 {
		return fmt.Errorf("the %s window %q names no application, namespace or cluster, so it applies to none", w.Kind, w.Schedule)
	}
	return nil
}

func (w Window) title() string { return w.Kind + ":" + w.Schedule + ":" + w.Duration }
