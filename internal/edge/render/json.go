package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/sluice-delivery/sluice/internal/flow/application"
)

type directorySettings = application.Directory

// more reports whether something follows the first value of a JSON text.
func more(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	var first json.RawMessage
	return d.Decode(&first) == nil && d.More()
}

// jsonLine is the line of a mistake, 0 where the library does not tell.
func jsonLine(text []byte, err error) int {
	at := int64(-1)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		at = int64(len(bytes.TrimSpace(text)))
	}
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = s.Offset
	}
	if u, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		at = u.Offset
	}
	if at < 0 || at > int64(len(text)) {
		return 0
	}
	return 1 + bytes.Count(text[:at], []byte("\n"))
}
