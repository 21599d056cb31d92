package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/report"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

// tailLines is how many last lines of a failed job's log stand in the summary.
const tailLines = 20

// summary puts together what stands at the end of a run.
func (l *local) summary(ctx context.Context, status run.Status, took time.Duration) terminal.Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := terminal.Summary{RunID: l.rec.ID, Status: status, Took: took, LogDir: l.shown(l.record.Dir)}
	for _, j := range l.run.Jobs() {
		r := l.results[j.ID]
		if j.Status == run.Created {
			j.Status, j.Reason = run.Skipped, "its turn did not come: the pipeline waits for a person"
		}
		e := terminal.Ended{Job: j, Took: l.took[j.ID], Message: r.Message}
		key := blob.FileName(j.ID)
		if _, ran := l.results[j.ID]; ran {
			e.Log = l.shown(l.record.LogPath(key))
		}
		if j.Status == run.Failed {
			e.Rerun = l.rerun(j)
			e.Tail = tail(l.record.LogPath(key))
			if e.Message == "" {
				e.Message = j.Reason
			}
		}
		if j.Status == run.Manual {
			out.Manual = append(out.Manual, j.Plan.Name)
		}
		for _, rep := range r.Reports {
			found, err := report.Read(rep.Kind, rep.Path, strings.NewReader(l.mask.Text(string(rep.Content))))
			if err != nil {
				out.Reports.Faults = append(out.Reports.Faults, fault.At(codeReport, fault.Place{File: rep.Path}, "job %s: %v", j.Plan.Name, err).WithSeverity(fault.Warning))
			}
			out.Reports.Add(j.Plan.Name, found)
		}
		if percent, err := strconv.ParseFloat(r.Coverage, 64); err == nil {
			out.Reports.AddCoverage(j.Plan.Name, percent)
		}
		out.Links = append(out.Links, r.Links...)
		for _, n := range r.Notes {
			out.Notes = append(out.Notes, terminal.Note{Job: j.Plan.Name, Note: n})
		}
		if r.Summary != "" {
			out.Links = append(out.Links, l.summarized(j.Plan.Name, key, r.Summary))
		}
		out.Jobs = append(out.Jobs, e)
	}
	out.Exit = exitStatus(ctx, status)
	return out
}

// summarized keeps the Markdown that a job's steps left (GITHUB_STEP_SUMMARY) beside its log.
func (l *local) summarized(job, key, text string) program.Link {
	path := filepath.Join(l.record.Dir, key+".md")
	if err := os.WriteFile(path, []byte(l.mask.Text(text)), 0o600); err != nil {
		return program.Link{Label: job + " summary:", URL: err.Error()}
	}
	return program.Link{Label: job + " summary:", URL: l.shown(path)}
}

// exitStatus is the exit code of a run (run-interface).
func exitStatus(ctx context.Context, s run.Status) int {
	if cause := context.Cause(ctx); cause != nil && s != run.Success && s != run.Failed {
		switch {
		case errors.Is(cause, errTimeLimit):
			return exitTimeout
		case errors.Is(cause, dispatch.ErrInterrupted):
			return exitInterrupted
		}
	}
	switch s {
	case run.Success, run.Skipped:
		return exitOK
	case run.Canceled:
		return exitCanceled
	case run.Manual:
		return exitApproval
	default:
		return exitFailed
	}
}

// shown is a path as a person would type it from where the command was started.
func (l *local) shown(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}

// rerun is the command that runs a job again as this run did.
func (l *local) rerun(j run.Job) string {
	words := l.flags.words()
	if len(j.Plan.Needs) > 0 || j.Plan.InputsAll {
		words = append(words, "--needs")
	}
	name := j.Plan.Name
	if j.Parent != "" {
		name, _, _ = strings.Cut(j.ID, "/")
	}
	return strings.Join(append(words, "--", shellWord(name)), " ")
}

// words are the command of this run, without the jobs. Secrets are named, not shown.
func (f *runFlags) words() []string {
	words := []string{"sluice", "run"}
	add := func(flag, value, normal string) {
		if value != "" && value != normal {
			words = append(words, flag, shellWord(value))
		}
	}
	add("-C", f.dir, "")
	add("--file", f.file, "")
	add("--dialect", f.dialect, "")
	add("--event", f.event, "push")
	add("--event-path", f.eventPath, "")
	add("--branch", f.branch, "")
	add("--tag", f.tag, "")
	add("--target", f.target, "")
	add("--executor", f.executor, "auto")
	for _, many := range []struct {
		flag   string
		values []string
	}{
		{"--variable", f.variables},
		{"--variable-file", f.varFiles},
		{"--var", f.vars},
		{"--env", f.envs},
		{"--input", f.inputs},
		{"--platform", f.platforms},
		{"--local-repository", f.localRepositories},
		{"--action-path", f.actionPaths},
	} {
		for _, v := range many.values {
			add(many.flag, v, "")
		}
	}
	add("--mirror", f.mirror, "")
	if f.real {
		words = append(words, "--no-native")
	}
	for _, v := range f.secrets {
		name, _, _ := strings.Cut(v, "=")
		words = append(words, "--secret", name+"=…")
	}
	return words
}

// shellWord quotes a text for a shell where that is needed.
func shellWord(text string) string {
	if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,@+") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// tail is the last lines of a log, without control sequences. Only the end of the file is read.
func tail(path string) []string {
	file, err := openPlain(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	const enough = 32 << 10
	if info, err := file.Stat(); err == nil && info.Size() > enough {
		if _, err := file.Seek(-enough, io.SeekEnd); err != nil {
			return nil
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, enough))
	if err != nil {
		return nil
	}
	var lines []string
	var sections logs.Sections
	give := func(e logs.Event) {
		if e.Kind == logs.Text && !e.Line.Redrawn {
			lines = append(lines, logs.Strip(e.Line.String()))
		}
	}
	sections.Feed(text, give)
	sections.Close(give)
	return lines[max(0, len(lines)-tailLines):]
}

// worst is the first error of what was found.
func worst(fs fault.Faults) *fault.Fault {
	for _, f := range fs {
		if f.Severity == fault.Error {
			return f
		}
	}
	return fs[0]
}
