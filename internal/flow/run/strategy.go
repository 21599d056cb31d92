package run

import (
	"fmt"
	"slices"
)

// leg notes a job among the legs of its matrix.
func (sc *scope) leg(n *node) {
	st := n.plan.Strategy
	if st == nil || st.Set == n.set {
		return
	}
	if sc.sets == nil {
		sc.sets = map[string][]*node{}
	}
	n.set = st.Set
	if legs := sc.sets[st.Set]; n.status == Created || !slices.Contains(legs, n) { // once bound, it may have been one before
		sc.sets[st.Set] = append(legs, n)
	}
}

// failFast cancels the other legs of a matrix when one has failed that may not (Workflow syntax for GitHub Actions,
// jobs.<job_id>.strategy.fail-fast).
func (s *step) failFast(n *node) {
	st := n.plan.Strategy
	if st == nil || !st.FailFast {
		return
	}
	why := fmt.Sprintf("job %q of the same matrix failed (fail-fast)", n.plan.Name)
	for _, leg := range n.scope.sets[st.Set] {
		s.r.work++
		if leg != n && leg.class != absent && leg.plan.Strategy != nil && leg.plan.Strategy.Set == st.Set && !leg.status.Over() && !leg.canceling {
			s.stop(leg, why, "")
		}
	}
}
