package terminal_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// texts are what jobs write: all that is hard to measure or to keep from a terminal.
var texts = []string{
	"", "ok", "a long line " + strings.Repeat("of words ", 40), "\ttabs\tand\ttabs", "构建应用程序", "👩‍👩‍👧 family 🇩🇪 flag ☺️ smile", "e\u0301\u0302\u0303",
	"\x1b[31mred", "\x1b[0mplain again", "\x1b[2J\x1b[H\x1b[9Acursor", "\x1b]0;title\x07\x1b]8;;http://x\x1b\\link", "\u009b5A8 bit", "\x1b[?1049hscreen", "\x1b[38;5;1",
	"broken \xff\xfe utf-8", "\x07\x08\x0b\x0c\x7f", "redrawn\rredrawn", "two\nlines", "\u200b\u200d\ufe0f", strings.Repeat("字", 300),
}

// draft is a run by chance and what must be left of it in the end.
type draft struct {
	columns, rows int
	color         string
	lines         []string
	ended         []string // in the order of their ends
	written       int
}

func drawDraft(t *rapid.T) draft {
	d := draft{
		columns: rapid.IntRange(20, 120).Draw(t, "columns"), rows: rapid.IntRange(1, 40).Draw(t, "rows"),
		color: rapid.SampledFrom([]string{"always", "never"}).Draw(t, "color"),
	}
	n := rapid.IntRange(1, 30).Draw(t, "jobs")
	plan := "plan"
	for i := range n {
		plan += fmt.Sprintf("|job %d", i)
	}
	d.lines = append(d.lines, plan, "head|ref=main", "begin")
	next, running := 0, []int(nil)
	for range rapid.IntRange(0, 80).Draw(t, "steps") {
		do := rapid.SampledFrom([]string{"start", "start", "line", "line", "line", "end", "wait", "write"}).Draw(t, "do")
		switch {
		case do == "start" && next < n:
			d.lines = append(d.lines, fmt.Sprintf("to|job %d|running", next))
			running = append(running, next)
			next++
		case do == "line" && len(running) > 0:
			word := rapid.SampledFrom([]string{"out", "err", "part", "sys", "cmd"}).Draw(t, "stream")
			text := fmt.Sprintf("%q", rapid.SampledFrom(texts).Draw(t, "text"))
			d.lines = append(d.lines, fmt.Sprintf("%s|job %d|%s", word, rapid.SampledFrom(running).Draw(t, "job"), text[1:len(text)-1]))
		case do == "end" && len(running) > 0:
			i := rapid.IntRange(0, len(running)-1).Draw(t, "which")
			name := fmt.Sprintf("job %d", running[i])
			d.lines = append(d.lines, "to|"+name+"|"+rapid.SampledFrom([]string{"success", "failed|exit=3", "failed|allowed|exit=1", "canceled"}).Draw(t, "status"))
			d.ended = append(d.ended, name)
			running = slices.Delete(running, i, i+1)
		case do == "wait":
			d.lines = append(d.lines, "wait|"+rapid.SampledFrom([]string{"1ms", "120ms", "1100ms", "40s"}).Draw(t, "time"))
		case do == "write":
			d.lines = append(d.lines, fmt.Sprintf("write|remark %d", d.written))
			d.written++
		}
	}
	d.lines = append(d.lines, "close|failed|took=1s")
	return d
}

// TestLiveLeavesNothingBehind: whatever happens, the block never takes more rows than there are (else a part of it would
// be in the scrollback), and in the end there is the opening, every job that ended in its order, every remark, and the
// verdict.
func TestLiveLeavesNothingBehind(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := drawDraft(rt)
		p := newPlayer(map[string]string{"progress": "tty", "color": d.color, "size": fmt.Sprintf("%dx%d", d.columns, d.rows)})
		var tall []string
		synctest.Test(t, func(t *testing.T) {
			s := newScene(p.view(t))
			for _, line := range d.lines {
				if err := s.play(line); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				for _, text := range p.screen.scrolled() {
					if strings.Contains(text, "jobs done") || strings.HasPrefix(text, "●") || strings.HasPrefix(text, "▾") {
						tall = append(tall, text)
					}
				}
			}
		})
		if len(p.screen.strange) > 0 {
			rt.Fatalf("written to the terminal: %s", p.screen.strange)
		}
		if len(tall) > 0 {
			rt.Fatalf("the block is in the scrollback: %q", tall)
		}
		checkEnd(rt, d, p.screen)
	})
}

func checkEnd(rt *rapid.T, d draft, screen *vt) {
	history := screen.history()
	lines := strings.Split(strings.TrimSpace(history), "\n")
	if !strings.HasPrefix(lines[0], "main · ") {
		rt.Fatalf("no opening:\n%s", history)
	}
	var ended []string
	written := 0
	end := slices.Index(lines, "")
	if end < 0 {
		rt.Fatalf("no summary:\n%s", history)
	}
	for _, line := range lines[1:end] {
		if line == fmt.Sprintf("remark %d", written) {
			written++
			continue
		}
		fields := strings.Fields(line)
		if !slices.Contains([]string{"✔", "✖", "!", "■"}, fields[0]) || len(fields) < 3 {
			rt.Fatalf("left behind: %q in\n%s", line, history)
		}
		ended = append(ended, fields[1]+" "+fields[2])
	}
	if !slices.Equal(ended, d.ended) || written != d.written {
		rt.Fatalf("ended: %q, want %q; %d remarks, want %d\n%s", ended, d.ended, written, d.written, history)
	}
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "✖ failed") {
		rt.Fatalf("no verdict: %q\n%s", last, history)
	}
}

// TestPlainKeepsTheOrderOfAJob: the lines of a job come in their order and whole, whatever the others do.
func TestPlainKeepsTheOrderOfAJob(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		jobs := rapid.IntRange(1, 5).Draw(rt, "jobs")
		said := make([][]string, jobs)
		lines := []string{"plan|a", "begin"}
		plan := "plan"
		for i := range jobs {
			plan += fmt.Sprintf("|job%d", i)
		}
		lines[0] = plan
		for n := range rapid.IntRange(0, 100).Draw(rt, "lines") {
			if rapid.IntRange(0, 9).Draw(rt, "pause") == 0 {
				lines = append(lines, "wait|60ms")
			}
			i := rapid.IntRange(0, jobs-1).Draw(rt, "job")
			text := fmt.Sprintf("line %d %s", n, strings.Repeat("x", rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 70_000}).Draw(rt, "length")))
			lines = append(lines, fmt.Sprintf("out|job%d|%s", i, text))
			said[i] = append(said[i], text)
		}
		lines = append(lines, "close|success|took=1s")
		p := newPlayer(map[string]string{"progress": "plain"})
		synctest.Test(t, func(t *testing.T) {
			if err := newScene(p.view(t)).play(strings.Join(lines, "\n")); err != nil {
				t.Fatal(err)
			}
		})
		for i := range jobs {
			var got []string
			for line := range strings.Lines(p.err.String()) {
				if text, ok := strings.CutPrefix(line, fmt.Sprintf("job%d ▏", i)); ok {
					got = append(got, strings.TrimSuffix(text, "\n"))
				}
			}
			if !slices.Equal(got, said[i]) {
				rt.Fatalf("job%d said %d lines, %d are there, or in another order", i, len(said[i]), len(got))
			}
		}
	})
}
