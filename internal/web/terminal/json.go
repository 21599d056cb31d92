package terminal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// JSON writes one event a line for programs: the contract is run-interface. Nothing else goes to its writer.
type JSON struct {
	mu      sync.Mutex
	out     *bufio.Writer
	encode  *json.Encoder
	event   bytes.Buffer // being written
	due     bool         // a flush is under way
	closed  bool
	err     error
	partial map[output][]byte     // pieces of long lines
	last    map[string]run.Status // of each job by ID, as told
	line    []byte                // being written
}

// output is a stream of a job.
type output struct {
	job    string
	stream program.Stream
}

// NewJSON writes to w.
func NewJSON(w io.Writer) *JSON {
	v := &JSON{out: bufio.NewWriterSize(w, 64<<10), partial: map[output][]byte{}, last: map[string]run.Status{}}
	v.encode = json.NewEncoder(&v.event)
	v.encode.SetEscapeHTML(false)
	return v
}

// jobEvent tells a job's status.
type jobEvent struct {
	Type         string     `json:"type"`
	Job          string     `json:"job"`
	Status       run.Status `json:"status"`
	Reason       string     `json:"reason,omitempty"`
	AllowFailure bool       `json:"allow_failure,omitempty"`
	ExitCode     *int       `json:"exit_code,omitempty"`
	Stage        string     `json:"stage,omitempty"`
	Workflow     string     `json:"workflow,omitempty"`
	ID           string     `json:"id,omitempty"`
	Matrix       any        `json:"matrix,omitempty"`
	Attempt      int        `json:"attempt,omitempty"`
}

// pipelineEvent tells the end.
type pipelineEvent struct {
	Type   string     `json:"type"`
	Status run.Status `json:"status"`
}

// Begin writes nothing: what is said beforehand is for people.
func (v *JSON) Begin(Head) {}

// WantsLines is true.
func (v *JSON) WantsLines() bool { return true }

// Section writes the header where it is a line of the job's output. The headers of our own sections are none.
func (v *JSON) Section(j run.Job, s logs.Event) {
	if s.Kind == logs.Start && s.Line.Number > 0 {
		v.Line(Line{Job: j.ID, Name: j.Plan.Name, Stream: program.Stdout, Text: []byte(s.Section.Header)})
	}
}

// Changed writes the job's new status.
func (v *JSON) Changed(c run.Change, j run.Job) {
	if c.Job == "" || c.From == c.To && !c.Retry {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	e := jobEventOf(j)
	e.Status, e.Reason, e.ExitCode = c.To, c.Reason, c.Exit
	v.tell(j.ID, e)
}

func jobEventOf(j run.Job) jobEvent {
	return jobEvent{
		Type: "job", Job: j.Plan.Name, Status: j.Status, Reason: j.Reason, AllowFailure: j.Allowed, ExitCode: j.Exit,
		Stage: j.Plan.Stage, Workflow: j.Plan.Workflow, ID: j.Plan.Key, Matrix: matrix(j.Plan), Attempt: j.Attempt,
	}
}

// matrix is the leg's values as an object, typed where the dialect has types; nil for none.
func matrix(j *plan.Job) any {
	if len(j.Values) > 0 {
		return j.Values
	}
	if len(j.Matrix) == 0 {
		return nil
	}
	out := make(map[string]string, len(j.Matrix))
	for _, v := range j.Matrix {
		out[v.Name] = v.Value
	}
	return out
}

func (v *JSON) tell(id string, e jobEvent) {
	v.last[id] = e.Status
	v.write(e)
}

// Line writes a line of output; a long one is put together first, as an event holds a whole line.
func (v *JSON) Line(l Line) {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := l.Text
	if len(v.partial) > 0 || l.More {
		from := output{l.Job, l.Stream}
		if held, ok := v.partial[from]; ok || l.More {
			held = append(held, text...)
			if l.More && len(held) < maxJSONLine {
				v.partial[from] = held
				return
			}
			delete(v.partial, from)
			text = held
		}
	}
	v.log(l.Name, text, l.Stream)
}

// log writes the event of a line. Jobs write millions of them, so this one is put together by hand.
func (v *JSON) log(job string, text []byte, stream program.Stream) {
	b := append(v.line[:0], `{"type":"log","job":`...)
	b = quote(b, job)
	b = append(b, `,"line":`...)
	var err error
	if len(text) > maxPiece {
		b, err = v.pieces(b, text)
	} else {
		b = quote(b, text)
	}
	b = append(b, `,"stream":`...)
	b = quote(b, string(stream))
	b = append(b, "}\n"...)
	v.line = b
	if err == nil {
		_, err = v.out.Write(b)
	}
	v.wrote(err)
}

// maxPiece is how much of a line is quoted at once, in bytes: quoted it may have six times as many.
const maxPiece = 64 << 10

// pieces writes b and the text as a JSON string, but for its last piece, which it returns with the room of b.
func (v *JSON) pieces(b, text []byte) ([]byte, error) {
	b = append(b, '"')
	for len(text) > 0 {
		n := min(len(text), maxPiece)
		for back := 0; n < len(text) && back < utf8.UTFMax-1 && !utf8.RuneStart(text[n]); back++ {
			n-- // no character is cut
		}
		if _, err := v.out.Write(b); err != nil {
			return b[:0], err
		}
		b = quote(b[:0], text[:n])
		b = append(b[:0], b[1:len(b)-1]...)
		text = text[n:]
	}
	return append(b, '"'), nil
}

// maxJSONLine is the longest line of one event, in bytes; a longer one becomes several events.
const maxJSONLine = 4 << 20

// Close tells every job that had no event yet, then the pipeline.
func (v *JSON) Close(s Summary) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range s.Jobs {
		if v.last[e.Job.ID] != e.Job.Status {
			v.tell(e.Job.ID, jobEventOf(e.Job))
		}
	}
	v.write(pipelineEvent{Type: "pipeline", Status: s.Status})
	v.closed = true
	v.flush()
	return v.err
}

func (v *JSON) write(e any) {
	v.event.Reset()
	err := v.encode.Encode(e)
	if err == nil {
		_, err = v.out.Write(EscapeJSON(v.event.Bytes()))
	}
	v.wrote(err)
}

// wrote keeps the first error, and sees to it that what is in the buffer gets out soon.
func (v *JSON) wrote(err error) {
	if err != nil && v.err == nil {
		v.err = err
	}
	if !v.due {
		v.due = true
		time.AfterFunc(flushEvery, func() {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.due = false
			if !v.closed {
				v.flush()
			}
		})
	}
}

func (v *JSON) flush() {
	if err := v.out.Flush(); err != nil && v.err == nil {
		v.err = err
	}
}

// flushEvery bounds how long an event waits in the buffer.
const flushEvery = 20 * time.Millisecond
