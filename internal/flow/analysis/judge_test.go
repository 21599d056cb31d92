package analysis

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func spec(t failer, text string) Spec {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte("spec:\n  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")))
	if err != nil {
		t.Fatalf("%v", err)
	}
	o, err := manifest.Parse(data)
	if err != nil {
		t.Fatalf("%v", err)
	}
	s, err := DecodeTemplate(o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return s
}

func expect[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// play lets a run take its readings; outcomes are those of one metric after the other measurement, the last one for ever.
// It ends with the run, or after an hour of the run's time.
func play(t failer, s Spec, outcomes ...Phase) Run {
	t.Helper()
	run := Run{Name: "r", Spec: s}
	now := began
	next := map[string]int{}
	for range 500 {
		step := Next(run, nil, now)
		if len(step.Take) == 0 {
			if step.Status.Phase.Completed() {
				run.Status = reread(t, step.Status)
				return run
			}
			run.Status = reread(t, step.Status)
			if step.After == 0 {
				if again := Next(run, nil, now); len(again.Take) == 0 && !again.Status.Phase.Completed() {
					return run
				}
				continue
			}
			now = now.Add(step.After)
			if now.Sub(began) > time.Hour {
				return run
			}
			continue
		}
		var taken []Taken
		for _, r := range step.Take {
			p := outcomes[min(next[r.Metric], len(outcomes)-1)]
			next[r.Metric]++
			taken = append(taken, Taken{Reading: r, Measurement: Measurement{Phase: p, Value: "1", Message: map[bool]string{true: "no answer"}[p == Error]}})
		}
		run.Status = reread(t, Judge(run, taken, now))
	}
	t.Fatalf("never ends: %+v", run.Status)
	return run
}

// reread is a status as it comes back from the cluster.
func reread(t failer, s Status) Status {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var out Status
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatalf("%v", err)
	}
	return out
}

const metric = "metrics: [{name: m, provider: {web: {url: x}}, %s}]"

func TestPhasesAndMessages(t *testing.T) {
	const s, f, e, i = Successful, Failed, Error, Inconclusive
	for _, c := range []struct {
		limits   string
		outcomes []Phase
		phase    Phase
		message  string
		count    int32
	}{
		{"", []Phase{s}, s, "", 1},
		{"", []Phase{f}, f, `Metric "m" assessed Failed due to failed (1) > failureLimit (0)`, 1},
		{"", []Phase{i}, i, `Metric "m" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)`, 1},
		{"", []Phase{e}, e, `Metric "m" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4): "Error Message: no answer"`, 0},
		{"", []Phase{e, e, e, e, s}, s, "", 1},
		{"consecutiveErrorLimit: 0", []Phase{e}, e, `Metric "m" assessed Error due to consecutiveErrors (1) > consecutiveErrorLimit (0): "Error Message: no answer"`, 0},
		{"count: 3, interval: 1s", []Phase{s}, s, "", 3},
		{"count: 3, interval: 1s, failureLimit: 1", []Phase{f, s}, s, "", 3},
		{"count: 3, interval: 1s, failureLimit: 1", []Phase{f, s, f}, f, `Metric "m" assessed Failed due to failed (2) > failureLimit (1)`, 3},
		{`count: "3", interval: 1s, failureLimit: "1"`, []Phase{f, f}, f, `Metric "m" assessed Failed due to failed (2) > failureLimit (1)`, 2},
		{"count: 9, interval: 1s, failureLimit: -1, consecutiveSuccessLimit: 3", []Phase{s, f, f, f, s}, s, "", 7},
		{"count: 4, interval: 1s, failureLimit: -1, consecutiveSuccessLimit: 3", []Phase{s, s, f, s}, f, "", 4},
		{"count: 4, interval: 1s, failureLimit: 1, consecutiveSuccessLimit: 3", []Phase{s, s, f, s}, i, "", 4},
		{"interval: 10m", []Phase{s}, Running, "", 6},
		{"interval: 10m, initialDelay: 30m", []Phase{s}, Running, "", 3},
	} {
		run := play(t, spec(t, fmt.Sprintf(metric, c.limits)), c.outcomes...)
		name := fmt.Sprintf("%s %v", c.limits, c.outcomes)
		expect(t, name+": phase", run.Status.Phase, c.phase)
		expect(t, name+": message", run.Status.Message, c.message)
		expect(t, name+": count", run.Status.MetricResults[0].Count, c.count)
	}
}

func TestTwoMetrics(t *testing.T) {
	run := play(t, spec(t, `
metrics: [{name: a, provider: {web: {url: x}}}, {name: b, interval: 1m, provider: {web: {url: x}}}]`), Failed)
	expect(t, "phase", run.Status.Phase, Failed)
	expect(t, "message", run.Status.Message, `Metric "a" assessed Failed due to failed (1) > failureLimit (0)`)
	expect(t, "summary", run.Status.RunSummary, Summary{Count: 2, Failed: 2})
	if run.Status.CompletedAt == nil || run.Status.StartedAt == nil {
		t.Error("no times")
	}
}

func TestDryRunDoesNotCount(t *testing.T) {
	run := play(t, spec(t, `
dryRun: [{metricName: "test.*"}]
metrics: [{name: test-a, provider: {web: {url: x}}}]`), Failed)
	expect(t, "phase", run.Status.Phase, Successful)
	expect(t, "summary", run.Status.RunSummary, Summary{})
	expect(t, "dry-run summary", *run.Status.DryRunSummary, Summary{Count: 1, Failed: 1})
	expect(t, "message", run.Status.MetricResults[0].Message, "Metric assessed Failed due to failed (1) > failureLimit (0)")
	expect(t, "mark", run.Status.MetricResults[0].DryRun, true)
}

func TestTerminateStopsWhatRuns(t *testing.T) {
	run := Run{Spec: spec(t, fmt.Sprintf(metric, "interval: 1s"))}
	step := Next(run, nil, began)
	resume := began.Add(time.Minute)
	run.Status = Judge(run, []Taken{{Reading: step.Take[0], Measurement: Measurement{Phase: Running, ResumeAt: &resume}}}, began)
	expect(t, "phase", run.Status.Phase, Running)
	step = Next(run, nil, began.Add(time.Second))
	expect(t, "waits for resumeAt", len(step.Take), 0)
	expect(t, "again", step.After, 59*time.Second+time.Millisecond)
	run.Spec.Terminate = true
	step = Next(run, nil, resume)
	expect(t, "stops", step.Take[0].Stop, true)
	run.Status = Judge(run, []Taken{{Reading: step.Take[0], Measurement: Measurement{Phase: Successful}}}, resume)
	expect(t, "phase", run.Status.Phase, Successful)
	expect(t, "message", run.Status.Message, "Run Terminated")
	expect(t, "measurement", run.Status.MetricResults[0].Measurements[0].Message, "Metric Terminated")
	expect(t, "measurements", len(run.Status.MetricResults[0].Measurements), 1)

	fresh := Run{Spec: spec(t, fmt.Sprintf(metric, "interval: 1s"))}
	fresh.Spec.Terminate = true
	expect(t, "before the first", Next(fresh, nil, began).Status.Phase, Successful)
}

func TestMeasurementsAreKeptAsAsked(t *testing.T) {
	run := play(t, spec(t, fmt.Sprintf(metric, "count: 25, interval: 1s")), Successful)
	expect(t, "by default", len(run.Status.MetricResults[0].Measurements), 10)
	expect(t, "count", run.Status.MetricResults[0].Count, 25)
	run = play(t, spec(t, "measurementRetention: [{metricName: .*, limit: 20}]\n"+fmt.Sprintf(metric, "count: 25, interval: 1s")), Successful)
	expect(t, "as asked", len(run.Status.MetricResults[0].Measurements), 20)
	expect(t, "told", Kept(run, "m"), 20)
}

func TestSpecsThatCannotBeFollowedEndInError(t *testing.T) {
	for _, c := range []struct{ text, message string }{
		{"metrics: []", "Analysis spec invalid: no metrics specified"},
		{fmt.Sprintf(metric, "count: 2"), "Analysis spec invalid: metrics[0]: interval must be specified when count > 1"},
		{"metrics: [{name: d, provider: {datadog: {query: x}}}]", "Analysis spec invalid: metrics[0]: provider datadog is not supported yet: Sluice measures with prometheus, web and job"},
		{"dryRun: [{metricName: x}]\n" + fmt.Sprintf(metric, ""), "Analysis spec invalid: dryRun[0]: Rule didn't match any metric name(s)"},
		{"measurementRetention: [{metricName: x, limit: 1}]\n" + fmt.Sprintf(metric, ""), "Analysis spec invalid: measurementRetention[0]: Rule didn't match any metric name(s)"},
		{fmt.Sprintf(metric, `successCondition: "{{args.x}}"`), "Unable to resolve metric arguments: failed to resolve {{args.x}}"},
	} {
		step := Next(Run{Spec: spec(t, c.text)}, nil, began)
		expect(t, c.text, step.Status.Phase, Error)
		expect(t, c.text, step.Status.Message, c.message)
	}
}

func TestSecretsAreUsedAndNeverTold(t *testing.T) {
	const secret = `s3cr"et`
	run := Run{Spec: spec(t, `
args: [{name: token, valueFrom: {secretKeyRef: {name: s, key: k}}}]
metrics: [{name: m, provider: {web: {url: "http://x", headers: [{key: A, value: "Bearer {{args.token}}"}]}}}]`)}
	expect(t, "missing", Next(run, nil, began).Status.Message, "Unable to resolve metric arguments: key 'k' does not exist in secret 's'")
	expect(t, "asked for", Secrets(run)[0], SecretKey{"s", "k"})
	step := Next(run, Values{{"s", "k"}: secret}, began)
	expect(t, "used", step.Take[0].Arrange.Provider.Web.Headers[0].Value, "Bearer "+secret)
	status := Judge(run, []Taken{{Reading: step.Take[0], Measurement: Measurement{
		Phase: Error, Message: "got " + secret, Value: secret, Metadata: map[string]string{"q": secret},
	}}}, began)
	data, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "s3cr") {
		t.Errorf("told: %s", data)
	}
}

func TestFinishedRunsGoWhenTheirTimeIsOver(t *testing.T) {
	at := began
	ten, two := int32(10), int32(2)
	run := Run{Spec: Spec{TTLStrategy: &TTL{SecondsAfterCompletion: &ten, SecondsAfterFailure: &two}}, Status: Status{Phase: Successful, CompletedAt: &at}}
	expect(t, "early", Next(run, nil, began.Add(5*time.Second)).Delete, false)
	expect(t, "again", Next(run, nil, began.Add(5*time.Second)).After, 6*time.Second)
	expect(t, "late", Next(run, nil, began.Add(11*time.Second)).Delete, true)
	run.Status.Phase = Failed
	expect(t, "failed", Next(run, nil, began.Add(3*time.Second)).Delete, true)
}

func TestTemplatesAreJoined(t *testing.T) {
	a, b := TemplateRef{TemplateName: "a"}, TemplateRef{TemplateName: "b", ClusterScope: true}
	known := map[TemplateRef]Spec{
		a: spec(t, "args: [{name: x}]\ntemplates: [{templateName: b, clusterScope: true}]\nmetrics: [{name: ma, provider: {web: {url: x}}}]"),
		b: spec(t, "args: [{name: x, value: one}]\ntemplates: [{templateName: a}]\nmetrics: [{name: mb, provider: {web: {url: x}}}]"),
	}
	refs, err := Collect([]TemplateRef{b, a}, known)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "order", fmt.Sprint(refs), fmt.Sprint([]TemplateRef{a, b}))
	s, err := Resolve([]Spec{known[a], known[b]}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "argument", *s.Args[0].Value, "one")
	two := "two"
	for _, c := range []struct {
		templates []Spec
		args      []Argument
		dry       []MetricMatch
		want      string
	}{
		{[]Spec{known[a], known[a]}, nil, nil, "two metrics have the same name 'ma'"},
		{[]Spec{known[a]}, nil, nil, "args.x was not resolved"},
		{[]Spec{known[b], {Args: []Argument{{Name: "x", Value: &two}}}}, nil, nil, "Argument `x` specified multiple times with different values: 'one', 'two'"},
		{[]Spec{known[b]}, nil, []MetricMatch{{"m"}, {"m"}}, "two Dry-Run metric rules have the same name 'm'"},
	} {
		_, err := Resolve(c.templates, c.args, c.dry, nil)
		expect(t, "error", fmt.Sprint(err), c.want)
	}
	_, err = Collect([]TemplateRef{{TemplateName: "zz", ClusterScope: true}}, known)
	expect(t, "error", fmt.Sprint(err), "ClusterAnalysisTemplate 'zz' not found")
}

func TestEventsTellOfWhatEnded(t *testing.T) {
	run := play(t, spec(t, fmt.Sprintf(metric, "")), Failed)
	var told []string
	for _, e := range Events(Status{}, run.Status) {
		told = append(told, fmt.Sprintf("%v %s: %s", e.Warning, e.Reason, e.Message))
	}
	expect(t, "events", strings.Join(told, "; "), "true MetricFailed: Metric 'm' Completed. Result: Failed; true AnalysisRunFailed: Analysis Completed. Result: Failed")
}

func TestConditionsAreBounded(t *testing.T) {
	long := make([]any, 3000)
	for i := range long {
		long[i] = i
	}
	for _, c := range []string{
		"all(result, {let a = #; all(result, {let b = #; all(result, {# + a + b >= 0})})})",
		"len(filter(1..1000000, {len(filter(1..1000000, # > 3)) > 0})) > 0",
		strings.Repeat("(", 20000) + "true" + strings.Repeat(")", 20000),
	} {
		if p, err := Assess(Metric{SuccessCondition: c}, long); err == nil {
			t.Errorf("%s is %s", head(c), p)
		}
	}
	if p, err := Assess(Metric{SuccessCondition: "all(result, # >= 0) && len(filter(map(result, # * 2), # > 10)) > 100"}, long); p != Successful {
		t.Errorf("%s %v", p, err)
	}
}

func TestMoments(t *testing.T) {
	at, err := Moment(`now() - duration("5m")`, began)
	if err != nil || !at.Equal(began.Add(-5*time.Minute)) {
		t.Errorf("%s, %v", at, err)
	}
	if _, err := Moment("1", began); err == nil || err.Error() != "expected time.Time, but got int" {
		t.Error(err)
	}
}

func TestValuesAsText(t *testing.T) {
	for want, v := range map[string]any{"0.95": 0.95, "[0.5,1]": []float64{0.5, 1}, "[]": []float64{}, "100000000": 1e8} {
		expect(t, "text", Text(v), want)
	}
}

// A run always ends or keeps waiting for a moment; its counts add up; a metric's final phase never changes.
func TestRunsKeepTheirBooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := rapid.SampledFrom([]string{
			"", "count: 5, interval: 1s", "count: 6, interval: 1s, failureLimit: 2", "interval: 5s, failureLimit: 1, inconclusiveLimit: 1",
			"count: 9, interval: 1s, failureLimit: -1, consecutiveSuccessLimit: 3", "consecutiveErrorLimit: 1, count: 3, interval: 2s",
		}).Draw(t, "limits")
		run := Run{Spec: spec(t, fmt.Sprintf(metric, limits))}
		now := began
		final := Phase("")
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			step := Next(run, nil, now)
			if len(step.Take) > 0 {
				var taken []Taken
				for _, r := range step.Take {
					p := rapid.SampledFrom([]Phase{Successful, Failed, Error, Inconclusive, Running}).Draw(t, "phase")
					taken = append(taken, Taken{Reading: r, Measurement: Measurement{Phase: p}})
				}
				run.Status = reread(t, Judge(run, taken, now))
			} else {
				run.Status = reread(t, step.Status)
			}
			if again := Next(run, nil, now); len(again.Take) == 0 && !again.Status.Phase.Completed() && again.After == 0 && len(step.Take) == 0 && run.Status.MetricResults != nil {
				t.Fatalf("waits for nothing: %+v", again.Status)
			}
			for _, r := range run.Status.MetricResults {
				if r.Successful+r.Failed+r.Inconclusive != r.Count || len(r.Measurements) > keep {
					t.Fatalf("books: %+v", r)
				}
			}
			if final != "" && run.Status.Phase != final {
				t.Fatalf("%s after %s", run.Status.Phase, final)
			}
			if run.Status.Phase.Completed() {
				final = run.Status.Phase
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 12).Draw(t, "seconds")) * time.Second)
		}
	})
}

func FuzzConditions(f *testing.F) {
	for _, s := range []string{"result > 1", "all(result, # > 0)", "isNaN(asFloat(result))", "default(result, 1) == 1", "result.a?.b ?? 3 == 3"} {
		f.Add(s, "[1,2]")
	}
	f.Fuzz(func(t *testing.T, condition, value string) {
		var v any
		if json.Unmarshal([]byte(value), &v) != nil || len(value) > 1000 {
			return
		}
		phase, err := Assess(Metric{SuccessCondition: condition}, v)
		if (err != nil) != (phase == Error) {
			t.Errorf("%s, %v", phase, err)
		}
	})
}

func FuzzSubstitute(f *testing.F) {
	f.Add("result > {{args.x}}", "1")
	f.Add("{{ args.x }}{{", "\"\n")
	f.Fuzz(func(t *testing.T, text, value string) {
		if !utf8.ValidString(text) {
			return // JSON cannot say it
		}
		m, err := Substitute(Metric{Name: "m", SuccessCondition: text}, []Argument{{Name: "x", Value: &value}})
		if err == nil && !strings.Contains(text, "{{") && m.SuccessCondition != text {
			t.Errorf("%q became %q", text, m.SuccessCondition)
		}
	})
}
