package schedule

type setKey struct{ run, name string }

// set is jobs of which only some are let through at a time.
type set struct {
	key     setKey
	items   int // jobs in the queue that are its
	running int // let through
	waiting heap[*item]
}

func newSet(key setKey) *set {
	s := &set{key: key}
	s.waiting = heap[*item]{less: func(a, b *item) bool { return a.seq < b.seq }, place: func(it *item) *int { return &it.at }}
	return s
}

// enter lets a job through or makes it wait. Jobs without a set are let through.
func (s *set) enter(it *item) bool {
	if s == nil {
		return true
	}
	if s.running < it.Parallel && s.waiting.len() == 0 {
		s.running++
		return true
	}
	it.state = paced
	s.waiting.push(it)
	return false
}

// leaveSet takes a job out of its set; through says that it had been let through, and another one may.
func (q *Queue) leaveSet(s *set, through bool) {
	if through {
		s.running--
	}
	if s.items--; s.items == 0 {
		delete(q.sets, s.key)
	}
	for s.waiting.len() > 0 && s.running < s.waiting.top().Parallel {
		it := s.waiting.top()
		s.waiting.remove(it)
		s.running++
		if it.group != nil {
			it.group.enter(it)
		}
		q.pass(it)
		if it.state == held {
			q.untold = append(q.untold, it)
		}
	}
}
