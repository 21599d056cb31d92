package dispatch

import (
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// needs are the jobs that j names as its needs, as they stand.
func (l *loop) needs(j run.Job) []program.Before {
	if len(j.Plan.Needs) == 0 {
		return nil
	}
	return l.stand(l.run.Needs(j.ID))
}

// ancestors are all jobs that a late job waits for. A job that becomes a pipeline of its own does not ask for them.
func (l *loop) ancestors(j run.Job) []program.Before {
	if late := j.Plan.Late; late == nil || late.Kind == run.Child {
		return nil
	}
	return l.stand(l.run.Ancestors(j.ID))
}

func (l *loop) stand(jobs []run.Job) []program.Before {
	if len(jobs) == 0 {
		return nil
	}
	out := make([]program.Before, 0, len(jobs))
	for _, j := range jobs {
		out = append(out, l.before(j))
	}
	return out
}

// before is a job as those that wait for it see it. One that was left out by a choice counts as having succeeded, as it does
// for whether they run at all.
func (l *loop) before(j run.Job) program.Before {
	b := program.Before{
		ID: j.ID, Key: j.Plan.Key, Name: j.Plan.Name, Job: j.Plan, Status: string(j.Status),
		Allowed: j.Allowed && j.Status == run.Failed, Outputs: l.results[j.ID].Outputs,
	}
	if j.Unselected {
		b.Status = string(run.Success)
	}
	children, scope := l.run.Children(j.ID)
	b.Inner, b.Scope = l.stand(children), scope
	return b
}
