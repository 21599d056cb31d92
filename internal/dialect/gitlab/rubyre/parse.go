package rubyre

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// flags are the options that hold for a part of a pattern.
type flags struct {
	fold, all, extended bool // i, m (a dot is also a line's end) and x
}

// parser reads a pattern from left to right.
type parser struct {
	text   string
	at     int
	depth  int
	groups int
	names  map[string]int
	asked  []int // the numbers of groups that backreferences name
}

const maxDepth = 50

func (p *parser) more() bool { return p.at < len(p.text) }

func (p *parser) take(prefix string) bool {
	if strings.HasPrefix(p.text[p.at:], prefix) {
		p.at += len(prefix)
		return true
	}
	return false
}

func (p *parser) rune() rune {
	r, n := utf8.DecodeRuneInString(p.text[p.at:])
	p.at += n
	return r
}

// resolve checks that what is referred to is there. Where groups have names, they have no numbers.
func (p *parser) resolve() error {
	if len(p.names) > 0 && len(p.asked) > 0 {
		return fmt.Errorf(`\%d: groups with names have no numbers`, p.asked[0])
	}
	for _, n := range p.asked {
		if n > p.groups {
			return fmt.Errorf(`there is no group %d for \%d`, n, n)
		}
	}
	return nil
}

// alternatives reads up to a closing parenthesis or the end. What is behind a flag that is set on the way belongs
// together up to there: a(?i)b|c is a(?i:b|c).
func (p *parser) alternatives(f flags) (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errors.New("groups are nested too deeply")
	}
	defer func() { p.depth-- }()
	var ways choice
	var run sequence
	for p.more() && p.text[p.at] != ')' {
		if p.take("|") {
			ways, run = append(ways, run), nil
			continue
		}
		if f.extended && p.blank() {
			continue
		}
		if set, ok, err := p.options(f); err != nil {
			return nil, err
		} else if ok {
			rest, err := p.alternatives(set)
			if err != nil {
				return nil, err
			}
			run = append(run, rest)
			break
		}
		n, err := p.atom(f)
		if err != nil {
			return nil, err
		}
		if n, err = p.quantified(n, f); err != nil {
			return nil, err
		}
		run = append(run, n)
	}
	if ways == nil {
		return run, nil
	}
	return append(ways, run), nil
}

// blank skips what the flag x makes meaningless.
func (p *parser) blank() bool {
	if strings.ContainsRune(" \t\n\r\f\v", rune(p.text[p.at])) {
		p.at++
		return true
	}
	if p.text[p.at] != '#' {
		return false
	}
	if end := strings.IndexByte(p.text[p.at:], '\n'); end >= 0 {
		p.at += end
	} else {
		p.at = len(p.text)
	}
	return true
}

// options reads (?i) and its like, which hold for what follows.
func (p *parser) options(f flags) (flags, bool, error) {
	rest, ok := strings.CutPrefix(p.text[p.at:], "(?")
	end := strings.IndexAny(rest, "):")
	if !ok || end < 1 || rest[end] != ')' || strings.Trim(rest[:end], "imx-") != "" {
		return f, false, nil
	}
	p.at += 2 + end + 1
	return f.with(rest[:end]), true, nil
}

func (f flags) with(letters string) flags {
	on := true
	for _, c := range letters {
		switch c {
		case '-':
			on = false
		case 'i':
			f.fold = on
		case 'm':
			f.all = on
		case 'x':
			f.extended = on
		}
	}
	return f
}

// quantified reads the quantifiers behind a node; each one repeats what is before it.
func (p *parser) quantified(n node, f flags) (node, error) {
	for p.more() {
		if f.extended && p.blank() {
			continue
		}
		least, most, braces, ok := p.quantifier()
		if !ok {
			break
		}
		if braces && most >= 0 && least > most {
			return nil, fmt.Errorf("{%d,%d} runs backwards", least, most)
		}
		if least > MaxLength*4 || most > MaxLength*4 {
			return nil, errors.New("a quantifier is too large")
		}
		r := repeat{of: n, least: least, most: most}
		switch {
		case braces && least == most && p.take("?"):
			n = repeat{of: r, most: 1} // a{2}? is two or none
		case p.take("?"):
			r.lazy = true
			n = r
		case !braces && p.take("+"):
			n = atomic{r}
		default:
			n = r
		}
	}
	return n, nil
}

func (p *parser) quantifier() (least, most int, braces, ok bool) {
	switch p.text[p.at] {
	case '*':
		p.at++
		return 0, -1, false, true
	case '+':
		p.at++
		return 1, -1, false, true
	case '?':
		p.at++
		return 0, 1, false, true
	case '{':
	default:
		return 0, 0, false, false
	}
	inside, _, closed := strings.Cut(p.text[p.at+1:], "}")
	low, high, ranged := strings.Cut(inside, ",")
	if !closed || low == "" && high == "" {
		return 0, 0, false, false // a { that is no quantifier is itself
	}
	least, most = 0, -1
	var err error
	if low != "" {
		if least, err = strconv.Atoi(low); err != nil || least < 0 {
			return 0, 0, false, false
		}
	}
	if high != "" {
		if most, err = strconv.Atoi(high); err != nil || most < 0 {
			return 0, 0, false, false
		}
	}
	if !ranged {
		most = least
	}
	p.at += len(inside) + 2
	return least, most, true, true
}

// atom reads one thing that can be repeated.
func (p *parser) atom(f flags) (node, error) {
	switch r := p.rune(); r {
	case '(':
		return p.group(f)
	case '[':
		set, err := p.class(f)
		return one{set}, err
	case '.':
		return one{func(r rune) bool { return f.all || r != '\n' }}, nil
	case '^', '$':
		return place{places[byte(r)]}, nil
	case '\\':
		return p.escape(f)
	case '*', '+', '?', '{':
		if r == '{' {
			p.at--
			if _, _, _, ok := p.quantifier(); !ok {
				p.at++
				return literal(r, f), nil
			}
		}
		return nil, fmt.Errorf("there is nothing before %c to repeat", r)
	default:
		return literal(r, f), nil
	}
}

func literal(r rune, f flags) one { return one{folded(func(x rune) bool { return x == r }, f)} }

// folded makes a set one of upper and lower case.
func folded(set func(rune) bool, f flags) func(rune) bool {
	if !f.fold {
		return set
	}
	return func(r rune) bool {
		if set(r) {
			return true
		}
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if set(other) {
				return true
			}
		}
		return false
	}
}

// group reads what follows an opening parenthesis.
func (p *parser) group(f flags) (node, error) {
	wrap := func(n node) node { return n }
	switch {
	case p.take("?#"):
		end := strings.IndexByte(p.text[p.at:], ')')
		if end < 0 {
			return nil, errors.New("a comment has no closing )")
		}
		p.at += end + 1
		return sequence{}, nil
	case p.take("?:"):
	case p.take("?="):
		wrap = func(n node) node { return look{of: n} }
	case p.take("?!"):
		wrap = func(n node) node { return look{of: n, not: true} }
	case p.take("?<="):
		wrap = func(n node) node { return look{of: n, behind: true} }
	case p.take("?<!"):
		wrap = func(n node) node { return look{of: n, behind: true, not: true} }
	case p.take("?>"):
		wrap = func(n node) node { return atomic{n} }
	case p.take("?<"), p.take("?'"):
		quote := ">"
		if p.text[p.at-1] == '\'' {
			quote = "'"
		}
		name, _, ok := strings.Cut(p.text[p.at:], quote)
		if !ok || name == "" {
			return nil, errors.New("a group's name has no end")
		}
		p.at += len(name) + 1
		number := p.numbered()
		p.names[name] = number
		wrap = func(n node) node { return group{n, number} }
	case p.take("?"):
		letters, _, ok := strings.Cut(p.text[p.at:], ":")
		if !ok || strings.Trim(letters, "imx-") != "" {
			return nil, errors.New("(? with something that is not understood")
		}
		p.at += len(letters) + 1
		f = f.with(letters)
	default:
		number := p.numbered()
		wrap = func(n node) node { return group{n, number} }
	}
	inner, err := p.alternatives(f)
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, errors.New("a ( has no closing )")
	}
	return wrap(inner), nil
}

func (p *parser) numbered() int {
	p.groups++
	return p.groups
}
