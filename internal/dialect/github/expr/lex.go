package expr

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

type kind int

const (
	tokenEnd kind = iota
	tokenValue
	tokenName
	tokenOp // an operator or a mark, in text
)

type token struct {
	kind   kind
	offset int
	text   string
	value  Value
}

// lexer cuts an expression into tokens. After a dot a word is the name of a property, whatever it says.
type lexer struct {
	text string
	at   int
	src  *source
	last token
}

func (l *lexer) fail(offset int, format string, args ...any) *fault.Fault {
	return fault.At(CodeSyntax, l.src.place(offset), format, args...)
}

// next reads one token.
func (l *lexer) next() (token, *fault.Fault) {
	l.skip()
	t, f := l.read()
	l.last = t
	return t, f
}

func (l *lexer) skip() {
	for l.at < len(l.text) {
		r, n := utf8.DecodeRuneInString(l.text[l.at:])
		if !unicode.IsSpace(r) {
			return
		}
		l.at += n
	}
}

func (l *lexer) read() (token, *fault.Fault) {
	start := l.at
	if start >= len(l.text) {
		return token{offset: start}, nil
	}
	switch c := l.text[start]; {
	case c == '\'':
		return l.quoted()
	case c == '.' && !l.afterOperand(), c == '-', c == '+', c >= '0' && c <= '9':
		return l.number()
	case strings.IndexByte("()[].,*", c) >= 0:
		return l.op(1), nil
	case strings.IndexByte("!<>=&|", c) >= 0:
		return l.operator()
	default:
		return l.word()
	}
}

func (l *lexer) op(n int) token {
	l.at += n
	return token{kind: tokenOp, offset: l.at - n, text: l.text[l.at-n : l.at]}
}

// afterOperand reports whether a value has just ended, so that a dot is a dereference and no decimal point.
func (l *lexer) afterOperand() bool {
	switch l.last.kind {
	case tokenValue, tokenName:
		return true
	case tokenOp:
		return l.last.text == ")" || l.last.text == "]" || l.last.text == "*" || l.last.text == "."
	default:
		return false
	}
}

func (l *lexer) operator() (token, *fault.Fault) {
	if two := l.text[l.at:min(l.at+2, len(l.text))]; precedence[two] > 0 && len(two) == 2 {
		return l.op(2), nil
	}
	if strings.IndexByte("!<>", l.text[l.at]) >= 0 {
		return l.op(1), nil
	}
	c := l.text[l.at : l.at+1]
	return token{}, l.fail(l.at, "a single %s is not an operator", c).WithHint("did you mean %s?", c+c)
}

// quoted reads 'text', in which ” stands for one quote.
func (l *lexer) quoted() (token, *fault.Fault) {
	start := l.at
	var b strings.Builder
	for i := start + 1; i < len(l.text); i++ {
		if l.text[i] != '\'' {
			b.WriteByte(l.text[i])
			continue
		}
		if i+1 < len(l.text) && l.text[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		l.at = i + 1
		return token{kind: tokenValue, offset: start, text: l.text[start:l.at], value: String(b.String())}, nil
	}
	return token{}, l.fail(start, "the text that begins here has no end").WithHint("close it with a single quote ('); a quote inside is written twice ('')")
}

// boundary reports whether a word or number ends before c.
func boundary(r rune) bool {
	return strings.ContainsRune("()[],.!<>=&|", r) || unicode.IsSpace(r)
}

func (l *lexer) until(end func(rune) bool) string {
	start := l.at
	for i, r := range l.text[start:] {
		if i > 0 && end(r) {
			l.at = start + i
			return l.text[start:l.at]
		}
	}
	l.at = len(l.text)
	return l.text[start:]
}

func (l *lexer) number() (token, *fault.Fault) {
	start := l.at
	text := l.until(func(r rune) bool { return boundary(r) && r != '.' })
	f := ParseNumber(text)
	if math.IsNaN(f) {
		if text == "-" || text == "+" {
			return token{}, l.fail(start, "%s is not an operator of expressions", text).WithHint("expressions have no arithmetic")
		}
		return token{}, l.fail(start, "%q is not a number", text).WithHint("numbers are written 12, -1.5, 2e3, 0xff or 0o17; text stands in single quotes: '%s'", text)
	}
	return token{kind: tokenValue, offset: start, text: text, value: Number(f)}, nil
}

// word reads a name or one of the literals that are words.
func (l *lexer) word() (token, *fault.Fault) {
	start := l.at
	if f := l.stray(); f != nil {
		return token{}, f
	}
	text := l.until(boundary)
	if bad := badIn(text); bad >= 0 {
		r, _ := utf8.DecodeRuneInString(text[bad:])
		f := l.fail(start+bad, "unexpected character %q", r)
		if hint, ok := strayHints[r]; ok {
			f.Hint = hint
		}
		return token{}, f
	}
	t := token{kind: tokenName, offset: start, text: text}
	if l.last.kind == tokenOp && l.last.text == "." {
		return t, nil
	}
	if v, ok := words[text]; ok {
		t.kind, t.value = tokenValue, v
	}
	return t, nil
}

var words = map[string]Value{
	"null": Null(), "true": Bool(true), "false": Bool(false), "NaN": Number(math.NaN()), "Infinity": Number(math.Inf(1)),
}

var strayHints = map[rune]string{
	'"':  "text stands in single quotes: 'text'",
	'`':  "text stands in single quotes: 'text'",
	'?':  "there is no ternary operator: write case(condition, a, b), or condition && a || b",
	':':  "there is no ternary operator: write case(condition, a, b), or condition && a || b",
	'+':  "expressions have no arithmetic; join text with format('{0}{1}', a, b)",
	'/':  "expressions have no arithmetic; text stands in single quotes",
	'%':  "expressions have no arithmetic",
	'$':  "inside an expression a context is named without $: github.ref",
	'{':  "inside an expression there are no braces: write fromJSON('{…}') for an object",
	'}':  "an expression ends with }}",
	'\'': "a quote inside of a text is written twice: 'it''s'",
	'~':  "there are no regular expressions: use contains, startsWith or endsWith",
	'*':  "expressions have no arithmetic; .* stands after a context: steps.*.outcome",
}

// stray is a fault where no word can begin.
func (l *lexer) stray() *fault.Fault {
	r, _ := utf8.DecodeRuneInString(l.text[l.at:])
	if r == '_' || r < utf8.RuneSelf && unicode.IsLetter(r) {
		return nil
	}
	f := l.fail(l.at, "unexpected character %q", r)
	if hint, ok := strayHints[r]; ok {
		f.Hint = hint
	}
	return f
}

// badIn is the offset of the first character that no name may have, or -1.
func badIn(word string) int {
	for i, r := range word {
		if r != '_' && r != '-' && (r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r)) {
			return i
		}
	}
	return -1
}

// digits, _ and -.
func IsName(s string) bool {
	return s != "" && s[0] != '-' && (s[0] < '0' || s[0] > '9') && badIn(s) < 0
}
