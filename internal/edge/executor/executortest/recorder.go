// Package executortest is the contract of executors as tests: every executor runs the same suite. It refuses no executor
// for being slow, only for being wrong.
package executortest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Recorder is an Output that remembers, up to Limit bytes of each stream; beyond that it only counts.
type Recorder struct {
	Limit int // 0: 1 MiB

	mu      sync.Mutex
	entries []entry
	kept    map[program.Stream]int
	Bytes   map[program.Stream]int64
	Pieces  int
	Longest int
	Notify  func(s program.Stream, chunk []byte) // called for each, where set
}

type entry struct {
	stream program.Stream
	text   strings.Builder
}

// Write remembers a chunk.
func (r *Recorder) Write(s program.Stream, chunk []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept == nil {
		r.kept, r.Bytes = map[program.Stream]int{}, map[program.Stream]int64{}
		if r.Limit == 0 {
			r.Limit = 1 << 20
		}
	}
	if r.Notify != nil {
		r.Notify(s, chunk)
	}
	r.Pieces++
	r.Longest = max(r.Longest, len(chunk))
	r.Bytes[s] += int64(len(chunk))
	whole := s == program.Command || s == program.System
	if n := r.Limit - r.kept[s]; len(chunk) > n {
		chunk = chunk[:max(0, n)]
	}
	r.kept[s] += len(chunk)
	if n := len(r.entries); whole || n == 0 || r.entries[n-1].stream != s {
		r.entries = append(r.entries, entry{stream: s})
	}
	r.entries[len(r.entries)-1].text.Write(chunk)
	return nil
}

// Text is what one stream held.
func (r *Recorder) Text(s program.Stream) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for i := range r.entries {
		if r.entries[i].stream == s {
			b.WriteString(r.entries[i].text.String())
		}
	}
	return b.String()
}

// String is all of it in order: one line for each command or run of one stream, the text quoted.
func (r *Recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for i := range r.entries {
		if e := &r.entries[i]; e.stream != program.System {
			fmt.Fprintf(&b, "%s %q\n", e.stream, e.text.String())
		}
	}
	return b.String()
}
