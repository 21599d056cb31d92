package store

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// Sink is told of a job's output, masked, line by line. The text is only valid during the call.
type Sink interface {
	Line(s program.Stream, l logs.Line)
	Section(e logs.Event)
}

// Log is the way of one attempt's output: every byte is masked, then kept in the job's file, then given to the sink in
// lines. Memory does not grow with the output.
type Log struct {
	mu      sync.Mutex
	path    string
	file    *os.File
	out     *bufio.Writer
	flushed time.Time
	sink    Sink // nil where nobody wants lines
	mask    *logs.Mask
	streams map[program.Stream]*stream
	watch   *regexp.Regexp
	matched string
	buf     []byte
	err     error // the first that a write met: the disk may be full
}

// stream is what is remembered of stdout and stderr, which are masked and split each by itself.
type stream struct {
	masker   *logs.Masker
	sections logs.Sections
	give     func(logs.Event)
}

// The colors in which the runner's log shows commands and our own lines.
const (
	green, cyan, yellow, plain = "\x1b[32;1m", "\x1b[36;1m", "\x1b[0;33m", "\x1b[0;m"
)

// openLog begins a log; of a later attempt, it goes on in the same file.
func openLog(path string, mask *logs.Mask, sink Sink) (*Log, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fault.New(CodeLog, "%v", err).WithHint("is the disk full?")
	}
	return &Log{
		path: path, file: file, out: bufio.NewWriterSize(file, 64<<10), sink: sink, mask: mask,
		streams: map[program.Stream]*stream{},
	}, nil
}

// Path is the log's file.
func (l *Log) Path() string { return l.path }

// Write takes a chunk of a stream (program.Output).
func (l *Log) Write(s program.Stream, chunk []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s == program.Command || s == program.System {
		l.whole(s, chunk)
		return l.err
	}
	st := l.stream(s)
	l.buf = st.masker.Append(l.buf[:0], chunk)
	l.pass(st, l.buf)
	return l.err
}

// whole writes a text of ours: an echoed command, or a remark.
func (l *Log) whole(s program.Stream, text []byte) {
	masked := []byte(l.mask.Text(string(text)))
	if s == program.Command {
		l.keep([]byte(green), []byte("$ "), masked, []byte(plain), []byte("\n"))
	} else if bytes.HasPrefix(masked, []byte("WARNING: ")) {
		l.keep([]byte(yellow), masked, []byte(plain), []byte("\n"))
	} else {
		l.keep([]byte(cyan), masked, []byte(plain), []byte("\n"))
	}
	if l.sink == nil {
		return
	}
	l.flushLines() // what a command left without a line end stands before the next command
	for line := range bytes.SplitSeq(masked, []byte("\n")) {
		l.sink.Line(s, logs.Line{Text: line})
	}
}

// pass keeps masked bytes and gives their lines.
func (l *Log) pass(st *stream, masked []byte) {
	l.keep(masked)
	if l.sink != nil || l.watch != nil {
		st.sections.Feed(masked, st.give)
	}
}

// keep writes to the file. After the first error nothing more is kept, and every call of Write says why.
func (l *Log) keep(parts ...[]byte) {
	for _, p := range parts {
		_, err := l.out.Write(p)
		l.note(err)
	}
	if now := time.Now(); now.Sub(l.flushed) > flushEvery {
		l.flushed = now
		l.note(l.out.Flush())
	}
}

func (l *Log) note(err error) {
	if err != nil && l.err == nil {
		l.err = &program.Error{Failure: program.SystemFailure, Err: fault.New(CodeLog, "write the job's log: %v", err).WithHint("is the disk full?")}
	}
}

// flushEvery bounds how far the file lags behind.
const flushEvery = 200 * time.Millisecond

func (l *Log) stream(s program.Stream) *stream {
	if st := l.streams[s]; st != nil {
		return st
	}
	st := &stream{masker: l.mask.Masker()}
	st.give = func(e logs.Event) { l.event(s, e) }
	l.streams[s] = st
	return st
}

func (l *Log) event(s program.Stream, e logs.Event) {
	if e.Kind != logs.Text {
		if l.sink != nil {
			l.sink.Section(e)
		}
		return
	}
	if l.watch != nil && !e.Line.Continued {
		if m := l.watch.Find(e.Line.Text); m != nil {
			l.matched = string(m)
		}
	}
	if l.sink != nil && !e.Line.Redrawn {
		l.sink.Line(s, e.Line)
	}
}

// Mask hides values from here on, also in what is held back. Values that are too short to be masked are not.
func (l *Log) Mask(values []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	secrets := make([]secret.Secret, len(values))
	for i, v := range values {
		secrets[i] = secret.New(v)
	}
	mask, _ := l.mask.With(secrets...) // whoever gave a secret that cannot be masked was told of it once
	l.mask = mask
	for _, st := range l.streams {
		st.masker.Use(mask)
	}
}

// Watch keeps the last match of an RE2 pattern in a line of the output.
func (l *Log) Watch(pattern string) error {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return fmt.Errorf("watch the output: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watch = re
	return nil
}

// Matched is what Watch saw last, "" for nothing.
func (l *Log) Matched() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushLines()
	return l.matched
}

// flushLines gives what a stream has without a line end.
func (l *Log) flushLines() {
	for _, s := range both {
		if st := l.streams[s]; st != nil {
			st.sections.Break(st.give)
		}
	}
}

// both are the streams that come in pieces, in the order in which they are ended.
var both = []program.Stream{program.Stdout, program.Stderr}

// Section begins or ends a section of ours with the runner's markers.
func (l *Log) Section(s program.Section) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	s.Name, s.Header = l.mask.Text(s.Name), l.mask.Text(s.Header)
	e := logs.Event{Kind: logs.End, Section: logs.Section{Name: s.Name, Time: now}}
	if s.Said {
		e.Line.Number = 1 // it counts as a line of the output
	}
	if s.Start {
		e.Kind, e.Section.Header = logs.Start, s.Header
		l.keep(fmt.Appendf(nil, "\x1b[0Ksection_start:%d:%s\r\x1b[0K%s%s%s\n", now.Unix(), s.Name, cyan, s.Header, plain))
	} else {
		l.keep(fmt.Appendf(nil, "\x1b[0Ksection_end:%d:%s\r\x1b[0K", now.Unix(), s.Name))
	}
	if l.sink != nil {
		l.flushLines()
		l.sink.Section(e)
	}
	return l.err
}

// Close ends the streams and the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range both {
		if st := l.streams[s]; st != nil {
			l.buf = st.masker.Close(l.buf[:0])
			l.pass(st, l.buf)
			st.sections.Close(st.give)
		}
	}
	l.note(l.out.Flush())
	l.note(l.file.Close())
	return l.err
}
