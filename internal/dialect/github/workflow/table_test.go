package workflow_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

func TestEventsAreFoundByName(t *testing.T) {
	for i, e := range workflow.Events {
		if workflow.EventNamed(e.Name) != &workflow.Events[i] {
			t.Errorf("%s is not found: the table is not sorted", e.Name)
		}
		if (e.Types != nil || e.AnyType) != slices.Contains(e.Keys, "types") {
			t.Errorf("%s has types and takes none, or the other way", e.Name)
		}
		if e.Stand == "" {
			t.Errorf("%s does not say whether it can be tried here", e.Name)
		}
		for _, d := range e.Defaults {
			if !slices.Contains(e.Types, d) {
				t.Errorf("%s has no type %s", e.Name, d)
			}
		}
		for _, k := range e.Keys {
			if workflow.KeyAt("on.<event_name>."+k) == nil {
				t.Errorf("%s of %s is not in the table of keys", k, e.Name)
			}
		}
	}
	for _, name := range workflow.Webhooks {
		if workflow.EventNamed(name) != nil {
			t.Errorf("%s triggers workflows after all", name)
		}
	}
}

func TestAnEventFiresForItsTypes(t *testing.T) {
	cases := []struct {
		event, activity string
		types           []string
		want            bool
	}{
		{"pull_request", "opened", nil, true},
		{"pull_request", "labeled", nil, false},
		{"pull_request", "labeled", []string{"labeled"}, true},
		{"pull_request", "opened", []string{"labeled"}, false},
		{"pull_request", "opened", []string{}, false},
		{"issues", "labeled", nil, true},
		{"push", "", nil, true},
		{"repository_dispatch", "anything", nil, true},
	}
	for _, c := range cases {
		if got := workflow.EventNamed(c.event).Fires(c.activity, c.types); got != c.want {
			t.Errorf("%s %s with %v: %v", c.event, c.activity, c.types, got)
		}
	}
}

func TestEveryKeyOfTheTablesSaysWhatItMeans(t *testing.T) {
	for _, table := range [][]workflow.Key{workflow.Keys, workflow.ActionKeys} {
		seen := map[string]bool{}
		for _, k := range table {
			if seen[k.Path] || k.Means == "" {
				t.Errorf("%s stands there twice or means nothing", k.Path)
			}
			seen[k.Path] = true
			if (k.Support == workflow.Works) != (k.Note == "") {
				t.Errorf("%s %s, note %q", k.Path, k.Support, k.Note)
			}
			if parent := k.Parent(); parent != "" && !strings.Contains(parent, "on.") && !strings.Contains(parent, "<") && !seen[strings.TrimSuffix(parent, "[*]")] {
				t.Errorf("%s comes before %s", k.Path, parent)
			}
		}
	}
	if k := workflow.KeyAt("jobs.<job_id>.steps[*].run"); k == nil || k.Name() != "run" || k.Parent() != "jobs.<job_id>.steps[*]" {
		t.Errorf("%+v", k)
	}
	if k := workflow.KeyAt("jobs.<job_id>.steps"); k == nil || k.Name() != "steps" {
		t.Errorf("%+v", k)
	}
}

func TestTitleIsTheNameElseThePath(t *testing.T) {
	for text, want := range map[string]string{"name: CI\n": "CI", "name:\n": "ci.yml", "name: ''\n": "ci.yml", "": "ci.yml"} {
		f, _ := workflow.Read("ci.yml", []byte(text+"on: push\njobs: {}\n"))
		if f.Title() != want {
			t.Errorf("%q: %s", text, f.Title())
		}
	}
}
