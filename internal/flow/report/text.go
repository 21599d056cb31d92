package report

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// clip is the text without white space around it, valid and no longer than n bytes.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(strings.TrimSpace(s), "\uFFFD")
	if len(s) <= n {
		return strings.Clone(s)
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// maxName is the longest name, path or identifier that is kept whole, in bytes.
const maxName = 1 << 10

func name(s string) string { return clip(s, maxName) }

// firstLine is the first line with text in it.
func firstLine(s string) string {
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}

// number reads a count; what is none is 0.
func number(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// seconds reads a duration as test tools write it: 1.5, 1,024.5 (grouped by commas) or 0,5 (a decimal comma).
// What is no duration is 0.
func seconds(s string) float64 {
	s = strings.TrimSuffix(strings.TrimSpace(s), "s")
	if comma := strings.LastIndexByte(s, ','); comma >= 0 {
		if !strings.Contains(s, ".") && strings.Count(s, ",") == 1 && len(s)-comma != 4 {
			s = s[:comma] + "." + s[comma+1:]
		}
		s = strings.ReplaceAll(s, ",", "")
	}
	return positive(s)
}

// positive reads a number of at most 1e12 that is not negative; what is none is 0.
func positive(s string) float64 {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(f >= 0 && f <= 1e12) {
		return 0
	}
	return f
}

// slashed is a path with slashes, without ./ before it.
func slashed(s string) string {
	return strings.TrimPrefix(strings.ReplaceAll(name(s), `\`, "/"), "./")
}

// plural is a number with what it counts.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
