package github

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// scene is a job of a file with what is known when it is looked at: when the plan is made, or when its needs are done.
type scene struct {
	ctx      context.Context
	f        *Frame
	job      *workflow.Job
	knot     *knot // nil where needs are known
	stage    string
	needs    expr.Value // the context
	known    bool       // needs is whole: the needs are done, or there are none
	standing standing   // of all jobs before, where known
	bound    bool       // the jobs made keep the context needs, since the jobs are of another plan
}

// leg is one job to be made: of a matrix, or the only one.
type leg struct {
	matrix, shown, strategy expr.Value
	index, total            int // from 1; 0 without a matrix
	plan                    *plan.Strategy
}

// single is the leg of a job without a matrix.
func single() leg { return leg{strategy: StrategyContext(0, 1, true, 1)} }

// job makes the jobs of a plan that stand for a job of the file. Where the matrix waits for the needs it is one job that
// expands.
func (c *compiler) job(s *scene) []*plan.Job {
	v := c.condition(s)
	if v.when == plan.Never && !v.late {
		return []*plan.Job{c.passed(s, v.why)}
	}
	if !s.known && asksNeeds(s.job.Strategy) {
		j := c.placeholder(s, v, single())
		j.Late = &plan.Late{Kind: "expand", Wait: true, Payload: &Late{Why: "strategy"}}
		OwnOf(j).late = lateMatrix
		return []*plan.Job{j}
	}
	return c.spread(s, v)
}

// spread makes a job of every leg that this machine can run.
func (c *compiler) spread(s *scene, v ruling) []*plan.Job {
	legs, ok := c.legs(s)
	if !ok {
		return nil
	}
	var out []*plan.Job
	var missing []plan.Excluded
	for _, l := range legs {
		j, left := c.leg(s, v, l)
		switch {
		case left != nil:
			missing = append(missing, *left)
		case j != nil:
			out = append(out, j)
		}
	}
	if len(out) == 0 && len(missing) > 0 {
		return []*plan.Job{c.passed(s, missing[0].Why)}
	}
	c.excused = append(c.excused, missing...)
	return out
}

// passed is a job that will be shown as skipped.
func (c *compiler) passed(s *scene, why plan.Decision) *plan.Job {
	j := c.placeholder(s, ruling{when: plan.Never, why: why}, single())
	why.When = plan.Never
	j.Why = why
	return j
}

// placeholder is a job with what needs no evaluation.
func (c *compiler) placeholder(s *scene, v ruling, l leg) *plan.Job {
	own := &Own{Frame: s.f, Job: s.job, Matrix: l.matrix, Strategy: l.strategy, Permissions: permissions(s.f, s.job), leg: l, decided: s.bound}
	if s.bound {
		own.Needs = &s.needs
	}
	j := &plan.Job{
		Name: s.f.name + legName(s.basic(), l.shown), Key: s.job.ID, Matrix: variables(l.matrix), Values: valuesOf(l.matrix), Index: l.index, Total: l.total,
		Place: s.job.Place, Why: v.why, Stage: s.stage, Graph: true, When: v.when, Regardless: c.regardless(s, v.when), Strategy: l.plan, Own: own,
		Variables: written(s.job.Env, plan.JobLevel), Outputs: outputs(s.job),
	}
	return j
}

// basic is the job's name before its matrix: as written where that needs no expression, else its ID.
func (s *scene) basic() string {
	if n := s.job.Name; n.Set && n.Value != "" && (n.Template == nil || n.Template.Static()) {
		return n.Value
	}
	return s.job.ID
}

// env is where the expressions of the job are evaluated.
func (s *scene) env(l leg) *expr.Env {
	return &expr.Env{
		Contexts: map[string]expr.Value{
			"github": s.f.github, "inputs": s.f.Inputs, "vars": s.f.Vars, "needs": s.needs, "matrix": l.matrix, "strategy": l.strategy,
		},
		Funcs: s.standing.funcs(),
	}
}

// legs unrolls the matrix.
func (c *compiler) legs(s *scene) ([]leg, bool) {
	st := s.job.Strategy
	if st == nil {
		return []leg{single()}, true
	}
	env := s.env(leg{})
	if st.Expr.Set {
		return c.legsOf(s, st, env)
	}
	failFast, a := c.truth(st.FailFast, env, true, "fail-fast")
	parallel, b := c.count(st.MaxParallel, env, 0, "max-parallel")
	if !a || !b {
		return nil, false
	}
	if st.Matrix == nil {
		return []leg{{strategy: StrategyContext(0, 1, failFast, 1)}}, true
	}
	grid, ok := c.grid(s.job.ID, st.Matrix, env)
	if !ok {
		return nil, false
	}
	return c.unroll(s, st.Matrix.Place, grid, failFast, int(parallel))
}

// legsOf unrolls a strategy that one expression gave.
func (c *compiler) legsOf(s *scene, st *workflow.Strategy, env *expr.Env) ([]leg, bool) {
	v, err := valueOf(st.Expr, env)
	switch {
	case err != nil:
		return nil, c.fail(st.Expr.At(), err)
	case v.Kind() != expr.KindObject:
		return nil, c.mistake(CodeMatrix, st.Expr.At(), "the strategy of job %q is %s, not an object", s.job.ID, described(v))
	}
	failFast := v.Get("fail-fast").IsNull() || v.Get("fail-fast").Truthy()
	parallel := v.Get("max-parallel").Number()
	m := v.Get("matrix")
	if m.IsNull() {
		return []leg{{strategy: StrategyContext(0, 1, failFast, 1)}}, true
	}
	grid, ok := c.gridOf(s.job.ID, st.Place, m)
	if !ok {
		return nil, false
	}
	if !(parallel >= 0 && parallel < 1e6) {
		parallel = 0
	}
	return c.unroll(s, st.Place, grid, failFast, int(parallel))
}

// unroll makes a leg of every combination.
func (c *compiler) unroll(s *scene, at fault.Place, grid Grid, failFast bool, parallel int) ([]leg, bool) {
	combinations, ok := grid.Legs()
	if !ok {
		return nil, c.mistake(CodeMatrixSize, at, "the matrix of job %q has more than %d jobs", s.job.ID, maxLegs)
	}
	if len(combinations) == 0 { // exclude took all: GitHub runs the job once, without a matrix
		return []leg{single()}, true
	}
	out := make([]leg, len(combinations))
	for i, g := range combinations {
		out[i] = leg{
			matrix: g.Matrix, shown: g.Shown, index: i + 1, total: len(combinations),
			strategy: StrategyContext(i, len(combinations), failFast, parallel),
			plan:     &plan.Strategy{FailFast: failFast, Parallel: parallel},
		}
	}
	return out, true
}

// leg makes one job; left says why this machine cannot run it.
func (c *compiler) leg(s *scene, v ruling, l leg) (j *plan.Job, left *plan.Excluded) {
	j = c.placeholder(s, v, l)
	env := s.env(l)
	later := c.later(s)
	if v.late {
		later = append([]string{"if"}, later...)
	}
	late := func(part string) bool { return contains(later, part) }
	if !late("name") && s.job.Name.Set {
		if name, ok := c.text(s.job.Name, env); ok && name != "" && name != s.job.Name.Value {
			j.Name = s.f.name + name
		}
	}
	if !late("concurrency") {
		j.Group = c.free(s.f, s.job.Concurrency, c.group(s.job.Concurrency, env), j.Name)
	}
	if s.job.Uses.Set {
		return c.call(s, j, l, later), nil
	}
	if !late("runs-on") {
		at, ok := c.site(s, env)
		if at.out != "" {
			return nil, c.leftOut(s, j, at)
		}
		if !ok {
			return nil, nil
		}
		j.Tags, j.Image = at.labels, at.image
	}
	c.details(s, j, env, late)
	c.steps(s, j)
	if len(later) > 0 {
		j.Late = &plan.Late{Kind: "self", Payload: &Late{Why: strings.Join(later, ", ")}, Like: v.like}
		OwnOf(j).late = lateSelf
	}
	return j, nil
}

// details fills in what the keys of the job say, as far as it is known.
func (c *compiler) details(s *scene, j *plan.Job, env *expr.Env, late func(string) bool) {
	job := s.job
	if e := job.Environment; e != nil && !late("environment") {
		j.Environment = c.environment(e, env)
	}
	j.Timeout = 360 * time.Minute
	if !late("timeout-minutes") {
		if minutes, ok := c.count(job.TimeoutMinutes, env, 360, "timeout-minutes"); ok && minutes > 0 {
			j.Timeout = time.Duration(min(minutes, 1e6) * float64(time.Minute)) // a fraction counts here, as it does for steps
		}
	}
	if !late("continue-on-error") {
		j.AllowFailure.Any, _ = c.truth(job.ContinueOnError, env, false, "continue-on-error")
	}
	if job.Container != nil && !late("container") {
		if image := c.container(job.Container, env); image != nil {
			j.Image = image
		}
	}
	if !late("services") {
		j.Services = c.services(job, env)
	}
}

// later are the parts of the job that read needs before these are done.
func (c *compiler) later(s *scene) (out []string) {
	if s.known {
		return nil
	}
	job := s.job
	check := func(part string, texts ...workflow.Text) {
		for _, t := range texts {
			if asks(t, "needs") {
				out = append(out, part)
				return
			}
		}
	}
	check("name", job.Name)
	if g := job.Concurrency; g != nil {
		check("concurrency", g.Group, g.CancelInProgress, g.Queue, g.Expr)
	}
	check("runs-on", append(job.RunsOn.Labels[:len(job.RunsOn.Labels):len(job.RunsOn.Labels)], job.RunsOn.Group)...)
	if e := job.Environment; e != nil {
		check("environment", e.Name, e.Deployment)
	}
	check("timeout-minutes", job.TimeoutMinutes)
	check("continue-on-error", job.ContinueOnError)
	if job.Container != nil {
		check("container", containerTexts(job.Container)...)
	}
	services := []workflow.Text{job.ServicesExpr}
	for _, sv := range job.Services {
		if sv.Container != nil {
			services = append(services, containerTexts(sv.Container)...)
		}
	}
	check("services", services...)
	return out
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// asksNeeds reports whether a strategy reads the context needs.
func asksNeeds(st *workflow.Strategy) bool {
	if st == nil {
		return false
	}
	if asks(st.Expr, "needs") || asks(st.FailFast, "needs") || asks(st.MaxParallel, "needs") {
		return true
	}
	m := st.Matrix
	if m == nil {
		return false
	}
	if asks(m.Expr, "needs") {
		return true
	}
	for _, r := range m.Rows {
		if asks(r.Name, "needs") || asks(r.Expr, "needs") {
			return true
		}
		for _, n := range r.Values {
			if mentions(n, "needs") {
				return true
			}
		}
	}
	for _, part := range []*workflow.Combinations{m.Include, m.Exclude} {
		if part == nil {
			continue
		}
		if asks(part.Expr, "needs") {
			return true
		}
		for _, n := range part.Items {
			if mentions(n, "needs") {
				return true
			}
		}
	}
	return false
}

// variables are a leg's values as the plan shows them.
func variables(matrix expr.Value) []plan.Variable {
	var out []plan.Variable
	for _, p := range matrix.Pairs() {
		text := p.Value.Text()
		if k := p.Value.Kind(); k == expr.KindArray || k == expr.KindObject {
			text = p.Value.JSON(false)
		}
		out = append(out, plan.Variable{Name: p.Key, Value: text, Raw: true})
	}
	return out
}

// written is an env: as it stands in the file.
func written(e workflow.Env, level plan.Level) []plan.Variable {
	var out []plan.Variable
	for _, v := range e.Vars {
		out = append(out, plan.Variable{Name: v.Name.Value, Value: v.Value.Value, Level: level})
	}
	return out
}

func outputs(j *workflow.Job) []plan.Variable {
	var out []plan.Variable
	for _, o := range j.Outputs {
		out = append(out, plan.Variable{Name: o.Name.Value, Value: o.Value.Value})
	}
	return out
}

// leftOut tells of a leg that this machine is not made for: once for all legs of a job that want the same.
func (c *compiler) leftOut(s *scene, j *plan.Job, at site) *plan.Excluded {
	place := s.job.RunsOn.Node.At()
	key := place.String() + at.out
	if out := c.without[key]; out != nil {
		out.legs++
		out.told.Message = fmt.Sprintf("%d legs of job %q are left out: %s", out.legs, j.Key, strings.Replace(at.out, "it wants", "they want", 1))
		out.told.WithHint("--platform %s=shell runs them here, --platform %s=IMAGE in containers", at.label, at.label)
	} else {
		told := fault.At(CodeOtherSystem, place, "job %q is left out: %s", j.Name, at.out).WithSeverity(fault.Warning).
			WithHint("--platform %s=shell runs it here, --platform %s=IMAGE in a container", at.label, at.label)
		c.without[key] = &without{told: told, legs: 1}
		c.faults.Add(told)
	}
	return &plan.Excluded{Name: j.Name, Place: s.job.Place, Why: plan.Decision{Rule: "runs-on", Text: at.out, Place: place, When: plan.Never}}
}

// without are the legs of a job that are left out for one reason.
type without struct {
	told *fault.Fault
	legs int
}

// valuesOf is a leg's matrix as JSON, nil where there is none.
func valuesOf(matrix expr.Value) []byte {
	if matrix.IsNull() {
		return nil
	}
	return []byte(matrix.JSON(false))
}
