package logs

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// minSecret is the shortest secret, and the shortest line of one, that is looked for, in characters.
	minSecret = 4
	// maxEncoded is the largest secret that is looked for in its encoded forms, in bytes.
	maxEncoded = 32 << 10
	// maxLines is the largest secret whose single lines are looked for in their encoded forms too, in bytes.
	maxLines = 16 << 10
	// piece is the length of the parts in which a larger secret is looked for, in bytes.
	piece = 1 << 10
)

// forms lists what a secret may look like in a log: as it stands, each of its lines, and both in the encodings that
// shells, tools and people put text through. The list has no doubles and nothing shorter than minSecret bytes.
func forms(value string) []string {
	var out []string
	wholes := wholes(value)
	if len(value) > maxEncoded {
		for _, w := range wholes {
			out = append(out, pieces(w, piece)...)
		}
		out = append(out, lines(value)...)
	} else {
		for _, w := range wholes {
			out = append(out, encodings(w)...)
		}
		for _, line := range lines(value) {
			if len(value) <= maxLines {
				out = append(out, encodings(line)...)
			} else {
				out = append(out, escapes(line)...)
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return slices.DeleteFunc(out, func(f string) bool { return len(f) < minSecret || blank(f) })
}

// wholes is the secret itself, without white space around it (a file's last line break is rarely printed), and with
// the line breaks that a terminal makes of its own.
func wholes(value string) []string {
	out := []string{value}
	if trimmed := strings.TrimSpace(value); worth(trimmed) {
		out = append(out, trimmed)
	}
	for _, w := range out {
		unix := strings.ReplaceAll(w, "\r\n", "\n")
		out = append(out, unix, strings.ReplaceAll(unix, "\n", "\r\n"))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// lines is each line of a secret of several lines that would be worth finding alone.
func lines(value string) []string {
	var out []string
	for _, line := range strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' }) {
		for _, l := range []string{line, strings.TrimSpace(line)} {
			if l != value && worth(l) {
				out = append(out, l)
			}
		}
	}
	return out
}

// worth reports whether a text is long enough to look for and more than a ruler of dashes or white space.
func worth(s string) bool {
	return utf8.RuneCountInString(s) >= minSecret && strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || r == utf8.RuneError
	})
}

// short reports whether a text is too short to be looked for in all its forms.
func short(s string) bool { return utf8.RuneCountInString(s) < minSecret }

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// pieces cuts a text into parts of n bytes; a rest shorter than minSecret goes with the part before it.
func pieces(s string, n int) []string {
	var out []string
	for len(s) >= n+minSecret {
		out = append(out, s[:n])
		s = s[n:]
	}
	return append(out, s)
}

func encodings(s string) []string {
	return slices.Concat(escapes(s), base64Forms(s), hexForms(s))
}

// hexForms is the text in hexadecimal digits, whole and in the lines of 60 digits that xxd -p writes.
func hexForms(s string) []string {
	lower := hex.EncodeToString([]byte(s))
	out := append(pieces(lower, 60), lower)
	for _, h := range out {
		out = append(out, strings.ToUpper(h))
	}
	return out
}

// base64Forms is the text in base64 wherever it stands in what was encoded. Encoded after one or two other bytes the
// text is shifted against the groups of four digits, so there are three forms. Of each, the digits that hang on the
// text alone are the core; where the text ends what was encoded, the last digit and the padding are known too.
// A text that was encoded whole may be wrapped at 64 (PEM) or 76 (base64, MIME) columns, with or without the line
// break that echo adds.
func base64Forms(s string) []string {
	var std []string
	for shift := range 3 {
		data := append(make([]byte, shift), s...)
		padded := base64.StdEncoding.EncodeToString(data)
		bare := strings.TrimRight(padded, "=")
		first, last := (8*shift+5)/6, 8*len(data)/6
		std = append(std, bare[first:last], bare[first:], padded[first:])
	}
	for _, whole := range []string{s, s + "\n"} {
		padded := base64.StdEncoding.EncodeToString([]byte(whole))
		std = append(std, padded, strings.TrimRight(padded, "="))
		for _, columns := range []int{64, 76} {
			if len(padded) > columns {
				std = append(std, pieces(padded, columns)...)
			}
		}
	}
	toURL := strings.NewReplacer("+", "-", "/", "_")
	out := std
	for _, form := range std {
		out = append(out, toURL.Replace(form))
	}
	return out
}
