package command

import (
	"errors"
	"fmt"
	"strings"
)

// Pair is a name and its value.
type Pair struct{ Name, Value string }

// FormError is a command file that does not have the documented form. Message is in the words of GitHub's runner, for
// people search for them.
type FormError struct {
	Line    int // from 1
	Message string
}

func (e *FormError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// Pairs reads the text of GITHUB_ENV, GITHUB_OUTPUT or GITHUB_STATE: lines `name=value`, and for values of several lines
// `name<<word`, the value, and the word alone on a line (documentation page "Workflow commands for GitHub Actions",
// Multiline strings). Lines end at \n; a carriage return belongs to the value, as on GitHub's Linux and macOS machines.
// What was read before a mistake is returned with it, a *FormError, for GitHub's runner takes that too.
func Pairs(text string) ([]Pair, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	var out []Pair
	for at := 1; text != ""; at++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if line == "" {
			continue
		}
		equals, here := strings.Index(line, "="), strings.Index(line, "<<")
		switch {
		case equals >= 0 && (here < 0 || equals < here):
			if equals == 0 {
				return out, &FormError{at, fmt.Sprintf("Invalid format '%s'. Name must not be empty", shorten(line))}
			}
			out = append(out, Pair{line[:equals], line[equals+1:]})
		case here >= 0:
			name, word := line[:here], line[here+2:]
			if name == "" || word == "" {
				return out, &FormError{at, fmt.Sprintf("Invalid format '%s'. Name must not be empty and delimiter must not be empty", shorten(line))}
			}
			value, rest, lines, ok := heredoc(text, word)
			if !ok {
				return out, &FormError{at, fmt.Sprintf("Invalid value. Matching delimiter not found '%s'", shorten(word))}
			}
			text, at = rest, at+lines
			out = append(out, Pair{name, value})
		default:
			return out, &FormError{at, fmt.Sprintf("Invalid format '%s'", shorten(line))}
		}
	}
	return out, nil
}

// heredoc takes the lines up to the one that is word. lines counts them, that one included.
func heredoc(text, word string) (value, rest string, lines int, ok bool) {
	whole := text
	for length := 0; text != ""; {
		line, after, _ := strings.Cut(text, "\n")
		lines++
		if line == word {
			return strings.TrimSuffix(whole[:length], "\n"), after, lines, true
		}
		length = len(whole) - len(after)
		text = after
	}
	return "", "", 0, false
}

// shorten keeps messages to a size that a person reads.
func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// Paths reads the text of GITHUB_PATH: a folder a line, empty ones passed over.
func Paths(text string) []string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
		if line = strings.TrimSuffix(line, "\r"); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// MaxSummary is the most that GITHUB_STEP_SUMMARY of one step may hold, in bytes (documentation page "Workflow commands
// for GitHub Actions", Step isolation and limits).
const MaxSummary = 1 << 20

// MaxSummaries is how many steps of a job may have one that is shown.
const MaxSummaries = 20

// CheckEnv says why a name may not be set through GITHUB_ENV, or nil: NODE_OPTIONS would let a step run code in every
// later one.
func CheckEnv(name string) error {
	if strings.EqualFold(name, "NODE_OPTIONS") {
		//lint:ignore ST1005 it is told in the runner's words
		return errors.New("Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.")
	}
	return nil
}
