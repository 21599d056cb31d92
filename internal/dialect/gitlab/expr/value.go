package expr

import (
	"strconv"
	"strings"
)

type kind int

const (
	null kind = iota
	text
	truth
	number
	regex
)

// Value is what an expression or a part of it comes to. The zero value is null.
type Value struct {
	kind kind
	text string
	re   *Pattern
}

// Null is the value of an undefined variable.
func Null() Value { return Value{} }

// Text is a string.
func Text(s string) Value { return Value{kind: text, text: s} }

// Truth is true or false.
func Truth(b bool) Value { return Value{kind: truth, text: strconv.FormatBool(b)} }

// Number is the value of a number input. No literal has this type, so it equals only another number.
func Number(s string) Value { return Value{kind: number, text: s} }

func compiled(p *Pattern) Value { return Value{kind: regex, text: p.source, re: p} }

// Holds is GitLab's truth: null, false, the empty string and a string of white space alone do not hold.
func (v Value) Holds() bool {
	switch v.kind {
	case null:
		return false
	case truth:
		return v.text == "true"
	case text:
		return strings.TrimSpace(v.text) != ""
	default:
		return true
	}
}

// taken is what && and || look at: only null and false are skipped there, an empty string is not.
func (v Value) taken() bool { return v.kind != null && !(v.kind == truth && v.text == "false") }

// equal never converts: "true" is not true, and "" is not null.
func (v Value) equal(o Value) bool { return v.kind == o.kind && v.text == o.text }

// String shows a value as an expression would write it.
func (v Value) String() string {
	switch v.kind {
	case null:
		return "null"
	case text:
		if strings.Contains(v.text, `"`) && !strings.Contains(v.text, "'") {
			return "'" + v.text + "'"
		}
		return `"` + v.text + `"`
	case regex:
		return v.re.String()
	default:
		return v.text
	}
}
