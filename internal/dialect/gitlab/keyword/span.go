package keyword

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The lengths of the units as GitLab counts them: a month has 30 days, a year 365.25.
const (
	day   = 24 * time.Hour
	week  = 7 * day
	month = 30 * day
	year  = 31557600 * time.Second
)

// units are the words for units.
var units = map[string]time.Duration{
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": day, "dy": day, "day": day, "days": day,
	"w": week, "wk": week, "wks": week, "week": week, "weeks": week,
	"mo": month, "mos": month, "month": month, "months": month,
	"y": year, "yr": year, "yrs": year, "year": year, "years": year,
}

// words are the numbers that can be spelled.
var words = map[string]float64{
	"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
	"ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
	"seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40,
	"fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}

// Duration reads a length of time as GitLab writes it: "90", "3h 30m", "1 hour 20 minutes", "2h20min", "1.5 days",
// "47 yrs 6 mos and 4d", "one week", "1:30" (GitLab documentation, CI/CD YAML syntax reference, timeout and
// artifacts:expire_in). A number without a unit counts seconds. Nothing and zero are errors.
func Duration(text string) (time.Duration, error) {
	tokens, err := spanTokens(strings.ToLower(text))
	if err != nil {
		return 0, err
	}
	total := 0.0
	for i, t := range tokens {
		if t.unit != 0 {
			// A unit that no number stands in front of counts once at the beginning ("day", "minute 30sec").
			if i == 0 {
				total += float64(t.unit)
			}
			continue
		}
		unit := time.Second
		if i+1 < len(tokens) {
			if unit = tokens[i+1].unit; unit == 0 {
				return 0, fmt.Errorf("%q has two numbers in a row", text)
			}
		}
		total += t.number * float64(unit)
	}
	switch {
	case total <= 0:
		return 0, fmt.Errorf("%q is no time at all", text)
	case total >= math.MaxInt64:
		return math.MaxInt64, nil
	}
	return time.Duration(total), nil
}

// spanToken is a number or a unit.
type spanToken struct {
	number float64
	unit   time.Duration
}

// spanTokens parts a text into numbers and units. Commas and the words and, with and plus join.
func spanTokens(text string) ([]spanToken, error) {
	if strings.ContainsRune(text, ':') {
		return clock(text)
	}
	var out []spanToken
	spelled := false
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimLeft(rest, " \t\n,-") {
		if n := numeral(rest); n > 0 {
			f, err := strconv.ParseFloat(rest[:n], 64)
			if err != nil {
				return nil, fmt.Errorf("%q is no number", rest[:n])
			}
			out, rest, spelled = append(out, spanToken{number: f}), rest[n:], false
			continue
		}
		n := strings.IndexFunc(rest, func(r rune) bool { return r < 'a' || r > 'z' })
		if n < 0 {
			n = len(rest)
		}
		if n == 0 {
			return nil, fmt.Errorf("%q is no length of time", rest)
		}
		word := rest[:n]
		rest = rest[n:]
		var err error
		if out, spelled, err = spanWord(out, word, spelled); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// spanWord adds a word: a unit, a joining word or a spelled number, which adds to the one before it (twenty five).
func spanWord(out []spanToken, word string, spelled bool) ([]spanToken, bool, error) {
	if unit, ok := units[word]; ok {
		return append(out, spanToken{unit: unit}), false, nil
	}
	if n, ok := words[word]; ok {
		if spelled {
			out[len(out)-1].number += n
			return out, true, nil
		}
		return append(out, spanToken{number: n}), true, nil
	}
	switch word {
	case "hundred", "thousand":
		factor := 100.0
		if word == "thousand" {
			factor = 1000
		}
		if spelled || len(out) > 0 && out[len(out)-1].unit == 0 {
			out[len(out)-1].number *= factor
			return out, true, nil
		}
		return append(out, spanToken{number: factor}), true, nil
	case "and", "with", "plus":
		return out, spelled, nil
	}
	return nil, false, fmt.Errorf("%q is no unit of time", word)
}

// numeral is the length of the number that a text begins with.
func numeral(s string) int {
	n, digits, dot := 0, 0, false
	for ; n < len(s); n++ {
		switch {
		case s[n] >= '0' && s[n] <= '9':
			digits++
		case s[n] == '.' && !dot:
			dot = true
		default:
			if digits == 0 {
				return 0
			}
			return n
		}
	}
	if digits == 0 {
		return 0
	}
	return n
}

// clock reads 1:30 (minutes and seconds), 2:00:00 and longer.
func clock(text string) ([]spanToken, error) {
	parts := strings.Split(strings.ReplaceAll(text, " ", ""), ":")
	steps := []time.Duration{time.Second, time.Minute, time.Hour, day, month, year}
	if len(parts) > len(steps) {
		return nil, fmt.Errorf("%q is no length of time", text)
	}
	out := make([]spanToken, 0, 2*len(parts))
	for i, p := range parts {
		if n := numeral(p); n == 0 || n != len(p) {
			return nil, fmt.Errorf("%q is no length of time", text)
		}
		f, err := strconv.ParseFloat(p, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no length of time", text)
		}
		out = append(out, spanToken{number: f}, spanToken{unit: steps[len(parts)-1-i]})
	}
	return out, nil
}
