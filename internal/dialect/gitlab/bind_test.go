package gitlab_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// shelf is what jobs left behind: files by job and path.
type shelf map[string]string

func (s shelf) ReadArtifact(_ context.Context, job, path string) ([]byte, error) {
	text, ok := s[job+":"+path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

// bind compiles the parent and binds its job.
func bind(t *testing.T, w *world, job string, with func(*gitlab.BindInput)) (*plan.Plan, fault.Faults) {
	t.Helper()
	p, faults := gitlab.Compile(t.Context(), w.in)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	in := gitlab.BindInput{Input: w.in, Plan: p, Job: p.Job(job), Artifacts: shelf{}}
	if in.Job == nil {
		t.Fatalf("no job %q in %s", job, planText(p))
	}
	if with != nil {
		with(&in)
	}
	return gitlab.Bind(t.Context(), in)
}

const parentFile = `
variables: {GLOBAL: "g", SHARED: parent}
stages: [build, test]
make:
  stage: build
  script: a
  artifacts: {paths: [gen], reports: {dotenv: x.env}}
child:
  stage: test
  needs: [make]
  variables: {PARENT_PIPELINE_ID: $CI_PIPELINE_ID, OWN: "o-$DOT-$CI_JOB_ID", RAW: {value: "$OWN", expand: false}}
  trigger: {include: child.yml, strategy: depend%s}
`

const childFile = `
variables: {SHARED: child, GLOBAL: child}
test:
  script: a
  rules: [{if: $CI_PIPELINE_SOURCE == "parent_pipeline" && $GLOBAL == "g"}]
fetch:
  script: a
  needs: [{pipeline: $PARENT_PIPELINE_ID, job: make}]
`

func TestBindForwardsTheVariablesOfTheTriggerJob(t *testing.T) {
	w := newWorld(map[string]string{".gitlab-ci.yml": fmt.Sprintf(parentFile, ""), "child.yml": childFile})
	w.in.Given.Pipeline = []plan.Variable{{Name: "MANUAL", Value: "m"}}
	p, faults := bind(t, w, "child", func(in *gitlab.BindInput) {
		in.Outputs = []plan.Variable{{Name: "DOT", Value: "d"}}
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	want := `stages test
var SHARED=child
var GLOBAL=child
var GLOBAL=g
var SHARED=parent
var PARENT_PIPELINE_ID=7
var OWN=o-d-
var RAW=$OWN raw
job test [test] on_success: rules[0] (if: $CI_PIPELINE_SOURCE == "parent_pipeline" && $GLOBAL == "g") CI_PIPELINE_SOURCE="parent_pipeline" GLOBAL="g"
job fetch [test] on_success: no rules
  needs []
  no inputs
  upstream [make]
`
	if got := planText(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestBindForwardsWhatItIsToldTo(t *testing.T) {
	forward := ", forward: {yaml_variables: false, pipeline_variables: true}"
	w := newWorld(map[string]string{".gitlab-ci.yml": fmt.Sprintf(parentFile, forward), "child.yml": "job: {script: a}"})
	w.in.Given.Pipeline = []plan.Variable{{Name: "MANUAL", Value: "m"}}
	p, faults := bind(t, w, "child", func(in *gitlab.BindInput) {
		in.Outputs = []plan.Variable{{Name: "DOT", Value: "d"}}
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var got []string
	for _, v := range p.Variables {
		if v.Level == plan.Pipeline {
			got = append(got, v.Name+"="+v.Value)
		}
	}
	if s := strings.Join(got, " "); s != "DOT=d MANUAL=m" {
		t.Errorf("the child got %s", s)
	}
}

func TestBindReadsGeneratedFiles(t *testing.T) {
	w := newWorld(map[string]string{".gitlab-ci.yml": `
make: {stage: build, script: a, artifacts: {paths: [gen]}}
child: {trigger: {include: [{artifact: gen/a.yml, job: make}, {local: more.yml, inputs: {n: x}}]}}
`, "more.yml": "spec: {inputs: {n: {}}}\n---\n\"m-$[[ inputs.n ]]\": {script: a}\n"})
	p, faults := bind(t, w, "child", func(in *gitlab.BindInput) {
		in.Artifacts = shelf{"make:gen/a.yml": "made: {script: a}"}
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var names []string
	for _, j := range p.Jobs {
		names = append(names, j.Name)
	}
	if got := strings.Join(names, " "); got != "made m-x" {
		t.Errorf("the child has the jobs %s", got)
	}
	_, faults = bind(t, w, "child", nil)
	if !faults.HasErrors() || faults[0].Place.File != ".gitlab-ci.yml" {
		t.Errorf("a missing artifact gave %v", faults)
	}
}

func TestBindRefuses(t *testing.T) {
	cases := map[string]struct {
		file, job, code string
		skipped         bool
	}{
		"a pipeline of another project, by skipping": {"a: {trigger: group/other}", "a", gitlab.CodeTriggerProject, true},
		"a child with nothing to do":                 {"a: {trigger: {include: empty.yml}}", "a", gitlab.CodeEmpty, false},
		"a child with mistakes":                      {"a: {trigger: {include: bad.yml}}", "a", "SL1202", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(map[string]string{".gitlab-ci.yml": c.file, "empty.yml": "a: {script: a, rules: [{when: never}]}", "bad.yml": "a: {scirpt: a, script: b}"})
			p, faults := bind(t, w, c.job, nil)
			if c.skipped && (p != nil || faults.HasErrors()) || !c.skipped && !faults.HasErrors() {
				t.Errorf("plan %v, faults %v", p, faults)
			}
			found := false
			for _, f := range faults {
				found = found || f.Code == c.code
			}
			if !found {
				t.Errorf("no %s among %v", c.code, faults)
			}
		})
	}
}

func TestBindNestsTwice(t *testing.T) {
	w := newWorld(map[string]string{
		".gitlab-ci.yml": "workflow: {rules: [{when: always}]}\na: {trigger: {include: .gitlab-ci.yml}}",
	})
	in := w.in
	p, faults := gitlab.Compile(t.Context(), in)
	for depth := 1; ; depth++ {
		if faults.HasErrors() {
			t.Fatal(faults)
		}
		p, faults = gitlab.Bind(t.Context(), gitlab.BindInput{Input: in, Plan: p, Job: p.Jobs[0], Artifacts: shelf{}})
		if depth > 2 {
			if fault.CodeOf(faults[0]) != gitlab.CodeChildDepth {
				t.Errorf("depth %d gave %v", depth, faults)
			}
			return
		}
	}
}

func TestChildOfAMergeRequestIsOneToo(t *testing.T) {
	w := newWorld(map[string]string{
		".gitlab-ci.yml": "child: {trigger: {include: child.yml}, rules: [{if: $CI_MERGE_REQUEST_IID}]}",
		"child.yml":      "plain: {script: a}\nruled: {script: a, rules: [{if: $CI_MERGE_REQUEST_IID, changes: [x]}]}",
	})
	w.in.Occasion.Name, w.in.Occasion.Merge = event.MergeRequest, &event.Merge{Number: 3, Target: "main"}
	w.changed, w.known = []string{"x"}, true
	p, faults := bind(t, w, "child", nil)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	if len(p.Jobs) != 1 || p.Jobs[0].Name != "ruled" {
		t.Errorf("got\n%s", planText(p))
	}
}

func TestChildOfAScheduleComparesWithNothing(t *testing.T) {
	for name, want := range map[event.Name]int{event.Schedule: 1, event.Push: 0} {
		w := newWorld(map[string]string{
			".gitlab-ci.yml": "workflow: {rules: [{when: always}]}\nchild: {trigger: {include: child.yml}}",
			"child.yml":      "always: {script: a}\nchanged: {script: a, rules: [{changes: [x]}]}",
		})
		w.in.Occasion.Name = name
		w.changed, w.known = []string{"y"}, true
		p, faults := bind(t, w, "child", nil)
		if faults.HasErrors() {
			t.Fatal(faults)
		}
		if len(p.Jobs) != 1+want {
			t.Errorf("child of a %s:\n%s", name, planText(p))
		}
	}
}
