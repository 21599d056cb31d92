package glob

import "unicode/utf8"

// segment is one name of a pattern.
type segment struct {
	globstar bool   // **
	literal  string // without wildcards: the name itself; else ""
	tokens   []token
}

// token matches one character, or with star any number of them.
type token struct {
	char   rune
	any    bool
	star   bool
	negate bool
	set    bool
	class  []span // of a set; none is one that takes nothing
}

type span struct{ from, to rune }

// compile reads one name of a pattern: * ? [...] and \ before a character that stands for itself.
func compile(text string) segment {
	if text == "**" {
		return segment{globstar: true}
	}
	var s segment
	plain := true
	var name []rune
	for text != "" {
		var t token
		t, text = next(text)
		single := t.set && len(t.class) == 1 && !t.negate && t.class[0].from == t.class[0].to
		if single { // [x] is x, which is how one escapes
			t.char, t.set = t.class[0].from, false
		}
		plain = plain && !t.any && !t.star && !t.set
		name = append(name, t.char)
		s.tokens = append(s.tokens, t)
	}
	if plain {
		s.literal = string(name)
	}
	return s
}

func next(text string) (token, string) {
	c, n := utf8.DecodeRuneInString(text)
	rest := text[n:]
	switch {
	case c == '*':
		return token{star: true}, rest
	case c == '?':
		return token{any: true}, rest
	case c == '\\' && rest != "":
		c, n = utf8.DecodeRuneInString(rest)
		return token{char: c}, rest[n:]
	case c == '[':
		if t, after, ok := class(rest); ok {
			return t, after
		}
	}
	return token{char: c}, rest
}

// class reads a set after its bracket; ok is false where it is not closed, and the bracket stands for itself.
func class(text string) (t token, rest string, ok bool) {
	if text != "" && (text[0] == '!' || text[0] == '^') {
		t.negate, text = true, text[1:]
	}
	t.set = true
	for first := true; text != ""; first = false {
		if text[0] == ']' && !first {
			return t, text[1:], true
		}
		if names, after, ok := posix(text); ok {
			t.class, text = append(t.class, names...), after
			continue
		}
		var from rune
		if from, text = member(text); text == "" {
			return t, "", false
		}
		to := from
		if len(text) > 1 && text[0] == '-' && text[1] != ']' {
			to, text = member(text[1:])
		}
		if from <= to {
			t.class = append(t.class, span{from, to})
		}
	}
	return t, "", false
}

func member(text string) (rune, string) {
	if text[0] == '\\' && len(text) > 1 {
		text = text[1:]
	}
	c, n := utf8.DecodeRuneInString(text)
	return c, text[n:]
}

var classes = map[string][]span{
	"alnum": {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}},
	"alpha": {{'A', 'Z'}, {'a', 'z'}},
	"digit": {{'0', '9'}},
	"lower": {{'a', 'z'}},
	"upper": {{'A', 'Z'}},
	"space": {{'\t', '\r'}, {' ', ' '}},
	"punct": {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}},
	"word":  {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}},
}

// posix reads [:alpha:] and its kin.
func posix(text string) ([]span, string, bool) {
	if len(text) < 4 || text[:2] != "[:" {
		return nil, "", false
	}
	for i := 2; i+1 < len(text); i++ {
		if text[i] == ':' && text[i+1] == ']' {
			spans, ok := classes[text[2:i]]
			return spans, text[i+2:], ok
		}
	}
	return nil, "", false
}

func (t token) takes(c rune) bool {
	switch {
	case t.any:
		return true
	case !t.set:
		return c == t.char
	}
	for _, s := range t.class {
		if c >= s.from && c <= s.to {
			return !t.negate
		}
	}
	return t.negate
}

// match holds one name against the segment; it takes time in proportion to the product of their lengths.
func (s segment) match(name string) bool {
	if s.literal != "" {
		return s.literal == name
	}
	tokens, runes := s.tokens, []rune(name)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(runes) {
		switch {
		case i < len(tokens) && tokens[i].star:
			star, mark = i, j
			i++
		case i < len(tokens) && tokens[i].takes(runes[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(tokens) && tokens[i].star {
		i++
	}
	return i == len(tokens) && len(runes) > 0
}
