package expr

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// Number is the value as a number, as comparisons take it: null is 0, true 1, false 0, text is read by ParseNumber,
// arrays and objects are NaN.
func (v Value) Number() float64 {
	switch v.kind {
	case KindNull:
		return 0
	case KindBool, KindNumber:
		return v.num
	case KindString:
		return ParseNumber(v.text)
	default:
		return math.NaN()
	}
}

// ParseNumber reads text as a number: decimal with sign, point and exponent, 0x and 0o (of 32 bits, as the runner holds
// them), Infinity; empty text is 0; anything else is NaN.
func ParseNumber(s string) float64 {
	s = strings.TrimFunc(s, unicode.IsSpace)
	switch {
	case s == "":
		return 0
	case decimal(s):
		f, _ := strconv.ParseFloat(s, 64) // out of range is an infinity, as it is on the runner
		return f
	case strings.HasPrefix(s, "0x"):
		return bits(s[2:], 16)
	case strings.HasPrefix(s, "0o"):
		return bits(s[2:], 8)
	}
	sign := 1
	word := s
	if word[0] == '-' || word[0] == '+' {
		if word[0] == '-' {
			sign = -1
		}
		word = word[1:]
	}
	if strings.EqualFold(word, "Infinity") {
		return math.Inf(sign)
	}
	return math.NaN()
}

// bits reads 32 bits: the highest is the sign.
func bits(digits string, base int) float64 {
	if digits == "" || strings.ContainsAny(digits, "+-_") {
		return math.NaN()
	}
	u, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return math.NaN()
	}
	return float64(int32(uint32(u)))
}

// decimal reports whether s is [sign] digits [. digits] [e [sign] digits] with a digit before the exponent.
func decimal(s string) bool {
	i := 0
	if s[0] == '+' || s[0] == '-' {
		i++
	}
	digits := func() (n int) {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i, n = i+1, n+1
		}
		return n
	}
	n := digits()
	if i < len(s) && s[i] == '.' {
		i++
		n += digits()
	}
	if n == 0 {
		return false
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if digits() == 0 {
			return false
		}
	}
	return i == len(s)
}

// FormatNumber writes a number as GitHub does: at most 15 significant digits, without exponent from 0.0001 up to
// 999999999999999, else as 1E+15 or 1.5E-05.
func FormatNumber(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0"
	}
	mantissa, power, _ := strings.Cut(strconv.FormatFloat(f, 'e', 14, 64), "e")
	exponent, _ := strconv.Atoi(power)
	if exponent <= -5 || exponent >= 15 {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		return mantissa + "E" + power[:1] + strings.Repeat("0", max(0, 3-len(power))) + power[1:]
	}
	fixed := strconv.FormatFloat(f, 'f', 14-exponent, 64)
	if strings.Contains(fixed, ".") {
		fixed = strings.TrimRight(strings.TrimRight(fixed, "0"), ".")
	}
	return fixed
}
