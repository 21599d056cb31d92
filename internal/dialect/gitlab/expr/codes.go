package expr

import (
	"fmt"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The codes of this package.
const (
	CodeSyntax  = "SL1101"
	CodePattern = "SL1102"
	CodeSize    = "SL1103"
	CodeType    = "SL1104"
)

const page = "Specify when jobs run with rules, CI/CD variable expressions"

// Docs explains them for `sluice explain`.
var Docs = []fault.Doc{
	{
		Code: CodeSyntax, Summary: "an expression of rules:if cannot be read", Page: page,
		Text: "An expression is built of $VARIABLE, \"text\" or 'text', /regular expression/flags, null, true and false, joined by ==, !=, =~, !~, && and ||, with ! in front of a part " +
			"and parentheses around it. && binds tighter than ||. There are no other operators, no numbers and no escapes inside quotes.\n\n" +
			"    if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $DEPLOY != \"no\"\n    if: $CI_COMMIT_TAG =~ /^v\\d+/ || ($FORCE && !$SKIP)\n",
	},
	{
		Code: CodePattern, Summary: "a regular expression of rules:if is not valid", Page: page,
		Text: "Regular expressions have RE2 syntax: no look-around and no back references. They stand between slashes, with at least two characters; a slash inside is written \\/. " +
			"The flags i, m, s and U may follow. The pattern is searched anywhere in the text: anchor it with ^ and $ where the whole text is meant.",
	},
	{
		Code: CodeSize, Summary: "an expression of rules:if or its regular expression is too large", Page: page,
		Text: fmt.Sprintf("GitLab reads at most %d tokens in one expression. Split it over several rules, or compare with one regular expression instead of many strings. "+
			"Sluice also bounds a regular expression: %d bytes, and %d steps with all repetitions written out.", MaxTokens, MaxPattern, MaxProgram),
	},
	{
		Code: CodeType, Summary: "=~ or !~ was given something that is no text", Page: page,
		Text: "The right side of =~ and !~ is a regular expression, or a variable or string that holds one between slashes. The result of a comparison cannot be matched against.",
	},
}

// Error is a mistake in an expression.
type Error struct {
	Code    string
	Offset  int // bytes from the beginning of the expression
	Message string
	Hint    string
}

// Error is the message, with the hint where there is one.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + " - " + e.Hint
}

// Fault places the mistake: at is where Offset lies in the user's file.
func (e *Error) Fault(at fault.Place) *fault.Fault {
	f := fault.At(e.Code, at, "%s", e.Message)
	f.Hint = e.Hint
	return f
}

func mistake(code string, offset int, format string, args ...any) *Error {
	return &Error{Code: code, Offset: offset, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) hint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}
