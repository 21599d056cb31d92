package applicationset

import (
	"math"
	"regexp"
	"strings"
)

// costs are the steps of functions that make much of little or take long, by their arguments and the steps that measuring
// those took. A number below zero is more than any budget.
var costs = map[string]func(args []any, weight int) int{
	"repeat":       func(a []any, _ int) int { return bytes(times(whole(a, 0), len(text(a, 1)))) },
	"indent":       func(a []any, _ int) int { return indented(a) },
	"nindent":      func(a []any, _ int) int { return indented(a) },
	"replace":      func(a []any, _ int) int { return bytes(times(count(text(a, 2), text(a, 0)), len(text(a, 1)))) },
	"join":         func(a []any, w int) int { return bytes(times(w, len(text(a, 0)))) },
	"wrapWith":     func(a []any, _ int) int { return bytes(times(len(text(a, 2)), len(text(a, 1)))) },
	"until":        func(a []any, _ int) int { return size(whole(a, 0)) },
	"untilStep":    func(a []any, _ int) int { return span(whole(a, 0), whole(a, 1), whole(a, 2)) },
	"seq":          sequence,
	"randAlphaNum": func(a []any, _ int) int { return size(whole(a, 0)) },
	"randAlpha":    func(a []any, _ int) int { return size(whole(a, 0)) },
	"randAscii":    func(a []any, _ int) int { return size(whole(a, 0)) },
	"randNumeric":  func(a []any, _ int) int { return size(whole(a, 0)) },
	"randBytes":    func(a []any, _ int) int { return size(whole(a, 0)) },
	"printf":       formatted,
	"uniq":         squared, "mustUniq": squared, "without": squared, "mustWithout": squared,
	"regexReplaceAll": replaced, "mustRegexReplaceAll": replaced, "regexReplaceAllLiteral": replaced, "mustRegexReplaceAllLiteral": replaced,
	"regexMatch": searched, "mustRegexMatch": searched, "regexFind": searched, "mustRegexFind": searched,
	"regexFindAll": searched, "mustRegexFindAll": searched, "regexSplit": searched, "mustRegexSplit": searched,
	"bcrypt": fixed(1 << 20), "htpasswd": fixed(1 << 20), "derivePassword": fixed(1 << 20),
	"genPrivateKey": fixed(1<<22 + 1), "genCA": fixed(1 << 21), "genSelfSignedCert": fixed(1 << 21), "genSignedCert": fixed(1 << 21),
	"genCAWithKey": fixed(1 << 17), "genSelfSignedCertWithKey": fixed(1 << 17), "genSignedCertWithKey": fixed(1 << 17),
}

func fixed(n int) func([]any, int) int { return func([]any, int) int { return n } }

func text(a []any, i int) string {
	if i >= len(a) {
		return ""
	}
	s, _ := a[i].(string)
	return s
}

func whole(a []any, i int) int {
	if i >= len(a) {
		return 0
	}
	n, _ := a[i].(int)
	return n
}

// times multiplies what is not negative; -1 is too much.
func times(a, b int) int {
	if a <= 0 || b <= 0 {
		return 0
	}
	if a > math.MaxInt/b {
		return -1
	}
	return a * b
}

// bytes are the steps of so many bytes of one text; more than a text may have is too much.
func bytes(n int) int {
	if n < 0 || n > maxText {
		return -1
	}
	return n / perStep
}

func size(n int) int { return max(n, 0) }

func indented(a []any) int {
	return bytes(times(whole(a, 0), strings.Count(text(a, 1), "\n")+1))
}

func count(s, part string) int {
	if part == "" {
		return len(s) + 1
	}
	return strings.Count(s, part)
}

func span(from, to, step int) int {
	if step == 0 || (to > from) != (step > 0) {
		return 0
	}
	n := (float64(to) - float64(from)) / float64(step)
	if n > maxWork {
		return -1
	}
	return int(n) + 1
}

func sequence(a []any, _ int) int {
	switch len(a) {
	case 1:
		n := whole(a, 0)
		return span(1, n, sign(n-1))
	case 2:
		return span(whole(a, 0), whole(a, 1), sign(whole(a, 1)-whole(a, 0)))
	case 3:
		return span(whole(a, 0), whole(a, 2), whole(a, 1))
	}
	return 0
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}

// squared is the cost of comparing each element with each.
func squared(_ []any, weight int) int {
	if weight > 1<<20 {
		return -1
	}
	return weight * weight / 8
}

var widths = regexp.MustCompile(`[0-9]+|\*`)

// formatted is the cost of printf: each verb may print each argument, as wide as it says.
func formatted(a []any, weight int) int {
	format := text(a, 0)
	verbs := strings.Count(format, "%")
	most := 0
	for i := range a {
		most = max(most, min(size(whole(a, i)), 1<<20))
	}
	wide := 0
	for _, w := range widths.FindAllString(format, -1) {
		n := most
		if w != "*" {
			n = 0
			for _, d := range w[:min(len(w), 8)] {
				n = n*10 + int(d-'0')
			}
		}
		wide += min(n, 1<<20)
		if wide > maxText {
			return -1
		}
	}
	return wide/perStep + times(verbs, weight)
}

func searched(a []any, _ int) int { return times(len(text(a, 0))+1, len(text(a, 1))+1) / 32 }

// replaced adds to a search what is put in the places of what it found.
func replaced(a []any, _ int) int {
	re, err := regexp.Compile(text(a, 0))
	if err != nil {
		return 0
	}
	look := searched(a, 0)
	if look > maxWork {
		return -1
	}
	with := text(a, 2)
	found, matched := 0, 0
	for _, at := range re.FindAllStringIndex(text(a, 1), -1) {
		found++
		matched += at[1] - at[0]
	}
	grown := times(found, len(with))
	back := times(strings.Count(with, "$"), matched)
	if grown < 0 || back < 0 || grown+back > maxText {
		return -1
	}
	return look + (grown+back)/perStep
}
