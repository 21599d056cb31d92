package keyword

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// graph checks how jobs refer to stages and to each other.
func (r *reader) graph(f *File) {
	r.part = InJob
	for _, j := range f.Jobs {
		r.owner = j.Name
		r.stage(f, j)
		r.needed(f, j, j.Needs, "needs")
		if j.Rules != nil {
			for _, rule := range j.Rules.Items {
				r.needed(f, j, rule.Needs, "rules:needs")
			}
		}
		if j.Dependencies != nil {
			for _, d := range j.Dependencies.Items {
				r.refer(f, j, d, "dependencies", false)
			}
		}
		if j.Trigger != nil {
			for _, inc := range j.Trigger.Include {
				if inc.Job.Set {
					r.refer(f, j, inc.Job, "trigger:include:job", false)
				}
			}
		}
		r.onStop(f, j)
	}
	r.cycles(f)
	r.twice(f)
}

// stage checks that a job's stage exists.
func (r *reader) stage(f *File, j *Job) {
	if !j.Stage.Set && j.Stage.Value == "" || f.Stage(j.Stage.Value) >= 0 {
		return
	}
	at := j.Place
	if j.Stage.Set {
		at = j.Stage.Place
	}
	names := Strings(f.Stages)
	fa := r.failAt(CodeStage, at, "stage %q does not exist; there are %s", j.Stage.Value, strings.Join(names, ", "))
	if !j.Stage.Set {
		fa.WithHint("a job without stage is in %s; name its stage, or add %s to stages", DefaultStage, DefaultStage)
	} else if near := fault.Nearest(j.Stage.Value, names); near != "" {
		fa.WithHint("did you mean %q?", near)
	} else {
		fa.WithHint("add it to stages")
	}
}

// needed checks a list of needs.
func (r *reader) needed(f *File, j *Job, needs *Needs, what string) {
	if needs == nil {
		return
	}
	seen := make(map[string]bool, len(needs.Items))
	for i := range needs.Items {
		need := &needs.Items[i]
		if need.Kind != NeedJob || !need.Job.Set {
			continue
		}
		name := need.Job.Value
		if seen[name] {
			r.failAt(CodeDuplicate, need.Place, "%s names %q twice", what, name)
			continue
		}
		seen[name] = need.Matrix == nil
		r.refer(f, j, need.Job, what, need.Optional)
		if to := f.index[name]; to != nil && need.Matrix != nil && (to.Parallel == nil || to.Parallel.Matrix == nil) {
			r.failAt(CodeMatrix, need.Matrix[0].Place, "%s:parallel:matrix: job %q has no matrix", what, name)
		}
	}
}

// refer checks a reference to another job: it exists and is in the same or an earlier stage.
func (r *reader) refer(f *File, j *Job, name Text, what string, optional bool) {
	to := f.index[name.Value]
	if to == nil {
		to = legOf(f, name.Value)
	}
	switch {
	case to == nil && optional:
	case to == nil:
		r.undefined(f, name, what)
	case to == j && what != "dependencies":
		r.failAt(CodeCycle, name.Place, "%s names the job itself", what)
	default:
		from, there := f.Stage(j.Stage.Value), f.Stage(to.Stage.Value)
		if from >= 0 && there > from {
			r.failAt(CodeLater, name.Place, "%s names %q of stage %s, which comes after stage %s", what, name.Value, to.Stage.Value, j.Stage.Value).
				WithHint("only jobs of the same or of earlier stages can be waited for")
		}
	}
}

// undefined tells of a reference to no job.
func (r *reader) undefined(f *File, name Text, what string) {
	fa := r.failAt(CodeUndefined, name.Place, "%s names %q, which does not exist", what, name.Value)
	if strings.HasPrefix(name.Value, ".") {
		fa.WithHint("names that begin with a dot are hidden and never run")
		return
	}
	if r.hints++; r.hints > maxHints {
		return
	}
	names := make([]string, len(f.Jobs))
	for i, j := range f.Jobs {
		names[i] = j.Name
	}
	if near := fault.Nearest(name.Value, names); near != "" {
		fa.WithHint("did you mean %q?", near)
	}
}

// legOf finds the job whose leg has that name: "test 1/3", "test: [a, b]"; nil where there is none.
func legOf(f *File, name string) *Job {
	if i := strings.LastIndexByte(name, ' '); i > 0 {
		n, total, ok := strings.Cut(name[i+1:], "/")
		if j := f.index[name[:i]]; ok && j != nil && j.Parallel != nil {
			index, err := strconv.Atoi(n)
			if err == nil && index >= 1 && index <= j.Parallel.Number && strconv.Itoa(j.Parallel.Number) == total {
				return j
			}
		}
	}
	for i := 0; ; i++ {
		at := strings.Index(name[i:], ": [")
		if at < 0 || !strings.HasSuffix(name, "]") {
			return nil
		}
		i += at
		if j := f.index[name[:i]]; j != nil && j.Parallel != nil && hasLeg(j.Parallel.Matrix, name[i+3:len(name)-1]) {
			return j
		}
	}
}

// hasLeg reports whether one of the rows makes a leg with these values, joined by commas.
func hasLeg(rows []Row, values string) bool {
	for _, row := range rows {
		if matchesAxes(row.Axes, values) {
			return true
		}
	}
	return false
}

func matchesAxes(axes []Axis, values string) bool {
	if len(axes) == 0 {
		return false
	}
	for _, v := range axes[0].Values {
		rest, ok := strings.CutPrefix(values, v.Value)
		if !ok {
			continue
		}
		if len(axes) == 1 && rest == "" {
			return true
		}
		if rest, ok = strings.CutPrefix(rest, ", "); ok && matchesAxes(axes[1:], rest) {
			return true
		}
	}
	return false
}

// onStop checks that environment:on_stop names a job that stops the same environment.
func (r *reader) onStop(f *File, j *Job) {
	if j.Environment == nil || !j.Environment.OnStop.Set {
		return
	}
	name := j.Environment.OnStop
	to := f.index[name.Value]
	switch {
	case to == nil:
		r.undefined(f, name, "environment:on_stop")
	case to.Environment == nil:
		r.failAt(CodeOnStop, name.Place, "environment:on_stop names %q, which has no environment", name.Value).
			WithHint("give it the environment %s with action: stop", j.Environment.Name.Value)
	case to.Environment.Name.Value != j.Environment.Name.Value:
		r.failAt(CodeOnStop, name.Place, "environment:on_stop names %q, whose environment is %s, not %s", name.Value, to.Environment.Name.Value, j.Environment.Name.Value)
	case to.Environment.Action.Value != "stop":
		r.failAt(CodeOnStop, name.Place, "environment:on_stop names %q, whose environment:action is not stop", name.Value)
	}
}

// cycles tells of jobs that wait for each other. Each circle is told once, at the first of its jobs in the file.
func (r *reader) cycles(f *File) {
	const (
		fresh = iota
		open
		done
	)
	state := make(map[*Job]int, len(f.Jobs))
	for _, start := range f.Jobs {
		if state[start] != fresh {
			continue
		}
		path := []*Job{start}
		next := []int{0}
		state[start] = open
		for len(path) > 0 {
			top := len(path) - 1
			j := path[top]
			var needs []Need
			if j.Needs != nil {
				needs = j.Needs.Items
			}
			if next[top] >= len(needs) {
				state[j] = done
				path, next = path[:top], next[:top]
				continue
			}
			to := f.index[needs[next[top]].Job.Value]
			next[top]++
			switch {
			case to == nil || to == j || needs[next[top]-1].Kind != NeedJob:
			case state[to] == fresh:
				state[to] = open
				path, next = append(path, to), append(next, 0)
			case state[to] == open:
				r.cycle(path, to)
			}
		}
	}
}

// maxCircle is how many jobs of a circle are named, and maxCircles how many circles.
const (
	maxCircle  = 8
	maxCircles = 20
)

// cycle tells of one circle: the end of path from job first on.
func (r *reader) cycle(path []*Job, first *Job) {
	if r.circles++; r.circles > maxCircles {
		return
	}
	start := len(path) - 1
	for path[start] != first {
		start--
	}
	names := make([]string, 0, maxCircle+1)
	for _, j := range path[start:] {
		if len(names) == maxCircle {
			names = append(names, fmt.Sprintf("%d others, the last of which", len(path)-start-maxCircle))
			break
		}
		names = append(names, strconv.Quote(j.Name))
	}
	r.owner = first.Name
	r.failAt(CodeCycle, first.Needs.Place, "needs go in a circle: %s needs %q", strings.Join(names, " needs "), first.Name).
		WithHint("take one of these needs away")
}
