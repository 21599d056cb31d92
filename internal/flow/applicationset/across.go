package applicationset

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The annotations of an ApplicationSet that make a promotion order across clusters of its RollingSync (docs/decisions,
// "Promotion across clusters"). Argo CD has none and passes them over.
const (
	AnnotationSoak     = "sluice.dev/soak"          // 10m, or 1=10m,2=1h by step
	AnnotationAnalysis = "sluice.dev/analysis"      // errors, or 1=errors,latency;2=cluster:errors by step
	AnnotationArgs     = "sluice.dev/analysis-args" // prometheus=http://prometheus:9090,service=web
	AnnotationCutOver  = "sluice.dev/cut-over"      // together
)

// Order is what is done after a step before the next one begins.
type Order struct {
	Soak     map[int]time.Duration // by step, from 0; the time for which all of it has been synced and healthy
	Analysis map[int][]analysis.TemplateRef
	Args     []analysis.Argument
	Together bool // blue-green Rollouts of all Applications are promoted at once, when all their previews are ready
}

// Order reads the annotations of a set. An error says which is wrong.
func (s Set) Order() (Order, error) {
	o := Order{Soak: map[int]time.Duration{}, Analysis: map[int][]analysis.TemplateRef{}}
	n := len(s.Steps())
	soaks, err := s.byStep(AnnotationSoak, ",", n)
	if err != nil {
		return Order{}, err
	}
	for i, text := range soaks {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return Order{}, wrong(AnnotationSoak, "%q is no duration such as 10m", text)
		}
		if d > 0 {
			o.Soak[i] = d
		}
	}
	runs, err := s.byStep(AnnotationAnalysis, ";", n)
	if err != nil {
		return Order{}, err
	}
	for i, text := range runs {
		for name := range strings.SplitSeq(text, ",") {
			bare, cluster := strings.CutPrefix(strings.TrimSpace(name), "cluster:")
			if bare == "" {
				return Order{}, wrong(AnnotationAnalysis, "a name of an AnalysisTemplate is empty")
			}
			o.Analysis[i] = append(o.Analysis[i], analysis.TemplateRef{TemplateName: bare, ClusterScope: cluster})
		}
	}
	if text := s.Object.Annotation(AnnotationArgs); text != "" {
		for part := range strings.SplitSeq(text, ",") {
			name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
			if !ok || name == "" {
				return Order{}, wrong(AnnotationArgs, "%q is not name=value", part)
			}
			o.Args = append(o.Args, analysis.Argument{Name: name, Value: &value})
		}
	}
	switch text := s.Object.Annotation(AnnotationCutOver); text {
	case "":
	case "together":
		o.Together = true
	default:
		return Order{}, wrong(AnnotationCutOver, "%q is not together, the only value it takes", text)
	}
	asked := slices.ContainsFunc([]string{AnnotationSoak, AnnotationAnalysis, AnnotationCutOver}, func(a string) bool { return s.Object.Annotation(a) != "" })
	if asked && n == 0 {
		return Order{}, fault.New(CodeOrder, "the annotations sluice.dev/soak, sluice.dev/analysis and sluice.dev/cut-over need the strategy RollingSync with steps").
			WithHint("one step without matchExpressions takes all Applications")
	}
	return o, nil
}

func wrong(name, format string, args ...any) error {
	return fault.New(CodeOrder, "the annotation %s: %s", name, fmt.Sprintf(format, args...))
}

// byStep reads a value for all steps, or values as step=value.
func (s Set) byStep(name, sep string, steps int) (map[int]string, error) {
	text := strings.TrimSpace(s.Object.Annotation(name))
	out := map[int]string{}
	if text == "" {
		return out, nil
	}
	if !strings.Contains(text, "=") {
		for i := range steps {
			out[i] = text
		}
		return out, nil
	}
	for part := range strings.SplitSeq(text, sep) {
		at, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		i, err := strconv.Atoi(strings.TrimSpace(at))
		if !ok || err != nil || i < 1 || i > steps {
			return nil, wrong(name, "%q does not begin with a step from 1 to %d and =", part, steps)
		}
		if _, twice := out[i-1]; twice {
			return nil, wrong(name, "step %d is named twice", i)
		}
		out[i-1] = strings.TrimSpace(value)
	}
	return out, nil
}

// Analysing is an AnalysisRun that is wanted after a step. Its name tells the step and what was synced in it, so that the same
// state is analysed once.
type Analysing struct {
	Name      string
	Step      int // from 1
	Templates []analysis.TemplateRef
	Args      []analysis.Argument
}

// analysing names the run after a step whose Applications are so.
func (r *rolling) analysing(step int) Analysing {
	type state struct {
		Name      string
		Revisions []string
		Spec      any
	}
	var all []state
	for _, name := range r.members[step] {
		o := r.existing[name]
		all = append(all, state{name, revisions(o), set(o.Sub("spec").Copy())})
	}
	slices.SortFunc(all, func(a, b state) int { return strings.Compare(a.Name, b.Name) })
	data, err := json.Marshal([]any{all, r.order.Analysis[step], r.order.Args})
	if err != nil {
		data = []byte(err.Error()) // specs hold only what JSON can say
	}
	sum := sha256.Sum256(data)
	name := r.Set.Object.Name()
	suffix := fmt.Sprintf("-step-%d-%s", step+1, hex.EncodeToString(sum[:])[:10])
	out := Analysing{Name: name[:min(len(name), 63-len(suffix))] + suffix, Step: step + 1, Templates: r.order.Analysis[step]}
	at := strconv.Itoa(step + 1)
	own := r.Set.Object.Name()
	out.Args = append(out.Args, r.order.Args...)
	for _, a := range []analysis.Argument{{Name: "applicationset", Value: &own}, {Name: "step", Value: &at}} {
		if !slices.ContainsFunc(out.Args, func(x analysis.Argument) bool { return x.Name == a.Name }) {
			out.Args = append(out.Args, a)
		}
	}
	return out
}

// gate says whether what comes after a step may begin: it has soaked and its analysis went well. why tells what it waits for.
func (r *rolling) gate(step int) (open bool, why string) {
	if soak := r.order.Soak[step]; soak > 0 {
		until := r.since(step).Add(soak)
		if r.Now.Before(until) {
			r.out.After = sooner(r.out.After, until.Sub(r.Now))
			return false, "it soaks until " + until.UTC().Format(time.RFC3339)
		}
	}
	if len(r.order.Analysis[step]) == 0 {
		return true, ""
	}
	run := r.analysing(step)
	switch phase := r.Runs[run.Name]; phase {
	case analysis.Successful:
		return true, ""
	case "":
		r.out.Analyse = &run
		return false, "its analysis begins"
	case analysis.Pending, analysis.Running:
		return false, "the analysis run " + run.Name + " is " + string(phase)
	default:
		return false, "the analysis run " + run.Name + " ended as " + string(phase) + "; nothing goes on until it is deleted or something newer is synced"
	}
}

// since is when the last Application of a step came to be synced and healthy.
func (r *rolling) since(step int) time.Time {
	var last time.Time
	later := func(text string) bool {
		at, err := time.Parse(time.RFC3339, text)
		if err == nil && at.After(last) {
			last = at
		}
		return err == nil
	}
	for _, name := range r.members[step] {
		o := r.existing[name]
		synced := later(o.Text("status", "operationState", "finishedAt"))
		healthy := later(o.Text("status", "health", "lastTransitionTime"))
		if s := r.statuses[name]; !synced && !healthy && s != nil && s.LastTransitionTime != nil && s.LastTransitionTime.After(last) {
			last = *s.LastTransitionTime
		}
	}
	return last
}

// cutOver lets all previews go at once. It is asked when every Application is healthy or has its preview ready.
func (r *rolling) cutOver() (why string) {
	var ready []string
	for name := range r.step {
		if r.held(name) {
			ready = append(ready, name)
		}
	}
	if len(ready) == 0 {
		return ""
	}
	if behind := r.behind(slices.Collect(maps.Keys(r.step)), ready); len(behind) > 0 {
		r.out.Refresh = append(r.out.Refresh, behind...)
		r.out.After = sooner(r.out.After, 10*time.Second)
		return "previews are ready, the cut-over waits for " + strings.Join(behind, ", ") + " to compare the same revision"
	}
	if open, why := r.gate(len(r.members) - 1); !open {
		return why
	}
	slices.Sort(ready)
	r.out.CutOver = ready
	return "all previews are ready and are promoted together"
}

// held reports whether an Application is as far as it gets before the cut-over: synced, its preview ready and not promoted.
func (r *rolling) held(name string) bool {
	return r.order.Together && r.Ready[name] && r.existing[name] != nil && r.current(name) &&
		r.existing[name].Text("status", "sync", "status") == "Synced" && r.existing[name].Text("status", "health", "status") == "Suspended"
}

func revisions(o manifest.Object) []string {
	out := []string{}
	for _, e := range o.List("status", "sync", "revisions") {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	if one := o.Text("status", "sync", "revision"); len(out) == 0 && one != "" {
		out = append(out, one)
	}
	return out
}
