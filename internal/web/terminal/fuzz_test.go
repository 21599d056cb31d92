package terminal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/report"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

// FuzzNothingButColors: whatever a job and the files of a repository hold, in every place where it may be shown, no
// control sequence but those for colors reaches the terminal; without colors none at all.
func FuzzNothingButColors(f *testing.F) {
	for _, text := range texts {
		f.Add(text, text, uint8(3))
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range txtar.Parse(data).Files {
			f.Add(text(string(part.Data)), "name", uint8(len(part.Data)))
		}
	}
	f.Fuzz(func(t *testing.T, said, name string, pieces uint8) {
		for _, mode := range []string{"plain", "quiet", "tty"} {
			for _, color := range []string{"always", "never"} {
				var out strings.Builder
				synctest.Test(t, func(t *testing.T) { showHostile(t, &out, mode, color, said, name, int(pieces)) })
				checkHarmless(t, mode, color, out.String())
			}
		}
	})
}

// showHostile puts the two texts wherever a text goes.
func showHostile(t *testing.T, out *strings.Builder, mode, color, said, name string, pieces int) {
	v, err := terminal.New(terminal.Options{
		Progress: mode, Color: color, Err: out,
		Env:  func(string) string { return "" },
		Size: func() (int, int, bool) { return 60, 20, true },
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &plan.Plan{Name: name, Jobs: []*plan.Job{{ID: "a", Name: name}, {ID: "b", Name: "b"}, {ID: "c", Name: name}}}
	now := time.Now()
	jobs := make([]run.Job, len(p.Jobs))
	v.Begin(terminal.Head{RunID: name, Plan: p, Ref: name, SHA: name, Event: name, Notes: []string{said}})
	for i, j := range p.Jobs {
		jobs[i] = run.Job{ID: j.ID, Plan: j, Started: now, Attempt: 1}
		v.Changed(run.Change{At: now, Job: j.ID, From: run.Pending, To: run.Running}, jobs[i])
	}
	if v.WantsLines() {
		showHostileLines(v, jobs, said, pieces)
	}
	time.Sleep(2 * time.Second)
	exit := 1
	ends := []run.Change{
		{To: run.Failed, Exit: &exit, Failure: name, Reason: said}, {To: run.Skipped, Reason: said}, {To: run.Manual, Reason: said},
	}
	s := terminal.Summary{RunID: name, Status: run.Failed, Links: []program.Link{{Label: name, URL: said}}, Manual: []string{name}, LogDir: name}
	for i, c := range ends {
		j := &jobs[i]
		c.At, c.Job, c.From = time.Now(), j.ID, run.Running
		j.Status, j.Reason, j.Failure, j.Exit = c.To, c.Reason, c.Failure, c.Exit
		v.Changed(c, *j)
		s.Jobs = append(s.Jobs, terminal.Ended{Job: *j, Step: name, Message: said, Tail: []string{said}, Log: name, Rerun: said})
	}
	for _, kind := range []string{"junit", "terraform", "sarif", "codequality", "metrics", "annotations"} {
		found, _ := report.Read(kind, name, strings.NewReader(said))
		s.Reports.Add(name, found)
	}
	s.Reports.Links = append(s.Reports.Links, report.JobLink{Job: name, Link: report.Link{Label: said, URL: name}})
	s.Reports.Metrics = append(s.Reports.Metrics, report.JobMetric{Job: name, Metric: report.Metric{Name: name, Value: said}})
	time.Sleep(2 * time.Second)
	if err := v.Close(s); err != nil {
		t.Fatal(err)
	}
}

func showHostileLines(v terminal.View, jobs []run.Job, said string, pieces int) {
	streams := []program.Stream{program.Stdout, program.Stderr, program.Command, program.System}
	for n, stream := range streams {
		rest := []byte(said)
		for i := range pieces % 5 {
			cut := len(rest) / (i + 2)
			v.Line(terminal.Line{Job: jobs[(n+i)%2].ID, Name: jobs[0].Plan.Name, Stream: stream, Text: rest[:cut], More: n < 2})
			rest = rest[cut:]
		}
		v.Line(terminal.Line{Job: jobs[n%2].ID, Name: jobs[0].Plan.Name, Stream: stream, Text: rest})
	}
	v.Section(jobs[0], logs.Event{Kind: logs.Start, Section: logs.Section{Name: "x", Header: said}})
	v.Line(terminal.Line{Job: "unknown", Name: said, Stream: program.Stdout, Text: []byte(said)})
}

var (
	colors = regexp.MustCompile("\x1b\\[[0-9:;]*m")
	frame  = regexp.MustCompile("(?s)\x1b\\[\\?2026h\x1b\\[\\?25l(?:\x1b\\[\\d+A)?\r(?:\x1b\\[K(?:\r\n\x1b\\[J\x1b\\[1A)?)?(.*?)\x1b\\[\\?7l(.*?)(?:\x1b\\[J)?\x1b\\[\\?7h\x1b\\[\\?25h\x1b\\[\\?2026l")
)

func checkHarmless(t *testing.T, mode, color, out string) {
	t.Helper()
	if mode == "tty" { // what a frame consists of by itself, and only there
		out = frame.ReplaceAllStringFunc(out, func(f string) string {
			parts := frame.FindStringSubmatch(f)
			block := strings.ReplaceAll(strings.ReplaceAll(parts[2], "\x1b[K\r\n", "\n"), "\r\n", "\n")
			return parts[1] + block
		})
	}
	if color == "always" {
		out = colors.ReplaceAllString(out, "")
	}
	if !utf8.ValidString(out) {
		t.Errorf("%s, color %s: not UTF-8: %q", mode, color, out)
	}
	for i, r := range out {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f {
			t.Fatalf("%s, color %s: %q in %q", mode, color, r, out[max(0, i-40):min(len(out), i+40)])
		}
	}
}
