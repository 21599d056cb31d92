package report

import (
	"bytes"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// Variable is a variable that a job hands to later jobs. GitLab does not expand the value when it reads it, but
// where it is used, like that of any other variable.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

const (
	// dotenvBytes is the largest dotenv file, in bytes; it must be smaller than 5 KB.
	dotenvBytes = 5<<10 - 1
	// dotenvFew is how many variables every GitLab takes unless it was set up otherwise, dotenvMost the most that
	// GitLab.com takes under any subscription.
	dotenvFew, dotenvMost = 20, 150
)

var variableName = lazy.Pattern(`^[a-zA-Z0-9_]+$`)

// maxVariable is the longest name of a variable, in bytes.
const maxVariable = 255

// readDotenv reads NAME=value lines by GitLab's rules, which differ from those of other dotenv readers ("GitLab CI/CD
// artifacts reports types, artifacts:reports:dotenv"): white space around name and value is taken off and all else
// belongs to the value, quotes and # too; there are no comments, empty lines or values of several lines; of variables
// of one name the last counts. A file that breaks a rule is refused as a whole; what could be read is given all the same.
func readDotenv(s *source) {
	data := bytes.TrimPrefix(s.data, bom)
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")):
		s.fault(CodeDotenv, 0, "the dotenv report is UTF-16; only UTF-8 is supported").WithHint("in PowerShell: | Out-File -Encoding utf8")
		return
	case !utf8.Valid(data) && !s.cut:
		s.fault(CodeDotenv, int64(firstInvalid(s.data)), "the dotenv report is not UTF-8")
	}
	at := map[string]int{}
	offset := int64(len(s.data) - len(data))
	for line := range bytes.Lines(data) {
		v, ok := s.variable(line, offset)
		offset += int64(len(line))
		if !ok || s.cut && offset == int64(len(s.data)) {
			continue // the last line of a file that is cut off may be half a line
		}
		if i, twice := at[v.Name]; twice {
			s.report.Variables[i] = v
			continue
		}
		at[v.Name] = len(s.report.Variables)
		s.report.Variables = append(s.report.Variables, v)
	}
	switch n := len(s.report.Variables); {
	case n > s.limits.Variables:
		s.fault(CodeVariables, -1, "the dotenv report has %d variables; %d are allowed at most", n, s.limits.Variables)
		s.report.Variables = s.report.Variables[:s.limits.Variables]
	case n > dotenvFew && s.limits.Variables == dotenvMost:
		s.remark(fault.Warning, CodeVariables, -1, "the dotenv report has %d variables; a GitLab that was not set up otherwise allows %d", n, dotenvFew)
	}
}

// variable reads one line. A line that is none gets a fault; its text is not shown, for it may be a secret.
func (s *source) variable(line []byte, offset int64) (Variable, bool) {
	const space = " \t\r\n\v\f\x00"
	key, value, ok := bytes.Cut(line, []byte("="))
	v := Variable{Name: string(bytes.Trim(key, space)), Value: string(bytes.Trim(value, space))}
	switch {
	case !ok && len(bytes.Trim(line, space)) == 0:
		s.fault(CodeDotenv, offset, "a dotenv report must not have empty lines")
	case bytes.HasPrefix(bytes.TrimLeft(line, space), []byte("#")):
		s.fault(CodeDotenv, offset, "a dotenv report must not have comments")
	case !ok:
		s.fault(CodeDotenv, offset, "the line is not NAME=value").WithHint("values of several lines are not supported")
	case v.Name == "":
		s.fault(CodeDotenv, offset, "the variable has no name")
	case len(v.Name) > maxVariable || !variableName.MatchString(v.Name):
		f := s.fault(CodeDotenv, offset, "the name of a variable can have only letters, digits and underscores, 255 at most")
		if bytes.HasPrefix(line, []byte("export ")) {
			f.WithHint("leave out export")
		}
	default:
		return v, true
	}
	return v, false
}

// firstInvalid is the offset of the first byte that is not UTF-8.
func firstInvalid(p []byte) int {
	for i := 0; i < len(p); {
		r, n := utf8.DecodeRune(p[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(p)
}
