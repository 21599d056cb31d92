package terminal

import (
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// veil keeps from a view what no forge shows as a job: a job that is still to be bound to itself or to the jobs that
// stand in its place (plan.Late, "self" and "expand"). It is seen once it is concrete, or where it ends before that.
type veil struct {
	View
	gone map[string]string // jobs in whose place others stand: their parents, by ID
}

// grower is a view that counts jobs beforehand.
type grower interface{ grow(jobs int) }

// behind puts the veil before a view.
func behind(v View) View { return &veil{View: v, gone: map[string]string{}} }

// Changed passes on what concerns a job that is seen.
func (v *veil) Changed(c run.Change, j run.Job) {
	if c.Job != "" && j.Plan != nil {
		if _, gone := v.gone[j.ID]; gone {
			return
		}
		j.Parent = v.parent(j.Parent)
		if late := j.Plan.Late; late != nil && late.Kind != "child" {
			switch {
			case c.Bound != nil && c.Bound.Plan != nil:
				v.gone[j.ID] = j.Parent
				if g, ok := v.View.(grower); ok {
					g.grow(len(c.Bound.Plan.Jobs) - 1)
				}
				return
			case !c.To.Over():
				return
			}
		}
	}
	v.View.Changed(c, j)
}

// parent is the nearest job above that is seen.
func (v *veil) parent(id string) string {
	for {
		above, gone := v.gone[id]
		if !gone {
			return id
		}
		id = above
	}
}

// Close leaves out of the summary what is not seen.
func (v *veil) Close(s Summary) error {
	s.Jobs = slices.DeleteFunc(slices.Clone(s.Jobs), func(e Ended) bool {
		_, gone := v.gone[e.Job.ID]
		return gone
	})
	for i := range s.Jobs {
		s.Jobs[i].Job.Parent = v.parent(s.Jobs[i].Job.Parent)
	}
	return v.View.Close(s)
}
