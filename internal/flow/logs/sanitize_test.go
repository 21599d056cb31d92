package logs_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/logs"
)

// terminal are attacks on terminals and what may be left of them, with and without colours.
var terminal = map[string]struct{ in, colors, stripped string }{
	"text and colour":               {"a \x1b[31;1mred\x1b[0m b\n\tc", "a \x1b[31;1mred\x1b[0m b\n\tc", "a red b\n\tc"},
	"true colour and no parameters": {"\x1b[38;2;1;2;3mx\x1b[38:2::1:2:3mx\x1b[m", "\x1b[38;2;1;2;3mx\x1b[38:2::1:2:3mx\x1b[m", "xx"},
	"modes that end in m":           {"\x1b[>4;2mx\x1b[?4my\x1b[ mz", "xyz", "xyz"},
	"cursor and screen":             {"a\x1b[2J\x1b[H\x1b[10A\x1b[1;1Hb\x1b[6nc\x1b[5 qd", "abcd", "abcd"},
	"the alternate screen":          {"\x1b[?1049hx\x1b[?1049l\x1bc\x1b7\x1b8\x1b(0y\x1b#8\x1b=", "xy", "xy"},
	"a title":                       {"\x1b]0;owned\x07a\x1b]2;owned\x1b\\b\x1bkowned\x1b\\c", "abc", "abc"},
	"a link":                        {"\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\ me", "click me", "click me"},
	"the clipboard":                 {"\x1b]52;c;cm0gLXJmIH4=\x07x", "x", "x"},
	"a question that is answered":   {"\x1bP$qm\x1b\\a\x1b[c\x1b[>c\x1b]10;?\x07b", "ab", "ab"},
	"PM, APC and SOS":               {"\x1b^pm\x1b\\a\x1b_apc\x1b\\b\x1bXsos\x1b\\c", "abc", "abc"},
	"a string that does not end":    {"a\x1b]0;title\nb\x1b_x\nc", "a\nb\nc", "a\nb\nc"},
	"a string broken off":           {"a\x1b]0;t\x18b\x1b]0;t\x1b[32mc\x1b[0m", "ab\x1b[32mc\x1b[0m", "abc"},
	"C1 as characters":              {"a\u009b31mb\u009d0;t\u009cc\u0090x\u009cd\u0085e\u0080f", "a\x1b[31mbcdef", "abcdef"},
	"C1 as bytes":                   {"a\x9b31mb\x9d0;t\x07c\x85d", "a\uFFFD31mb\uFFFD0;tc\uFFFDd", "a\uFFFD31mb\uFFFD0;tc\uFFFDd"},
	"backspaces":                    {"rm -rf /\b\b\b\b\b\b\b\bls\x7f", "rm -rf /ls", "rm -rf /ls"},
	"returns":                       {"evil\rgood\r\nx\r\r\ny\r", "evil\ngood\r\nx\r\ny\n", "evil\ngood\r\nx\r\ny\n"},
	"a return and a sequence":       {"50%\r\x1b[K100%\n", "50%\n100%\n", "50%\n100%\n"},
	"other control characters":      {"a\x00\x05\x07\x0b\x0c\x0e\x0fb", "ab", "ab"},
	"control characters inside":     {"\x1b[3\x071mx\x1b[0m", "\x1b[31mx\x1b[0m", "x"},
	"a sequence that does not end":  {"a\x1b[31", "a", "a"},
	"a sequence over two lines":     {"a\x1b[3\n1mb", "a\n1mb", "a\n1mb"},
	"an escape before an escape":    {"\x1b\x1b[31mx\x1b[\x1b[0m", "\x1b[31mx\x1b[0m", "x"},
	"an escape before a letter":     {"\x1b[31ümlaut \x1büber", "ümlaut über", "ümlaut über"},
	"many parameters":               {"\x1b[" + strings.Repeat("1;", 100) + "mx", "x", "x"},
	"characters beyond ASCII":       {"grüße 密码 😀 \u00a0", "grüße 密码 😀 \u00a0", "grüße 密码 😀 \u00a0"},
	"broken characters":             {"a\xe2\x82b\xf0\x9f\x98\xffc\xc3", "a\uFFFD\uFFFDb\uFFFD\uFFFD\uFFFD\uFFFDc\uFFFD", "a\uFFFD\uFFFDb\uFFFD\uFFFD\uFFFD\uFFFDc\uFFFD"},
	"a broken character and ESC":    {"\xe2\x1b[31mx\xc3\x1b]0;t\x07y", "\uFFFD\x1b[31mx\uFFFDy", "\uFFFDx\uFFFDy"},
}

func TestTerminalsGetTextAndColourOnly(t *testing.T) {
	for name, c := range terminal {
		t.Run(name, func(t *testing.T) {
			if got := sanitize(c.in); got != c.colors {
				t.Errorf("with colours: got %q, want %q", got, c.colors)
			}
			if got := logs.Strip(c.in); got != c.stripped {
				t.Errorf("without: got %q, want %q", got, c.stripped)
			}
			for n := 1; n < len(c.in); n++ {
				if got := inParts(c.in, n, true); got != c.colors {
					t.Errorf("in parts of %d: got %q, want %q", n, got, c.colors)
				}
			}
		})
	}
}

func inParts(text string, n int, colors bool) string {
	s := logs.Sanitizer{Colors: colors}
	var out []byte
	for len(text) > 0 {
		k := min(n, len(text))
		out = s.Append(out, []byte(text[:k]))
		text = text[k:]
	}
	return string(s.Close(out))
}

var sgr = regexp.MustCompile(`\x1b\[[0-9:;]*m`)

func FuzzSanitizer(f *testing.F) {
	for _, c := range terminal {
		f.Add(c.in, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, part uint8) {
		got := sanitize(text)
		if parts := inParts(text, int(part)+1, true); parts != got {
			t.Errorf("in parts of %d %q, as a whole %q", part+1, parts, got)
		}
		bare := sgr.ReplaceAllString(got, "")
		if !utf8.ValidString(got) {
			t.Errorf("not UTF-8: %q", got)
		}
		for i, r := range bare {
			if r < ' ' && r != '\n' && r != '\t' && !(r == '\r' && strings.HasPrefix(bare[i+1:], "\n")) || r >= 0x7f && r <= 0x9f {
				t.Errorf("%q leaves %q of %q", r, got, text)
			}
		}
		if stripped := logs.Strip(text); stripped != bare {
			t.Errorf("stripped %q, colours taken out %q", stripped, bare)
		}
		if again := sanitize(got); again != got {
			t.Errorf("a second time makes %q of %q", again, got)
		}
	})
}

func BenchmarkSanitizer(b *testing.B) {
	text := plainLog(16 << 20)
	dst := make([]byte, 0, len(text))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		s := logs.Sanitizer{Colors: true}
		dst = s.Close(s.Append(dst[:0], text))
	}
}

// sanitize is a text with its colours and without all other control sequences.
func sanitize(text string) string {
	s := logs.Sanitizer{Colors: true}
	return string(s.Close(s.Append(nil, []byte(text))))
}
