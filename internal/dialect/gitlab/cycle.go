package gitlab

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// cycles tells of jobs that need each other in a circle. It looks at the jobs' own needs, whatever the event decided,
// and at the needs that rules gave.
func (c *compiler) cycles() {
	state := make(map[*seed]int, len(c.seeds)) // 0 new, 1 on the path, 2 done
	for _, s := range c.seeds {
		c.walk(s, state)
	}
}

// walk goes down the needs from one job without recursion: a chain may be as long as the file.
func (c *compiler) walk(start *seed, state map[*seed]int) {
	type frame struct {
		seed *seed
		next []*seed
	}
	if state[start] != 0 {
		return
	}
	state[start] = 1
	path := []frame{{start, start.edges}}
	for len(path) > 0 {
		top := &path[len(path)-1]
		if len(top.next) == 0 {
			state[top.seed] = 2
			path = path[:len(path)-1]
			continue
		}
		target := top.next[0]
		top.next = top.next[1:]
		switch state[target] {
		case 0:
			state[target] = 1
			path = append(path, frame{target, target.edges})
		case 1:
			var names []string
			for _, f := range path {
				if len(names) > 0 || f.seed == target {
					names = append(names, f.seed.name)
				}
			}
			names = append(names, target.name)
			c.faults.Add(fault.At(CodeCycle, needsPlace(target), "jobs need each other in a circle: %s", strings.Join(names, " -> ")).
				WithHint("take one of these needs away"))
		}
	}
}

// needsPlace is where a job's needs are written.
func needsPlace(s *seed) fault.Place {
	if needs := s.needs(); needs != nil && !needs.Place.IsZero() {
		return needs.Place
	}
	return s.key.Place
}
