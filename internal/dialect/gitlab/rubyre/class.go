package rubyre

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// between makes a set of a text like "az09__".
func between(pairs string) func(rune) bool {
	return func(r rune) bool {
		for i := 0; i+1 < len(pairs); i += 2 {
			if rune(pairs[i]) <= r && r <= rune(pairs[i+1]) {
				return true
			}
		}
		return false
	}
}

func not(set func(rune) bool) func(rune) bool { return func(r rune) bool { return !set(r) } }

// shorthands are \d and its like; Ruby means ASCII by them.
var shorthands = map[rune]func(rune) bool{
	'd': between("09"), 'w': between("azAZ09__"), 's': between("\t\r  "), 'h': between("09afAF"),
}

// named are the classes of [:alpha:] and \p{Alpha}, which mean all of Unicode.
var named = map[string]func(rune) bool{
	"alpha": unicode.IsLetter, "digit": unicode.IsDigit, "upper": unicode.IsUpper, "lower": unicode.IsLower,
	"alnum": func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }, "space": unicode.IsSpace,
	"punct": func(r rune) bool { return unicode.IsPunct(r) || r < utf8.RuneSelf && unicode.IsSymbol(r) },
	"cntrl": unicode.IsControl, "word": wordly, "xdigit": between("09afAF"), "blank": between("\t\t  "),
	"print": unicode.IsPrint, "graph": func(r rune) bool { return unicode.IsPrint(r) && r != ' ' },
	"ascii": func(r rune) bool { return r < utf8.RuneSelf }, "any": func(rune) bool { return true },
}

// controls are the escapes that stand for one character.
var controls = map[rune]rune{'n': '\n', 't': '\t', 'r': '\r', 'f': '\f', 'v': '\v', 'a': '\a', 'e': 0x1b, '0': 0}

// escape reads what follows a backslash outside of a class.
func (p *parser) escape(f flags) (node, error) {
	if !p.more() {
		return nil, errors.New(`a \ at the end`)
	}
	c := p.text[p.at]
	if holds := places[c]; holds != nil && c != '^' && c != '$' {
		p.at++
		return place{holds}, nil
	}
	switch {
	case c >= '1' && c <= '9':
		end := p.at
		for end < len(p.text) && p.text[end] >= '0' && p.text[end] <= '9' {
			end++
		}
		n, _ := strconv.Atoi(p.text[p.at:end])
		p.at, p.asked = end, append(p.asked, n)
		return back{n, f.fold}, nil
	case c == 'k':
		rest, ok := strings.CutPrefix(p.text[p.at:], "k<")
		name, _, closed := strings.Cut(rest, ">")
		if !ok || !closed || p.names[name] == 0 {
			return nil, errors.New(`\k needs the <name> of a group before it`)
		}
		p.at += len("k<") + len(name) + 1
		return back{p.names[name], f.fold}, nil
	case c == 'R':
		p.at++
		return choice{sequence{literal('\r', f), literal('\n', f)}, one{between("\n\r")}}, nil
	case strings.IndexByte("KXgyY", c) >= 0:
		return nil, fmt.Errorf(`\%c is not understood`, c)
	}
	set, r, err := p.character()
	if err != nil {
		return nil, err
	}
	if set != nil {
		return one{folded(set, f)}, nil
	}
	return literal(r, f), nil
}

// character reads an escape that stands for a set or for one character.
func (p *parser) character() (set func(rune) bool, r rune, err error) {
	if !p.more() {
		return nil, 0, errors.New(`a \ at the end`)
	}
	r = p.rune()
	if s := shorthands[r]; s != nil {
		return s, 0, nil
	}
	if s := shorthands[unicode.ToLower(r)]; s != nil {
		return not(s), 0, nil
	}
	switch r {
	case 'p', 'P':
		set, err = p.property(r == 'P')
		return set, 0, err
	case 'x', 'u':
		r, err = p.code(r)
		return nil, r, err
	}
	if c, ok := controls[r]; ok {
		return nil, c, nil
	}
	if unicode.IsLetter(r) && r < utf8.RuneSelf && strings.ContainsRune("cCM", r) {
		return nil, 0, fmt.Errorf(`\%c is not understood`, r)
	}
	return nil, r, nil
}

// code reads the digits of \x41, \u00e9 and \u{1f600}.
func (p *parser) code(kind rune) (rune, error) {
	most := 2
	if kind == 'u' {
		most = 4
		if p.take("{") {
			digits, _, ok := strings.Cut(p.text[p.at:], "}")
			n, err := strconv.ParseInt(digits, 16, 32)
			if !ok || err != nil {
				return 0, errors.New(`\u{ needs the number of a character and a }`)
			}
			p.at += len(digits) + 1
			return rune(n), nil
		}
	}
	end := p.at
	for end < len(p.text) && end-p.at < most && between("09afAF")(rune(p.text[end])) {
		end++
	}
	n, err := strconv.ParseInt(p.text[p.at:end], 16, 32)
	if err != nil {
		return 0, fmt.Errorf(`\%c needs hexadecimal digits`, kind)
	}
	p.at = end
	return rune(n), nil
}

// property reads {Alpha} or {^Alpha} behind \p.
func (p *parser) property(inverse bool) (func(rune) bool, error) {
	name, _, ok := strings.Cut(strings.TrimPrefix(p.text[p.at:], "{"), "}")
	if !ok || !p.take("{") {
		return nil, errors.New(`\p needs a name in braces`)
	}
	p.at += len(name) + 1
	if short, not := strings.CutPrefix(name, "^"); not {
		name, inverse = short, !inverse
	}
	set := named[strings.ToLower(name)]
	if set == nil {
		table := unicode.Categories[name]
		if table == nil {
			table = unicode.Scripts[name]
		}
		if table == nil {
			return nil, fmt.Errorf("there is no class %q", name)
		}
		set = func(r rune) bool { return unicode.Is(table, r) }
	}
	if inverse {
		return not(set), nil
	}
	return set, nil
}

// class reads what follows an opening bracket, up to the closing one.
func (p *parser) class(f flags) (func(rune) bool, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errors.New("classes are nested too deeply")
	}
	defer func() { p.depth-- }()
	inverse := p.take("^")
	var sets []func(rune) bool
	var also func(rune) bool // what is before &&
	union := func() func(rune) bool {
		mine, with := sets, also
		return folded(func(r rune) bool {
			if with != nil && !with(r) {
				return false
			}
			for _, s := range mine {
				if s(r) {
					return true
				}
			}
			return false
		}, f)
	}
	for first := true; ; first = false {
		if !p.more() {
			return nil, errors.New("a [ has no closing ]")
		}
		if !first && p.take("]") {
			break
		}
		if p.take("&&") {
			also, sets = union(), nil
			continue
		}
		set, err := p.member(f)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	if inverse {
		return not(union()), nil
	}
	return union(), nil
}

// member reads one part of a class: a class of its own, a range or a character.
func (p *parser) member(f flags) (func(rune) bool, error) {
	if p.take("[:") {
		name, _, ok := strings.Cut(p.text[p.at:], ":]")
		short, inverse := strings.CutPrefix(name, "^")
		if set := named[short]; ok && set != nil {
			p.at += len(name) + 2
			if inverse {
				return not(set), nil
			}
			return set, nil
		}
		p.at--
		return p.class(f)
	}
	if p.take("[") {
		return p.class(f)
	}
	set, low, err := p.bound()
	if err != nil || set != nil {
		return set, err
	}
	rest := p.text[p.at:]
	if len(rest) < 2 || rest[0] != '-' || rest[1] == ']' || rest[1] == '[' {
		return func(r rune) bool { return r == low }, nil
	}
	p.at++
	set, high, err := p.bound()
	switch {
	case err != nil:
		return nil, err
	case set != nil:
		return func(r rune) bool { return r == low || r == '-' || set(r) }, nil
	case high < low:
		return nil, fmt.Errorf("the range %c-%c runs backwards", low, high)
	}
	return func(r rune) bool { return low <= r && r <= high }, nil
}

// bound reads one character of a class, or the set that an escape stands for.
func (p *parser) bound() (func(rune) bool, rune, error) {
	if !p.take(`\`) {
		return nil, p.rune(), nil
	}
	if p.take("b") {
		return nil, '\b', nil
	}
	return p.character()
}
