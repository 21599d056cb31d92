package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/engine/intake"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

const zeros = "0000000000000000000000000000000000000000"

// history knows a few revisions; every two of them have the commit "base" in common.
type history map[string]string

func (h history) Resolve(_ context.Context, revision string) (string, error) {
	if sha, ok := h[revision]; ok {
		return sha, nil
	}
	return "", fmt.Errorf("no %s", revision)
}

func (h history) MergeBase(context.Context, string, string) (string, error) { return "base", nil }

func facts() intake.Facts {
	return intake.Facts{
		Repository: event.Repository{Path: "group/project", DefaultBranch: "main"}, Branch: "feature", Tags: []string{"v2", "v1"},
		Commit: event.Commit{SHA: "head", Title: "A title"}, Parent: "parent", Dirty: true, User: event.Person{Name: "Ada"},
	}
}

func TestOccasions(t *testing.T) {
	known := history{"refs/heads/main": "m", "refs/remotes/origin/dev": "d", "v1": "t"}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		q     intake.Request
		facts func(*intake.Facts)
		want  string // name, branch, tag, before, merge target, target's commit and base
		code  string
	}{
		"nothing asked is a push of what is checked out": {want: "push feature  parent"},
		"a push of another branch":                       {q: intake.Request{Event: "push", Branch: "refs/heads/other"}, want: "push other  parent"},
		"a detached HEAD is of the default branch":       {facts: func(f *intake.Facts) { f.Branch = "" }, want: "push main  parent"},
		"a tag of the commit":                            {q: intake.Request{Event: "tag"}, want: "tag  v2 " + zeros},
		"a tag by name":                                  {q: intake.Request{Tag: "refs/tags/v9"}, want: "tag  v9 " + zeros},
		"a tag by name, and the event":                   {q: intake.Request{Event: "tag", Tag: "v9"}, want: "tag  v9 " + zeros},
		"a tag that is not there":                        {q: intake.Request{Event: "tag"}, facts: func(f *intake.Facts) { f.Tags = nil }, code: intake.CodeHistory},
		"a schedule on a tag":                            {q: intake.Request{Event: "schedule", Tag: "v9"}, want: "schedule  v9 " + zeros},
		"a schedule on a branch":                         {q: intake.Request{Event: "schedule", Branch: "main"}, want: "schedule main  parent"},
		"a merge request":                                {q: intake.Request{Event: "merge_request"}, want: "merge_request feature  " + zeros + " main m base"},
		"GitLab's word for it":                           {q: intake.Request{Event: "merge_request_event"}, want: "merge_request feature  " + zeros + " main m base"},
		"a merge request into a branch of the remote":    {q: intake.Request{Event: "mr", Target: "refs/heads/dev"}, want: "merge_request feature  " + zeros + " dev d base"},
		"a merge request into one that is not here":      {q: intake.Request{Event: "mr", Target: "gone"}, want: "merge_request feature  " + zeros + " gone  "},
		"a merge request of a tag":                       {q: intake.Request{Event: "mr", Tag: "v1"}, code: intake.CodeEvent},
		"a merge request without commits":                {q: intake.Request{Event: "mr"}, facts: func(f *intake.Facts) { f.Commit.SHA = zeros }, want: "merge_request feature  " + zeros + " main m "},
		"a target without a merge request":               {q: intake.Request{Target: "main"}, code: intake.CodeEvent},
		"a value of CI_PIPELINE_SOURCE":                  {q: intake.Request{Event: "ondemand_dast_scan"}, want: "ondemand_dast_scan feature  parent"},
		"an event that nobody knows":                     {q: intake.Request{Event: "pusj"}, code: intake.CodeEvent},
		"hostile names stay what they are":               {q: intake.Request{Branch: "$(touch x)"}, want: "push $(touch x)  parent"},
	} {
		t.Run(name, func(t *testing.T) {
			f := facts()
			if c.facts != nil {
				c.facts(&f)
			}
			c.q.RunID, c.q.Number, c.q.At, c.q.Payload = "r", 7, at, json.RawMessage(`{}`)
			o, err := intake.Occasion(t.Context(), c.q, f, known)
			if fault.CodeOf(err) != c.code || (err != nil) != (c.code != "") {
				t.Fatalf("%v", err)
			}
			if err != nil {
				return
			}
			got := fmt.Sprintf("%s %s %s %s", o.Name, o.Branch, o.Tag, o.Before)
			if m := o.Merge; m != nil {
				got += fmt.Sprintf(" %s %s %s", m.Target, m.TargetSHA, m.BaseSHA)
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if o.RunID != "r" || o.Number != 7 || !o.At.Equal(at) || o.Actor.Name != "Ada" || !o.Dirty || string(o.Payload) != "{}" || o.Repository.Path != "group/project" {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestAnUnknownEventIsAnsweredWithTheNearest(t *testing.T) {
	_, err := intake.Occasion(t.Context(), intake.Request{Event: "shedule"}, facts(), history{})
	if err == nil || !strings.Contains(err.Error(), `"schedule"`) {
		t.Error(err)
	}
}

func TestTheEventsOfADialectAreListedAlone(t *testing.T) {
	_, err := intake.Occasion(t.Context(), intake.Request{Event: "qqqqqqqqqqqq", Known: []string{"schedule", "push", "watch"}}, facts(), history{})
	if err == nil || !strings.HasSuffix(err.Error(), "the events are push, schedule, watch") {
		t.Error(err)
	}
}

// world is a real repository: main with two commits, pushed to a remote but for the last; a branch feature on it.
type world struct {
	t   *testing.T
	dir string
}

func (w world) git(args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false"}, args...)...)
	cmd.Dir = w.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w world) commit(name string) string {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(name), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.git("add", name)
	w.git("commit", "-q", "-m", name)
	return w.git("rev-parse", "HEAD")
}

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{t, t.TempDir()}
	w.git("init", "-q")
	w.commit("one")
	two := w.commit("two")
	w.git("update-ref", "refs/remotes/origin/main", two)
	w.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	w.commit("three")
	return w
}

// changed is what rules:changes sees, "?" where that is not known.
func (w world) changed(q intake.Request, since, compareTo string) string {
	w.t.Helper()
	repo, err := git.Open(w.t.Context(), w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	f := intake.Facts{Repository: repo.Facts(), Branch: repo.Branch, Tags: repo.Tags, Commit: repo.Commit, Parent: repo.Parent, Dirty: repo.Dirty}
	o, err := intake.Occasion(w.t.Context(), q, f, repo)
	if err != nil {
		w.t.Fatal(err)
	}
	c := intake.Changes{Occasion: o, Since: since, Upstream: repo.Upstream(), Diff: repo}
	paths, known, err := c.Changed(w.t.Context(), compareTo)
	again, _, _ := c.Changed(w.t.Context(), compareTo)
	if !slices.Equal(paths, again) {
		w.t.Errorf("%q, and then %q", paths, again)
	}
	switch {
	case err != nil:
		return fault.CodeOf(err)
	case !known:
		return "?"
	}
	return strings.Join(paths, " ")
}

func TestWhatCountsAsChanged(t *testing.T) {
	push := intake.Request{}
	track := func(w world) {
		w.git("config", "branch.main.remote", "origin")
		w.git("config", "branch.main.merge", "refs/heads/main")
		w.git("config", "remote.origin.url", "https://x.example/g/p")
	}
	feature := func(w world) { w.git("checkout", "-q", "-b", "feature"); w.commit("four"); w.commit("five") }
	for name, c := range map[string]struct {
		prepare func(w world)
		q       intake.Request
		since   string
		compare string
		want    string
	}{
		"a push of main is its last commit":                      {q: push, want: "three"},
		"a push with an upstream is what it lacks":               {prepare: func(w world) { track(w); w.commit("four") }, q: push, want: "four three"},
		"where all is pushed the last commit counts":             {prepare: func(w world) { track(w); w.git("update-ref", "refs/remotes/origin/main", "HEAD") }, q: push, want: "three"},
		"an upstream that was never fetched is none":             {prepare: func(w world) { track(w); w.git("update-ref", "-d", "refs/remotes/origin/main") }, q: push, want: "three"},
		"a push of a branch is what it has over the default one": {prepare: feature, q: push, want: "five four"},
		"a branch without commits of its own is its last one":    {prepare: func(w world) { w.git("checkout", "-q", "-b", "feature") }, q: push, want: "three"},
		"uncommitted and new files count": {prepare: func(w world) {
			os.WriteFile(filepath.Join(w.dir, "new"), nil, 0o644)
			os.Remove(filepath.Join(w.dir, "one"))
		}, q: push, want: "new one three"},
		"a merge request is what it has over its target": {prepare: feature, q: intake.Request{Event: "merge_request"}, want: "five four"},
		"a merge request into the remote's branch":       {prepare: func(w world) { feature(w); w.git("branch", "-D", "-q", "main") }, q: intake.Request{Event: "merge_request"}, want: "five four three"},
		"a merge request into nowhere":                   {prepare: feature, q: intake.Request{Event: "merge_request", Target: "gone"}, want: "?"},
		"a tag has no diff":                              {q: intake.Request{Tag: "v1"}, want: "?"},
		"a schedule has no diff":                         {q: intake.Request{Event: "schedule"}, want: "?"},
		"compare_to a branch":                            {prepare: feature, q: push, compare: "main", want: "five four"},
		"compare_to a branch by its full name":           {prepare: feature, q: push, compare: "refs/heads/main", want: "five four"},
		"compare_to a branch of the remote":              {prepare: func(w world) { feature(w); w.git("branch", "-D", "-q", "main") }, q: push, compare: "refs/heads/main", want: "five four three"},
		"compare_to a commit, also for a tag":            {q: intake.Request{Tag: "v1"}, compare: "HEAD~2", want: "three two"},
		"compare_to what is not there":                   {q: push, compare: "gone", want: intake.CodeHistory},
		"compare_to an option":                           {q: push, compare: "--upload-pack=touch x", want: intake.CodeHistory},
		"since a revision, whatever the event":           {q: intake.Request{Event: "schedule"}, since: "HEAD~2", want: "three two"},
		"since what is not there":                        {q: push, since: "gone", want: intake.CodeHistory},
		"since goes before compare_to":                   {prepare: feature, q: push, since: "HEAD~1", compare: "main", want: "five"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.prepare != nil {
				c.prepare(w)
			}
			if got := w.changed(c.q, c.since, c.compare); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestTheFirstPushOfARepository(t *testing.T) {
	w := world{t, t.TempDir()}
	w.git("init", "-q")
	w.git("config", "branch.main.remote", "origin")
	w.git("config", "branch.main.merge", "refs/heads/main")
	if got := w.changed(intake.Request{}, "", ""); got != "?" {
		t.Errorf("without commits: %q", got)
	}
	if got := w.changed(intake.Request{Event: "merge_request"}, "", ""); got != "?" {
		t.Errorf("a merge request without commits: %q", got)
	}
	w.commit("one")
	if got := w.changed(intake.Request{}, "", ""); got != "?" {
		t.Errorf("with one commit: %q", got)
	}
}

func TestPathsOfAWatchedFolderGoBeforeAll(t *testing.T) {
	c := intake.Changes{Paths: []string{"a"}, Since: "gone"}
	if paths, known, err := c.Changed(t.Context(), "gone"); err != nil || !known || !slices.Equal(paths, []string{"a"}) {
		t.Error(paths, known, err)
	}
}

// broken is a repository that fails.
type broken struct{ history }

var errBroken = errors.New("the disk is gone")

func (broken) Changed(context.Context, string) ([]string, error) { return nil, errBroken }
func (broken) MergeBase(context.Context, string, string) (string, error) {
	return "", errBroken
}

func TestFailuresAreNotTakenForAnswers(t *testing.T) {
	o := event.Occasion{Name: event.Push, Branch: "main", Before: "b", Commit: event.Commit{SHA: "h"}, Repository: event.Repository{DefaultBranch: "main"}}
	c := intake.Changes{Occasion: o, Diff: broken{history{"x": "1"}}}
	for _, compare := range []string{"", "x"} {
		if _, _, err := c.Changed(t.Context(), compare); !errors.Is(err, errBroken) {
			t.Errorf("%q: %v", compare, err)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, _, err := c.Changed(stopped, "gone"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := intake.Occasion(t.Context(), intake.Request{Event: "mr"}, facts(), broken{history{"refs/heads/main": "m"}}); !errors.Is(err, errBroken) {
		t.Error(err)
	}
}
