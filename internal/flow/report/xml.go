package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// document reads XML token by token: nothing but the token is in memory. Bytes and character references that XML
// forbids, which test tools write all the same when a test prints them, are read as U+FFFD.
type document struct {
	s       *source
	decoder *xml.Decoder
	bytes   *meter
	depth   int
	roots   int
	failed  bool
}

// maxTag is the longest tag with its attributes, in bytes. The decoder keeps all attributes of a tag, so this bounds memory.
const maxTag = 1 << 20

func newDocument(s *source) *document {
	s.data = cleanXML(s.data)
	m := &meter{data: s.data}
	d := xml.NewDecoder(m)
	d.Entity = xml.HTMLEntity
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // cleanXML has made UTF-8 of it
	return &document{s: s, decoder: d, bytes: m}
}

// next is the next start, end or text, or nil at the end of what can be read.
func (d *document) next() xml.Token {
	for !d.failed {
		d.bytes.begin()
		token, err := d.decoder.Token()
		if err != nil {
			d.fail(err)
			return nil
		}
		switch t := token.(type) {
		case xml.StartElement:
			if d.depth++; d.depth == 1 {
				d.roots++
			}
			if d.depth > d.s.limits.Depth {
				d.s.fault(CodeTooDeep, d.decoder.InputOffset(), "elements are nested more than %d deep", d.s.limits.Depth)
				d.failed = true
				return nil
			}
			return t
		case xml.EndElement:
			d.depth--
			return t
		case xml.CharData:
			return t
		}
	}
	return nil
}

// fail notes why reading ended, unless it ended where the document does.
func (d *document) fail(err error) {
	d.failed = true
	var syntax *xml.SyntaxError
	switch {
	case errors.Is(err, io.EOF) && d.roots > 0, d.s.cut:
	case errors.Is(err, io.EOF):
		d.s.fault(CodeMalformed, -1, "the report is not XML")
	case errors.Is(err, errLongTag):
		d.s.fault(CodeTooDeep, int64(d.bytes.start), "a tag has more than %s", size(maxTag))
	case errors.As(err, &syntax):
		d.s.fault(CodeMalformed, d.decoder.InputOffset(), "the report is broken XML: %s", syntax.Msg)
	default:
		d.s.fault(CodeMalformed, d.decoder.InputOffset(), "the report is broken XML: %s", err)
	}
}

// root is the first element. A document with another root than those gets a fault.
func (d *document) root(names ...string) (xml.StartElement, bool) {
	for token := d.next(); token != nil; token = d.next() {
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, n := range names {
			if start.Name.Local == n {
				return start, true
			}
		}
		d.s.fault(CodeShape, d.decoder.InputOffset(), "the report begins with <%s>, not with <%s>", name(start.Name.Local), strings.Join(names, "> or <"))
		return xml.StartElement{}, false
	}
	return xml.StartElement{}, false
}

// text is the text in the element that has just begun, without what its children hold, up to n bytes. It reads up to
// the end of the element.
func (d *document) text(n int) string {
	var b strings.Builder
	outside := d.depth - 1
	for d.depth > outside {
		switch t := d.next().(type) {
		case nil:
			return b.String()
		case xml.CharData:
			if d.depth == outside+1 && b.Len() <= n {
				b.Write(t[:min(len(t), n+1-b.Len())])
			}
		}
	}
	return b.String()
}

// attributes is the attributes of an element by their names without prefix.
func attributes(e xml.StartElement) func(string) string {
	return func(local string) string {
		for _, a := range e.Attr {
			if a.Name.Local == local {
				return a.Value
			}
		}
		return ""
	}
}

// meter hands out bytes and stops in the middle of a tag that is too long.
type meter struct {
	data       []byte
	pos, start int
}

var errLongTag = errors.New("the tag is too long")

// begin marks the beginning of a token. The decoder has read the < that ends a text already.
func (m *meter) begin() {
	m.start = m.pos
	if m.pos > 0 && m.data[m.pos-1] == '<' {
		m.start--
	}
}

func (m *meter) ReadByte() (byte, error) {
	if m.pos == len(m.data) {
		return 0, io.EOF
	}
	if m.pos-m.start > maxTag && m.data[m.start] == '<' && m.data[m.start+1] != '!' && m.data[m.start+1] != '?' {
		return 0, errLongTag
	}
	m.pos++
	return m.data[m.pos-1], nil
}

// Read is there because decoders ask for a reader; it reads a byte at a time, so that none is missed.
func (m *meter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c, err := m.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = c
	return 1, nil
}

var (
	declared  = lazy.Pattern(`^\s*<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)
	reference = lazy.Pattern(`&#(x[0-9a-fA-F]{1,8}|[0-9]{1,10});`)
)

// cleanXML makes of the data UTF-8 that XML allows. Lines stay where they are.
func cleanXML(data []byte) []byte {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		data = fromUTF16(data[2:], 0)
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		data = fromUTF16(data[2:], 1)
	default:
		data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
		if m := declared.FindSubmatch(data[:min(len(data), 200)]); m != nil && oneByte(string(m[1])) {
			data = fromLatin1(data)
		}
	}
	if !bytes.ContainsFunc(data, forbidden) {
		return cleanReferences(data)
	}
	return cleanReferences(bytes.Map(func(r rune) rune {
		if forbidden(r) {
			return utf8.RuneError
		}
		return r
	}, data))
}

// forbidden reports whether XML 1.0 forbids a character. Bytes that are no UTF-8 come as U+FFFD, and are mapped too.
func forbidden(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == utf8.RuneError || r == 0xfffe || r == 0xffff
}

func cleanReferences(data []byte) []byte {
	if !bytes.Contains(data, []byte("&#")) {
		return data
	}
	return reference.ReplaceAllFunc(data, func(ref []byte) []byte {
		digits, base := string(ref[2:len(ref)-1]), 10
		if digits[0] == 'x' {
			digits, base = digits[1:], 16
		}
		if n, err := strconv.ParseUint(digits, base, 32); err != nil || n > utf8.MaxRune || forbidden(rune(n)) || utf16.IsSurrogate(rune(n)) {
			return []byte("\uFFFD")
		}
		return ref
	})
}

// oneByte reports whether an encoding is one of the Latin ones, in which XML reports are found on Windows.
func oneByte(encoding string) bool {
	e := strings.ToLower(encoding)
	return strings.HasPrefix(e, "iso-8859-") || strings.HasPrefix(e, "windows-125") || strings.HasPrefix(e, "cp125") || strings.HasPrefix(e, "latin")
}

// fromLatin1 reads each byte as the character of its number. Other Latin encodings get some characters wrong and no
// byte lost; names of tests are ASCII nearly always.
func fromLatin1(data []byte) []byte {
	out := make([]byte, 0, len(data)+len(data)/8)
	for _, c := range data {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}

// fromUTF16 reads pairs of bytes. The lower half of a pair is its byte at low: 0 for little endian, 1 for big endian.
func fromUTF16(data []byte, low int) []byte {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = uint16(data[2*i+low]) | uint16(data[2*i+1-low])<<8
	}
	return []byte(string(utf16.Decode(units)))
}
