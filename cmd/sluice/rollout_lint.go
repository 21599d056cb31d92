package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func newRolloutLint(s *streams) *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use: "lint -f FILE...", Short: "Check files of Rollouts and analysis templates, without a cluster",
		Long: `Check the Rollouts, AnalysisTemplates, Experiments and other objects of argoproj.io in files: unknown fields, values that
contradict each other, and what Sluice does not do. It finds what 'sluice lint FILE' finds. Exit 0 where nothing is wrong,
2 with each mistake at its place.`,
		Args: args(0, -1),
		RunE: func(_ *cobra.Command, given []string) error {
			files = append(files, given...)
			if len(files) == 0 {
				return fault.New(codeUsage, "no file is given").WithHint("sluice rollout lint -f rollout.yaml")
			}
			m := &manifestCheck{seen: map[string]bool{}}
			for _, f := range files {
				text, err := readManifest(s.in, f, codeRolloutFile)
				if err != nil {
					return err
				}
				m.text(filepath.ToSlash(filepath.Clean(f)), text, true)
			}
			found := m.found.Sorted()
			writeFaults(s.err, found, "")
			if found.HasErrors() {
				return &exitError{code: exitUsage}
			}
			return said(s, "%s checked, nothing is wrong", counted(m.checked, "object"))
		},
	}
	cmd.Flags().StringSliceVarP(&files, "filename", "f", nil, "files to check (- is standard input)")
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml", "json")
	return cmd
}
