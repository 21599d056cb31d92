package logs

import "slices"

// Patterns is what a mask looks for.
func (m *Mask) Patterns() []string {
	var out []string
	for _, l := range m.layers {
		out = append(out, l.patterns...)
	}
	slices.Sort(out)
	return out
}

// States is how many states the automatons of a mask have.
func (m *Mask) States() int {
	n := 0
	for _, l := range m.layers {
		n += len(l.machine.states)
	}
	return n
}

// Layers is how many parts a mask is compiled in.
func (m *Mask) Layers() int { return len(m.layers) }
