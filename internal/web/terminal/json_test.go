package terminal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

// logEvent is the contract's event of a line, as encoding/json writes it.
type logEvent struct {
	Type   string `json:"type"`
	Job    string `json:"job"`
	Line   string `json:"line"`
	Stream string `json:"stream"`
}

// FuzzLogEvents: the event of a line, which is put together by hand, is what encoding/json would have written, but for
// control characters that a terminal would take.
func FuzzLogEvents(f *testing.F) {
	for _, text := range texts {
		f.Add("job "+text, []byte(text), uint(2))
	}
	f.Add("<&>", []byte("\u2028\u2029 \x00\x1f\x7f\x80 \xe2\x80"), uint(1))
	f.Fuzz(func(t *testing.T, job string, text []byte, at uint) {
		var got, want bytes.Buffer
		v := terminal.NewJSON(&got)
		cut := int(at % uint(len(text)+1))
		v.Line(terminal.Line{Job: "a", Name: job, Stream: program.Stderr, Text: text[:cut], More: true})
		v.Line(terminal.Line{Job: "a", Name: job, Stream: program.Stderr, Text: text[cut:]})
		if err := v.Close(terminal.Summary{Status: run.Success}); err != nil {
			t.Fatal(err)
		}
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(logEvent{"log", job, string(text), "stderr"}); err != nil {
			t.Fatal(err)
		}
		want.WriteString("{\"type\":\"pipeline\",\"status\":\"success\"}\n")
		if wanted := escaped(want.String()); got.String() != wanted {
			t.Errorf("got  %s\nwant %s", got.String(), wanted)
		}
	})
}

// escaped is a JSON text with the control characters escaped that encoding/json lets pass.
func escaped(text string) string {
	var b strings.Builder
	for _, c := range text {
		if c >= 0x7f && c <= 0x9f {
			fmt.Fprintf(&b, `\u%04x`, c)
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

// TestLongLines: a line of a few megabytes is one event; a longer one is several, so that memory stays flat.
func TestLongLines(t *testing.T) {
	var out bytes.Buffer
	v := terminal.NewJSON(&out)
	piece := bytes.Repeat([]byte("x"), 64<<10)
	for range 100 {
		v.Line(terminal.Line{Job: "a", Name: "a", Stream: program.Stdout, Text: piece, More: true})
	}
	v.Line(terminal.Line{Job: "a", Name: "a", Stream: program.Stdout, Text: []byte("end")})
	if err := v.Close(terminal.Summary{Status: run.Success}); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for line := range bytes.Lines(out.Bytes()) {
		var e logEvent
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if e.Type == "log" {
			sizes = append(sizes, len(e.Line))
		}
	}
	if len(sizes) != 2 || sizes[0] != 4<<20 || sizes[1] != 100*(64<<10)-4<<20+3 {
		t.Errorf("lines of %d bytes", sizes)
	}
}

// TestLinesInPieces: a line that is quoted piece by piece is the same line, whatever stands where it is parted.
func TestLinesInPieces(t *testing.T) {
	for _, unit := range []string{"x", "é", "€", "𝄞", "\xff", "\xe2\x82", "\x00", "a€\xffb\n"} {
		for _, size := range []int{64<<10 - 1, 64 << 10, 64<<10 + 1, 200_000} {
			text := strings.Repeat(unit, size/len(unit)+1)
			var out, want bytes.Buffer
			v := terminal.NewJSON(&out)
			v.Line(terminal.Line{Job: "a", Name: "a", Stream: program.Stdout, Text: []byte(text)})
			if err := v.Close(terminal.Summary{Status: run.Success}); err != nil {
				t.Fatal(err)
			}
			if err := json.NewEncoder(&want).Encode(logEvent{"log", "a", text, "stdout"}); err != nil {
				t.Fatal(err)
			}
			if got, _, _ := strings.Cut(out.String(), "\n"); got+"\n" != want.String() {
				t.Errorf("%q %d times: not what encoding/json writes", unit, size/len(unit)+1)
			}
		}
	}
}

// What encoding/json leaves as it is and a terminal would obey is escaped, and reads as before.
func TestEscapeJSON(t *testing.T) {
	for _, text := range []string{"", "plain", "\u0080\u009b2J\u009f\u007f", "ü\u00a0é\u2028\u0085", "\u009b", "\xc2", strings.Repeat("\u009d", 1000)} {
		raw, err := json.Marshal(map[string]string{"a": text})
		if err != nil {
			t.Fatal(err)
		}
		escaped := terminal.EscapeJSON(raw)
		for _, c := range string(escaped) {
			if c >= 0x7f && c <= 0x9f {
				t.Errorf("%q has %q", escaped, c)
			}
		}
		var want, got map[string]string
		if err := errors.Join(json.Unmarshal(raw, &want), json.Unmarshal(escaped, &got)); err != nil || want["a"] != got["a"] {
			t.Errorf("%q reads as %q: %v", text, got["a"], err)
		}
	}
}
