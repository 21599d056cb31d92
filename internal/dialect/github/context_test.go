package github_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

const here = "8843d7f92416211de9ebb963ff4ce28125932878"

// TestEvents holds what each event is about: ref, kind, commit, sides of a pull request, activity.
func TestEvents(t *testing.T) {
	base := newWorld(nil).in.Occasion
	merge := base
	merge.Name, merge.Branch, merge.Merge = event.MergeRequest, "tea", &event.Merge{Number: 4, Target: "main", TargetSHA: "ta7ge7", Labels: []string{"hot"}, Draft: true}
	tag := base
	tag.Name, tag.Tag, tag.Branch = event.Tag, "v1", ""
	for name, c := range map[string]struct {
		o    event.Occasion
		ask  string
		want string
	}{
		"a push":                   {base, "", "push refs/heads/main main branch " + here + " > "},
		"a push of a tag":          {tag, "", "push refs/tags/v1 v1 tag " + here + " > "},
		"a tag, in GitLab's word":  {tag, "tag", "push refs/tags/v1 v1 tag " + here + " > "},
		"a pull request":           {merge, "", "pull_request refs/pull/4/merge 4/merge branch " + here + " tea>main opened"},
		"a merge request":          {merge, "merge_request", "pull_request refs/pull/4/merge 4/merge branch " + here + " tea>main opened"},
		"a target":                 {merge, "pull_request_target", "pull_request_target refs/heads/main main branch ta7ge7 tea>main opened"},
		"a review":                 {merge, "pull_request_review", "pull_request_review refs/pull/4/merge 4/merge branch " + here + " tea>main submitted"},
		"web is a dispatch":        {with(base, event.Web), "", "workflow_dispatch refs/heads/main main branch " + here + " > "},
		"api is a dispatch":        {with(base, event.API), "api", "workflow_dispatch refs/heads/main main branch " + here + " > "},
		"a trigger":                {with(base, event.Trigger), "", "repository_dispatch refs/heads/main main branch " + here + " > "},
		"a schedule":               {with(base, event.Schedule), "", "schedule refs/heads/main main branch " + here + " > "},
		"a release":                {tag, "release", "release refs/tags/v1 v1 tag " + here + " > published"},
		"an issue":                 {base, "issues", "issues refs/heads/main main branch " + here + " > opened"},
		"a comment":                {base, "issue_comment", "issue_comment refs/heads/main main branch " + here + " > created"},
		"a merge group":            {base, "merge_group", "merge_group refs/heads/gh-readonly-queue/main/pr-1-" + here + " gh-readonly-queue/main/pr-1-" + here + " branch " + here + " >main checks_requested"},
		"a name that nobody knows": {with(base, "chatter"), "chatter", "push refs/heads/main main branch " + here + " > "},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Given = c.ask
			e, err := github.Describe(c.o, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s %s %s %s %s %s>%s %s", e.Name, e.Ref, e.RefName, e.RefType, e.SHA, e.HeadRef, e.BaseRef, e.Action)
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func with(o event.Occasion, name event.Name) event.Occasion {
	o.Name = name
	return o
}

// TestPayloads holds that what is made up is whole JSON in the shape of GitHub's webhooks.
func TestPayloads(t *testing.T) {
	w := newWorld(nil)
	for i := range workflow.Events {
		name := workflow.Events[i].Name
		o := w.in.Occasion
		o.Given = name
		var p struct {
			Action     string
			Repository struct {
				FullName string `json:"full_name"`
				Owner    struct{ Login string }
			}
			Sender *struct{ Login string }
			Inputs map[string]string
		}
		e, err := github.Describe(o, map[string]string{"a": "b"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := json.Unmarshal(e.Raw, &p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if p.Repository.FullName != "octo/shop" || p.Repository.Owner.Login != "octo" {
			t.Errorf("%s is about %+v", name, p.Repository)
		}
		if name != "schedule" && (p.Sender == nil || p.Sender.Login != "ada") {
			t.Errorf("%s has the sender %v", name, p.Sender)
		}
		if types := workflow.Events[i].Types; len(types) > 0 && p.Action == "" {
			t.Errorf("%s has no action", name)
		}
		if name == "workflow_dispatch" && p.Inputs["a"] != "b" {
			t.Errorf("the inputs are %v", p.Inputs)
		}
	}
	o := w.in.Occasion
	o.Payload = []byte(`{"given": true}`)
	if e, err := github.Describe(o, nil); err != nil || string(e.Raw) != `{"given": true}` {
		t.Errorf("a payload that was given became %v, %v", e, err)
	}
}

// TestGitHubContext holds the properties that the documentation lists, without those that only a step has.
func TestGitHubContext(t *testing.T) {
	w := newWorld(map[string]string{".github/workflows/a.yml": "name: A\non: push\njobs:\n  a: {runs-on: ubuntu-latest, steps: [{run: x}]}\n"})
	p, faults := github.Compile(t.Context(), w.in)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	v := github.OwnOf(p.Jobs[0]).Frame.GitHub()
	for name, want := range map[string]string{
		"ref": "refs/heads/main", "sha": here, "repository": "octo/shop", "repository_owner": "octo", "run_number": "7",
		"repositoryUrl": "git://github.com/octo/shop.git", "run_attempt": "1", "actor": "ada", "triggering_actor": "ada", "workflow": "A",
		"head_ref": "", "base_ref": "", "event_name": "push", "server_url": "https://github.com", "api_url": "https://api.github.com",
		"graphql_url": "https://api.github.com/graphql", "ref_name": "main", "ref_protected": "false", "ref_type": "branch",
		"workflow_ref": "octo/shop/.github/workflows/a.yml@refs/heads/main", "workflow_sha": here, "retention_days": "90", "secret_source": "Actions",
	} {
		if got, ok := v.Lookup(name); !ok || got.Text() != want {
			t.Errorf("%s is %q, want %q", name, got.Text(), want)
		}
	}
	if id := v.Get("run_id").Text(); strings.Trim(id, "0123456789") != "" || id == "" {
		t.Errorf("run_id is %q: digits are wanted", id)
	}
	if got := v.Path("event", "head_commit", "message").Text(); got != "Sell tea\n\nGreen and black." {
		t.Errorf("event.head_commit.message is %q", got)
	}
	for _, name := range []string{"token", "job", "workspace", "action"} {
		if _, ok := v.Lookup(name); ok {
			t.Errorf("%s is known before a job runs", name)
		}
	}
}

// TestNeeds holds how the legs of a job are summed up.
func TestNeeds(t *testing.T) {
	leg := func(status string, outputs ...string) program.Before {
		b := program.Before{Key: "Test", Status: strings.TrimSuffix(status, "!"), Allowed: strings.HasSuffix(status, "!")}
		for i := 0; i+1 < len(outputs); i += 2 {
			b.Outputs = append(b.Outputs, plan.Variable{Name: outputs[i], Value: outputs[i+1]})
		}
		return b
	}
	for want, legs := range map[string][]program.Before{
		`{"Test":{"result":"success","outputs":{"a":"2","b":"1"}}}`: {leg("success", "a", "1", "b", "1"), leg("success", "a", "2", "b", "")},
		`{"Test":{"result":"failure","outputs":{}}}`:                {leg("canceled"), leg("failed"), leg("success")},
		`{"Test":{"result":"cancelled","outputs":{}}}`:              {leg("success"), leg("canceled"), leg("skipped")},
		`{"Test":{"result":"skipped","outputs":{}}}`:                {leg("skipped"), leg("skipped")},
		`{"Test":{"result":"success","outputs":{"x":"y"}}}`:         {leg("skipped"), leg("failed!", "x", "y")},
		`{}`: nil,
	} {
		if got := github.NeedsContext(legs).JSON(false); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestOutputsOfACalledWorkflow holds the way of an output: from a job of the called workflow, through on.workflow_call,
// also of legs that were only known late.
func TestOutputsOfACalledWorkflow(t *testing.T) {
	w := newWorld(map[string]string{
		".github/workflows/a.yml": "on: push\njobs:\n  call: {uses: ./.github/workflows/b.yml, with: {env: prod}}\n",
		".github/workflows/b.yml": "on: {workflow_call: {inputs: {env: {type: string}}, outputs: {url: {value: \"${{ jobs.x.outputs.host }}/${{ inputs.env }} ${{ jobs.x.result }}\"}, none: {value: \"${{ jobs.x.outputs.none }}\"}}}}\njobs:\n  x: {runs-on: ubuntu-latest, steps: [{run: x}]}\n",
	})
	w.in.Workflows = []string{".github/workflows/a.yml"}
	p, faults := github.Compile(t.Context(), w.in)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	call := p.Jobs[0]
	inner := call.Late.Plan.Jobs[0]
	done := program.Before{Key: "call", Job: call, Status: "success", Scope: call.Late.Plan, Inner: []program.Before{
		{Key: "x", Job: inner, Status: "success", Outputs: []plan.Variable{{Name: "host", Value: "example.com"}}},
	}}
	want := `{"call":{"result":"success","outputs":{"url":"example.com/prod success"}}}`
	if got := github.NeedsContext([]program.Before{done}).JSON(false); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	late := program.Before{Key: "call", Job: call, Status: "success", Inner: []program.Before{done, done}}
	if got := github.NeedsContext([]program.Before{late}).JSON(false); got != want {
		t.Errorf("of legs: got %s, want %s", got, want)
	}
}
