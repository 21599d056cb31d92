package logs

// Break gives the present line although no line break followed it, as where a command ends and the next one is
// echoed. Sections stay open; what may be the beginning of a marker stays held.
func (s *Sections) Break(give func(Event)) {
	line := s.give(give)
	s.lines.Break(line)
}
