package filter

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// doubt tells of a pattern that no name can fit. GitHub accepts it, so it is a warning; the first is told.
func (c *compiler) doubt() *fault.Fault {
	body := strings.TrimPrefix(c.text, "!")
	switch c.kind {
	case Ref:
		c.ref(body, len(c.text)-len(body))
	case Path:
		c.path(body, len(c.text)-len(body))
	}
	return c.warned
}

// ref follows what git allows in names of branches and tags (git check-ref-format).
func (c *compiler) ref(body string, start int) {
	never := func(offset int, why, hint string) { c.warn(CodeRef, offset, why+": the pattern matches none", hint) }
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		if strings.HasPrefix(body, prefix) {
			never(start, "the pattern begins with "+prefix+", and branches and tags are matched by their short names", "remove "+prefix)
			return
		}
	}
	for i, t := range c.tokens {
		if t.ordinary() && (t.char <= ' ' || t.char == 0x7f || strings.ContainsRune(`~^:\*?[`, t.char)) {
			never(c.offsets[i], "no branch or tag has the character "+quoteChar(t.char)+" in its name", "patterns are no regular expressions: *, **, ?, + and [a-z] are known")
			return
		}
	}
	last := body[len(body)-1]
	switch {
	case body[0] == '/':
		never(start, "no branch or tag begins with a slash", "remove the slash")
	case (last == '/' || last == '.') && c.endsPlain():
		never(start+len(body)-1, "no branch or tag ends with "+quoteChar(rune(last)), "write ** for all that is below")
	case c.has(".."), c.has("//"), c.has("@{"), strings.HasSuffix(body, ".lock") && c.endsPlain():
		never(start, "git allows no such name of a branch or tag", "see git check-ref-format")
	}
}

// path follows how changed files are named: from the top, without ./ and without a slash at either end.
func (c *compiler) path(body string, start int) {
	switch {
	case strings.HasPrefix(body, "./"):
		c.warn(CodePath, start, "the pattern begins with ./ and matches no file", "paths begin at the repository's top: remove ./")
	case strings.HasPrefix(body, "../"):
		c.warn(CodePath, start, "the pattern begins with ../ and matches no file", "paths begin at the repository's top")
	case strings.HasPrefix(body, "/"):
		c.warn(CodePath, start, "the pattern begins with a slash and matches no file", "paths begin at the repository's top: remove the slash")
	case strings.HasSuffix(body, "/") && c.endsPlain():
		c.warn(CodePath, start+len(body)-1, "the pattern ends with a slash and matches no file", "write "+body+"** for all files of the folder")
	case body == ".", body == "..", strings.Contains(body, "/../"), strings.Contains(body, "/./"), strings.HasSuffix(body, "/.."), strings.HasSuffix(body, "/."):
		c.warn(CodePath, start, "the pattern has a part . or .. and matches no file", "paths begin at the repository's top; write ** for all files")
	case body != strings.Trim(body, " \t"):
		c.warn(CodePath, start, "the pattern begins or ends with a blank, which is part of the names that it matches", "remove the blank")
	}
}

// ordinary reports whether a token is a character of its own, and not a set or a wildcard.
func (t *token) ordinary() bool { return t.class == nil && (t.op == one || t.op == maybe) }

// endsPlain reports whether the pattern ends with an ordinary character.
func (c *compiler) endsPlain() bool {
	if len(c.tokens) == 0 {
		return false
	}
	t := c.tokens[len(c.tokens)-1]
	return t.class == nil && t.op == one
}

// has reports whether the ordinary characters hold the text in one row.
func (c *compiler) has(text string) bool {
	var row strings.Builder
	for i := range c.tokens {
		if t := &c.tokens[i]; t.class == nil && t.op == one {
			row.WriteRune(t.char)
		} else {
			row.WriteByte('\n')
		}
	}
	return strings.Contains(row.String(), text)
}

func quoteChar(r rune) string {
	if r < ' ' || r == 0x7f {
		return "(a control character)"
	}
	return "'" + string(r) + "'"
}
