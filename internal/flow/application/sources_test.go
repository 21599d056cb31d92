package application_test

import (
	"testing"

	app "github.com/sluice-delivery/sluice/internal/flow/application"
)

// TestSourcesOfAnOperation holds that an operation goes on with the sources that it began with, whatever the application
// says meanwhile.
func TestSourcesOfAnOperation(t *testing.T) {
	source := func(path string) app.Source { return app.Source{RepoURL: "https://example.org/r.git", Path: path} }
	one, two := source("one"), source("two")
	var single, several app.Application
	single.Spec.Source = &two
	several.Spec.Sources = []app.Source{one, two}
	for _, c := range []struct {
		name  string
		app   app.Application
		op    app.SyncOperation
		begun *app.SyncResult
		first string
		many  bool
	}{
		{"the application's", single, app.SyncOperation{}, nil, "two", false},
		{"its own", single, app.SyncOperation{Source: &one}, nil, "one", false},
		{"what it began with", single, app.SyncOperation{}, &app.SyncResult{Source: one}, "one", false},
		{"what it began with, of an application that now has several", several, app.SyncOperation{}, &app.SyncResult{Source: two}, "two", false},
		{"several", several, app.SyncOperation{}, nil, "one", true},
		{"one of several", several, app.SyncOperation{Sources: []app.Source{two}}, nil, "two", true},
		{"several of an application that now has one", single, app.SyncOperation{}, &app.SyncResult{Sources: []app.Source{one, two}}, "one", true},
		{"a result without a source", single, app.SyncOperation{}, &app.SyncResult{}, "two", false},
	} {
		s := app.OperationState{Operation: app.Operation{Sync: &c.op}, SyncResult: c.begun}
		got, many := s.Sources(c.app)
		if len(got) == 0 || got[0].Path != c.first || many != c.many {
			t.Errorf("%s: %v %v", c.name, got, many)
		}
		after := s.Resolved(c.app, got, make([]string, len(got)))
		if c.many != (len(after.SyncResult.Sources) > 0) || c.many == (after.SyncResult.Source.RepoURL != "") {
			t.Errorf("%s: resolved to %+v", c.name, after.SyncResult)
		}
	}
}

// TestRetryKeepsTheSource holds that a retry that takes up newer commits takes them of the source that was synced first.
func TestRetryKeepsTheSource(t *testing.T) {
	w := newWorld(t, stream(config("a"), workload))
	a := automatic(w, app.Automated{})
	a.App.Operation, a.App.Status.OperationState = nil, nil
	source := app.Source{RepoURL: "https://example.org/r.git", Path: "one"}
	a.App.Spec.Source = &source
	answer := app.MaySync(a)
	if answer.Operation == nil || answer.Operation.Sync.Source == nil {
		t.Fatalf("%+v", answer)
	}
	answer.Operation.Retry.Refresh = true
	s := app.Begin(a.App, *answer.Operation, start).Resolved(a.App, []app.Source{source}, []string{"1"})
	changed := source
	changed.Path = "two"
	a.App.Spec.Source = &changed
	if got, _ := s.Again().Sources(a.App); len(got) != 1 || got[0].Path != "one" {
		t.Errorf("%+v", got)
	}
}
