package config

import "strings"

// maxExpanded is the length from which a text is not expanded further; values could make it grow without bound.
const maxExpanded = 1 << 20

// expand replaces $NAME, ${NAME} and %NAME% in a text. keep says what becomes of a variable that is not defined: it
// stays as it is, or it is empty. $$ and %% are left alone. used is asked for every variable found.
func expand(s string, variables func(string) (Variable, bool), keep bool, used func(string, Variable)) string {
	if !strings.ContainsAny(s, "$%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if b.Len() > maxExpanded {
			b.WriteString(s[i:])
			break
		}
		name, length := reference(s[i:])
		if length == 0 {
			b.WriteByte(s[i])
			i++
			continue
		}
		if name == "" { // $$ or %%
			b.WriteString(s[i : i+length])
			i += length
			continue
		}
		var v Variable
		ok := false
		if variables != nil {
			v, ok = variables(name)
		}
		switch {
		case ok:
			used(name, v)
			b.WriteString(v.Value)
		case keep:
			b.WriteString(s[i : i+length])
		}
		i += length
	}
	return b.String()
}

// reference is the variable that a text starts with, and the length of the reference; 0 where there is none.
func reference(s string) (name string, length int) {
	switch {
	case strings.HasPrefix(s, "$$"), strings.HasPrefix(s, "%%"):
		return "", 2
	case strings.HasPrefix(s, "${"):
		if n := nameLength(s[2:]); n > 0 && len(s) > 2+n && s[2+n] == '}' {
			return s[2 : 2+n], n + 3
		}
	case strings.HasPrefix(s, "$"):
		if n := nameLength(s[1:]); n > 0 {
			return s[1 : 1+n], n + 1
		}
	case strings.HasPrefix(s, "%"):
		if n := nameLength(s[1:]); n > 0 && len(s) > 1+n && s[1+n] == '%' {
			return s[1 : 1+n], n + 2
		}
	}
	return "", 0
}

// nameLength is the length of the name that a text starts with.
func nameLength(s string) int {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}
