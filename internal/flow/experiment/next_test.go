package experiment_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/experiment"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// lab plays the cluster for one experiment: what a decision says is done at once, pods are available where the test says so.
type lab struct {
	t      testing.TB
	w      experiment.World
	events []string
	broken map[string]bool // templates whose pods never become available
	after  time.Duration
}

func begin(t testing.TB, spec string) *lab {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte("{apiVersion: argoproj.io/v1alpha1, kind: Experiment, metadata: {name: try, namespace: shop, uid: e1}, spec: " + spec + "}"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := manifest.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, broken: map[string]bool{}, w: experiment.World{
		Object: o, Sets: map[string]manifest.Object{}, Services: map[string]manifest.Object{},
		Templates: map[analysis.TemplateRef]analysis.Spec{}, Now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
	}}
	if l.w.Spec, l.w.Status, err = experiment.Decode(o); err != nil {
		t.Fatal(err)
	}
	return l
}

// turn decides once and does what is said.
func (l *lab) turn() {
	d := experiment.Next(l.w)
	for _, a := range d.Actions {
		switch a := a.(type) {
		case experiment.Event:
			l.events = append(l.events, a.Reason)
		case experiment.Create:
			name := a.Object.Annotation(rollout.ExperimentTemplate)
			switch a.Object.Text("kind") {
			case "ReplicaSet":
				l.w.Sets[name] = a.Object
			case "Service":
				l.w.Services[name] = a.Object
			default:
				run, err := analysis.Decode(a.Object)
				if err != nil {
					l.t.Fatal(err)
				}
				l.w.Runs = append(l.w.Runs, run)
			}
		case experiment.PatchReplicaSet:
			for name, o := range l.w.Sets {
				if o.Name() == a.Name {
					l.w.Sets[name] = manifest.Apply(o, a.Patch)
				}
			}
		case experiment.DeleteService:
			for name, o := range l.w.Services {
				if o.Name() == a.Name {
					delete(l.w.Services, name)
				}
			}
		case experiment.TerminateRun:
			for i := range l.w.Runs {
				if l.w.Runs[i].Name == a.Name {
					l.w.Runs[i].Spec.Terminate = true
				}
			}
		}
	}
	l.w.Status, l.after = d.Status, d.After
	for name, o := range l.w.Sets {
		n := o.Int(0, "spec", "replicas")
		o.Set(n, "status", "replicas")
		if !l.broken[name] {
			o.Set(n, "status", "readyReplicas")
			o.Set(n, "status", "availableReplicas")
		}
	}
}

// settle decides until nothing changes any more.
func (l *lab) settle() {
	l.t.Helper()
	for range 20 {
		was := fmt.Sprint(l.w.Status, l.w.Sets, l.w.Services, len(l.w.Runs))
		l.turn()
		if was == fmt.Sprint(l.w.Status, l.w.Sets, l.w.Services, len(l.w.Runs)) {
			return
		}
	}
	l.t.Fatalf("it does not settle: %+v", l.w.Status)
}

func (l *lab) pass(d time.Duration) { l.w.Now = l.w.Now.Add(d) }

func (l *lab) is(phase analysis.Phase, message string) {
	l.t.Helper()
	if l.w.Status.Phase != phase || !strings.Contains(l.w.Status.Message, message) {
		l.t.Errorf("the experiment is %s %q, want %s %q", l.w.Status.Phase, l.w.Status.Message, phase, message)
	}
}

func (l *lab) pods() (n int64) {
	for _, o := range l.w.Sets {
		n += o.Int(0, "spec", "replicas")
	}
	return n
}

const two = `{duration: 60s, scaleDownDelaySeconds: 10, templates: [
  {name: base, replicas: 2, selector: {matchLabels: {app: web}}, service: {}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: i, ports: [{containerPort: 80, name: http}, {containerPort: 81}]}]}}},
  {name: new, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: i}]}}}]`

func TestAnExperimentRunsForItsDuration(t *testing.T) {
	l := begin(t, two+"}")
	l.settle()
	l.is(analysis.Running, "")
	if l.pods() != 3 || l.w.Status.AvailableAt == nil {
		t.Errorf("%d pods, available at %v", l.pods(), l.w.Status.AvailableAt)
	}
	base, fresh := l.w.Sets["base"], l.w.Sets["new"]
	if base.Name() != "try-base" || base.Labels()[rollout.HashLabel] == fresh.Labels()[rollout.HashLabel] || base.Text("spec", "selector", "matchLabels", rollout.HashLabel) != base.Labels()[rollout.HashLabel] {
		t.Errorf("%s\n%s", base.JSON(), fresh.JSON())
	}
	s := l.w.Services["base"]
	if s.Name() != "try-base" || len(s.List("spec", "ports")) != 2 || s.Text("spec", "selector", rollout.HashLabel) != base.Labels()[rollout.HashLabel] {
		t.Errorf("%s", s.JSON())
	}
	if ts := l.w.Status.TemplateStatuses[0]; ts.ServiceName != "try-base" || ts.PodTemplateHash != base.Labels()[rollout.HashLabel] {
		t.Errorf("%+v", ts)
	}
	if l.after <= 50*time.Second || l.after > 61*time.Second {
		t.Errorf("it asks for a look after %v", l.after)
	}
	l.pass(61 * time.Second)
	l.settle()
	l.is(analysis.Successful, "")
	if l.pods() != 3 {
		t.Errorf("%d pods during the scale-down delay", l.pods())
	}
	l.pass(11 * time.Second)
	l.settle()
	if l.pods() != 0 || len(l.w.Services) != 0 {
		t.Errorf("%d pods, %d services are left", l.pods(), len(l.w.Services))
	}
	if want := "[ExperimentPending TemplateProgressing TemplateProgressing ScalingReplicaSet ScalingReplicaSet TemplateRunning TemplateRunning ExperimentRunning TemplateSuccessful TemplateSuccessful ExperimentSuccessful ScalingReplicaSet ScalingReplicaSet]"; sortedEvents(l.events) != sortedEvents(strings.Fields(strings.Trim(want, "[]"))) {
		t.Errorf("events %v", l.events)
	}
	last := l.w.Status.Conditions[len(l.w.Status.Conditions)-1]
	if last.Reason != "ExperimentCompleted" || last.Status != "False" {
		t.Errorf("%+v", last)
	}
}

func sortedEvents(e []string) string {
	e = slices.Clone(e)
	slices.Sort(e)
	return fmt.Sprint(e)
}

func TestPodsThatDoNotComeInTimeFailIt(t *testing.T) {
	l := begin(t, strings.Replace(two, "{duration", "{progressDeadlineSeconds: 30, duration", 1)+"}")
	l.broken["new"] = true
	l.settle()
	l.is(analysis.Pending, "")
	l.pass(31 * time.Second)
	l.settle()
	l.is(analysis.Failed, "Template 'new' exceeded its progressDeadlineSeconds (30)")
	l.pass(11 * time.Second)
	l.settle()
	if l.pods() != 0 {
		t.Errorf("%d pods are left", l.pods())
	}
}

const analysed = two + `, analyses: [
  {name: check, templateName: rate, args: [{name: hash, value: "{{templates.new.podTemplateHash}}"}, {name: at, value: "{{experiment.availableAt}}"}]},
  {name: must, templateName: rate, requiredForCompletion: true, args: [{name: hash, value: x}]}]}`

func withTemplates(t testing.TB, spec string) *lab {
	l := begin(t, spec)
	l.w.Templates[analysis.TemplateRef{TemplateName: "rate"}] = analysis.Spec{
		Args:    []analysis.Argument{{Name: "hash"}, {Name: "at", Value: new(string)}},
		Metrics: []analysis.Metric{{Name: "m", Provider: analysis.Provider{Web: &analysis.Web{URL: "http://x/{{args.hash}}"}}}},
	}
	return l
}

func (l *lab) verdict(name string, phase analysis.Phase) {
	l.t.Helper()
	for i := range l.w.Runs {
		if l.w.Runs[i].Name == name {
			l.w.Runs[i].Status.Phase, l.w.Runs[i].Status.Message = phase, "because"
			return
		}
	}
	l.t.Fatalf("there is no run %s", name)
}

func TestAnalysesBeginOnceAllIsAvailable(t *testing.T) {
	l := withTemplates(t, analysed)
	l.turn()
	if len(l.w.Runs) != 0 {
		t.Fatal("an analysis began before anything was there")
	}
	l.settle()
	if len(l.w.Runs) != 2 || l.w.Runs[0].Name != "try-check" {
		t.Fatalf("%+v", l.w.Runs)
	}
	if got := *l.w.Runs[0].Spec.Args[0].Value; got != l.w.Sets["new"].Labels()[rollout.HashLabel] {
		t.Errorf("the hash is %q", got)
	}
	l.verdict("try-must", analysis.Running)
	l.verdict("try-check", analysis.Running)
	l.pass(2 * time.Minute) // beyond the duration, but one analysis is required
	l.settle()
	l.is(analysis.Running, "")
	l.verdict("try-must", analysis.Successful)
	l.settle()
	l.is(analysis.Successful, "")
	if !l.w.Runs[0].Spec.Terminate {
		t.Error("the other analysis goes on")
	}
}

func TestAFailedAnalysisEndsIt(t *testing.T) {
	for _, phase := range []analysis.Phase{analysis.Failed, analysis.Error, analysis.Inconclusive} {
		l := withTemplates(t, analysed)
		l.settle()
		l.verdict("try-check", phase)
		l.turn()
		l.is(phase, "because")
		l.settle()
		l.pass(time.Minute)
		l.settle()
		if l.pods() != 0 || !l.w.Runs[1].Spec.Terminate {
			t.Errorf("%s: %d pods are left", phase, l.pods())
		}
	}
}

func TestAMissingTemplateIsSaidBeforeAnythingRuns(t *testing.T) {
	l := begin(t, analysed)
	l.settle()
	l.is(analysis.Error, "AnalysisTemplate verification failed for analysis 'check'")
}

func TestWhatTheClusterRefusesFailsTheTemplate(t *testing.T) {
	l := begin(t, two+"}")
	l.w.Refused = map[string]string{"template/base": "Failed to create ReplicaSet try-base: invalid"}
	l.settle()
	l.is(analysis.Error, "invalid")
}

func TestAnInvalidSpecIsACondition(t *testing.T) {
	for spec, want := range map[string]string{
		"{templates: [{name: a, selector: {}}]}": "selecting all pods at index 0",
		"{templates: [{name: a, selector: {matchLabels: {a: b}}}, {name: a, selector: {matchLabels: {a: b}}}]}": "repeated template name 'a'",
		"{templates: [{name: '', selector: {matchLabels: {a: b}}}]}":                                            "empty template name at index 0",
		"{templates: [{name: a}]}": ".Spec.Templates[0].Selector",
		"{templates: [{name: a, minReadySeconds: 700, selector: {matchLabels: {a: b}}}]}": "MinReadySeconds cannot be longer",
	} {
		l := begin(t, spec)
		l.turn()
		if c := l.w.Status.Conditions; len(c) != 1 || c[0].Type != "InvalidSpec" || !strings.Contains(c[0].Message, want) || len(l.w.Sets) != 0 {
			t.Errorf("%s: %+v", spec, c)
		}
	}
}

// Whatever happens in whatever order: a phase that is over stays, and once it is over nothing is left in the end.
func TestWhatIsOverStaysOverAndLeavesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := withTemplates(t, analysed)
		over := analysis.Phase("")
		for range rapid.IntRange(1, 30).Draw(rt, "turns") {
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				l.pass(time.Duration(rapid.IntRange(0, 90).Draw(rt, "seconds")) * time.Second)
			case 1:
				if n := len(l.w.Runs); n > 0 {
					r := &l.w.Runs[rapid.IntRange(0, n-1).Draw(rt, "run")]
					if !r.Status.Phase.Completed() {
						r.Status.Phase = rapid.SampledFrom([]analysis.Phase{analysis.Running, analysis.Successful, analysis.Failed, analysis.Inconclusive, analysis.Error}).Draw(rt, "phase")
					}
				}
			case 2:
				l.w.Spec.Terminate = l.w.Spec.Terminate || rapid.IntRange(0, 3).Draw(rt, "end") == 0
			case 3:
				l.broken["new"] = rapid.Bool().Draw(rt, "broken")
			}
			l.turn()
			if over != "" && l.w.Status.Phase != over {
				rt.Fatalf("it was %s and is %s", over, l.w.Status.Phase)
			}
			if l.w.Status.Phase.Completed() {
				over = l.w.Status.Phase
			}
		}
		if over == "" {
			return
		}
		l.broken = map[string]bool{}
		l.settle()
		l.pass(time.Hour)
		l.settle()
		if l.pods() != 0 || len(l.w.Services) != 0 {
			rt.Fatalf("%d pods and %d services are left", l.pods(), len(l.w.Services))
		}
		for _, r := range l.w.Runs {
			if !r.Status.Phase.Completed() && !r.Spec.Terminate {
				rt.Fatalf("the run %s goes on", r.Name)
			}
		}
	})
}
