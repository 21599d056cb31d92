package variable

import "strings"

// reference is one place in a value that the server looks at.
type reference struct {
	start, end int
	name       string // "" for an escape: $$, %% and ${}
}

// nextReference finds the first reference at or after from. escapes says whether $$ and %% keep what follows them from
// being one: in the values of variables they do, in other keywords $$NAME is a $ and the value of NAME.
func nextReference(s string, from int, escapes bool) (reference, bool) {
	for i := from; i < len(s); i++ {
		n := strings.IndexAny(s[i:], "$%")
		if n < 0 {
			break
		}
		i += n
		if name, size := referenceAt(s[i:], escapes); size > 0 {
			return reference{i, i + size, name}, true
		}
	}
	return reference{}, false
}

// referenceAt reads a reference at the beginning of s; size 0 is none.
func referenceAt(s string, escapes bool) (name string, size int) {
	if len(s) < 2 {
		return "", 0
	}
	if escapes && s[1] == s[0] {
		return "", 2
	}
	if s[0] == '%' {
		if n := nameSize(s[1:]); n > 0 && strings.HasPrefix(s[1+n:], "%") {
			return s[1 : 1+n], n + 2
		}
		return "", 0
	}
	if s[1] != '{' {
		n := nameSize(s[1:])
		if n == 0 {
			return "", 0
		}
		return s[1 : 1+n], n + 1
	}
	n := nameSize(s[2:])
	if (n > 0 || escapes) && strings.HasPrefix(s[2+n:], "}") {
		return s[2 : 2+n], n + 3
	}
	return "", 0
}

// nameSize is the length of the name at the beginning of s.
func nameSize(s string) int {
	for i := range len(s) {
		c := s[i]
		if c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9' {
			continue
		}
		return i
	}
	return len(s)
}

// References are the names that a value refers to, in order, each time.
func References(value string) []string {
	var out []string
	for at := 0; ; {
		r, ok := nextReference(value, at, true)
		if !ok {
			return out
		}
		if r.name != "" {
			out = append(out, r.name)
		}
		at = r.end
	}
}
