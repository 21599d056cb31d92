package terminal_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/report"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

// scene plays a run to a view, one line of a script at a time: a word and its arguments, parted by "|". In texts
// backslashes mean what they mean in Go, and "KEY=VALUE" arguments may stand in any order behind the others.
//
//	plan|JOB…            the jobs of the plan
//	head|KEY=VALUE…      ref, sha, event, run, selected, dirty; note=… and remark=… may be repeated
//	begin
//	wait|DURATION
//	to|JOB|STATUS|…      a change; exit, reason, failure, until; allowed, unselected
//	retry|JOB|…          another attempt begins
//	child|PARENT|JOB…    the parent becomes a pipeline of these jobs (IDs PARENT/JOB)
//	out|JOB|TEXT         a line; err, cmd and sys likewise; part is a piece of an out line that goes on
//	section|JOB|HEADER
//	write|TEXT           of the command's own
//	ended|JOB|…          for the summary: step, message, log, again; tail=… may be repeated
//	report|KIND|JOB|FILE
//	coverage|JOB|PERCENT
//	link|LABEL|URL
//	close|STATUS|…       took, exit, logs
type scene struct {
	view    terminal.View
	files   map[string]string // of reports
	head    terminal.Head
	plan    *plan.Plan
	jobs    map[string]*run.Job
	order   []string
	ended   map[string]*terminal.Ended
	summary terminal.Summary
	sleep   func(time.Duration)
}

func newScene(v terminal.View) *scene {
	return &scene{
		view: v, files: map[string]string{}, plan: &plan.Plan{}, jobs: map[string]*run.Job{}, ended: map[string]*terminal.Ended{},
		sleep: time.Sleep,
	}
}

func (s *scene) play(script string) error {
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := s.do(line); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return nil
}

func (s *scene) do(line string) error {
	word, rest, _ := strings.Cut(line, "|")
	args := strings.Split(rest, "|")
	switch word {
	case "plan":
		for _, name := range args {
			s.add(s.plan, name, "")
		}
	case "head":
		return s.header(args)
	case "begin":
		s.head.Plan = s.plan
		s.view.Begin(s.head)
	case "wait":
		d, err := time.ParseDuration(rest)
		s.sleep(d)
		return err
	case "to", "retry":
		return s.to(word, args)
	case "child":
		s.child(args[0], args[1:])
	case "out", "err", "cmd", "sys", "part":
		return s.line(word, rest)
	case "section":
		s.view.Section(*s.jobs[args[0]], logs.Event{Kind: logs.Start, Section: logs.Section{Name: "mine", Header: args[1]}})
	case "write":
		_, err := fmt.Fprintln(terminal.Writer(s.view, nil), text(rest))
		return err
	case "ended":
		return s.end(args)
	case "report":
		found, _ := report.Read(args[0], args[2], strings.NewReader(s.files[args[2]]))
		s.summary.Reports.Add(args[1], found)
	case "coverage":
		percent, err := strconv.ParseFloat(args[1], 64)
		s.summary.Reports.AddCoverage(args[0], percent)
		return err
	case "link":
		s.summary.Links = append(s.summary.Links, program.Link{Label: args[0], URL: args[1]})
	case "annotation": // JOB LEVEL MESSAGE
		s.summary.Notes = append(s.summary.Notes, terminal.Note{Job: text(args[0]), Note: program.Note{Level: args[1], Message: text(args[2])}})
	case "close":
		return s.close(args)
	default:
		return fmt.Errorf("no such word: %s", word)
	}
	return nil
}

// text reads backslashes.
func text(s string) string {
	if out, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`); err == nil {
		return out
	}
	return s
}

func pairs(args []string) [][2]string {
	var out [][2]string
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		out = append(out, [2]string{k, text(v)})
	}
	return out
}

func (s *scene) add(p *plan.Plan, name, parent string) {
	name = text(name)
	j := &plan.Job{ID: name, Name: name, Key: name}
	p.Jobs = append(p.Jobs, j)
	id := name
	if parent != "" {
		id = parent + "/" + name
	}
	s.jobs[id] = &run.Job{ID: id, Plan: j, Scope: p, Parent: parent, Status: run.Created}
	s.order = append(s.order, id)
}

func (s *scene) header(args []string) error {
	var err error
	for _, p := range pairs(args) {
		switch v := p[1]; p[0] {
		case "ref":
			s.head.Ref = v
		case "sha":
			s.head.SHA = v
		case "event":
			s.head.Event = v
		case "run":
			s.head.RunID, s.summary.RunID = v, v
		case "selected":
			s.head.Selected, err = strconv.Atoi(v)
		case "dirty":
			s.head.Dirty = true
		case "name":
			s.plan.Name = v
		case "note":
			s.head.Notes = append(s.head.Notes, v)
		case "remark":
			s.head.Remarks = append(s.head.Remarks, fault.New("SL0001", "%s", v))
		}
	}
	return err
}

func (s *scene) to(word string, args []string) error {
	j := s.jobs[text(args[0])]
	if j == nil {
		return fmt.Errorf("no such job")
	}
	now := time.Now()
	c := run.Change{At: now, Job: j.ID, From: j.Status, Attempt: j.Attempt}
	args = args[1:]
	if word == "to" {
		c.To = run.Status(args[0])
		args = args[1:]
	} else {
		c.To, c.Retry = run.Pending, true
		j.Attempt++
		c.Attempt = j.Attempt
	}
	j.Unselected = false
	for _, p := range pairs(args) {
		switch v := p[1]; p[0] {
		case "exit":
			exit, err := strconv.Atoi(v)
			if err != nil {
				return err
			}
			c.Exit = &exit
		case "reason":
			c.Reason = v
		case "failure":
			c.Failure = v
		case "allowed":
			c.Allowed = true
		case "unselected":
			j.Unselected = true
		case "until":
			d, err := time.ParseDuration(v)
			if err != nil {
				return err
			}
			until := now.Add(d)
			c.Until = &until
		}
	}
	if c.To == run.Running {
		j.Started, j.Attempt = now, max(j.Attempt, 1)
		c.Attempt = j.Attempt
	}
	if c.To.Over() {
		j.Finished = now
	}
	j.Status, j.Reason, j.Failure, j.Exit, j.Allowed = c.To, c.Reason, c.Failure, c.Exit, c.Allowed
	s.view.Changed(c, *j)
	return nil
}

func (s *scene) child(parent string, names []string) {
	j := s.jobs[parent]
	p := &plan.Plan{}
	for _, name := range names {
		s.add(p, name, parent)
	}
	now := time.Now()
	c := run.Change{At: now, Job: parent, From: j.Status, To: run.Running, Attempt: 1, Bound: &run.Bound{Plan: p}}
	j.Late, j.Status, j.Started, j.Attempt = true, run.Running, now, 1
	s.view.Changed(c, *j)
}

var streams = map[string]program.Stream{
	"out": program.Stdout, "part": program.Stdout, "err": program.Stderr, "cmd": program.Command, "sys": program.System,
}

func (s *scene) line(word, rest string) error {
	job, line, _ := strings.Cut(rest, "|")
	j := s.jobs[text(job)]
	if j == nil {
		return fmt.Errorf("no such job")
	}
	s.view.Line(terminal.Line{Job: j.ID, Name: j.Plan.Name, Stream: streams[word], Text: []byte(text(line)), More: word == "part"})
	return nil
}

func (s *scene) end(args []string) error {
	e := &terminal.Ended{}
	s.ended[text(args[0])] = e
	for _, p := range pairs(args[1:]) {
		switch v := p[1]; p[0] {
		case "step":
			e.Step = v
		case "message":
			e.Message = v
		case "log":
			e.Log = v
		case "again":
			e.Rerun = v
		case "tail":
			e.Tail = append(e.Tail, v)
		default:
			return fmt.Errorf("no such key: %s", p[0])
		}
	}
	return nil
}

func (s *scene) close(args []string) error {
	s.summary.Status = run.Status(args[0])
	var err error
	for _, p := range pairs(args[1:]) {
		switch v := p[1]; p[0] {
		case "took":
			s.summary.Took, err = time.ParseDuration(v)
		case "exit":
			s.summary.Exit, err = strconv.Atoi(v)
		case "logs":
			s.summary.LogDir = v
		}
	}
	if err != nil {
		return err
	}
	for _, id := range s.order {
		e := terminal.Ended{}
		if have := s.ended[id]; have != nil {
			e = *have
		}
		e.Job = *s.jobs[id]
		if !e.Job.Started.IsZero() && e.Job.Status.Over() {
			e.Took = e.Job.Finished.Sub(e.Job.Started)
		}
		if e.Job.Status == run.Manual {
			s.summary.Manual = append(s.summary.Manual, e.Job.Plan.Name)
		}
		s.summary.Jobs = append(s.summary.Jobs, e)
	}
	return s.view.Close(s.summary)
}
