package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
)

// tree reads JSON token by token, so that nothing is kept that nobody asked for. Every method reads one value; after
// a mistake all of them do nothing and give nothing, so that readers need not look for it.
type tree struct {
	s       *source
	decoder *json.Decoder
	depth   int
	failed  bool
}

var bom = []byte("\xef\xbb\xbf")

func newTree(s *source) *tree {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(s.data, bom)))
	d.UseNumber()
	return &tree{s: s, decoder: d}
}

// end notes what follows the document where only white space may.
func (t *tree) end() {
	if t.failed {
		return
	}
	if _, err := t.decoder.Token(); !errors.Is(err, io.EOF) && !t.s.cut {
		t.s.fault(CodeMalformed, t.decoder.InputOffset(), "something follows the end of the JSON document")
	}
}

// token is the next token, or nil where there is none or it is null.
func (t *tree) token() json.Token {
	if t.failed {
		return nil
	}
	token, err := t.decoder.Token()
	if err != nil {
		t.fail(err)
		return nil
	}
	if d, ok := token.(json.Delim); ok && (d == '{' || d == '[') {
		if t.depth++; t.depth > t.s.limits.Depth {
			t.s.fault(CodeTooDeep, t.decoder.InputOffset(), "values are nested more than %d deep", t.s.limits.Depth)
			t.failed = true
			return nil
		}
	}
	return token
}

func (t *tree) fail(err error) {
	t.failed = true
	if t.s.cut {
		return
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.s.fault(CodeMalformed, int64(len(t.s.data)), "the JSON document ends before it is complete")
		return
	}
	t.s.fault(CodeMalformed, t.decoder.InputOffset(), "the report is not JSON: %s", err)
}

// object reads an object; member must read the value of the key. It reports whether there was an object.
func (t *tree) object(member func(key string)) bool {
	return t.open('{', func() {
		key, _ := t.token().(string)
		if !t.failed {
			member(key)
		}
	})
}

// array reads an array; element must read one element. It reports whether there was an array.
func (t *tree) array(element func()) bool { return t.open('[', element) }

func (t *tree) open(kind json.Delim, inner func()) bool {
	token := t.token()
	if token != kind {
		t.rest(token)
		return false
	}
	for !t.failed && t.decoder.More() {
		inner()
	}
	t.close()
	return true
}

// close reads the end of an object or array.
func (t *tree) close() {
	if t.token() != nil {
		t.depth--
	}
}

// text reads a string, or a number or truth value as it is written; anything else is "".
func (t *tree) text() string {
	switch v := t.token().(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	default:
		t.rest(v)
		return ""
	}
}

// line reads the number of a line; 0 is none.
func (t *tree) line() int { return number(t.text()) }

// skip reads a value nobody asked for.
func (t *tree) skip() { t.rest(t.token()) }

// rest reads the rest of a value of which the first token was read.
func (t *tree) rest(first json.Token) {
	if first != json.Delim('{') && first != json.Delim('[') {
		return
	}
	for outside := t.depth - 1; t.depth > outside && !t.failed; {
		switch t.token() {
		case json.Delim('}'), json.Delim(']'):
			t.depth--
		}
	}
}

// either reads a value with read where it is wanted, and skips it where it is not.
func (t *tree) either(wanted bool, read func()) {
	if wanted {
		read()
	} else {
		t.skip()
	}
}
