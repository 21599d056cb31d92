package logs

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// escapes is a text as it stands and as the text formats write it: percent-encoding, JSON and its relatives, XML and
// HTML, and the quotings of shells. Most secrets are letters and digits and have but one of these forms.
func escapes(s string) []string {
	out := []string{s}
	for _, e := range escapers {
		if form := e(s); form != s {
			out = append(out, form)
		}
	}
	return out
}

// escapers are the encodings, each with those who write it.
var escapers = []func(string) string{
	percent("", false, true),                 // RFC 3986: Python's quote(safe=""), PHP's rawurlencode, curl
	percent("", false, false),                //   the same with small digits
	percent("", true, true),                  // forms: Go's QueryEscape, Java's URLEncoder
	percent("/", false, true),                // Python's quote
	percent("*", true, true),                 // Java, browsers' forms
	percent("!'()*", false, true),            // JavaScript's encodeURIComponent
	percent("!'()*;,/?:@&=+$#", false, true), // JavaScript's encodeURI
	percent("$&+=:@", false, true),           // Go's PathEscape
	percent("$&+,;=", false, true),           // Go's user information
	percent("$&+,/:;=@!'()*~", false, true),  // paths

	literal{special: `"\`}.quote,                                 // JSON as most write it
	literal{special: `"\/`}.quote,                                // PHP's JSON
	literal{special: `"\`, html: true}.quote,                     // Go's JSON
	literal{special: `"\`, ascii: true}.quote,                    // Python's JSON
	literal{special: `"\/`, ascii: true}.quote,                   // PHP's JSON without its flag for Unicode
	literal{special: `"\`, control: `\x%02x`}.quote,              // Go's %q
	literal{special: `'\`, control: `\x%02x`}.quote,              // Python's repr
	literal{special: `'\`, control: `\%03o`, escape: `\E`}.quote, // $'...' of bash
	literal{special: `'\`, control: `\%03o`}.quote,               // $'...' of others
	literal{special: `\`, control: `\x%02x`}.quote,               // repr of what holds a single quote, printf %b
	jsonTwice,                                                // a JSON document in a JSON string
	strings.NewReplacer(`'`, `'\''`).Replace,                 // 'it'\''s': bash's set -x, ${x@Q}, Python's shlex writes the next
	strings.NewReplacer(`'`, `'"'"'`).Replace,                // 'it'"'"'s': dash's set -x
	strings.NewReplacer(`'`, `''`).Replace,                   // YAML, SQL, PowerShell
	backslashed("\"$`\\"),                                    // "..."
	backslashed("\"$`\\!"),                                   // "..." with history expansion
	leading("#~", backslashed(" \t!\"$&'()*;<>?[\\]^`{|}")),  // printf %q of bash 5
	leading("#~", backslashed(" \t!\"$&'()*,;<>?[\\]^`{|}")), // and of those before
	backslashed(" \t!\"#$&'()*;<>?[\\]^`{|}~="),              // zsh

	markup("", ""),                               // text between tags
	markup("&quot;", ""),                         // attributes
	markup("&quot;", "&apos;"),                   // XML
	markup("&quot;", "&#39;"),                    // PHP, JavaScript libraries
	markup("&quot;", "&#039;"),                   // PHP
	markup("&quot;", "&#x27;"),                   // Python
	markup("&#34;", "&#39;"),                     // Go
	breaks(markup("&#34;", "&#39;"), "&#x", "A"), // Go's encoding/xml
	breaks(markup("&quot;", "&apos;"), "&#", "10"),
}

// percent makes an encoder that writes every byte as %XX but letters, digits, -._~ and those in keep.
func percent(keep string, plus, upper bool) func(string) string {
	digits := "0123456789abcdef"
	if upper {
		digits = "0123456789ABCDEF"
	}
	return func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			switch c := s[i]; {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~"+keep, c) >= 0:
				b.WriteByte(c)
			case c == ' ' && plus:
				b.WriteByte('+')
			default:
				b.Write([]byte{'%', digits[c>>4], digits[c&15]})
			}
		}
		return b.String()
	}
}

// literal is a kind of string literal: which characters get a backslash, how control characters without a letter of
// their own are written (\u001b unless it says otherwise) and escape, and whether \uXXXX stands for what is beyond
// ASCII and for <, > and &.
type literal struct {
	special, control, escape string
	ascii, html              bool
}

var letters = map[rune]string{'\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

// quote writes a text as it stands inside such a literal. Bytes that are not UTF-8 stay.
func (l literal) quote(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune(l.special, r):
			b.WriteString(`\` + string(r))
		case letters[r] != "":
			b.WriteString(letters[r])
		case r == 0x1b && l.escape != "":
			b.WriteString(l.escape)
		case r < ' ' && l.control != "":
			fmt.Fprintf(&b, l.control, r)
		case r < ' ', l.html && strings.ContainsRune("<>&", r), l.ascii && r > '~' && r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		case l.ascii && r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(r)):
			b.WriteByte(s[i])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// jsonTwice is a JSON document in a JSON string.
func jsonTwice(s string) string {
	return literal{special: `"\`}.quote(literal{special: `"\`}.quote(s))
}

// backslashed makes an encoder that puts a backslash before each of the special characters.
func backslashed(special string) func(string) string {
	return func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			if strings.IndexByte(special, s[i]) >= 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(s[i])
		}
		return b.String()
	}
}

// leading adds a backslash before the first character where that is one of the special ones.
func leading(special string, next func(string) string) func(string) string {
	return func(s string) string {
		if s != "" && strings.IndexByte(special, s[0]) >= 0 {
			return `\` + next(s)
		}
		return next(s)
	}
}

// markup makes an encoder for XML and HTML; an empty quot or apos leaves that character as it is.
func markup(quot, apos string) func(string) string {
	pairs := []string{"&", "&amp;", "<", "&lt;", ">", "&gt;"}
	if quot != "" {
		pairs = append(pairs, `"`, quot)
	}
	if apos != "" {
		pairs = append(pairs, `'`, apos)
	}
	return strings.NewReplacer(pairs...).Replace
}

// breaks adds character references for line breaks and tabs, in the base that the prefix and the line feed show.
func breaks(next func(string) string, prefix, lineFeed string) func(string) string {
	tab, ret := "9", "13"
	if lineFeed == "A" {
		ret = "D"
	}
	refs := strings.NewReplacer("\n", prefix+lineFeed+";", "\t", prefix+tab+";", "\r", prefix+ret+";")
	return func(s string) string { return refs.Replace(next(s)) }
}
