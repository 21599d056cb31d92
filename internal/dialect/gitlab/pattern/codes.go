package pattern

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The codes of this package.
const (
	CodeGlob    = "SL1121"
	CodeSize    = "SL1122"
	CodeRef     = "SL1124"
	CodeRefPath = "SL1125"
)

// Docs explains them for `sluice explain`.
var Docs = []fault.Doc{
	{
		Code: CodeGlob, Summary: "a path pattern of artifacts or cache cannot be read", Page: "CI/CD YAML syntax reference, artifacts:paths",
		Text: "Paths of artifacts and caches are globs: * and ? within one folder, ** as a whole level for any number of folders, [a-z] and [^a-z] for one character, {a,b} for either text, " +
			"\\ before a character that is meant literally. A [ or { that is never closed, an empty [] and a range that runs backwards to nothing are mistakes.",
	},
	{
		Code: CodeSize, Summary: "a path pattern is too large", Page: "CI/CD YAML syntax reference, rules:changes:paths",
		Text: fmt.Sprintf("Sluice bounds a path pattern: %d bytes, and %d patterns of together %d bytes once its braces are written out. Each {a,b} multiplies their number. Write several patterns, or one with * in place of the braces.", MaxGlob, MaxAlternatives, MaxExpanded),
	},
	{
		Code: CodeRef, Summary: "a regular expression of only or except is not valid", Page: "Deprecated keywords, only and except",
		Text: "A ref between slashes is a regular expression in RE2 syntax, with the flags i, m, s and U behind it: /^release-.*$/i. RE2 has no look-around: in place of /^(?!main)/ use except with main, or rules with !~.",
	},
	{
		Code: CodeRefPath, Summary: "an @ in a regular expression of only or except", Page: "Specify when jobs run with rules, compare a variable to a regular expression",
		Text: "In only and except, everything behind the first @ is the path of a project, also within slashes, so this pattern matches nothing. Write \\x40 where the ref itself holds an @.",
	},
}

func tooLarge(at fault.Place, text string) *fault.Fault {
	if len(text) > MaxGlob {
		return fault.At(CodeSize, at, "the path pattern has %d bytes, at most %d are allowed", len(text), MaxGlob)
	}
	return fault.At(CodeSize, at, "the braces of the path pattern stand for more than %d patterns or %d bytes", MaxAlternatives, MaxExpanded).WithHint("write several patterns, or * in place of a brace")
}

func contains(sorted []string, s string) bool {
	at, ok := slices.BinarySearch(sorted, s)
	return ok || strings.HasSuffix(s, "/") && len(s) > 1 && at < len(sorted) && strings.HasPrefix(sorted[at], s)
}
