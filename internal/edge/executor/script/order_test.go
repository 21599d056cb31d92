package script_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/executor/executortest"
	"github.com/sluice-delivery/sluice/internal/edge/executor/script"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"pgregory.net/rapid"
)

const nonce = "0123456789abcdef01234567"

func composed(n int) *script.Script {
	var lines []string
	for i := range n {
		lines = append(lines, fmt.Sprint("c", i))
	}
	return script.Compose(lines, script.Options{Bash: true, Nonce: nonce, Out: "/o", Err: "/e"})
}

func mark(i int) string { return fmt.Sprintf("\x1e%s %d\x1e", nonce, i) }

func TestTextHoldsNoMark(t *testing.T) {
	s := composed(3)
	if strings.Contains(s.Text, "\x1e") {
		t.Errorf("%q", s.Text)
	}
}

func TestEchoIsWhatTheRunnerShows(t *testing.T) {
	for in, want := range map[string]string{
		"  echo a ": "echo a", "a\nb": "a # collapsed multi-line command", "a\r\nb": "a # collapsed multi-line command", "a\n": "a", "\n": "",
	} {
		if got := script.Compose([]string{in}, script.Options{}).Echo[0]; got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

// TestOrderHoldsWhateverThePieces feeds two streams with marks in pieces of any size, in any turn: the commands come in order,
// each stream's bytes stay whole, and what stands before a mark comes before the command.
func TestOrderHoldsWhateverThePieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "commands")
		text := rapid.SampledFrom([]string{"", "a\n", "\x1e", "\x1e" + nonce, "\x1e" + nonce + " x\x1e", mark(0)[:20], "\x1e\x1e\x1e", "\xff\x00", "long " + strings.Repeat("y", 100)})
		var streams [2]string
		want := ""
		var stdout, stderr string
		for i := range n {
			if i > 0 {
				streams[0] += mark(i)
				streams[1] += mark(i)
			}
			out, err := text.Draw(t, "out"), text.Draw(t, "err")
			streams[0] += out
			streams[1] += err
			stdout, stderr = stdout+out, stderr+err
			want += fmt.Sprintf("<c%d>", i)
		}
		rec := &executortest.Recorder{}
		o, err := script.NewOrder(composed(n), rec)
		if err != nil {
			t.Fatal(err)
		}
		for streams[0] != "" || streams[1] != "" {
			i := rapid.IntRange(0, 1).Draw(t, "stream")
			if streams[i] == "" {
				i = 1 - i
			}
			size := rapid.IntRange(1, len(streams[i])).Draw(t, "size")
			piece := []byte(streams[i][:size])
			if err := o.Feed(i, piece); err != nil {
				t.Fatal(err)
			}
			for j := range piece { // the caller uses its buffer again
				piece[j] = '#'
			}
			streams[i] = streams[i][size:]
		}
		if err := o.End(); err != nil {
			t.Fatal(err)
		}
		if rec.Text(program.Stdout) != stdout || rec.Text(program.Stderr) != stderr {
			t.Fatalf("got %q and %q, want %q and %q", rec.Text(program.Stdout), rec.Text(program.Stderr), stdout, stderr)
		}
		got := ""
		for i := range n {
			got += fmt.Sprintf("<c%d>", i)
		}
		if commands := strings.ReplaceAll(rec.Text(program.Command), "c", "><c"); strings.TrimPrefix(commands+">", ">") != got || got != want {
			t.Fatalf("commands are %q", commands)
		}
		// Between two commands stands only what was printed between the marks.
		if n > 1 && !strings.Contains(rec.String(), "c1") {
			t.Fatal("the second command is missing")
		}
	})
}

func TestBarrierKeepsStreamsTogether(t *testing.T) {
	rec := &executortest.Recorder{}
	o, _ := script.NewOrder(composed(2), rec)
	_ = o.Feed(script.Out, []byte("one\n"+mark(1)+"two\n"))
	_ = o.Feed(script.Err, []byte("first\n"+mark(1)+"second\n"))
	_ = o.End()
	want := "command \"c0\"\nstdout \"one\\n\"\nstderr \"first\\n\"\ncommand \"c1\"\nstdout \"two\\n\"\nstderr \"second\\n\"\n"
	if rec.String() != want {
		t.Errorf("got\n%s", rec)
	}
}

func TestStreamGoesOnWithoutTheOthersMark(t *testing.T) {
	rec := &executortest.Recorder{}
	o, _ := script.NewOrder(composed(2), rec)
	_ = o.Feed(script.Out, []byte(mark(1)))
	for range 20 {
		_ = o.Feed(script.Out, []byte(strings.Repeat("x", 64<<10)))
	}
	if rec.Bytes[program.Stdout] < 512<<10 || rec.Text(program.Command) != "c0c1" {
		t.Errorf("held back: %d bytes, commands %q", rec.Bytes[program.Stdout], rec.Text(program.Command))
	}
	_ = o.Feed(script.Err, []byte(mark(1)+"late"))
	_ = o.End()
	if rec.Text(program.Command) != "c0c1" || rec.Text(program.Stderr) != "late" || rec.Bytes[program.Stdout] != 20*64<<10 {
		t.Errorf("commands %q, stderr %q", rec.Text(program.Command), rec.Text(program.Stderr))
	}
}

func FuzzOrder(f *testing.F) {
	f.Add([]byte("a"+mark(1)+"b"), []byte(mark(1)), 3)
	f.Add([]byte(mark(1)+mark(2)), []byte("\x1e"), 1)
	f.Fuzz(func(t *testing.T, a, b []byte, size int) {
		if size < 1 {
			size = 1
		}
		rec := &executortest.Recorder{Limit: 1 << 30}
		o, _ := script.NewOrder(composed(3), rec)
		total := int64(0)
		for len(a)+len(b) > 0 {
			for i, s := range []*[]byte{&a, &b} {
				n := min(size, len(*s))
				total += int64(n)
				_ = o.Feed(i, append([]byte(nil), (*s)[:n]...))
				*s = (*s)[n:]
			}
		}
		_ = o.End()
		if got := rec.Bytes[program.Stdout] + rec.Bytes[program.Stderr]; got > total {
			t.Fatalf("%d bytes became %d", total, got)
		}
	})
}
