package agent

import (
	"bytes"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// maxLine bounds what is held of a line whose end has not come, in bytes; a longer one is given in pieces.
const maxLine = 1 << 20

// through runs a step whose output goes through a lens, where there is one. Without one nothing stands between.
func (s *session) through(lens program.Lens, run func(out program.Output) (int, error)) (int, error) {
	if lens == nil {
		return run(s.log)
	}
	l := &looking{log: s.log, lens: lens}
	exit, err := run(l)
	if e := l.end(); err == nil && e != nil {
		return exit, e
	}
	return exit, err
}

// looking is an output that shows each line to a lens and does what that says. Lines end as the runner's do: with a line
// feed, a carriage return, or both.
type looking struct {
	log  Log
	lens program.Lens
	held [2][]byte // of stdout and stderr, what has no end yet
}

var lensStreams = [2]program.Stream{program.Stdout, program.Stderr}

// Write takes a chunk of a stream.
func (l *looking) Write(s program.Stream, chunk []byte) error {
	for i, stream := range lensStreams {
		if s == stream {
			return l.feed(i, chunk)
		}
	}
	if s == program.Command {
		if err := l.end(); err != nil { // what the command before left without an end stands before this one
			return err
		}
	}
	return l.log.Write(s, chunk)
}

// feed splits a chunk. Lines that are kept as they are go on together, in one piece.
func (l *looking) feed(i int, chunk []byte) error {
	if len(l.held[i]) > 0 {
		rest, err := l.join(i, chunk)
		if err != nil || len(rest) == 0 {
			return err
		}
		chunk = rest
	}
	kept := 0 // chunk[kept:at] is to be passed on
	at := 0
	for at < len(chunk) {
		n, end := cut(chunk[at:])
		if n < 0 {
			break
		}
		seen := l.lens.Line(lensStreams[i], string(chunk[at:at+n]))
		if !plain(seen) {
			if err := l.pass(i, chunk[kept:at]); err != nil {
				return err
			}
			if err := l.do(i, seen, chunk[at:at+n+end], true); err != nil {
				return err
			}
			kept = at + n + end
		}
		at += n + end
	}
	if err := l.pass(i, chunk[kept:at]); err != nil {
		return err
	}
	return l.hold(i, chunk[at:])
}

// plain reports whether a line is only passed on.
func plain(s program.Seen) bool { return s.Keep && len(s.Mask) == 0 && s.Section == nil }

// cut finds the first end of a line: how much stands before it, and how long it is. n is -1 where there is none, or where
// a carriage return stands last and its line feed may still come.
func cut(b []byte) (n, end int) {
	n = bytes.IndexAny(b, "\r\n")
	switch {
	case n < 0 || b[n] == '\n':
		return n, 1
	case n+1 == len(b):
		return -1, 0
	case b[n+1] == '\n':
		return n, 2
	default:
		return n, 1
	}
}

// join brings the line that is held to its end with the front of a chunk; rest is what follows.
func (l *looking) join(i int, chunk []byte) (rest []byte, err error) {
	if len(chunk) == 0 {
		return nil, nil
	}
	held := l.held[i]
	line, n := held, len(held)-1 // n is how much of line stands before its end
	switch {
	case held[n] != '\r':
		before, end := cut(chunk)
		if before < 0 {
			return nil, l.hold(i, chunk)
		}
		line, n = append(held, chunk[:before+end]...), len(held)+before
		chunk = chunk[before+end:]
	case chunk[0] == '\n':
		line, chunk = append(held, '\n'), chunk[1:]
	}
	l.held[i] = line[:0]
	return chunk, l.do(i, l.lens.Line(lensStreams[i], string(line[:n])), line, true)
}

// hold keeps what has no end yet, and gives pieces of what is too long.
func (l *looking) hold(i int, b []byte) error {
	l.held[i] = append(l.held[i], b...)
	for len(l.held[i]) > maxLine {
		piece := l.held[i][:maxLine]
		if err := l.do(i, l.lens.Line(lensStreams[i], string(piece)), piece, false); err != nil {
			return err
		}
		l.held[i] = append(l.held[i][:0], l.held[i][maxLine:]...)
	}
	return nil
}

// end gives what is left without an end, with one: what is said next stands on a line of its own, as in the runner's log,
// and nothing of the line is held back as the possible beginning of a secret.
func (l *looking) end() error {
	for i := range l.held {
		line := l.held[i]
		if len(line) == 0 {
			continue
		}
		l.held[i] = nil
		text, whole := bytes.CutSuffix(line, []byte("\r"))
		if !whole {
			line = append(line, '\n')
		}
		if err := l.do(i, l.lens.Line(lensStreams[i], string(text)), line, true); err != nil {
			return err
		}
	}
	return nil
}

// do does with a line what the lens says. line is as it was written, its end included; last says that it ends there.
func (l *looking) do(i int, seen program.Seen, line []byte, last bool) error {
	if len(seen.Mask) > 0 {
		l.log.Mask(seen.Mask)
	}
	if seen.Section != nil {
		if err := l.log.Section(*seen.Section); err != nil {
			return err
		}
	}
	switch {
	case seen.Keep:
		return l.pass(i, line)
	case seen.Show == "":
		return nil
	case seen.Warning:
		return l.log.Write(program.System, []byte("WARNING: "+seen.Show))
	case last:
		return l.log.Write(lensStreams[i], []byte(seen.Show+"\n"))
	default:
		return l.log.Write(lensStreams[i], []byte(seen.Show))
	}
}

func (l *looking) pass(i int, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return l.log.Write(lensStreams[i], b)
}
