package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
)

func newRunLogs(s *streams) *cobra.Command {
	var dir, id string
	var raw bool
	cmd := &cobra.Command{
		Use:   "logs [JOB]",
		Short: "Print the log of a job of the last run (or of --run); without JOB, name the jobs that have one",
		Args:  args(0, 1),
		RunE: func(cmd *cobra.Command, jobs []string) error {
			repo, err := git.Open(cmd.Context(), dir)
			if err != nil {
				return err
			}
			state := stateDir(repo.Root)
			if err := sound(state); err != nil {
				return err
			}
			folder, err := runFolder(state, id)
			if err != nil {
				return err
			}
			have, err := logged(folder)
			if err != nil {
				return err
			}
			if len(jobs) == 0 {
				return listLogs(s.out, have)
			}
			path, err := logOf(have, jobs[0])
			if err != nil {
				return err
			}
			return s.printLog(path, raw)
		},
	}
	cmd.Flags().StringVarP(&dir, "directory", "C", ".", "the repository")
	cmd.Flags().StringVar(&id, "run", "", "the run's `ID` (default: the last one)")
	cmd.Flags().BoolVar(&raw, "raw", false, "as it was written, control sequences included")
	return cmd
}

// jobLog is the log of a job: its ID, and the file's path.
type jobLog struct{ id, path string }

// logged are the logs in a run's folder, in the order of the run's journal. A log that the journal does not know goes by
// its file's name.
func logged(folder string) ([]jobLog, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("list the logs: %w", err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".log"); ok {
			files[name] = filepath.Join(folder, e.Name())
		}
	}
	var out []jobLog
	for _, id := range journaled(folder) {
		key := blob.FileName(id)
		if path, ok := files[key]; ok {
			delete(files, key)
			out = append(out, jobLog{id, path})
		}
	}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".log")
		if path, ok := files[name]; ok {
			out = append(out, jobLog{name, path})
		}
	}
	return out, nil
}

// journaled are the jobs that a run's journal tells of, each once. A journal that cannot be read tells of none.
func journaled(folder string) []string {
	file, err := openPlain(filepath.Join(folder, "journal.jsonl"))
	if err != nil {
		return nil
	}
	defer file.Close()
	var out []string
	seen := map[string]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var change struct{ Job string }
		if json.Unmarshal(lines.Bytes(), &change) == nil && change.Job != "" && !seen[change.Job] {
			seen[change.Job] = true
			out = append(out, change.Job)
		}
	}
	return out
}

func listLogs(w io.Writer, have []jobLog) error {
	for _, l := range have {
		if _, err := fmt.Fprintln(w, printable(l.id)); err != nil {
			return err
		}
	}
	return nil
}

// logOf is the path of a job's log. The job goes by its ID, by its name in the pipeline that is in another job
// (call / pack, or pack), or by the name of the log's file.
func logOf(have []jobLog, job string) (string, error) {
	whole := strings.ReplaceAll(job, " / ", "/")
	for _, l := range have {
		if l.id == job || l.id == whole || filepath.Base(l.path) == job+".log" {
			return l.path, nil
		}
	}
	var names, within, like []string
	path := ""
	for _, l := range have {
		names = append(names, l.id)
		if strings.HasSuffix(l.id, "/"+whole) {
			within, path = append(within, l.id), l.path
		}
		if strings.HasPrefix(l.id, job+" (") || strings.HasPrefix(l.id, job+": ") || strings.HasPrefix(l.id, job+" 1/") || strings.HasPrefix(l.id, job+"/") {
			like = append(like, l.id)
		}
	}
	if len(within) == 1 {
		return path, nil
	}
	err := fault.New(codeUsage, "the run has no log of a job %q", job)
	like = slices.Concat(within, like)
	near := fault.Nearest(job, names)
	switch {
	case len(like) > 0:
		return "", err.WithHint("there are %s", printable(strings.Join(like[:min(len(like), seriesLimit)], ", ")))
	case near != "":
		return "", err.WithHint("did you mean %q?", near)
	}
	return "", err.WithHint("see `sluice run logs`")
}

// printLog copies a log to the output; what could steer a terminal, and the marks of sections, are taken out unless raw.
func (s *streams) printLog(path string, raw bool) error {
	file, err := openPlain(path)
	if err != nil {
		return fault.New(codeUsage, "the log cannot be read: %v", err)
	}
	defer file.Close()
	if raw {
		_, err = io.Copy(s.out, file)
		return err
	}
	keep := colorful(s.out, "auto")
	w := bufio.NewWriterSize(s.out, 64<<10)
	clean := logs.Sanitizer{Colors: keep}
	line := func(text string, goesOn bool) {
		out := clean.Append(nil, []byte(text))
		if !goesOn {
			out = append(clean.Close(out), '\n')
			clean = logs.Sanitizer{Colors: keep}
		}
		_, _ = w.Write(out) // Flush tells the error
	}
	var sections logs.Sections
	give := func(e logs.Event) {
		switch {
		case e.Kind == logs.Start && e.Section.Header != "":
			line(e.Section.Header, false)
		case e.Kind == logs.Text && !e.Line.Redrawn:
			line(e.Line.String(), e.Line.Continued)
		}
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := file.Read(buf)
		sections.Feed(buf[:n], give)
		if err == io.EOF {
			sections.Close(give)
			return w.Flush()
		}
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
	}
}
