package logs

// Patterns is what a mask looks for.
func (m *Mask) Patterns() []string { return m.patterns }

// States is how many states the automaton of a mask has.
func (m *Mask) States() int { return len(m.machine.states) }
