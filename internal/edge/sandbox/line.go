package sandbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// lines writes and reads messages, each a line of JSON no longer than max bytes.
type lines struct {
	r   *bufio.Reader
	w   io.Writer
	max int
}

func newLines(r io.Reader, w io.Writer, limit int) *lines {
	return &lines{r: bufio.NewReaderSize(r, 64<<10), w: w, max: limit}
}

func (l *lines) write(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	if b.Len() > l.max {
		return tooLong(l.max)
	}
	_, err := l.w.Write(b.Bytes())
	return err
}

func (l *lines) read(v any) error {
	var line []byte
	for {
		part, err := l.r.ReadSlice('\n')
		if len(line)+len(part) > l.max {
			return tooLong(l.max)
		}
		if err == nil && line == nil {
			return json.Unmarshal(part, v)
		}
		line = append(line, part...)
		if err == nil {
			return json.Unmarshal(line, v)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

func tooLong(limit int) error {
	return fault.New(CodeLarge, "the evaluation reads or gives more than %d MiB", limit>>20).
		WithHint("render less at once: split the application")
}
