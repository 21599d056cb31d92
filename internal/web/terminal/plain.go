package terminal

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// plain writes every line with the name of its job before it. What a job writes is held for a moment, so that the jobs
// take turns in bursts instead of lines.
type plain struct {
	paper
	mu     sync.Mutex
	out    io.Writer
	err    error // the first that a write met
	names  names
	column int // width of the names
	jobs   map[string]*voice
	queue  []*voice // those with something to say, the longest waiting first
	timer  *time.Timer
	due    bool
	closed bool
	open   *voice // its last line on the terminal has not ended
}

const (
	burst      = 100 * time.Millisecond // the longest that a line is held
	burstBytes = 64 << 10               // a job with more to say is let speak at once
)

// voice is what a job has to say.
type voice struct {
	name   string
	prefix []byte
	buf    []byte
	queued bool
	stream program.Stream // whose line has not ended, "" for none
	outs   [2]flow        // stdout, stderr
}

func newPlain(w io.Writer, p paper) *plain {
	return &plain{paper: p, out: w, names: names{}, jobs: map[string]*voice{}}
}

// WantsLines is true.
func (v *plain) WantsLines() bool { return true }

// Begin writes the opening line and our notes.
func (v *plain) Begin(h Head) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.names.learn(h.Plan)
	v.column = v.names.longest(h.Plan)
	v.write([]byte(v.opening(h) + "\n"))
	for _, n := range v.notes(h) {
		v.write([]byte(n + "\n"))
	}
}

// Changed says what became of a job.
func (v *plain) Changed(c run.Change, j run.Job) {
	if c.Job == "" {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	who := v.voice(j.ID, v.names.of(j))
	if m, text, ok := v.told(c, j); ok {
		v.say(who, m, text)
	}
	if c.To.Over() || c.Retry {
		v.flush(who)
		who.buf = nil
	}
}

func (v *plain) say(who *voice, m mark, text string) {
	v.begin(who, "")
	who.buf = append(who.buf, v.mark(m)...)
	who.buf = append(who.buf, ' ')
	who.buf = append(who.buf, text...)
	who.buf = append(who.buf, '\n')
	v.enqueue(who)
}

// Line holds a line of a job until its turn.
func (v *plain) Line(l Line) {
	v.mu.Lock()
	defer v.mu.Unlock()
	who := v.jobs[l.Job]
	if who == nil {
		who = v.voice(l.Job, clean(l.Name))
	}
	switch l.Stream {
	case program.Command:
		v.block(who, l.Text, bold, "$ ", "  ")
	case program.System:
		v.block(who, l.Text, systemColor(l.Text), "", "")
	default:
		v.output(who, l)
	}
	v.enqueue(who)
}

// output takes a line of a job's own, or a part of one.
func (v *plain) output(who *voice, l Line) {
	if who.stream != l.Stream {
		v.begin(who, l.Stream)
	}
	f := &who.outs[0]
	if l.Stream == program.Stderr {
		f = &who.outs[1]
	}
	who.buf = f.append(who.buf, who.prefix, l.Text, bool(v.ink), l.More)
	if l.More {
		who.stream = l.Stream
		return
	}
	who.stream = ""
	who.buf = append(who.buf, '\n')
}

// block writes a text of ours, which may have several lines; the first has another lead than the others.
func (v *plain) block(who *voice, text []byte, color, lead, next string) {
	for line := range bytes.Lines(text) {
		v.begin(who, "")
		who.buf = append(who.buf, v.on(color, lead+plainLine(line))...)
		who.buf = append(who.buf, '\n')
		lead = next
	}
}

// begin starts a line of a job; the one that has not ended is broken off.
func (v *plain) begin(who *voice, s program.Stream) {
	if who.stream != "" {
		who.buf = append(who.buf, v.broken()...)
		who.restyle()
	}
	who.stream = s
	who.buf = append(who.buf, who.prefix...)
}

// broken is the end of a line that goes on elsewhere.
func (v *plain) broken() string {
	if v.ink {
		return reset + "\n"
	}
	return "\n"
}

// restyle lets the next part of a line begin with the styles in force.
func (w *voice) restyle() {
	for i := range w.outs {
		w.outs[i].inside = false
	}
}

// Section writes the header of a section. What is in it is shown, folded or not: nobody can open it here.
func (v *plain) Section(j run.Job, s logs.Event) {
	header, ok := headerOf(s)
	if !ok {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	who := v.jobs[j.ID]
	if who == nil {
		who = v.voice(j.ID, clean(j.Plan.Name))
	}
	v.block(who, []byte(header), cyan, "", "")
	v.enqueue(who)
}

// Close writes what is held, then the summary.
func (v *plain) Close(s Summary) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	if v.timer != nil {
		v.timer.Stop()
	}
	v.flushAll()
	v.end()
	v.write(v.summary(s, v.names, true))
	return v.err
}

// Write puts text of the command's own between the jobs' lines.
func (v *plain) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.flushAll()
	v.end()
	v.write(p)
	return len(p), v.err
}

// voice is a job's, made when it is first heard of.
func (v *plain) voice(id, name string) *voice {
	if who := v.jobs[id]; who != nil {
		return who
	}
	v.column = max(v.column, min(widest, width(name)))
	tint := tints[len(v.jobs)%len(tints)]
	who := &voice{name: name, prefix: []byte(v.on(tint, fit(name, v.column)+" ▏"))}
	v.jobs[id] = who
	return who
}

func (v *plain) enqueue(who *voice) {
	if len(who.buf) >= burstBytes {
		v.flush(who)
		return
	}
	if !who.queued {
		who.queued = true
		v.queue = append(v.queue, who)
	}
	if !v.due && !v.closed {
		v.due = true
		if v.timer == nil {
			v.timer = time.AfterFunc(burst, v.turn)
		} else {
			v.timer.Reset(burst)
		}
	}
}

// turn lets everybody speak.
func (v *plain) turn() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.due = false
	if !v.closed {
		v.flushAll()
	}
}

func (v *plain) flushAll() {
	for _, who := range v.queue {
		who.queued = false
		v.flush(who)
	}
	clear(v.queue)
	v.queue = v.queue[:0]
}

// flush lets one job speak. A line of another job's that has not ended is broken off.
func (v *plain) flush(who *voice) {
	if len(who.buf) == 0 {
		return
	}
	if v.open != who {
		v.end()
	}
	v.write(who.buf)
	who.buf = who.buf[:0]
	v.open = nil
	if who.stream != "" {
		v.open = who
	}
}

// end breaks off the line that stands unfinished on the terminal; its job begins a new one then.
func (v *plain) end() {
	who := v.open
	if who == nil {
		return
	}
	v.open = nil
	v.write([]byte(v.broken()))
	who.restyle()
	held := who.buf
	switch {
	case len(held) == 0:
		who.stream = ""
	case bytes.HasPrefix(held, []byte(v.broken())): // it was broken off in the meantime
		who.buf = append(held[:0], held[len(v.broken()):]...)
	default: // it went on in the meantime
		who.buf = append(bytes.Clone(who.prefix), held...)
	}
}

func (v *plain) write(p []byte) {
	if _, err := v.out.Write(p); err != nil && v.err == nil {
		v.err = err
	}
}
