package script

import (
	"bytes"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// holdLimit is how much of one stream waits for the other's mark. A mark that is not there by then will not come (the
// script has closed what it was written to), and the stream goes on without it.
const holdLimit = 256 << 10

// Order takes the two streams of a script as they are read, in pieces of any size, and writes them to an Output with the
// commands between. The zero value is not ready; see NewOrder. One goroutine uses it.
type Order struct {
	script *Script
	mark   []byte
	out    program.Output
	ends   [2]end
	echoed int
}

// end is one stream.
type end struct {
	stream program.Stream
	held   []byte // read, not yet written: the start of a mark, or what follows a mark that the other stream lacks
	passed int    // marks reached
	index  int    // the command that the last mark names
	waits  bool   // for the other stream, at its last mark
}

// Indexes of the streams, for Feed.
const (
	Out = 0
	Err = 1
)

// NewOrder begins the output of a script: the first command is told at once; all are where no marks are between them.
func NewOrder(s *Script, out program.Output) (*Order, error) {
	o := &Order{script: s, mark: []byte(s.mark), out: out, ends: [2]end{{stream: program.Stdout}, {stream: program.Stderr}}}
	for i := range s.Echo {
		if i > 0 && s.mark != "" {
			break
		}
		if err := o.echo(i); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (o *Order) echo(i int) error {
	if i >= len(o.script.Echo) {
		return nil
	}
	if o.script.Echo[i] == "" {
		return o.out.Write(program.Stdout, []byte{'\n'})
	}
	return o.out.Write(program.Command, []byte(o.script.Echo[i]))
}

// Feed takes a piece of a stream (Out or Err). The piece may be used again after the call.
func (o *Order) Feed(stream int, piece []byte) error {
	e := &o.ends[stream]
	if len(o.mark) == 0 {
		return o.write(e, piece)
	}
	if len(e.held) > 0 || e.waits {
		e.held = append(e.held, piece...)
		piece = e.held
	}
	if e.waits {
		if len(e.held) < holdLimit {
			return nil
		}
		return o.pass(stream, e.passed, e.index)
	}
	return o.scan(stream, piece)
}

// scan writes what stands before the next mark and stops there. data may be the stream's held bytes themselves.
func (o *Order) scan(stream int, data []byte) error {
	e := &o.ends[stream]
	for {
		at, index, length := o.find(data)
		if err := o.write(e, data[:at]); err != nil {
			return err
		}
		if length == 0 {
			e.held = append(e.held[:0], data[at:]...)
			return nil
		}
		data = data[at+length:]
		e.passed, e.index = e.passed+1, index
		if other := &o.ends[1-stream]; other.passed < e.passed {
			e.waits = true
			e.held = append(e.held[:0], data...)
			return nil
		}
		e.held = append(e.held[:0], data...)
		if err := o.pass(stream, e.passed, index); err != nil {
			return err
		}
		if e.waits || len(e.held) == 0 {
			return nil
		}
		data = e.held
	}
}

// pass tells the command after mark n, once, and lets both streams go on from there. index is the command that the mark
// names.
func (o *Order) pass(stream, n, index int) error {
	if o.echoed < n {
		o.echoed = n
		if err := o.echo(index); err != nil {
			return err
		}
	}
	for _, i := range []int{1 - stream, stream} {
		e := &o.ends[i]
		if !e.waits || e.passed > n {
			continue
		}
		e.waits = false
		if err := o.scan(i, e.held); err != nil {
			return err
		}
	}
	return nil
}

// End writes what is still held: no more will come.
func (o *Order) End() error {
	for o.ends[0].waits || o.ends[1].waits {
		for i := range o.ends {
			if e := &o.ends[i]; e.waits {
				if err := o.pass(i, e.passed, e.index); err != nil {
					return err
				}
			}
		}
	}
	for i := range o.ends {
		e := &o.ends[i]
		if err := o.write(e, e.held); err != nil {
			return err
		}
		e.held = nil
	}
	return nil
}

func (o *Order) write(e *end, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return o.out.Write(e.stream, b)
}

// find looks for a mark. at is where it, or what may be the start of one, begins (the end of data where there is
// neither); length is 0 when it is not whole.
func (o *Order) find(data []byte) (at, index, length int) {
	from := 0
	for {
		i := bytes.Index(data[from:], o.mark)
		if i < 0 {
			return from + start(data[from:], o.mark), 0, 0
		}
		at = from + i
		rest := data[at+len(o.mark):]
		for n, c := range rest {
			if c == markByte && n > 0 {
				return at, index, len(o.mark) + n + 1
			}
			if c < '0' || c > '9' || n > 8 {
				index = -1
				break
			}
			index = index*10 + int(c-'0')
		}
		if index >= 0 && len(rest) <= 9 {
			return at, 0, 0
		}
		from, index = at+1, 0 // only looks like one
	}
}

// start is where the longest end of data that begins mark stands.
func start(data, mark []byte) int {
	for at := max(0, len(data)-len(mark)+1); at < len(data); at++ {
		i := bytes.IndexByte(data[at:], mark[0])
		if i < 0 {
			break
		}
		if at += i; bytes.HasPrefix(mark, data[at:]) {
			return at
		}
	}
	return len(data)
}
