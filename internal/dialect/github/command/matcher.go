package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Matcher finds problems in output: lines that its patterns match become notes (repository actions/toolkit, page
// docs/problem-matchers.md). A Matcher never changes and may be used by many lenses.
type Matcher struct {
	Owner    string
	severity string
	patterns []pattern
}

// pattern is one line of what a matcher looks for. The numbers are capture groups; absent ones are -1.
type pattern struct {
	re                                                    *regexp.Regexp
	file, fromPath, line, column, severity, code, message int
	loop                                                  bool
}

// The form of a matcher's file.
type (
	matcherFile struct {
		Matchers []matcherForm `json:"problemMatcher"`
	}
	matcherForm struct {
		Owner    string        `json:"owner"`
		Severity string        `json:"severity"`
		Patterns []patternForm `json:"pattern"`
	}
	patternForm struct {
		Regexp   string `json:"regexp"`
		File     *int   `json:"file"`
		FromPath *int   `json:"fromPath"`
		Line     *int   `json:"line"`
		Column   *int   `json:"column"`
		Severity *int   `json:"severity"`
		Code     *int   `json:"code"`
		Message  *int   `json:"message"`
		Loop     bool   `json:"loop"`
	}
)

// MaxMatchers is the most that one file may define.
const MaxMatchers = 100

// ReadMatchers reads a problem matcher file. The error says what is wrong with it, for a person; then there is none.
func ReadMatchers(text []byte) ([]*Matcher, error) {
	var f matcherFile
	if err := json.Unmarshal([]byte(strings.TrimPrefix(string(text), "\ufeff")), &f); err != nil {
		return nil, fmt.Errorf("the file is not the JSON of a problem matcher: %w", err)
	}
	if len(f.Matchers) > MaxMatchers {
		return nil, fmt.Errorf("%d matchers in one file; %d are the most", len(f.Matchers), MaxMatchers)
	}
	seen := map[string]bool{}
	var out []*Matcher
	for _, form := range f.Matchers {
		m, err := form.matcher()
		if err != nil {
			return nil, err
		}
		if owner := strings.ToLower(m.Owner); seen[owner] {
			return nil, fmt.Errorf("two matchers have the owner %q", m.Owner)
		} else {
			seen[owner] = true
		}
		out = append(out, m)
	}
	return out, nil
}

func (form matcherForm) matcher() (*Matcher, error) {
	if form.Owner == "" {
		return nil, errors.New("a matcher has no owner")
	}
	switch strings.ToLower(form.Severity) {
	case "", "error", "warning", "notice":
	default:
		return nil, fmt.Errorf("the matcher %q has the severity %q, which is not error, warning or notice", form.Owner, form.Severity)
	}
	if len(form.Patterns) == 0 {
		return nil, fmt.Errorf("the matcher %q has no pattern", form.Owner)
	}
	m := &Matcher{Owner: form.Owner, severity: form.Severity}
	set := map[string]bool{}
	for i, p := range form.Patterns {
		one, err := p.pattern(set)
		if err != nil {
			return nil, fmt.Errorf("pattern %d of the matcher %q: %w", i+1, form.Owner, err)
		}
		if one.loop && (i == 0 || i < len(form.Patterns)-1) {
			return nil, fmt.Errorf("pattern %d of the matcher %q: only the last of several patterns may have loop", i+1, form.Owner)
		}
		m.patterns = append(m.patterns, one)
	}
	if !set["message"] {
		return nil, fmt.Errorf("the matcher %q has no pattern with message", form.Owner)
	}
	return m, nil
}

func (form patternForm) pattern(set map[string]bool) (pattern, error) {
	re, err := translate(form.Regexp)
	if err != nil {
		return pattern{}, err
	}
	p := pattern{re: re, loop: form.Loop}
	groups := []struct {
		name string
		from *int
		to   *int
	}{
		{"file", form.File, &p.file},
		{"fromPath", form.FromPath, &p.fromPath},
		{"line", form.Line, &p.line},
		{"column", form.Column, &p.column},
		{"severity", form.Severity, &p.severity},
		{"code", form.Code, &p.code},
		{"message", form.Message, &p.message},
	}
	for _, g := range groups {
		*g.to = -1
		if g.from == nil {
			continue
		}
		switch {
		case set[g.name]:
			return pattern{}, fmt.Errorf("%s is set twice", g.name)
		case *g.from < 0 || *g.from > re.NumSubexp():
			return pattern{}, fmt.Errorf("%s is group %d, and the pattern has %d", g.name, *g.from, re.NumSubexp())
		}
		set[g.name], *g.to = true, *g.from
	}
	if p.loop && p.message < 0 {
		return pattern{}, errors.New("a pattern with loop must have message")
	}
	return p, nil
}

// translate makes a Go expression of a JavaScript one. What Go's engine cannot do (looking around, back references) is an
// error: it takes linear time whatever the output holds.
func translate(source string) (*regexp.Regexp, error) {
	const longest = 4096
	if len(source) > longest {
		return nil, fmt.Errorf("the regular expression has %d characters; %d are the most", len(source), longest)
	}
	var b strings.Builder
	for i := 0; i < len(source); i++ {
		switch {
		case strings.HasPrefix(source[i:], "[^]"):
			b.WriteString(`[\s\S]`)
			i += 2
		case source[i] != '\\' || i+1 == len(source):
			b.WriteByte(source[i])
		default:
			n := escaped(&b, source[i:])
			i += n - 1
		}
	}
	re, err := regexp.Compile(b.String())
	if err == nil {
		return re, nil
	}
	return nil, fmt.Errorf("the regular expression %q does not work here: %w (no looking around and no back references)", shorten(source), err)
}

// escaped writes the escape at the beginning of s and returns its length.
func escaped(b *strings.Builder, s string) int {
	switch c := s[1]; {
	case c == 'u' && len(s) >= 6 && hexadecimal(s[2:6]):
		b.WriteString(`\x{` + s[2:6] + `}`)
		return 6
	case c == 'c' && len(s) >= 3 && (s[2] >= 'a' && s[2] <= 'z' || s[2] >= 'A' && s[2] <= 'Z'):
		fmt.Fprintf(b, `\x%02x`, s[2]&0x1f)
		return 3
	case c == '0' && (len(s) == 2 || s[2] < '0' || s[2] > '9'):
		b.WriteString(`\x00`)
		return 2
	case c == '_':
		b.WriteByte('_')
		return 2
	default:
		b.WriteString(s[:2])
		return 2
	}
}

func hexadecimal(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }
