package workflow

import (
	"slices"
	"strings"
)

// graph tells needs of jobs that do not exist, and jobs that wait for each other. Ids are compared without case.
func (r *reader) graph(jobs []*Job) {
	byID := make(map[string]int, len(jobs))
	ids := make([]string, len(jobs))
	for i, j := range jobs {
		ids[i] = j.ID
		lower := strings.ToLower(j.ID)
		if _, ok := byID[lower]; !ok {
			byID[lower] = i
		}
	}
	waits := make([][]int, len(jobs)) // the jobs that each needs
	for i, j := range jobs {
		var seen map[string]bool
		for k, need := range j.Needs {
			lower := strings.ToLower(need.Value)
			if at, ok := byID[lower]; !ok {
				r.unknownNeed(j, need, ids)
			} else if at == i {
				r.mistake(CodeCycle, need.At(), "the job %s needs itself", j.ID)
			} else {
				waits[i] = append(waits[i], at)
			}
			if seen == nil {
				seen = make(map[string]bool, len(j.Needs))
			}
			if seen[lower] && k > 0 {
				r.warn(CodeUseless, need.At(), "the job %s needs %s twice", j.ID, need.Value)
			}
			seen[lower] = true
		}
	}
	r.circles(jobs, waits)
}

func (r *reader) unknownNeed(j *Job, need Text, ids []string) {
	if need.Value == "" || strings.Contains(need.Value, open) {
		return // told already
	}
	f := r.mistake(CodeNeeds, need.At(), "the job %s needs %s, which does not exist", j.ID, need.Value)
	if len(ids) > 2000 || r.told > maxTold {
		return // looking for the nearest would take long
	}
	if near := nearest(need.Value, ids); near != "" {
		f.WithHint("did you mean %s?", near)
	}
}

// circles takes away the jobs that can start, again and again; each circle in the rest is told once.
func (r *reader) circles(jobs []*Job, waits [][]int) {
	open := make([]int, len(jobs))
	after := make([][]int, len(jobs))
	var ready []int
	for i, needs := range waits {
		if open[i] = len(needs); open[i] == 0 {
			ready = append(ready, i)
		}
		for _, n := range needs {
			after[n] = append(after[n], i)
		}
	}
	for len(ready) > 0 {
		i := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, next := range after[i] {
			if open[next]--; open[next] == 0 {
				ready = append(ready, next)
			}
		}
	}
	told := make([]bool, len(jobs))
	for i := range jobs {
		if open[i] == 0 || told[i] {
			continue
		}
		r.circle(jobs, waits, open, told, i)
	}
}

// circle walks along needs from job i until a job comes again, and tells the circle where it was not told before.
func (r *reader) circle(jobs []*Job, waits [][]int, open []int, told []bool, i int) {
	var path []int
	at := map[int]int{}
	for !told[i] {
		if begin, again := at[i]; again {
			ring := path[begin:]
			names := make([]string, 0, len(ring)+1)
			for _, k := range ring {
				names = append(names, jobs[k].ID)
			}
			names = append(names, names[0])
			if len(names) > 12 {
				names = slices.Concat(names[:6], []string{"…"}, names[len(names)-5:])
			}
			r.mistake(CodeCycle, jobs[ring[0]].Place, "jobs need each other in a circle: %s", strings.Join(names, " needs "))
			break
		}
		at[i] = len(path)
		path = append(path, i)
		next := slices.IndexFunc(waits[i], func(k int) bool { return open[k] > 0 })
		if next < 0 {
			break
		}
		i = waits[i][next]
	}
	for _, k := range path {
		told[k] = true
	}
}
