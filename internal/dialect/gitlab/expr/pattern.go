package expr

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Pattern is a regular expression written /…/flags: RE2 syntax, flags i, m, s and U, no anchors of its own.
type Pattern struct {
	source string // with the flags as a group in front, as RE2 sees it
	text   string
	re     *regexp.Regexp
}

// IsPattern reports whether a text has the form of a pattern, whatever stands between the slashes.
func IsPattern(s string) bool {
	_, _, ok := split(s)
	return ok
}

// CompilePattern reads /…/flags. A mistake is an *Error whose offset counts in s.
func CompilePattern(s string) (*Pattern, error) {
	body, flags, ok := split(strings.ReplaceAll(s, `\/`, "/"))
	if !ok {
		return nil, &Error{Code: CodePattern, Message: "a regular expression must stand between slashes", Hint: "write /" + s + "/"}
	}
	source := body
	if flags != "" {
		source = "(?" + flags + ")" + body
	}
	if len(source) > MaxPattern {
		return nil, mistake(CodeSize, 0, "the regular expression has %d bytes, at most %d are allowed", len(source), MaxPattern)
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, badRegexp(err)
	}
	if n := steps(tree); n > MaxProgram {
		return nil, mistake(CodeSize, 0, "the regular expression is too large (%d steps, at most %d)", n, MaxProgram).
			hint("lower the repetition counts")
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, badRegexp(err)
	}
	return &Pattern{source: source, text: "/" + body + "/" + flags, re: re}, nil
}

// Match reports whether the pattern is found anywhere in s.
func (p *Pattern) Match(s string) bool { return p.re.MatchString(s) }

// String is the pattern with its slashes and flags.
func (p *Pattern) String() string { return p.text }

// split takes /…/flags apart. Lines count one by one, as in GitLab: the first line of that form is the pattern.
func split(s string) (body, flags string, ok bool) {
	for line := range strings.SplitSeq(s, "\n") {
		if len(line) < 2 || line[0] != '/' {
			continue
		}
		rest := strings.TrimRight(line[1:], "ismU")
		if strings.HasSuffix(rest, "/") {
			return rest[:len(rest)-1], line[1+len(rest):], true
		}
	}
	return "", "", false
}

func badRegexp(err error) *Error {
	e := mistake(CodePattern, 0, "not a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	var bad *syntax.Error
	if errors.As(err, &bad) {
		switch {
		case strings.HasPrefix(bad.Expr, "(?=") || strings.HasPrefix(bad.Expr, "(?!") || strings.HasPrefix(bad.Expr, "(?<") || strings.HasPrefix(bad.Expr, "(?>"):
			return e.hint("RE2 has no look-around: write it with !~ and a second condition")
		case bad.Code == syntax.ErrInvalidEscape:
			return e.hint("RE2 syntax has no back references and no \\%s", strings.TrimPrefix(bad.Expr, `\`))
		}
	}
	return e
}

// steps is how large the compiled program will be, to within a small factor.
func steps(re *syntax.Regexp) int {
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpRepeat:
		times := max(re.Min, re.Max, 1)
		if re.Max < 0 {
			times = re.Min + 1
		}
		return min(steps(re.Sub[0])*times+1, 1<<30)
	}
	for _, sub := range re.Sub {
		n = min(n+steps(sub), 1<<30)
	}
	return n
}
