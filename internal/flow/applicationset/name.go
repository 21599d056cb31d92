package applicationset

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// normalize makes a text a DNS name: at most 253 of a-z, 0-9, - and ., with a letter or digit at both ends (documentation
// page "Go Template", normalize). What else it holds becomes a dash.
func normalize(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, strings.ToLower(s))
	return strings.Trim(s[:min(len(s), 253)], "-.")
}

// slug makes a text a word of an address: a-z, 0-9 and single dashes, at most most bytes. Where smart, it is cut at a dash
// where there is one. Letters with marks lose them; letters of other scripts become dashes.
func slug(s string, most int, smart bool) string {
	var b strings.Builder
	for _, r := range strings.ToLower(norm.NFKD.String(s)) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case spelled[r] != "":
			b.WriteString(spelled[r])
		case unicode.Is(unicode.Mn, r), r == '\'', r == '’', r == '"':
		default:
			b.WriteByte('-')
		}
	}
	out := b.String()
	for strings.Contains(out, "--") {
		out = strings.ReplaceAll(out, "--", "-")
	}
	out = strings.Trim(out, "-")
	if most <= 0 || len(out) <= most {
		return out
	}
	cut := most
	if smart {
		if i := strings.LastIndexByte(out[:most+1], '-'); i > 0 {
			cut = i
		}
	}
	return strings.Trim(out[:cut], "-")
}

// spelled are letters that no decomposition makes Latin.
var spelled = map[rune]string{'ß': "ss", 'æ': "ae", 'ø': "o", 'đ': "d", 'ł': "l", 'œ': "oe", 'þ': "th", 'ð': "d", 'ı': "i", '&': "-and-", '@': "-at-"}

// branchSlug is how pull requests' branches are named (documentation page "Pull Request Generator"): room is left for 13 more.
func branchSlug(s string) string { return slug(s, 50, true) }

// short is the beginning of a commit's id.
func short(sha string, n int) string { return sha[:min(n, len(sha))] }
