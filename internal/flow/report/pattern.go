package report

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Pattern finds the coverage in a job's log, as the keyword coverage says ("GitLab CI/CD YAML syntax reference,
// coverage"): the last line that matches counts; in it the last match; of the match the last group that took part, or
// all of it where there are no groups; and there the first number. A match without a number is passed over.
// Control sequences in the log are not taken out, nor does GitLab do so.
type Pattern struct {
	re *regexp.Regexp
}

// maxLine is how much of a line is looked at, from its end, in bytes.
const maxLine = 256 << 10

var figure = regexp.MustCompile(`\d+(?:\.\d+)?`)

// NewPattern compiles what stands after coverage: a regular expression in RE2 syntax between slashes. The fault has
// no place; a Pattern is given with it where it is but a warning.
func NewPattern(text string) (*Pattern, *fault.Fault) {
	expression := text
	var warning *fault.Fault
	if len(text) >= 2 && text[0] == '/' && text[len(text)-1] == '/' {
		expression = text[1 : len(text)-1]
	} else {
		warning = fault.New(CodePattern, "the coverage pattern %s is not between slashes and is taken as it stands", clip(text, 100)).WithSeverity(fault.Warning)
		if flags.MatchString(text) {
			warning.WithHint("flags stand inside: /(?i)…/")
		} else {
			warning.WithHint("write coverage: '/…/'")
		}
	}
	re, err := regexp.Compile(expression)
	if err != nil {
		return nil, fault.New(CodePattern, "the coverage pattern %s cannot be used: %s", clip(text, 100), err).
			WithHint("it is RE2: no look-ahead, no look-behind, no back references")
	}
	return &Pattern{re: re}, warning
}

var flags = regexp.MustCompile(`^/.*/[a-zA-Z]+$`)

// Line is the coverage that a line tells, in percent. A line break at its end is passed over.
func (p *Pattern) Line(line []byte) (float64, bool) {
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	line = line[max(0, len(line)-maxLine):]
	matches := p.re.FindAllSubmatchIndex(line, -1)
	for i := len(matches) - 1; i >= 0; i-- {
		m := matches[i]
		for g := len(m)/2 - 1; g >= min(1, p.re.NumSubexp()); g-- {
			if m[2*g] < 0 {
				continue
			}
			f, err := strconv.ParseFloat(string(figure.Find(line[m[2*g]:m[2*g+1]])), 64)
			return f, err == nil
		}
	}
	return 0, false
}

// Find is the coverage that a log of that many bytes tells, in percent. It reads from the end and stops at the first
// line that tells it; at most a few lines are in memory.
func (p *Pattern) Find(log io.ReaderAt, length int64) (float64, bool, error) {
	const block = 64 << 10
	var line []byte // the end of the line that goes on before the last block read
	for end := length; end > 0; {
		n := min(block, end)
		data := make([]byte, n, int(n)+len(line))
		if _, err := log.ReadAt(data, end-n); err != nil && err != io.EOF {
			return 0, false, fmt.Errorf("look for coverage at byte %d of the log: %w", end-n, err)
		}
		end -= n
		data = append(data, line...)
		for {
			i := bytes.LastIndexByte(data, '\n')
			if i < 0 {
				break
			}
			if f, ok := p.Line(data[i+1:]); ok {
				return f, true, nil
			}
			data = data[:i]
		}
		line = data[max(0, len(data)-maxLine):]
	}
	f, ok := p.Line(line)
	return f, ok, nil
}
