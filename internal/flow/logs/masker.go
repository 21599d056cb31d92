package logs

import (
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// Masker replaces secrets in one stream. All bytes that belong to a secret, or to several that overlap, become one
// Masked; all others pass as they are, at once: only the bytes at the end of the stream that may yet be the beginning
// of a secret are held back, never more than the longest pattern less one. There is nothing else to flush.
// A Masker serves one goroutine.
type Masker struct {
	mask   *Mask
	states []int32 // of the mask's layers
	held   []byte  // came in, has not gone out
	spans  []span  // the secrets in held, in order, apart from one another
}

// span is where a secret stands, counted from the first byte held. A negative start means that its Masked has gone
// out already.
type span struct{ start, end int }

// Append takes the next bytes of the stream and appends to dst what may be shown of it so far.
func (m *Masker) Append(dst, p []byte) []byte {
	if len(m.mask.layers) == 0 {
		return append(dst, p...)
	}
	return m.emit(dst, p, len(m.held)+len(p)-m.scan(p))
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
	if mask == m.mask || len(mask.layers) == 0 {
		return
	}
	held := m.held
	m.mask, m.states, m.held = mask, nil, nil
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
	m.states, m.spans = nil, m.spans[:0]
	return dst
}

// scan runs the automatons over p, which follows the held bytes, and notes where secrets stand. keep is how many of the
// last bytes may be part of a secret that goes on.
func (m *Masker) scan(p []byte) (keep int) {
	if m.states == nil {
		m.states = make([]int32, len(m.mask.layers))
	}
	for n := range m.states {
		keep = max(keep, m.layer(n, p))
	}
	return keep
}

// layer is scan for one of the layers.
func (m *Masker) layer(n int, p []byte) (keep int) {
	machine, s, before := m.mask.layers[n].machine, m.states[n], len(m.held)
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
	m.states[n] = s
	return int(machine.states[s].keep)
}

// note adds a secret, and joins those that it overlaps.
func (m *Masker) note(n span) {
	high := len(m.spans) // behind those that end where it begins or later
	for high > 0 && m.spans[high-1].start >= n.end {
		high--
	}
	low := high
	for low > 0 && m.spans[low-1].end > n.start {
		low--
		n.start, n.end = min(n.start, m.spans[low].start), max(n.end, m.spans[low].end)
	}
	m.spans = slices.Replace(m.spans, low, high, n)
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
