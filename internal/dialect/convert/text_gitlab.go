package convert

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// segment is plain text, or the source of an expression.
type segment struct {
	text       string
	expression bool
}

// segments take a text of GitHub's apart.
func segments(s string) []segment {
	var out []segment
	for s != "" {
		open := strings.Index(s, "${{")
		if open < 0 {
			return append(out, segment{text: s})
		}
		if open > 0 {
			out = append(out, segment{text: s[:open]})
		}
		rest, quoted, end := s[open+3:], false, -1
		for i := range len(rest) {
			if rest[i] == '\'' {
				quoted = !quoted
			} else if !quoted && strings.HasPrefix(rest[i:], "}}") {
				end = i
				break
			}
		}
		if end < 0 {
			return append(out, segment{text: s[open:]})
		}
		out = append(out, segment{text: strings.TrimSpace(rest[:end]), expression: true})
		s = rest[end+2:]
	}
	return out
}

// dynamic reports whether a text holds an expression.
func dynamic(s string) bool { return strings.Contains(s, "${{") }

// scope is what the expressions of a job mean on GitLab.
type scope struct {
	*gitlabWriter
	job *job // nil for the workflow
}

// found is an expression in GitLab's words: plain text, or the name of a variable.
type found struct {
	text     string
	variable string
	shell    string // what a shell does for it; only scripts can
}

// expression translates one. It is an error where GitLab has nothing like it.
func (s *scope) expression(source string) (found, error) {
	e, bad := expr.Parse(source, nil)
	if bad != nil {
		return found{}, fmt.Errorf("it cannot be read: %s", bad.Message)
	}
	n := e.Root()
	if name, ok := exprOf(n); ok {
		return found{variable: name}, nil
	}
	if l, ok := n.(*expr.Literal); ok {
		return found{text: l.Value.Text()}, nil
	}
	if name, ok := fallback(n); ok {
		if s.asked[name] {
			return found{variable: name}, nil
		}
		l := n.(*expr.Binary).Right.(*expr.Literal)
		s.note(CodeSettings, s.place(), "the value of %s can be given in the settings of the project (CI/CD variables)", name)
		return found{text: l.Value.Text()}, nil
	}
	if name, ok := inputOf(n); ok {
		return found{variable: inputVariable(name)}, nil
	}
	return s.path(n)
}

// path is a value of a context.
func (s *scope) path(n expr.Node) (found, error) {
	path := pathOf(n)
	context, name, _ := strings.Cut(path, ".")
	if value := derived["GITHUB_"+strings.ToUpper(name)]; value != "" && strings.EqualFold(context, "github") {
		return found{shell: strings.Trim(value, `"`)}, nil
	}
	switch strings.ToLower(context) {
	case "vars", "secrets":
		if strings.EqualFold(path, "secrets.GITHUB_TOKEN") {
			s.lose(CodeSettings, s.place(), "secrets.GITHUB_TOKEN becomes $CI_JOB_TOKEN, which may do other things")
			return found{variable: "CI_JOB_TOKEN"}, nil
		}
		s.note(CodeSettings, s.place(), "$%s must be a CI/CD variable of the project%s", name, map[bool]string{true: ", masked"}[strings.EqualFold(context, "secrets")])
		return found{variable: name}, nil
	case "env":
		return found{variable: name}, nil
	case "matrix":
		return found{variable: axisName(name)}, nil
	case "runner":
		if text, ok := map[string]string{"os": "Linux", "arch": "X64", "temp": "/tmp"}[strings.ToLower(name)]; ok {
			return found{text: text}, nil
		}
	case "strategy":
		if strings.EqualFold(name, "job-total") {
			return found{variable: "CI_NODE_TOTAL"}, nil
		}
	case "needs":
		if parts := strings.Split(name, "."); len(parts) == 3 && parts[1] == "outputs" {
			return s.output(parts[0], parts[2])
		}
	case "steps":
		if parts := strings.Split(name, "."); len(parts) == 3 && parts[1] == "outputs" && s.job != nil {
			return found{shell: "$(sed -n 's/^" + parts[2] + "=//p' \"" + outputFile(parts[0]) + "\")"}, nil
		}
	}
	return found{}, fmt.Errorf("GitLab has nothing for ${{ %s }}", n)
}

// output is an output of a job before this one: a variable of its dotenv report.
func (s *scope) output(id, name string) (found, error) {
	for _, j := range s.jobs {
		if !strings.EqualFold(j.Key, id) {
			continue
		}
		for _, o := range j.Outputs {
			if strings.EqualFold(o.Name, name) {
				if s.job != nil {
					s.takes[s.job] = append(s.takes[s.job], j)
				}
				return found{variable: outputVariable(j.Key, o.Name)}, nil
			}
		}
	}
	return found{}, fmt.Errorf("job %q has no output %q", id, name)
}

// outputVariable is the variable by which a job hands an output on.
func outputVariable(key, name string) string { return inputVariable(key + "_" + name) }

// axisName is a variable for an axis of a matrix.
func axisName(name string) string { return strings.ReplaceAll(name, "-", "_") }

func (s *scope) place() fault.Place {
	if s.job != nil {
		return s.job.Place
	}
	return fault.Place{File: s.plan.File}
}

// text is a text for a key of GitLab in which variables are filled in. ok is false where something in it has no
// translation, which was told.
func (s *scope) text(t string, at fault.Place) (out string, ok bool) {
	var b strings.Builder
	parts := segments(t)
	ok = true
	for i, p := range parts {
		if !p.expression {
			b.WriteString(strings.ReplaceAll(p.text, "$", "$$"))
			continue
		}
		v, err := s.expression(p.text)
		switch {
		case err != nil:
			s.bad(CodeText, at, "%v", err)
			ok = false
		case v.shell != "":
			s.bad(CodeText, at, "${{ %s }} is only known to the script", p.text)
			ok = false
		case v.variable == "":
			b.WriteString(strings.ReplaceAll(v.text, "$", "$$"))
		case i+1 < len(parts) && !parts[i+1].expression && continues(parts[i+1].text):
			b.WriteString("${" + v.variable + "}")
		default:
			b.WriteString("$" + v.variable)
		}
	}
	return b.String(), ok
}

// continues reports whether text behind a variable would be read as a part of its name.
func continues(s string) bool { return s != "" && (word(rune(s[0])) || s[0] == '_') }

// script is a text of a shell. An expression becomes a variable of the shell, which is not the same where it stands
// between single quotes: there it is told.
func (s *scope) script(t string, at fault.Place) (string, bool) {
	if !dynamic(t) {
		return t, true
	}
	var b strings.Builder
	ok := true
	for _, p := range segments(t) {
		if !p.expression {
			b.WriteString(p.text)
			continue
		}
		v, err := s.expression(p.text)
		switch {
		case err != nil:
			s.bad(CodeText, at, "%v", err)
			ok = false
		case v.variable == "" && v.shell == "":
			b.WriteString(v.text)
		case singleQuoted(b.String()):
			s.bad(CodeText, at, "${{ %s }} stands between single quotes, where the shell fills in no variable", p.text)
			ok = false
		case v.shell != "":
			b.WriteString(v.shell)
		default:
			b.WriteString("${" + v.variable + "}")
		}
	}
	return b.String(), ok
}

// word is a text as one word of a shell, with what expressions give between double quotes.
func (s *scope) word(t string, at fault.Place) (string, bool) {
	if !dynamic(t) {
		return shellWord(t), true
	}
	var b strings.Builder
	for _, p := range segments(t) {
		if !p.expression {
			b.WriteString(strings.NewReplacer(`"`, `\"`, "`", "\\`", `$`, `\$`, `\`, `\\`).Replace(p.text))
			continue
		}
		text, ok := s.script("${{ "+p.text+" }}", at)
		if !ok {
			return "", false
		}
		b.WriteString(text)
	}
	return `"` + b.String() + `"`, true
}

// singleQuoted reports whether a script ends inside of single quotes, or inside of a here document that is taken as it
// is.
func singleQuoted(script string) bool {
	single, double := false, false
	for i := 0; i < len(script); i++ {
		switch c := script[i]; {
		case c == '\\' && !single:
			i++
		case c == '\'' && !double:
			single = !single
		case c == '"' && !single:
			double = !double
		case c == '#' && !single && !double && (i == 0 || strings.IndexByte(" \t\n;", script[i-1]) >= 0):
			if n := strings.IndexByte(script[i:], '\n'); n >= 0 {
				i += n - 1
			}
		case c == '<' && !single && !double && strings.HasPrefix(script[i:], "<<'"):
			rest := script[i+3:]
			word, _, _ := strings.Cut(rest, "'")
			end := strings.Index(rest, "\n"+word+"\n")
			if end < 0 {
				return true
			}
			i += 3 + end + len(word) + 1
		}
	}
	return single
}
