package yamlx

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// Schema says which plain scalars are more than text.
type Schema uint8

// The schemas.
const (
	// Psych is what GitLab's YAML reader does (Ruby's Psych, YAML 1.1): yes and on are true, 012 is ten, 1:30 is 5400.
	Psych Schema = iota
	// Core is the YAML 1.2 core schema that GitHub's workflows follow: yes and on are text, 012 is twelve.
	Core
)

// The number forms of Psych, after the YAML 1.1 types that it names.
var (
	psychFloat       = lazy.Pattern(`^(?:[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
	psychInt         = lazy.Pattern(`^(?:[-+]?0b[0-1_,]+|[-+]?0[0-7_,]+|[-+]?(?:0|[1-9][0-9_,]*)|[-+]?0x[0-9a-fA-F_,]+)$`)
	psychSexagesimal = lazy.Pattern(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}(?:\.[0-9_]*)?$`)
	psychTime        = lazy.Pattern(`^-?\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d(?:\.\d*)?(?:\s*(?:Z|[-+]\d{1,2}:?(?:\d\d)?))?$`)
	psychDate        = lazy.Pattern(`^\d{4}-(?:1[012]|0\d|\d)-(?:[12]\d|3[01]|0\d|\d)$`)

	coreInt   = lazy.Pattern(`^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$`)
	coreFloat = lazy.Pattern(`^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
)

// separators may stand between the digits of a number and mean nothing.
var separators = strings.NewReplacer("_", "", ",", "")

// TypeOf is the type of a plain scalar in a schema.
func TypeOf(s Schema, text string) Type {
	if s == Core {
		return coreType(text)
	}
	return psychType(text)
}

// psychType follows the order in which Psych tries its forms.
func psychType(s string) Type {
	if s == "" {
		return Null
	}
	if looksTextual(s) {
		return psychWord(s)
	}
	switch {
	case strings.IndexByte("+-.0123456789", s[0]) < 0:
		return Str
	case strings.EqualFold(s, ".inf"), strings.EqualFold(s, "-.inf"), strings.EqualFold(s, ".nan"):
		return Float
	case isHidden(s):
		return Str
	case isDecimal(s):
		return Int
	case psychSexagesimal.MatchString(s):
		if strings.IndexByte(s, '.') >= 0 {
			return Float
		}
		return Int
	case psychFloat.MatchString(s):
		if s == "." || s == "+." || s == "-." {
			return Str
		}
		return Float
	case psychInt.MatchString(s):
		if _, ok := integer(s, false); !ok { // such as 0b_
			return Str
		}
		return Int
	default:
		return Str
	}
}

// isDecimal is the common case of a number, told without a regular expression.
func isDecimal(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s[0] != '0' || len(s) == 1
}

// isHidden is the other common case: a dot and then no digit, as in the names of hidden jobs.
func isHidden(s string) bool {
	if s[0] != '.' || len(s) == 1 || s[1] >= '0' && s[1] <= '9' {
		return false
	}
	return s[1] != 'e' && s[1] != 'E' || len(s) > 2 && s[2] != '+' && s[2] != '-'
}

// looksTextual is Psych's first test: a letter or one of some signs at the start, or after one character that starts no number.
func looksTextual(s string) bool {
	if strings.IndexByte(s, '\n') >= 0 {
		return true
	}
	first, size := utf8.DecodeRuneInString(s)
	if textual(first) {
		return true
	}
	if first >= '0' && first <= '9' || first == '.' || first == ':' || first == '-' {
		return false
	}
	second, _ := utf8.DecodeRuneInString(s[size:])
	return len(s) > size && textual(second)
}

func textual(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.IndexByte("_ \t\r\v\f!@#$%^&*(){}<>|/\\~;=", byte(r)) >= 0
	}
	return unicode.IsLetter(r)
}

func psychWord(s string) Type {
	if len(s) > 5 {
		return Str
	}
	switch strings.ToLower(s) {
	case "~", "null":
		return Null
	case "yes", "true", "on", "no", "false", "off":
		return Bool
	default:
		return Str
	}
}

func coreType(s string) Type {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return Null
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return Bool
	}
	switch {
	case strings.IndexByte("+-.0123456789", s[0]) < 0:
		return Str
	case coreInt.MatchString(s):
		return Int
	case coreFloat.MatchString(s):
		return Float
	default:
		return Str
	}
}

// isDate reports whether Psych would read a date or a time, which GitLab refuses.
func isDate(s string) bool {
	year := strings.TrimPrefix(s, "-")
	return len(year) >= 8 && year[4] == '-' && year[0] >= '0' && year[0] <= '9' && (psychDate.MatchString(s) || psychTime.MatchString(s))
}

// Str is the text of a scalar that is text.
func (n *Node) Str() (string, bool) {
	if n == nil || n.Kind != Scalar || n.Type != Str || n.Tag != "" {
		return "", false
	}
	return n.Value, true
}

// Bool is the value of a scalar that is true or false.
func (n *Node) Bool() (value, ok bool) {
	if n == nil || n.Kind != Scalar || n.Type != Bool {
		return false, false
	}
	switch strings.ToLower(n.Value) {
	case "true", "yes", "on":
		return true, true
	default:
		return false, true
	}
}

// Int is the value of a whole number; ok is false for anything else and beyond 64 bits.
func (n *Node) Int() (value int64, ok bool) {
	if n == nil || n.Kind != Scalar || n.Type != Int {
		return 0, false
	}
	i, ok := integer(n.Value, n.core)
	if !ok || !i.IsInt64() {
		return 0, false
	}
	return i.Int64(), true
}

// Float is the value of a number, whole ones too.
func (n *Node) Float() (value float64, ok bool) {
	if n == nil || n.Kind != Scalar {
		return 0, false
	}
	switch n.Type {
	case Int:
		i, ok := integer(n.Value, n.core)
		if !ok {
			return 0, false
		}
		f, _ := new(big.Float).SetInt(i).Float64()
		return f, true
	case Float:
		return float(n.Value), true
	default:
		return 0, false
	}
}

// Text is a scalar as text, in the way that GitLab prints it: true for yes, 10 for 012, "" for null.
// A list or mapping gives its JSON form.
func (n *Node) Text() string {
	switch {
	case n.IsNull():
		return ""
	case n.Kind != Scalar:
		b, err := n.MarshalJSON()
		if err != nil {
			return ""
		}
		return string(b)
	case n.Type == Bool:
		b, _ := n.Bool()
		return strconv.FormatBool(b)
	case n.Type == Int:
		if i, ok := integer(n.Value, n.core); ok {
			return i.String()
		}
	case n.Type == Float:
		return rubyFloat(float(n.Value))
	}
	return n.Value
}

// integer reads the whole numbers of both schemas; a leading zero means octal in Psych and nothing in Core.
func integer(s string, core bool) (*big.Int, bool) {
	s = separators.Replace(s)
	if strings.IndexByte(s, ':') >= 0 {
		return sexagesimal(s)
	}
	digits, negative := strings.TrimPrefix(s, "+"), false
	if rest, ok := strings.CutPrefix(digits, "-"); ok {
		digits, negative = rest, true
	}
	base := 0
	if core && len(digits) > 1 && digits[1] <= '9' {
		base = 10
	}
	i, ok := new(big.Int).SetString(digits, base)
	if !ok || strings.HasPrefix(digits, "-") || strings.HasPrefix(digits, "+") {
		return nil, false
	}
	if negative {
		i.Neg(i)
	}
	return i, true
}

// sexagesimal is base 60 as Psych computes it: hours, minutes and seconds, where 1:30 is an hour and a half.
func sexagesimal(s string) (*big.Int, bool) {
	total := new(big.Int)
	for i, part := range strings.Split(s, ":") {
		v, ok := new(big.Int).SetString(strings.TrimPrefix(part, "+"), 10)
		if !ok {
			return nil, false
		}
		total.Add(total, v.Mul(v, big.NewInt(int64(math.Pow(60, math.Abs(float64(i-2)))))))
	}
	return total, true
}

func float(s string) float64 {
	s = separators.Replace(s)
	switch strings.ToLower(strings.TrimLeft(s, "+-")) {
	case ".inf":
		if s[0] == '-' {
			return math.Inf(-1)
		}
		return math.Inf(1)
	case ".nan":
		return math.NaN()
	}
	if strings.IndexByte(s, ':') >= 0 {
		total := 0.0
		for i, part := range strings.Split(s, ":") {
			f, _ := strconv.ParseFloat(part, 64)
			total += f * math.Pow(60, math.Abs(float64(i-2)))
		}
		return total
	}
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

// rubyFloat prints as Ruby's Float#to_s does: 1.0, 0.0001, 1.0e+16.
func rubyFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case math.IsNaN(f):
		return "NaN"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		s := strconv.FormatFloat(f, 'e', -1, 64)
		mantissa, exponent, _ := strings.Cut(s, "e")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		return mantissa + "e" + exponent
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
