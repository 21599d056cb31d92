package logs

import (
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// Masker replaces secrets in one stream. All bytes that belong to a secret, or to several that overlap, become one
// Masked; all others pass as they are, at once: only the bytes at the end of the stream that may yet be the beginning
// of a secret are held back, never more than the longest pattern less one. There is nothing else to flush.
// A Masker serves one goroutine.
type Masker struct {
	mask  *Mask
	state int32
	held  []byte // came in, has not gone out
	spans []span // the secrets in held, in order, apart from one another
}

// span is where a secret stands, counted from the first byte held. A negative start means that its Masked has gone
// out already.
type span struct{ start, end int }

// Append takes the next bytes of the stream and appends to dst what may be shown of it so far.
func (m *Masker) Append(dst, p []byte) []byte {
	machine := m.mask.machine
	if machine == nil {
		return append(dst, p...)
	}
	m.scan(p)
	keep := int(machine.states[m.state].keep)
	return m.emit(dst, p, len(m.held)+len(p)-keep)
}

// Held is how many bytes are held back now.
func (m *Masker) Held() int { return len(m.held) }

// Add masks more secrets from here on, also in the bytes held back. What has gone out stays as it went.
// The faults are those of NewMask.
func (m *Masker) Add(secrets ...secret.Secret) fault.Faults {
	larger, faults := m.mask.With(secrets...)
	m.Use(larger)
	return faults
}

// Use goes on with another mask from here on, also in the bytes held back. It is meant for a mask that holds all
// that the present one does.
func (m *Masker) Use(mask *Mask) {
	mask = cmpOr(mask, &Mask{})
	if mask == m.mask || mask.machine == nil {
		return
	}
	held := m.held
	m.mask, m.state, m.held = mask, 0, nil
	if len(m.spans) > 0 && m.spans[0].start < 0 {
		m.spans = m.spans[:1]
	} else {
		m.spans = m.spans[:0]
	}
	m.scan(held)
	m.held = held
}

// Close ends the stream: it appends the rest to dst. The Masker can serve a new stream then.
func (m *Masker) Close(dst []byte) []byte {
	dst = m.emit(dst, nil, len(m.held))
	m.state, m.spans = 0, m.spans[:0]
	return dst
}

// scan runs the automaton over p, which follows the held bytes, and notes where secrets stand.
func (m *Masker) scan(p []byte) {
	machine, s, before := m.mask.machine, m.state, len(m.held)
	for i := 0; i < len(p); i++ {
		if s == 0 {
			if i = machine.filter.next(p, i); i == len(p) {
				break
			}
		}
		s = machine.step(s, p[i])
		if length := int(machine.states[s].match); length > 0 {
			end := before + i + 1
			m.note(span{end - length, end})
		}
	}
	m.state = s
}

// note adds a secret that ends behind all others, and joins those that it overlaps.
func (m *Masker) note(n span) {
	for len(m.spans) > 0 && m.spans[len(m.spans)-1].end > n.start {
		n.start = min(n.start, m.spans[len(m.spans)-1].start)
		m.spans = m.spans[:len(m.spans)-1]
	}
	m.spans = append(m.spans, n)
}

// emit lets the first n bytes of held and p out and holds the others.
func (m *Masker) emit(dst, p []byte, n int) []byte {
	at, kept := 0, m.spans[:0]
	for _, s := range m.spans {
		if s.start >= n {
			kept = append(kept, span{s.start - n, s.end - n})
			continue
		}
		if s.start >= 0 {
			dst = append(m.copy(dst, p, at, s.start), m.mask.cover()...)
		}
		at = min(s.end, n)
		if s.end > n {
			kept = append(kept, span{-1, s.end - n})
		}
	}
	dst = m.copy(dst, p, at, n)
	m.spans = kept
	if n >= len(m.held) {
		m.held = append(m.held[:0], p[n-len(m.held):]...)
	} else {
		m.held = append(m.held[:copy(m.held, m.held[n:])], p...)
	}
	return dst
}

// copy appends the bytes from start to end of held and p, taken as one.
func (m *Masker) copy(dst, p []byte, start, end int) []byte {
	h := len(m.held)
	if start < h {
		dst = append(dst, m.held[start:min(end, h)]...)
	}
	if end > h {
		dst = append(dst, p[max(start-h, 0):end-h]...)
	}
	return dst
}
