package logs_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/logs"
)

// split streams a text in parts of n bytes and writes each Line as "number flags text".
func split(text string, n int) []string {
	var out []string
	var lines logs.Lines
	give := func(l logs.Line) { out = append(out, show(l)) }
	for len(text) > 0 {
		k := min(n, len(text))
		lines.Feed([]byte(text[:k]), give)
		text = text[k:]
	}
	lines.Close(give)
	return out
}

func show(l logs.Line) string {
	flags := ""
	if l.Continued {
		flags += "+"
	}
	if l.Redrawn {
		flags += "~"
	}
	return fmt.Sprintf("%d%s %s", l.Number, flags, l.Text)
}

func TestLinesAreSplit(t *testing.T) {
	cases := map[string]struct {
		in   string
		want []string
	}{
		"nothing":                       {"", nil},
		"one line":                      {"a\n", []string{"1 a"}},
		"no line break at the end":      {"a\nb", []string{"1 a", "2 b"}},
		"empty lines":                   {"\n\na\n", []string{"1 ", "2 ", "3 a"}},
		"Windows line breaks":           {"a\r\n\r\nb\r\n", []string{"1 a", "2 ", "3 b"}},
		"a terminal's doubled returns":  {"a\r\r\nb\r\r\r\n", []string{"1 a", "2 b"}},
		"a progress bar":                {"10%\r50%\r100%\ndone\n", []string{"1~ 10%", "1~ 50%", "1 100%", "2 done"}},
		"a progress bar that returns":   {"10%\r100%\r\ndone\n", []string{"1~ 10%", "1 100%", "2 done"}},
		"a progress bar at the end":     {"10%\r100%\r", []string{"1~ 10%", "1 100%"}},
		"a bar that begins with return": {"\r10%\r20%\n", []string{"1~ 10%", "1 20%"}},
		"bytes that are not UTF-8":      {"a\xffb\x00\n", []string{"1 a\xffb\x00"}},
		"only a return":                 {"\r", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for n := 1; n <= len(c.in)+1; n++ {
				if got := split(c.in, n); strings.Join(got, "|") != strings.Join(c.want, "|") {
					t.Errorf("in parts of %d:\ngot  %q\nwant %q", n, got, c.want)
				}
			}
		})
	}
}

func TestALongLineComesInParts(t *testing.T) {
	const size = 100 << 20
	var lines logs.Lines
	var got, parts, ends int
	give := func(l logs.Line) {
		if len(l.Text) > logs.MaxPart || l.Number != 1 {
			t.Fatalf("line %d has a part of %d bytes", l.Number, len(l.Text))
		}
		if r, _ := utf8.DecodeLastRune(l.Text); len(l.Text) > 0 && (r == utf8.RuneError || !utf8.RuneStart(l.Text[0])) {
			t.Fatal("a character is cut")
		}
		parts++
		got += len(l.Text)
		if !l.Continued {
			ends++
		}
	}
	chunk := []byte(strings.Repeat("äx€😀", 3277)) // 10 bytes each; 32,770 in all
	for sent := 0; sent < size; sent += len(chunk) {
		lines.Feed(chunk, give)
	}
	lines.Feed([]byte("\n"), give)
	if want := (size + len(chunk) - 1) / len(chunk) * len(chunk); got != want || ends != 1 || parts < size/logs.MaxPart {
		t.Errorf("%d bytes in %d parts with %d ends, want %d bytes", got, parts, ends, want)
	}
}

func TestALineIsUTF8ForJSON(t *testing.T) {
	l := logs.Line{Text: []byte("a\xff\xfeb\x00ü")}
	if got := l.String(); got != "a\uFFFDb\x00ü" {
		t.Errorf("got %q", got)
	}
}

func TestLinesLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.OneOf(rapid.SampledFrom([]string{"\n", "\r", "\r\n", "a", "ü", "😀", "\xf0\x9f", strings.Repeat("x", logs.MaxPart-1)}), rapid.String())).Draw(t, "text"), "")
		var lines logs.Lines
		var got strings.Builder
		last := int64(1)
		give := func(l logs.Line) {
			if l.Number < last || l.Number > last+1 || len(l.Text) > logs.MaxPart {
				t.Fatalf("line %d of %d bytes after line %d", l.Number, len(l.Text), last)
			}
			last = l.Number
			got.Write(l.Text)
		}
		for rest := text; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "part")
			lines.Feed([]byte(rest[:n]), give)
			rest = rest[n:]
		}
		lines.Close(give)
		if want := strings.NewReplacer("\n", "", "\r", "").Replace(text); got.String() != want {
			t.Fatalf("got  %q\nwant %q", got.String(), want)
		}
		if whole := split(text, len(text)+1); len(whole) > 0 && !strings.HasPrefix(whole[len(whole)-1], fmt.Sprint(last)) {
			t.Fatalf("in parts there are %d lines, as a whole %q", last, whole[len(whole)-1])
		}
	})
}

func BenchmarkLines(b *testing.B) {
	text := plainLog(16 << 20)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var s logs.Sections
		n := 0
		give := func(logs.Event) { n++ }
		for rest := text; len(rest) > 0; {
			k := min(32<<10, len(rest))
			s.Feed(rest[:k], give)
			rest = rest[k:]
		}
		s.Close(give)
	}
}
