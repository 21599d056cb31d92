package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/edge/store"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// `run list` and `run logs` read what earlier runs left. A job of such a name is run with `sluice run -- list`.

func newRunList(s *streams) *cobra.Command {
	var dir, output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the runs that are kept here, the newest first",
		Args:  args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			records, err := recordsIn(cmd, dir)
			if err != nil {
				return err
			}
			return writeRecords(s.out, records, output)
		},
	}
	cmd.Flags().StringVarP(&dir, "directory", "C", ".", "the repository")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, json or name")
	return cmd
}

func recordsIn(cmd *cobra.Command, dir string) ([]store.Record, error) {
	repo, err := git.Open(cmd.Context(), dir)
	if err != nil {
		return nil, err
	}
	state := stateDir(repo.Root)
	if err := sound(state); err != nil {
		return nil, err
	}
	return store.List(state)
}

func writeRecords(w io.Writer, records []store.Record, output string) error {
	switch output {
	case "json":
		if records == nil {
			records = []store.Record{}
		}
		return writeJSON(w, records)
	case "name":
		for _, r := range records {
			if _, err := fmt.Fprintln(w, printable(r.ID)); err != nil {
				return err
			}
		}
		return nil
	case "table":
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "RUN\tSTATUS\tEVENT\tREF\tCOMMIT\tSTARTED\tTOOK")
		for _, r := range records {
			took := "-"
			if r.Finished != nil {
				took = r.Finished.Sub(r.Started).Round(time.Millisecond).String()
			}
			status := string(r.Status)
			if r.Finished == nil && !alive(r) {
				status = "lost" // its process is gone: killed, or the machine went down
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.8s\t%s\t%s\n", printable(r.ID), printable(status), printable(r.Event), printable(r.Ref), printable(r.SHA), r.Started.Format(time.DateTime), took)
		}
		return t.Flush()
	default:
		return fault.New(codeUsage, "-o %s is not table, json or name", output)
	}
}

func runFolder(state, id string) (string, error) {
	records, err := store.List(state)
	if err != nil {
		return "", err
	}
	for _, r := range records {
		if id == "" || r.ID == id {
			return filepath.Join(state, "runs", r.ID), nil
		}
	}
	if id == "" {
		return "", fault.New(store.CodeRun, "no run is kept here").WithHint("`sluice run` makes one")
	}
	return "", fault.New(store.CodeRun, "there is no run %q here", id).WithHint("see `sluice run list`")
}

func newClean(s *streams) *cobra.Command {
	var dir string
	var caches, all bool
	var keep int
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove what earlier runs left in .sluice: logs, artifacts and, with --caches, caches",
		Args:  args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			repo, err := git.Open(cmd.Context(), dir)
			if err != nil {
				return err
			}
			return s.clean(cmd.Context(), stateDir(repo.Root), keep, caches || all, all)
		},
	}
	cmd.Flags().StringVarP(&dir, "directory", "C", ".", "the repository")
	cmd.Flags().IntVar(&keep, "keep", 0, "keep the newest `N` runs")
	cmd.Flags().BoolVar(&caches, "caches", false, "also remove the caches")
	cmd.Flags().BoolVar(&all, "all", false, "remove the whole folder .sluice")
	return cmd
}

// alive reports whether a record's process still runs it.
func alive(r store.Record) bool {
	return r.Finished == nil && r.Owner != "" && !executor.OwnerGone(r.Owner)
}

// dead are the records that may be removed: all but the newest keep, and none whose process is still at it.
func dead(records []store.Record, keep int) []store.Record {
	return slices.DeleteFunc(slices.Clone(records[min(keep, len(records)):]), alive)
}
