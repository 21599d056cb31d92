package variable

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Runner is the last step before a job runs: what the server left is expanded once more by the runner's rules, and
// each variable of type file becomes the path of a file. path gives the path for a name; the caller writes the
// (expanded) value there. c is the collection as Expand(ForRunner) left it, with the runner's own variables added.
//
// values are the variables that take effect, in precedence order; a File among them keeps its text in Value, and its
// environment variable is path(Name). Where a value grows too large it stays as it is, with a fault.
func (c *Collection) Runner(path func(name string) string) (values []plan.Variable, faults []*fault.Fault) {
	values = c.Effective()
	out := make([]plan.Variable, len(values))
	get := runnerLookup(c.Get, path)
	room := maxGrowth
	for i, v := range values {
		out[i] = v
		if v.Raw {
			continue
		}
		text, ok := expandOnce(v.Value, min(MaxValue, room), get)
		if !ok {
			faults = append(faults, fault.New(CodeSize, "the variable %s has more than %d bytes when its references are followed", v.Name, MaxValue))
			continue
		}
		room -= max(len(text)-len(v.Value), 0)
		out[i].Value = text
	}
	return out, faults
}

// ExpandRunner follows the references of a text as the runner does for image, services, cache:key, artifacts:name and
// the like: $NAME and ${NAME}, an undefined variable is nothing, $$ is $; a variable of type file is its path. Values
// are put in as they are. The only error is a *fault.Fault with CodeSize.
func ExpandRunner(text string, in Lookup, path func(name string) string) (string, error) {
	out, ok := expandOnce(text, MaxValue, runnerLookup(in, path))
	if !ok {
		return text, fault.New(CodeSize, "the references of a text stand for more than %d bytes", MaxValue)
	}
	return out, nil
}

// runnerLookup answers for names as the runner does: $ is itself, a shell's special parameters are nothing.
func runnerLookup(in Lookup, path func(string) string) func(string) string {
	return func(name string) string {
		if name == "$" {
			return "$"
		}
		if len(name) == 1 && special(name[0]) {
			return ""
		}
		v, ok := in(name)
		switch {
		case !ok:
			return ""
		case v.File && path != nil:
			return path(name)
		default:
			return v.Value
		}
	}
}

// expandOnce has the rules of Go's os.Expand, which gitlab-runner uses: ${} and an open ${ disappear, a $ before
// anything that is no name stays. ok is false above limit bytes.
func expandOnce(text string, limit int, get func(string) string) (out string, ok bool) {
	if strings.IndexByte(text, '$') < 0 {
		return text, true
	}
	var b strings.Builder
	at := 0
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '$' {
			continue
		}
		b.WriteString(text[at:i])
		name, size := shellName(text[i+1:])
		switch {
		case name != "":
			value := get(name)
			if b.Len()+len(value) > limit {
				return text, false
			}
			b.WriteString(value)
		case size == 0:
			b.WriteByte('$')
		}
		i += size
		at = i + 1
	}
	b.WriteString(text[min(at, len(text)):])
	return b.String(), true
}

// shellName is the name behind a $ and the bytes it takes, braces included. A name "" with a size is bad syntax.
func shellName(s string) (name string, size int) {
	if s[0] == '{' {
		if len(s) > 2 && special(s[1]) && s[2] == '}' {
			return s[1:2], 3
		}
		end := strings.IndexByte(s, '}')
		switch end {
		case -1:
			return "", 1
		case 1:
			return "", 2
		}
		return s[1:end], end + 1
	}
	if special(s[0]) {
		return s[:1], 1
	}
	n := 0
	for n < len(s) && (s[n] == '_' || s[n] >= '0' && s[n] <= '9' || s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z') {
		n++
	}
	return s[:n], n
}

func special(c byte) bool { return strings.IndexByte("*#$@!?-0123456789", c) >= 0 }
