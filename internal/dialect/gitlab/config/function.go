package config

import (
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// The functions of $[[ ]] (CI/CD inputs, "Predefined interpolation functions").
var functions = []string{"expand_vars", "truncate", "posix_escape", "split"}

var (
	truncatePattern = lazy.Pattern(`^truncate\(\s*(\d+)\s*,\s*(\d+)\s*\)$`)
	splitPattern    = lazy.Pattern(`^split\('([^']*)'\)$`)
)

// apply is the value after one function.
func (i *interpolator) apply(call string, v *yamlx.Node) (*yamlx.Node, *block) {
	name, _, _ := strings.Cut(call, "(")
	do := i.function(call)
	if do == nil {
		bad := &block{code: CodeFunction, text: "$[[ ]] has no function " + strconv.Quote(call)}
		switch near := i.l.near(name, functions); {
		case name == "truncate":
			bad.text, bad.hint = strconv.Quote(call)+" is not well formed", "write truncate(OFFSET,LENGTH) with two numbers"
		case near != "":
			bad.hint = "did you mean " + near + "?"
		default:
			bad.hint = "there are expand_vars, truncate(OFFSET,LENGTH) and posix_escape"
		}
		return nil, bad
	}
	text, ok := v.Str()
	if !ok {
		return nil, &block{code: CodeFunction, text: "the function " + name + " takes text, but the value is " + v.Describe()}
	}
	return do(text, v)
}

type function func(text string, v *yamlx.Node) (*yamlx.Node, *block)

// function is the function that a call means, or nil.
func (i *interpolator) function(call string) function {
	if call == "expand_vars" {
		return i.expandVars
	}
	if call == "posix_escape" {
		return func(text string, v *yamlx.Node) (*yamlx.Node, *block) {
			return yamlx.NewString(posixEscape(text), v.Place), nil
		}
	}
	if m := truncatePattern.FindStringSubmatch(call); m != nil {
		return func(text string, v *yamlx.Node) (*yamlx.Node, *block) {
			return yamlx.NewString(truncate(text, atoi(m[1]), atoi(m[2])), v.Place), nil
		}
	}
	if m := splitPattern.FindStringSubmatch(call); m != nil {
		return func(text string, v *yamlx.Node) (*yamlx.Node, *block) { return split(text, m[1], v) }
	}
	return nil
}

// expandVars replaces the variables that include may use. Others stay, and a masked one is refused.
func (i *interpolator) expandVars(text string, v *yamlx.Node) (*yamlx.Node, *block) {
	masked := ""
	out := expand(text, i.o.variables, true, func(name string, v Variable) {
		if v.Masked {
			masked = name
		}
	})
	if masked != "" {
		return nil, &block{
			code: CodeFunction, text: "expand_vars cannot expand $" + masked + ", because it is masked",
			hint: "masked values must not get into the configuration; use the variable in the script",
		}
	}
	return yamlx.NewString(out, v.Place), nil
}

// truncate counts characters, not bytes. An offset beyond the end gives nothing.
func truncate(s string, offset, length int) string {
	r := []rune(s)
	if offset > len(r) {
		return ""
	}
	return string(r[offset:min(offset+length, len(r))])
}

// atoi reads digits; a number too large for anything is as good as a billion.
func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n > 1_000_000_000 {
		return 1_000_000_000
	}
	return n
}

// posixEscape puts a backslash before everything that a shell could take for a sign of its own.
func posixEscape(s string) string {
	if s == "" {
		return "''"
	}
	var b strings.Builder
	for _, r := range s {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.,:+/@", r)
		switch {
		case r == '\n':
			b.WriteString("'\n'")
			continue
		case !plain:
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// split makes a list of a text, without empty parts and the space around them.
func split(s, separator string, v *yamlx.Node) (*yamlx.Node, *block) {
	if separator == "" {
		return nil, &block{code: CodeFunction, text: "the separator of split is empty"}
	}
	var items []*yamlx.Node
	for _, part := range strings.Split(s, separator) {
		if part = strings.TrimSpace(part); part != "" {
			items = append(items, yamlx.NewString(part, v.Place))
		}
	}
	return yamlx.NewSequence(items, v.Place), nil
}
