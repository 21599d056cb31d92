package terminal_test

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

func started(tb testing.TB, mode string, w io.Writer) terminal.View {
	tb.Helper()
	v, err := terminal.New(terminal.Options{
		Progress: mode, Color: "always", Out: w, Err: w,
		Env:  func(string) string { return "" },
		Size: func() (int, int, bool) { return 100, 30, true },
	})
	if err != nil {
		tb.Fatal(err)
	}
	p := &plan.Plan{Jobs: []*plan.Job{{ID: "build", Name: "build"}, {ID: "test", Name: "test"}}}
	v.Begin(terminal.Head{Plan: p})
	for _, j := range p.Jobs {
		v.Changed(run.Change{Job: j.ID, From: run.Pending, To: run.Running}, run.Job{ID: j.ID, Plan: j})
	}
	return v
}

// BenchmarkLine is a line of a job's output in each mode. Its yardstick is BenchmarkCopy, which only copies the bytes.
func BenchmarkLine(b *testing.B) {
	kinds := map[string][]byte{
		"text":    []byte("ok  	github.com/sluice-delivery/sluice/internal/flow/plan	0.123s	coverage: 87.1% of statements"),
		"colored": []byte("\x1b[32mok\x1b[0m  	github.com/sluice-delivery/sluice/internal/flow/plan	\x1b[1m0.123s\x1b[0m	coverage: 87.1% of statements"),
		"wide":    []byte("构建应用程序 github.com/sluice-delivery/sluice/internal/flow/plan ✔ 0.123s coverage: 87.1% of statements"),
	}
	for _, mode := range []string{"plain", "tty", "json"} {
		for name, text := range kinds {
			b.Run(mode+"/"+name, func(b *testing.B) {
				v := started(b, mode, io.Discard)
				line := terminal.Line{Job: "build", Name: "build", Stream: program.Stdout, Text: text}
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					v.Line(line)
				}
				if err := v.Close(terminal.Summary{Status: run.Success}); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

func BenchmarkCopy(b *testing.B) {
	text := []byte("ok  	github.com/sluice-delivery/sluice/internal/flow/plan	0.123s	coverage: 87.1% of statements")
	buf := make([]byte, 0, 64<<10)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if buf = append(buf, text...); len(buf) > 60<<10 {
			buf = buf[:0]
		}
	}
}

// BenchmarkView is what a view costs a trivial run: made, begun, one job, and closed.
func BenchmarkView(b *testing.B) {
	for _, mode := range []string{"plain", "tty", "quiet", "json"} {
		b.Run(mode, func(b *testing.B) {
			for b.Loop() {
				if err := started(b, mode, io.Discard).Close(terminal.Summary{Status: run.Success}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// counter counts what is written, and how often.
type counter struct{ bytes, writes int }

func (c *counter) Write(p []byte) (int, error) {
	c.bytes += len(p)
	c.writes++
	return len(p), nil
}

// TestManyLines: no line costs a write or an allocation of its own.
func TestManyLines(t *testing.T) {
	var c counter
	v := started(t, "plain", &c)
	line := terminal.Line{Job: "build", Name: "build", Stream: program.Stdout, Text: []byte("\x1b[32mok\x1b[0m " + strings.Repeat("x", 60))}
	const lines = 200_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range lines {
		v.Line(line)
	}
	runtime.ReadMemStats(&after)
	if err := v.Close(terminal.Summary{Status: run.Success}); err != nil {
		t.Fatal(err)
	}
	if n := after.Mallocs - before.Mallocs; n > lines/100 {
		t.Errorf("%d allocations", n)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes allocated", grown)
	}
	if most := c.bytes/(32<<10) + 100; c.writes > most {
		t.Errorf("%d writes of %d bytes, want at most %d", c.writes, c.bytes, most)
	}
	if c.bytes < lines*len(line.Text) {
		t.Errorf("only %d bytes written", c.bytes)
	}
}

// TestEndlessLine: a line without an end comes through as it comes, and is never held whole.
func TestEndlessLine(t *testing.T) {
	for _, mode := range []string{"plain", "tty"} {
		var c counter
		v := started(t, mode, &c)
		piece := bytes.Repeat([]byte("x"), 64<<10)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 1000 {
			v.Line(terminal.Line{Job: "build", Stream: program.Stdout, Text: piece, More: true})
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
			t.Errorf("%s: %d bytes allocated for a line of 64 MB", mode, grown)
		}
		v.Line(terminal.Line{Job: "build", Stream: program.Stdout})
		if err := v.Close(terminal.Summary{Status: run.Success}); err != nil {
			t.Fatal(err)
		}
		if mode == "plain" && c.bytes < 1000*len(piece) {
			t.Errorf("only %d bytes written", c.bytes)
		}
	}
}

// BenchmarkPipe is a million lines into a pipe that is read, as `sluice run | tee` does.
func BenchmarkPipe(b *testing.B) {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, r)
		done <- err
	}()
	v := started(b, "plain", w)
	text := []byte("ok  	github.com/sluice-delivery/sluice/internal/flow/plan	0.123s	coverage: 87.1% of statements")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		v.Line(terminal.Line{Job: "build", Name: "build", Stream: program.Stdout, Text: text})
	}
	if err := v.Close(terminal.Summary{Status: run.Success}); err != nil {
		b.Fatal(err)
	}
	w.Close()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
