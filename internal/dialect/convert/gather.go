package convert

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// job is one job of the file: all legs of its matrix together.
type job struct {
	*plan.Job             // the first leg
	legs      []*plan.Job // all of them
	id        string      // in the file that is written
	direct    []*job      // what it waits for, without what another of them waits for where stages say so
	named     map[*job]bool
	optional  map[*job]bool // of those named, which may be left out
	number    int           // its place among the jobs
	before    set           // all that it waits for, directly or not
	in        cond          // when it takes part, as far as the event and the values decide
	classes   []class
	from      []*job // whose artifacts it takes, once sourced
	sourced   bool
	lenient   bool // it runs also where one of those was left out
}

// set are jobs by their numbers.
type set []uint64

func (s set) has(j *job) bool { return j.number/64 < len(s) && s[j.number/64]>>(j.number%64)&1 == 1 }

func (s *set) add(j *job) {
	for len(*s) <= j.number/64 {
		*s = append(*s, 0)
	}
	(*s)[j.number/64] |= 1 << (j.number % 64)
}

func (s *set) remove(j *job) {
	if s.has(j) {
		(*s)[j.number/64] &^= 1 << (j.number % 64)
	}
}

// addAll adds those of another set.
func (s *set) addAll(more set) {
	for len(*s) < len(more) {
		*s = append(*s, 0)
	}
	for i, word := range more {
		(*s)[i] |= word
	}
}

// gather puts the legs together and reads the edges. name gives a job its ID.
func gather(p *plan.Plan, name func(*plan.Job) string) []*job {
	var out []*job
	byKey, byID := map[string]*job{}, map[string]*job{}
	for _, leg := range p.Jobs {
		j := byKey[leg.Key]
		if j == nil {
			j = &job{Job: leg, number: len(out), named: map[*job]bool{}, optional: map[*job]bool{}, in: yes}
			byKey[leg.Key] = j
			out = append(out, j)
		}
		j.legs = append(j.legs, leg)
		byID[leg.ID] = j
	}
	taken := map[string]bool{}
	for _, j := range out {
		base := name(j.Job)
		j.id = base
		for n := 2; taken[strings.ToLower(j.id)]; n++ {
			j.id = base + "-" + strconv.Itoa(n)
		}
		taken[strings.ToLower(j.id)] = true
	}
	stage := plan.StageOf(p)
	edges := map[*job][]*job{}
	for _, j := range out {
		edges[j] = waits(j, out, stage, byID)
	}
	seen := map[*job]bool{}
	for _, j := range out {
		j.reach(edges, seen)
	}
	for _, j := range out {
		if j.direct = edges[j]; !j.Graph {
			j.direct = reduced(edges[j])
		}
	}
	return out
}

// waits are the jobs that a job waits for by its needs, or by its stage.
func waits(j *job, all []*job, stage map[string]int, byID map[string]*job) []*job {
	var out []*job
	var there set
	for _, leg := range j.legs {
		for _, n := range leg.Needs {
			if b := byID[n.Job]; b != nil && b != j {
				j.named[b] = true
				j.optional[b] = j.optional[b] || n.Optional
				if !there.has(b) {
					there.add(b)
					out = append(out, b)
				}
			}
		}
	}
	if j.Graph {
		return out
	}
	for _, b := range all {
		if stage[b.Stage] < stage[j.Stage] && !there.has(b) {
			out = append(out, b)
		}
	}
	return out
}

// reach fills before. A circle was refused when the plan was made; a job that is being looked at adds nothing.
func (j *job) reach(edges map[*job][]*job, seen map[*job]bool) {
	if seen[j] {
		return
	}
	seen[j] = true
	for _, b := range edges[j] {
		b.reach(edges, seen)
		j.before.add(b)
		j.before.addAll(b.before)
	}
}

// reduced leaves out what another edge leads to.
func reduced(edges []*job) []*job {
	var further set
	for _, b := range edges {
		further.addAll(b.before)
	}
	var out []*job
	for _, b := range edges {
		if !further.has(b) {
			out = append(out, b)
		}
	}
	return out
}

// sources are the jobs whose artifacts a job takes, in the order of the file.
func (j *job) sources(all []*job) []*job {
	if !j.sourced {
		j.from, j.sourced = j.take(all), true
	}
	return j.from
}

func (j *job) take(all []*job) []*job {
	take := map[string]bool{}
	for _, leg := range j.legs {
		for _, id := range leg.Inputs {
			take[id] = true
		}
	}
	var out []*job
	for _, b := range all {
		if j.before.has(b) && (j.InputsAll || slices.ContainsFunc(b.legs, func(l *plan.Job) bool { return take[l.ID] })) {
			out = append(out, b)
		}
	}
	return out
}

// loyal reports whether the job runs only where what it waits for went well.
func (j *job) loyal() bool {
	return len(j.classes) == 1 && j.classes[0].when != plan.Always && j.classes[0].when != plan.OnFailure
}

// axes are the variables of a job's matrix, in the order in which they first stand.
func (j *job) axes() []string {
	var out []string
	for _, leg := range j.legs {
		for _, v := range leg.Matrix {
			if !slices.Contains(out, v.Name) {
				out = append(out, v.Name)
			}
		}
	}
	return out
}

// grid is the matrix as the product of lists, where it is one; values are in the order in which they first stand.
func (j *job) grid() (names []string, values [][]string, ok bool) {
	names = j.axes()
	values = make([][]string, len(names))
	for _, leg := range j.legs {
		if len(leg.Matrix) != len(names) {
			return nil, nil, false
		}
		for i, v := range leg.Matrix {
			if v.Name != names[i] {
				return nil, nil, false
			}
			if !slices.Contains(values[i], v.Value) {
				values[i] = append(values[i], v.Value)
			}
		}
	}
	total := 1
	for _, list := range values {
		total *= len(list)
	}
	if total != len(j.legs) || len(names) == 0 {
		return nil, nil, false
	}
	for n, leg := range j.legs { // the first axis turns slowest
		block := total
		for i, list := range values {
			block /= len(list)
			if leg.Matrix[i].Value != list[n/block%len(list)] {
				return nil, nil, false
			}
		}
	}
	return names, values, true
}

// slug is a name of letters, digits, _ and -, as GitHub's job IDs are.
func slug(name string) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case word(r), r == '_':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	out := strings.TrimRight(b.String(), "-")
	if out == "" || out[0] >= '0' && out[0] <= '9' || out[0] == '-' {
		out = "_" + out
	}
	return out
}
