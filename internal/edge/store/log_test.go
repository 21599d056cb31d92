package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/edge/store"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// tape is a Sink that writes down what it is told.
type tape struct{ lines []string }

func (s *tape) Line(stream program.Stream, l logs.Line) {
	more := ""
	if l.Continued {
		more = "..."
	}
	s.lines = append(s.lines, fmt.Sprintf("%s: %s%s", stream, l.Text, more))
}

func (s *tape) Section(e logs.Event) {
	s.lines = append(s.lines, fmt.Sprintf("%s %s", e.Kind, e.Section.Name))
}

func newRun(t testing.TB) *store.Run {
	t.Helper()
	r, err := store.Create(t.TempDir(), store.Record{ID: "1", Started: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func newLog(t testing.TB, mask *logs.Mask, sink store.Sink) *store.Log {
	t.Helper()
	l, err := newRun(t).Log("job", mask, sink)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mask(t testing.TB, values ...string) *logs.Mask {
	t.Helper()
	var secrets []secret.Secret
	for _, v := range values {
		secrets = append(secrets, secret.New(v))
	}
	m, faults := logs.NewMask(secrets...)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return m
}

func write(t testing.TB, l *store.Log, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if err := l.Write(program.Stream(pairs[i]), []byte(pairs[i+1])); err != nil {
			t.Fatal(err)
		}
	}
}

// kept is the log's file.
func kept(t testing.TB, l *store.Log) string {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(l.Path())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const out, errs, command, system = "stdout", "stderr", "command", "system"

func TestTheFileIsAsTheRunnerWritesIt(t *testing.T) {
	l := newLog(t, nil, nil)
	write(t, l, system, "Running", command, "make", out, "a\nb", errs, "oops\n", command, "true", system, "WARNING: careful", out, "\x1b[31mred\x1b[0m\n")
	const want = "\x1b[0;36mRunning\x1b[0;m\n\x1b[32;1m$ make\x1b[0;m\na\nboops\n\x1b[32;1m$ true\x1b[0;m\n\x1b[0;33mWARNING: careful\x1b[0;m\n\x1b[31mred\x1b[0m\n"
	if got := kept(t, l); strings.ReplaceAll(got, "\x1b[36;1m", "\x1b[0;36m") != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestTheSinkHearsLinesInOrder(t *testing.T) {
	var s tape
	l := newLog(t, nil, &s)
	write(t, l, command, "one", out, "par", out, "tial", errs, "err", command, "two", out, "x\r\ny\rz\n", system, "our\nremark", errs, "last")
	kept(t, l)
	want := []string{"command: one", "stdout: partial", "stderr: err", "command: two", "stdout: x", "stdout: z", "system: our", "system: remark", "stderr: last"}
	if strings.Join(s.lines, "|") != strings.Join(want, "|") {
		t.Errorf("%q\nwant %q", s.lines, want)
	}
}

func TestSections(t *testing.T) {
	var s tape
	l := newLog(t, nil, &s)
	for _, e := range []program.Section{{Name: "step_script", Header: "Executing", Start: true}, {Name: "step_script"}} {
		if err := l.Section(e); err != nil {
			t.Fatal(err)
		}
		write(t, l, out, "in\n\x1b[0Ksection_start:12:own[collapsed=true]\r\x1b[0KMine\nx\n\x1b[0Ksection_end:13:own\r\x1b[0Ky")
	}
	got := kept(t, l)
	if !regexp.MustCompile(`^\x1b\[0Ksection_start:\d+:step_script\r\x1b\[0K\x1b\[36;1mExecuting`).MatchString(got) || !strings.Contains(got, ":step_script\r\x1b[0K") {
		t.Errorf("%q", got)
	}
	want := "start step_script|stdout: in|start own|stdout: x|end own|stdout: y|end step_script|stdout: in|start own|stdout: x|end own|stdout: y"
	if strings.Join(s.lines, "|") != want {
		t.Errorf("%q", s.lines)
	}
}

func TestSecretsStayOutOfFileAndSink(t *testing.T) {
	const token = "glpat-s3cr3t_value"
	rapid.Check(t, func(rt *rapid.T) {
		var s tape
		l := newLog(t, mask(t, token), &s)
		// A text with the secret in it, cut anywhere, on both streams at once.
		text := "before " + token + " middle\n" + token + token + "\ntail " + token
		for rest := map[string]string{out: text, errs: text}; rest[out] != "" || rest[errs] != ""; {
			stream := rapid.SampledFrom([]string{out, errs}).Draw(rt, "stream")
			n := rapid.IntRange(0, len(rest[stream])).Draw(rt, "n")
			write(t, l, stream, rest[stream][:n])
			rest[stream] = rest[stream][n:]
		}
		write(t, l, command, "echo "+token, system, "failed with "+token)
		file, lines := kept(t, l), strings.Join(s.lines, "\n")
		for _, text := range []string{file, lines} {
			if strings.Contains(text, "s3cr3t") || strings.Count(text, logs.Masked) < 8 {
				rt.Fatalf("%q", text)
			}
		}
	})
}

func TestMaskFromHereOn(t *testing.T) {
	var s tape
	l := newLog(t, nil, &s)
	write(t, l, out, "open-sesame\nopen-")
	l.Mask([]string{"open-sesame", "abc", ""}) // abc is too short
	write(t, l, out, "x\nopen-sesame abc\n", errs, "open-", errs, "sesame")
	if got := kept(t, l); got != "open-sesame\nopen-x\n[MASKED] abc\n[MASKED]" {
		t.Errorf("%q", got)
	}
}

func TestFileAndSinkAgree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var s tape
		l := newLog(t, mask(t, "hidden-value"), &s)
		text := rapid.StringMatching(`([a-z ]{0,8}|hidden-value|\n|\r\n){0,20}`).Draw(rt, "text")
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "n")
			write(t, l, out, rest[:n])
			rest = rest[n:]
		}
		file := strings.ReplaceAll(kept(t, l), "\r\n", "\n")
		for i, line := range s.lines {
			s.lines[i] = strings.TrimPrefix(line, "stdout: ")
		}
		if got := strings.Join(s.lines, "\n"); got != strings.TrimSuffix(file, "\n") {
			rt.Errorf("sink %q, file %q", got, file)
		}
	})
}

func TestWatchKeepsTheLastMatch(t *testing.T) {
	l := newLog(t, nil, nil)
	if err := l.Watch(`(`); err == nil {
		t.Error("a broken pattern is no error")
	}
	if err := l.Watch(`\d+% covered`); err != nil {
		t.Fatal(err)
	}
	write(t, l, out, "10% cov", out, "ered\nnone\n", errs, "12% covered\n", out, "15% covered") // without a line end
	if got := l.Matched(); got != "15% covered" {
		t.Errorf("%q", got)
	}
	kept(t, l)
}

func TestALaterAttemptGoesOnInTheFile(t *testing.T) {
	r := newRun(t)
	for _, text := range []string{"first\n", "second\n"} {
		l, err := r.Log("job", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		write(t, l, out, text)
		if got := kept(t, l); !strings.HasSuffix(got, text) {
			t.Errorf("%q", got)
		}
	}
	if text, _ := os.ReadFile(r.LogPath("job")); string(text) != "first\nsecond\n" {
		t.Errorf("%q", text)
	}
}

// /dev/full is a disk that is full for everybody, root or not.
func TestAFullDiskFailsTheJobAndSaysWhy(t *testing.T) {
	r := newRun(t)
	if err := os.Symlink("/dev/full", r.LogPath("job")); err != nil {
		t.Fatal(err)
	}
	var s tape
	l, err := r.Log("job", nil, &s)
	if err != nil {
		t.Fatal(err)
	}
	line := []byte(strings.Repeat("x", 1000) + "\n")
	for range 200 {
		if err = l.Write(program.Stdout, line); err != nil {
			break
		}
	}
	failure, ok := errors.AsType[*program.Error](err)
	if !ok || failure.Failure != program.SystemFailure || !strings.Contains(err.Error(), "no space") {
		t.Errorf("%v", err)
	}
	if again := l.Write(program.Stderr, line); again == nil {
		t.Error("the next write says nothing")
	}
	if err := l.Close(); err == nil {
		t.Error("Close says nothing")
	}
	if len(s.lines) == 0 {
		t.Errorf("the sink heard %d lines", len(s.lines))
	}
	// The last bytes may fail only at the end.
	short, err := r.Log("job", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = short.Write(program.Stdout, []byte("x"))
	if err := short.Close(); !errors.As(err, &failure) {
		t.Errorf("%v", err)
	}
	if _, err := r.Log("no/such/folder", nil, nil); err == nil {
		t.Error("a log nowhere is no error")
	}
}

// count is a Sink that counts.
type count struct{ lines, bytes int }

func (c *count) Line(_ program.Stream, l logs.Line) { c.lines++; c.bytes += len(l.Text) }
func (c *count) Section(logs.Event)                 {}

// block is a chunk as a pipe gives it: lines of 60 bytes, cut anywhere.
func block() []byte {
	return bytes.Repeat([]byte("2026-01-02T03:04:05Z building target 0123456 of the project\n"), 1100)[:64<<10]
}

func TestAMillionLinesInFlatMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("60 MB of output")
	}
	c := &count{}
	l := newLog(t, mask(t, "glpat-s3cr3t_value"), c)
	b := block()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 1000 {
		write(t, l, out, string(b[:0]))
		if err := l.Write(program.Stdout, b); err != nil {
			t.Fatal(err)
		}
	}
	// One line of 100 MB without an end, too.
	long := bytes.Repeat([]byte("x"), 1<<20)
	for range 100 {
		if err := l.Write(program.Stderr, long); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 16<<20 {
		t.Errorf("memory grew by %d bytes", grown)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if c.lines < 1_000_000 || c.bytes < 100<<20 {
		t.Errorf("%d lines, %d bytes", c.lines, c.bytes)
	}
	info, err := os.Stat(l.Path())
	if err != nil || info.Size() != 1000*64<<10+100<<20 {
		t.Errorf("%v %v", info.Size(), err)
	}
}

func BenchmarkLog(b *testing.B) {
	for name, sink := range map[string]store.Sink{"file": nil, "file and lines": &count{}} {
		for _, hidden := range []int{0, 20} {
			b.Run(fmt.Sprintf("%s/%d secrets", name, hidden), func(b *testing.B) {
				var secrets []string
				for i := range hidden {
					secrets = append(secrets, fmt.Sprintf("glpat-%d-s3cr3t-%d", i*7919, i))
				}
				l := newLog(b, mask(b, secrets...), sink)
				chunk := block()
				b.SetBytes(int64(len(chunk)))
				for n := 0; b.Loop(); n++ {
					if err := l.Write(program.Stdout, chunk); err != nil {
						b.Fatal(err)
					}
					if n%1000 == 999 {
						b.StopTimer() // the disk is not what is measured
						if err := os.Truncate(l.Path(), 0); err != nil {
							b.Fatal(err)
						}
						b.StartTimer()
					}
				}
				if err := l.Close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
