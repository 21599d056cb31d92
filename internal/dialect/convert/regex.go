package convert

import (
	"regexp/syntax"
	"strings"
)

// patternOf is the condition that a regular expression is found in a fact: as plain comparisons where it does no more
// than look for some texts at the beginning, the end or anywhere, else as the expression itself.
func patternOf(f fact, source string) cond {
	re, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return ask(f, matches, source)
	}
	if re.Op == syntax.OpAlternate {
		var kids []cond
		for _, sub := range re.Sub {
			c, ok := plain(f, sub)
			if !ok {
				return ask(f, matches, source)
			}
			kids = append(kids, c)
		}
		return or(kids...)
	}
	if c, ok := plain(f, re); ok {
		return c
	}
	return ask(f, matches, source)
}

// plain reads one alternative of a pattern.
func plain(f fact, re *syntax.Regexp) (cond, bool) {
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	begin, end := false, false
	if len(parts) > 0 && isAnchor(parts[0], true) {
		begin, parts = true, parts[1:]
	}
	if len(parts) > 0 && isAnchor(parts[len(parts)-1], false) {
		end, parts = true, parts[:len(parts)-1]
	}
	if len(parts) > 0 && isAny(parts[0]) { // ^.*x is x
		begin, parts = false, parts[1:]
	}
	if len(parts) > 0 && isAny(parts[len(parts)-1]) {
		end, parts = false, parts[:len(parts)-1]
	}
	texts, ok := literals(&syntax.Regexp{Op: syntax.OpConcat, Sub: parts})
	if !ok || begin && end && texts[0] == "" {
		return no, false
	}
	v := has
	switch {
	case begin && end:
		v = equals
	case begin:
		v = begins
	case end:
		v = ends
	}
	var kids []cond
	for _, text := range texts {
		if text == "" {
			return ask(f, isSet, ""), true
		}
		kids = append(kids, ask(f, v, text))
	}
	return or(kids...), true
}

// maxLiterals bounds what a pattern is taken apart into.
const maxLiterals = 20

// literals are the texts that a pattern without repetitions stands for.
func literals(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		return []string{string(re.Rune)}, re.Flags&syntax.FoldCase == 0
	case syntax.OpCapture:
		return literals(re.Sub[0])
	case syntax.OpCharClass:
		var out []string
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if out = append(out, string(r)); len(out) > 5 {
					return nil, false
				}
			}
		}
		return out, true
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			texts, ok := literals(sub)
			if out = append(out, texts...); !ok || len(out) > maxLiterals {
				return nil, false
			}
		}
		return out, true
	case syntax.OpConcat:
		out := []string{""}
		for _, sub := range re.Sub {
			texts, ok := literals(sub)
			if !ok || len(out)*len(texts) > maxLiterals {
				return nil, false
			}
			var next []string
			for _, head := range out {
				for _, tail := range texts {
					next = append(next, head+tail)
				}
			}
			out = next
		}
		return out, true
	}
	return nil, false
}

func isAnchor(re *syntax.Regexp, begin bool) bool {
	if begin {
		return re.Op == syntax.OpBeginText || re.Op == syntax.OpBeginLine
	}
	return re.Op == syntax.OpEndText || re.Op == syntax.OpEndLine
}

func isAny(re *syntax.Regexp) bool {
	return re.Op == syntax.OpStar && (re.Sub[0].Op == syntax.OpAnyCharNotNL || re.Sub[0].Op == syntax.OpAnyChar)
}

// pattern writes a test of GitLab's =~ for a text.
func pattern(v verb, text string) string {
	quoted := quoteMeta(text)
	switch v {
	case begins:
		return "/^" + quoted + "/"
	case ends:
		return "/" + quoted + "$/"
	case matches:
		return "/" + strings.ReplaceAll(strings.ReplaceAll(text, `\/`, "/"), "/", `\/`) + "/"
	default:
		return "/" + quoted + "/"
	}
}

// quoteMeta escapes what a pattern between slashes reads as something else.
func quoteMeta(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`\.+*?()|[]{}^$/`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// glob is a GitHub filter pattern for a test on a branch or tag.
func (t test) glob() (string, bool) {
	quoted := quoteGlob(t.text)
	switch t.verb {
	case isSet:
		return "**", true
	case equals:
		return quoted, true
	case begins:
		return quoted + "**", true
	case ends:
		return "**" + quoted, true
	case has:
		return "**" + quoted + "**", true
	case matches:
		return globOf(t.text)
	}
	return "", false
}

func quoteGlob(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`\*?+[]!`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// globOf is a filter pattern for a regular expression of digits, classes and any text: ^v\d+\.\d+$ is v[0-9]+.[0-9]+.
func globOf(source string) (string, bool) {
	re, err := syntax.Parse(source, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat || len(re.Sub) < 2 || !isAnchor(re.Sub[0], true) {
		return "", false
	}
	parts, open := re.Sub[1:], true
	if isAnchor(parts[len(parts)-1], false) {
		parts, open = parts[:len(parts)-1], false
	}
	var b strings.Builder
	for _, p := range parts {
		text, ok := globPart(p)
		if !ok {
			return "", false
		}
		b.WriteString(text)
	}
	if open {
		b.WriteString("**")
	}
	return b.String(), true
}

func globPart(re *syntax.Regexp) (string, bool) {
	switch re.Op {
	case syntax.OpLiteral:
		return quoteGlob(string(re.Rune)), re.Flags&syntax.FoldCase == 0
	case syntax.OpCharClass:
		return classOf(re)
	case syntax.OpPlus:
		if re.Sub[0].Op == syntax.OpCharClass {
			text, ok := classOf(re.Sub[0])
			return text + "+", ok
		}
	case syntax.OpStar:
		if isAny(re) {
			return "**", true
		}
		if c := re.Sub[0]; c.Op == syntax.OpCharClass && len(c.Rune) == 4 && c.Rune[1] == '/'-1 && c.Rune[2] == '/'+1 {
			return "*", true
		}
	}
	return "", false
}

// classOf is a class of letters and digits, which is all that a filter pattern knows.
func classOf(re *syntax.Regexp) (string, bool) {
	var b strings.Builder
	b.WriteByte('[')
	for i := 0; i < len(re.Rune); i += 2 {
		lo, hi := re.Rune[i], re.Rune[i+1]
		if !word(lo) || !word(hi) {
			return "", false
		}
		b.WriteRune(lo)
		if hi > lo {
			b.WriteString("-" + string(hi))
		}
	}
	return b.String() + "]", true
}

func word(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// ofGlob is the test for a GitHub filter pattern (workflow syntax, filter pattern cheat sheet).
func ofGlob(f fact, glob string) (cond, bool) {
	var b strings.Builder
	b.WriteByte('^')
	r := []rune(glob)
	for i := 0; i < len(r); i++ {
		switch c := r[i]; c {
		case '*':
			if i+1 < len(r) && r[i+1] == '*' {
				b.WriteString(".*")
				i++
				continue
			}
			b.WriteString("[^/]*")
		case '?', '+':
			b.WriteRune(c)
		case '[':
			end := i + strings.IndexRune(string(r[i:]), ']')
			if end < i {
				return no, false
			}
			b.WriteString(string(r[i : end+1]))
			i = end
		case '\\':
			if i++; i == len(r) {
				return no, false
			}
			b.WriteString(quoteMeta(string(r[i])))
		default:
			b.WriteString(quoteMeta(string(c)))
		}
	}
	b.WriteByte('$')
	source := b.String()
	if _, err := syntax.Parse(source, syntax.Perl); err != nil {
		return no, false
	}
	return patternOf(f, source), true
}
