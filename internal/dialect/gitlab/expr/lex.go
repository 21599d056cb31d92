package expr

import (
	"strings"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

type token struct {
	kind string // an operator as written, or one of the names below
	text string // as written
	at   int
}

// The kinds of tokens that are not written like their kind.
const (
	tokenInput    = "input"
	tokenVariable = "variable"
	tokenString   = "string"
	tokenPattern  = "pattern"
	tokenNull     = "null"
	tokenTruth    = "truth"
	tokenEnd      = "end"
)

// words are the tokens with a shape, tried in this order at each place.
var words = []struct {
	kind string
	re   *lazy.Regexp
}{
	{tokenInput, lazy.Pattern(`^\$\[\[\s*inputs\.\w+\s*\]\]`)},
	{tokenVariable, lazy.Pattern(`^\$\w+`)},
	{tokenString, lazy.Pattern(`^(?:"[^"\n]*"|'[^'\n]*')`)},
	{tokenPattern, lazy.Pattern(`^/(?:[^/]|\\/)+[^\\]/[ismU]*`)},
	{tokenNull, lazy.Pattern(`^null`)},
	{tokenTruth, lazy.Pattern(`^(?:true|false)\b`)},
}

var operators = []string{"==", "=~", "!=", "!~", "&&", "||", "!"}

var space = lazy.Pattern(`^[ \t\r\n\f\v]+`)

// lex cuts the text into tokens. The last one is the end.
func lex(text string) ([]token, error) {
	var out []token
	for at := 0; ; {
		at += len(space.FindString(text[at:]))
		if at == len(text) {
			return append(out, token{kind: tokenEnd, at: at}), nil
		}
		if len(out) == MaxTokens {
			return nil, mistake(CodeSize, at, "the expression has more than %d tokens", MaxTokens).
				hint("split it over several rules, or use one regular expression for many strings")
		}
		t, err := next(text, at, out)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		at += len(t.text)
	}
}

func next(text string, at int, before []token) (token, error) {
	rest := text[at:]
	if rest[0] == '(' || rest[0] == ')' {
		return token{kind: rest[:1], text: rest[:1], at: at}, nil
	}
	for _, w := range words {
		if s := w.re.FindString(rest); s != "" {
			return token{kind: w.kind, text: s, at: at}, nil
		}
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return token{kind: op, text: op, at: at}, nil
		}
	}
	return token{}, unknown(rest, at, before)
}

var (
	word    = lazy.Pattern(`^[\pL\d_.-]+`)
	braced  = lazy.Pattern(`^\$\{(\w+)`)
	percent = lazy.Pattern(`^%(\w+)%`)
)

// synonyms are words of other languages and what to write instead.
var synonyms = map[string]string{
	"and": "&&", "or": "||", "not": "!", "nil": "null", "none": "null", "undefined": "null", "eq": "==", "ne": "!=",
	"null": "null", "true": "true", "false": "false",
}

// unknown says what stands where no token begins, and what was probably meant.
func unknown(rest string, at int, before []token) *Error {
	if m := braced.FindStringSubmatch(rest); m != nil {
		return mistake(CodeSyntax, at, "${%s} is not understood in an expression", m[1]).hint("write $%s", m[1])
	}
	if m := percent.FindStringSubmatch(rest); m != nil {
		return mistake(CodeSyntax, at, "%s is not understood in an expression", m[0]).hint("write $%s", m[1])
	}
	if w := word.FindString(rest); w != "" {
		return unquoted(w, at, before)
	}
	switch rest[0] {
	case '$':
		return mistake(CodeSyntax, at, "a $ without a name").hint("a variable is written $NAME, text with a $ in quotes")
	case '"', '\'':
		return mistake(CodeSyntax, at, "the string has no closing %c on its line", rest[0]).hint("there are no escapes: put %s around a text that holds %c", other(rest[0]), rest[0])
	case '/':
		return badPattern(rest, at)
	case '=':
		return mistake(CodeSyntax, at, "a single = compares nothing").hint("write == (or =~ for a regular expression)")
	case '&', '|':
		return mistake(CodeSyntax, at, "a single %c joins nothing", rest[0]).hint("write %c%c", rest[0], rest[0])
	case '<', '>':
		return mistake(CodeSyntax, at, "there is no comparison with %c", rest[0]).hint("values are texts: use ==, != or a regular expression")
	}
	r, _ := utf8.DecodeRuneInString(rest)
	e := mistake(CodeSyntax, at, "unexpected %q", r)
	if strings.ContainsRune("“”„‘’«»`", r) {
		return e.hint(`quotes are " or '`)
	}
	return e
}

func other(quote byte) string {
	if quote == '"' {
		return "single quotes"
	}
	return "double quotes"
}

func unquoted(w string, at int, before []token) *Error {
	if last := len(before) - 1; last >= 0 && before[last].kind == tokenPattern && before[last].at+len(before[last].text) == at {
		return mistake(CodeSyntax, at, "%q is no flag of a regular expression", w).hint("the flags are i, m, s and U; a slash inside the pattern is written \\/")
	}
	if instead, ok := synonyms[strings.ToLower(w)]; ok {
		return mistake(CodeSyntax, at, "%q is not understood", w).hint("write %s", instead)
	}
	e := mistake(CodeSyntax, at, "%q is neither a variable nor a string", w)
	if near := fault.Nearest(strings.ToLower(w), []string{"null", "true", "false"}); near != "" {
		return e.hint("did you mean %s?", near)
	}
	if strings.Trim(w, "0123456789.") == "" {
		return e.hint("values are texts: write %q in quotes", w)
	}
	return e.hint("write $%s for a variable, %q in quotes for text", strings.Trim(w, ".-"), w)
}

func badPattern(rest string, at int) *Error {
	short := mistake(CodePattern, at, "a regular expression needs at least two characters between its slashes")
	switch {
	case strings.HasPrefix(rest, "//"):
		return short
	case len(rest) > 2 && rest[2] == '/':
		return short.hint("write /%c{1}/ for one character", rest[1])
	default:
		return mistake(CodePattern, at, "the regular expression has no closing /").hint(`a slash inside it is written \/`)
	}
}
