package terminal

import (
	"bytes"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// live shows the jobs that run at the end of the terminal's text, and each job that ended as a line above. It never
// takes more rows than the terminal has, reads no keys and leaves the terminal's modes alone.
type live struct {
	paper
	o Options

	mu    sync.Mutex // what is to be shown; held for moments only, so that a slow terminal keeps no job waiting
	state board
	above bytes.Buffer // whole lines to put above the block
	part  []byte       // of a line that Write has begun
	err   error

	drawing sync.Mutex // the screen
	screen  screen
	paused  int

	wake chan struct{}
	stop chan struct{}
	done chan struct{}
}

const (
	frames = 100 * time.Millisecond // between two frames: more often is restless
	ticks  = time.Second            // of the clocks, where nothing else changes
)

func newLive(o Options, p paper) *live {
	return &live{
		paper: p, o: o, screen: screen{out: o.Err}, state: newBoard(p),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
}

// grow counts jobs that were not in the plan.
func (v *live) grow(jobs int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state.total += jobs
}

// WantsLines is true.
func (v *live) WantsLines() bool { return true }

// Begin writes the opening line and starts to draw.
func (v *live) Begin(h Head) {
	v.mu.Lock()
	v.above.WriteString(v.opening(h) + "\n")
	for _, n := range v.notes(h) {
		v.above.WriteString(n + "\n")
	}
	v.state.begin(h, v.o.Now())
	v.mu.Unlock()
	v.draw(false)
	go v.loop()
}

// loop draws a frame when something changed, though not too often, and when the clocks tick.
func (v *live) loop() {
	defer close(v.done)
	resumed, end := whenResumed()
	defer end()
	tick := time.NewTicker(ticks)
	defer tick.Stop()
	for {
		select {
		case <-v.stop:
			return
		case <-resumed:
			v.drawing.Lock()
			v.screen.forget()
			v.drawing.Unlock()
			continue
		case <-tick.C:
		case <-v.wake:
			rest := time.NewTimer(frames)
			select {
			case <-v.stop:
				rest.Stop()
				return
			case <-rest.C:
			}
		}
		v.draw(true)
	}
}

// draw puts what is new above the block and, with block, draws it as things stand now.
func (v *live) draw(block bool) {
	v.drawing.Lock()
	defer v.drawing.Unlock()
	if v.paused > 0 {
		return
	}
	columns, rows := v.o.dimensions()
	v.mu.Lock()
	above := bytes.Clone(v.above.Bytes())
	v.above.Reset()
	var lines []string
	if block {
		lines = v.state.frame(columns-1, rows-1, v.o.Now())
	}
	v.mu.Unlock()
	if err := v.screen.draw(above, lines, columns, rows); err != nil {
		v.mu.Lock()
		if v.err == nil {
			v.err = err
		}
		v.mu.Unlock()
	}
}

func (v *live) changed() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// Changed takes over what became of a job; a job that ended gets its line.
func (v *live) Changed(c run.Change, j run.Job) {
	if c.Job == "" {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state.change(c, j)
	ran := c.To == run.Success || c.To == run.Failed || c.To == run.Canceled && !j.Started.IsZero()
	if c.Retry || ran && c.From != c.To { // the others are counted in the end
		if m, text, ok := v.told(c, j); ok {
			if c.To == run.Success {
				text = v.on(dim, length(c.At.Sub(j.Started)))
				if in(c, j) == "" {
					text = ""
				}
			}
			v.above.WriteString(v.state.header(m, v.state.names.of(j), text) + "\n")
		}
	}
	v.changed()
}

// Line keeps a line for as long as it is one of the job's last.
func (v *live) Line(l Line) {
	v.mu.Lock()
	if t := v.state.tasks[l.Job]; t != nil {
		t.tail.add(l)
		t.heard = time.Time{}
	}
	v.mu.Unlock()
	v.changed()
}

// Section shows the header of a section as a line.
func (v *live) Section(j run.Job, s logs.Event) {
	if header, ok := headerOf(s); ok {
		v.Line(Line{Job: j.ID, Stream: program.System, Text: []byte(header)})
	}
}

// Write puts text of the command's own above the block, line by line.
func (v *live) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.part = append(v.part, p...)
	if end := bytes.LastIndexByte(v.part, '\n'); end >= 0 {
		v.above.Write(v.part[:end+1])
		v.part = append(v.part[:0], v.part[end+1:]...)
		v.changed()
	}
	return len(p), v.err
}

// Pause takes the block away until resume is called: somebody else uses the terminal.
func (v *live) Pause() (resume func()) {
	v.draw(false)
	v.drawing.Lock()
	v.paused++
	v.drawing.Unlock()
	return sync.OnceFunc(func() {
		v.drawing.Lock()
		v.paused--
		v.screen.forget()
		v.drawing.Unlock()
		v.changed()
	})
}

// Close takes the block away and writes the summary in its place.
func (v *live) Close(s Summary) error {
	close(v.stop)
	<-v.done
	v.mu.Lock()
	if len(v.part) > 0 {
		v.above.Write(append(v.part, '\n'))
	}
	v.above.Write(v.summary(s, v.state.names, true))
	v.mu.Unlock()
	v.drawing.Lock()
	v.paused = 0
	v.drawing.Unlock()
	v.draw(false)
	return v.err
}
