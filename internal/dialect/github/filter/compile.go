package filter

import (
	"strings"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// special are the characters that \ can take the meaning from.
const special = `\*?+[]!`

// Compile reads a pattern. at says where a byte of it lies in the user's file; it may be nil. A fault that is an error
// comes without a pattern; one that is a warning comes with the pattern, which matches other names than was surely
// meant, or none.
//
// *        any characters but /
// **       any characters; **/ also nothing
// ?  +     none or one, one or more of the character before
// [a-z09]  one of these
// \        the next of these characters is an ordinary one
func Compile(pattern string, kind Kind, at func(offset int) fault.Place) (*Pattern, *fault.Fault) {
	c := compiler{text: pattern, kind: kind, at: at}
	p := &Pattern{text: pattern, kind: kind}
	if strings.HasPrefix(pattern, "!") {
		p.negated, c.pos = true, 1
	}
	if c.pos == len(pattern) {
		if p.negated {
			return nil, c.fault(0, "a pattern is missing after !")
		}
		return nil, c.fault(0, "the pattern is empty")
	}
	for c.pos < len(pattern) {
		if f := c.next(); f != nil {
			return nil, f
		}
	}
	if c.any {
		p.tokens = c.tokens
	} else {
		p.literal = c.literal.String()
	}
	return p, c.doubt()
}

type compiler struct {
	text    string
	kind    Kind
	at      func(int) fault.Place
	pos     int
	tokens  []token
	offsets []int // of each token
	single  bool  // the token before is one character, which ? and + repeat
	any     bool  // something special was there
	literal strings.Builder
	warned  *fault.Fault
}

func (c *compiler) fault(offset int, format string, args ...any) *fault.Fault {
	return fault.At(CodePattern, place(c.at, offset), format, args...)
}

// next reads one item of the pattern.
func (c *compiler) next() *fault.Fault {
	r, size := utf8.DecodeRuneInString(c.text[c.pos:])
	switch r {
	case '*':
		c.stars()
	case '?', '+':
		return c.repeat(byte(r))
	case '[':
		return c.set()
	case '\\':
		c.escape()
	case '\n', '\r':
		return c.fault(c.pos, "a pattern is one line").WithHint("write one pattern an entry")
	default:
		c.char(r)
		c.pos += size
	}
	return nil
}

func (c *compiler) char(r rune) {
	c.add(c.pos, token{op: one, char: r})
	c.literal.WriteRune(r)
	c.single = true
}

func (c *compiler) add(offset int, ts ...token) {
	for _, t := range ts {
		c.tokens, c.offsets = append(c.tokens, t), append(c.offsets, offset)
	}
}

// stars reads *, ** and **/; the last stands for any folders, and also for none, at the top and after a slash.
func (c *compiler) stars() {
	start := c.pos
	for c.pos < len(c.text) && c.text[c.pos] == '*' {
		c.pos++
	}
	c.single, c.any = false, true
	begin := start == 0 || start == 1 && c.text[0] == '!' || c.text[start-1] == '/'
	switch {
	case c.pos-start == 1:
		c.add(start, token{op: many, class: notSlash{}})
	case begin && c.pos < len(c.text) && c.text[c.pos] == '/':
		c.add(start, token{op: folders}, token{op: inFolder})
		c.pos++
	default:
		c.add(start, token{op: many, class: anything{}})
	}
}

// repeat reads ? and +, which repeat the character or set before them.
func (c *compiler) repeat(r byte) *fault.Fault {
	if !c.single {
		f := c.fault(c.pos, "%c repeats the character before it, and there is none", r)
		if r == '?' {
			return f.WithHint("for any one character there is no sign; * is any number of them; for ? itself write \\?")
		}
		return f.WithHint("for + itself write \\+")
	}
	last := &c.tokens[len(c.tokens)-1]
	if r == '?' {
		last.op = maybe
	} else {
		again := *last
		again.op = many
		c.add(c.pos, again)
	}
	c.pos++
	c.single, c.any = false, true
	return nil
}

// escape reads \. Before a character that is not special it is an ordinary one.
func (c *compiler) escape() {
	if c.pos+1 < len(c.text) && strings.IndexByte(special, c.text[c.pos+1]) >= 0 {
		c.char(rune(c.text[c.pos+1]))
		c.pos += 2
		return
	}
	c.warn(CodePattern, c.pos, `\ stands before a character that is not special, and so for itself`, `only * ? + [ ] ! and \ need it; regular expressions are not known here`)
	c.char('\\')
	c.pos++
}

func (c *compiler) warn(code string, offset int, message, hint string) {
	if c.warned == nil {
		c.warned = fault.At(code, place(c.at, offset), "%s", message).WithHint("%s", hint).WithSeverity(fault.Warning)
	}
}

// set reads [...].
func (c *compiler) set() *fault.Fault {
	start := c.pos
	end := strings.IndexByte(c.text[start:], ']')
	if end < 0 {
		return c.fault(start, "this [ is not closed by ]").WithHint("for [ itself write \\[")
	}
	inside := []rune(c.text[start+1 : start+end])
	if len(inside) == 0 {
		return c.fault(start, "there is no character in []").WithHint("for [ itself write \\[")
	}
	var set ranges
	for i := 0; i < len(inside); i++ {
		from, to := inside[i], inside[i]
		if i+1 < len(inside) && inside[i+1] == '-' {
			if i+2 == len(inside) {
				return c.fault(start, "the range %c- in [%s] has no end", from, string(inside))
			}
			to = inside[i+2]
			if !letterOrDigit(from) || !letterOrDigit(to) {
				return c.fault(start, "the range %c-%c in [%s] is not one of letters or digits", from, to, string(inside)).WithHint("ranges are of a-z, A-Z and 0-9")
			}
			if from > to {
				return c.fault(start, "the range %c-%c in [%s] begins behind its end", from, to, string(inside)).WithHint("write %c-%c", to, from)
			}
			i += 2
		}
		set = append(set, [2]rune{from, to})
	}
	if i := strings.IndexFunc(string(inside), func(r rune) bool { return r != '-' && !letterOrDigit(r) }); i >= 0 {
		c.warn(CodePattern, start+1+i, "["+string(inside)+"] holds a character that is neither letter nor digit; it stands for itself", "there is no negation in sets, and \\ means nothing there")
	}
	if len(inside) == 1 {
		c.warn(CodePattern, start, "["+string(inside)+"] is the character "+string(inside)+" alone", "write "+Quote(string(inside)))
	}
	c.add(start, token{op: one, class: set})
	c.pos = start + end + 1
	c.single, c.any = true, true
	return nil
}

func letterOrDigit(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
