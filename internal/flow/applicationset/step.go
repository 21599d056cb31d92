package applicationset

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// selects reports whether a step is for what has these labels: all its expressions match. One with an operator that is
// neither In nor NotIn matches nothing.
func (s RollingStep) selects(labels map[string]string) bool {
	for _, e := range s.MatchExpressions {
		v, there := labels[e.Key]
		in := there && slices.Contains(e.Values, v)
		switch e.Operator {
		case "In":
			if !in {
				return false
			}
		case "NotIn":
			if in {
				return false
			}
		default:
			if there {
				return false
			}
		}
	}
	return true
}

// most is how many of so many a step updates at once: 0 is none, a percentage above 0 % at least one. A text that is neither a
// number nor a percentage is none.
func (s RollingStep) most(of int) int {
	if s.MaxUpdate == nil {
		return of
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(s.MaxUpdate, of, false)
	if err != nil || n < 0 {
		return 0
	}
	if s.MaxUpdate.Type == intstr.String && n < 1 && strings.TrimSuffix(s.MaxUpdate.StrVal, "%") != "0" {
		return 1
	}
	return n
}

// stepsOf are the names of the Applications in each step, and the first step of each.
func stepsOf(s Set, apps []manifest.Object) (members [][]string, first map[string]int) {
	first = map[string]int{}
	for i, step := range s.Steps() {
		var names []string
		for _, o := range apps {
			if step.selects(o.Labels()) {
				names = append(names, o.Name())
				if _, had := first[o.Name()]; !had {
					first[o.Name()] = i
				}
			}
		}
		members = append(members, names)
	}
	return members, first
}

// Reverses reports whether a set's Applications are deleted in the reverse order of its steps (documentation page "Progressive
// Syncs", deletion strategies).
func (s Set) Reverses() bool {
	return len(s.Steps()) > 0 && strings.EqualFold(s.Spec.Strategy.DeletionOrder, "Reverse")
}

// Reverse says which of the Applications that are to go are to be deleted now: those of the last step that has any left. left
// reports whether more have to wait, also for those that are being deleted. Applications of no step go last.
func Reverse(s Set, going []manifest.Object) (now []manifest.Object, left bool) {
	_, first := stepsOf(s, going)
	last := -2
	step := func(o manifest.Object) int {
		if i, ok := first[o.Name()]; ok {
			return i
		}
		return -1
	}
	for _, o := range going {
		last = max(last, step(o))
	}
	for _, o := range going {
		if step(o) != last || o.Deleting() {
			left = true
			continue
		}
		now = append(now, o)
	}
	return now, left
}
