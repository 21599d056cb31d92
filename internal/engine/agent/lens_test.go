package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/engine/agent"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// eye is a lens that remembers what it saw and answers by what a line begins with.
type eye struct{ lines []string }

func (e *eye) Line(s program.Stream, text string) program.Seen {
	e.lines = append(e.lines, fmt.Sprintf("%s %s", s, text))
	verb, rest, _ := strings.Cut(text, " ")
	switch verb {
	case "drop":
		return program.Seen{}
	case "show":
		return program.Seen{Show: "<" + rest + ">"}
	case "warn":
		return program.Seen{Show: rest, Warning: true}
	case "mask":
		return program.Seen{Mask: []string{rest}, Show: "masked"}
	case "fold":
		return program.Seen{Section: &program.Section{Name: rest, Start: true}, Keep: true}
	}
	return program.Seen{Keep: true}
}

// printed runs a step that writes these chunks, "e:" to standard error and "c:" as a command, through a lens.
func printed(t *testing.T, chunks ...string) (*world, *eye) {
	w, e := newWorld(t), &eye{}
	w.exec["script"] = func(_ context.Context, out program.Output) (int, error) {
		for _, c := range chunks {
			stream := program.Stdout
			if rest, ok := strings.CutPrefix(c, "e:"); ok {
				stream, c = program.Stderr, rest
			} else if rest, ok := strings.CutPrefix(c, "c:"); ok {
				stream, c = program.Command, rest
			}
			if err := out.Write(stream, []byte(c)); err != nil {
				return 0, err
			}
		}
		return 0, nil
	}
	if r := w.do(t.Context(), program.Exec{Step: "script", Lens: e}); r.Failure != "" {
		t.Fatalf("%+v", r)
	}
	w.tape = w.tape[2 : len(w.tape)-1] // without open, exec and close
	return w, e
}

func TestALensSeesLines(t *testing.T) {
	for name, c := range map[string]struct {
		chunks []string
		lines  string // what the lens saw
		tape   string // what the log got
	}{
		"lines that stay go on in one piece": {[]string{"a\nb\nc\n"}, "stdout a|stdout b|stdout c", "stdout: a\nb\nc\n"},
		"a line in pieces":                   {[]string{"a", "b", "c\nd\n"}, "stdout abc|stdout d", "stdout: abc\n|stdout: d\n"},
		"the last line has no end":           {[]string{"a\nb"}, "stdout a|stdout b", "stdout: a\n|stdout: b\n"},
		"a line that is left out":            {[]string{"a\ndrop me\nb\n"}, "stdout a|stdout drop me|stdout b", "stdout: a\n|stdout: b\n"},
		"a line in another's place":          {[]string{"a\nshow x\nb\n"}, "stdout a|stdout show x|stdout b", "stdout: a\n|stdout: <x>\n|stdout: b\n"},
		"the last line in another's place":   {[]string{"show x"}, "stdout show x", "stdout: <x>\n"},
		"a warning":                          {[]string{"warn careful\n"}, "stdout warn careful", "system: WARNING: careful"},
		"a mask comes before what is shown":  {[]string{"a\nmask s\n"}, "stdout a|stdout mask s", "stdout: a\n|mask 1|stdout: masked\n"},
		"a fold begins before its line":      {[]string{"fold f\n"}, "stdout fold f", "section f true|stdout: fold f\n"},
		"both ends of the other system":      {[]string{"a\r\nb\r", "\nc\r\n"}, "stdout a|stdout b|stdout c", "stdout: a\r\n|stdout: b\r\n|stdout: c\r\n"},
		"a carriage return is an end":        {[]string{"1%\r2%\r", "show 3\rdone\n"}, "stdout 1%|stdout 2%|stdout show 3|stdout done", "stdout: 1%\r|stdout: 2%\r|stdout: <3>\n|stdout: done\n"},
		"a carriage return at the very end":  {[]string{"1%\r"}, "stdout 1%", "stdout: 1%\r"},
		"two streams are two":                {[]string{"a", "e:x", "b\n", "e:y\n"}, "stdout ab|stderr xy", "stdout: ab\n|stderr: xy\n"},
		"a command comes after what stands":  {[]string{"a", "c:next", "b\n"}, "stdout a|stdout b", "stdout: a\n|command: next|stdout: b\n"},
		"empty lines":                        {[]string{"\n\n"}, "stdout |stdout ", "stdout: \n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w, e := printed(t, c.chunks...)
			if got := strings.Join(e.lines, "|"); got != c.lines {
				t.Errorf("saw %q, want %q", got, c.lines)
			}
			if got := strings.Join(w.tape, "|"); got != c.tape {
				t.Errorf("got %q, want %q", got, c.tape)
			}
		})
	}
}

func TestALongLineComesInPieces(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	var chunks []string
	for at := 0; at < len(long); at += 100 << 10 {
		chunks = append(chunks, long[at:min(len(long), at+100<<10)])
	}
	_, e := printed(t, append(chunks, "\nend\n")...)
	total := 0
	for _, line := range e.lines {
		if len(line) > 1200<<10 {
			t.Errorf("a piece of %d bytes", len(line))
		}
		total += strings.Count(line, "x")
	}
	if total != len(long) || e.lines[len(e.lines)-1] != "stdout end" {
		t.Errorf("%d of %d bytes, in the end %.20q", total, len(long), e.lines[len(e.lines)-1])
	}
}

// all passes everything on.
type all struct{ lines int }

func (a *all) Line(program.Stream, string) program.Seen {
	a.lines++
	return program.Seen{Keep: true}
}

// TestALensThatKeepsAllChangesNothing cuts any text anywhere: what the log gets is the same, byte for byte, and an end
// where the last line has none.
func TestALensThatKeepsAllChangesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "bc", "\n", "\r", "\r\n", "\n\r", ""}), 0, 30).Draw(rt, "text"), "")
		w := newWorld(t)
		w.exec["script"] = func(_ context.Context, out program.Output) (int, error) {
			for rest := text; rest != ""; {
				n := rapid.IntRange(1, len(rest)).Draw(rt, "size")
				chunk := []byte(rest[:n])
				if err := out.Write(program.Stdout, chunk); err != nil {
					return 0, err
				}
				for i := range chunk { // the caller uses its buffer again
					chunk[i] = '#'
				}
				rest = rest[n:]
			}
			return 0, nil
		}
		lens := &all{}
		w.do(t.Context(), program.Exec{Step: "script", Lens: lens})
		var got strings.Builder
		for _, line := range w.tape {
			if chunk, ok := strings.CutPrefix(line, "stdout: "); ok {
				got.WriteString(chunk)
			}
		}
		want := text
		if text != "" && text[len(text)-1] != '\n' && text[len(text)-1] != '\r' {
			want += "\n"
		}
		if got.String() != want {
			rt.Fatalf("got %q, want %q", got.String(), want)
		}
		lines := strings.Count(strings.ReplaceAll(strings.ReplaceAll(want, "\r\n", "\n"), "\r", "\n"), "\n")
		if lens.lines != lines {
			rt.Fatalf("%q has %d lines, saw %d", text, lines, lens.lines)
		}
	})
}

type sink struct{ log }

func (*sink) Write(program.Stream, []byte) error { return nil }

// BenchmarkLens compares output with a lens that keeps all and without one, in chunks as the shell gives them.
func BenchmarkLens(b *testing.B) {
	chunk := bytes.Repeat([]byte("a line of output as tools print them\n"), 256<<10/37)
	for name, lens := range map[string]program.Lens{"without": nil, "with": &all{}} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(&testing.T{})
			b.SetBytes(int64(len(chunk)))
			w.exec["script"] = func(_ context.Context, out program.Output) (int, error) {
				for b.Loop() {
					if err := out.Write(program.Stdout, chunk); err != nil {
						return 0, err
					}
				}
				return 0, nil
			}
			w.actions = []program.Action{program.Exec{Step: "script", Lens: lens}}
			w.agent.Do(b.Context(), agent.Work{Run: "r", ID: "job", Key: "job", Attempt: 1, Job: &w.job}, &sink{log{w: w}})
		})
	}
}
