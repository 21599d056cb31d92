package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report"
	sarif "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

func newLint(s *streams) *cobra.Command {
	var p pipelineFlags
	var tools scriptTools
	var format string
	cmd := &cobra.Command{
		Use:   "lint [FILE|DIR]",
		Short: "Check a pipeline file or manifests of Argo and tell every mistake with its place",
		Long: `Check a pipeline file as the forge would, and tell every mistake at once: where it is, what is wrong and what was
probably meant. Of GitHub workflows all are checked, and the repository's own actions too; their scripts are looked at
by shellcheck and pyflakes where those are installed.

Of a file or folder of Kubernetes manifests the objects of Argo CD and Argo Rollouts are checked (--dialect argo where it
could be taken for a pipeline); no repository need be around it. Exit code 0 without errors (warnings are told), 2 with errors.`,
		Example: `  sluice lint
  sluice lint .github/workflows/ci.yml
  sluice lint .gitlab-ci.yml --format github
  sluice lint deploy
  sluice lint --event merge_request --format sarif > lint.sarif`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 1 {
				p.file = files[0]
			}
			write, ok := lintFormats[format]
			if !ok {
				return fault.New(codeUsage, "--format %s is not text, json, sarif or github", format)
			}
			if at, folder, ok := p.manifests(); ok {
				return s.lintManifests(cmd.Context(), at, folder, write)
			}
			return s.lint(cmd, &p, tools, write)
		},
	}
	p.register(cmd)
	tools.register(cmd)
	cmd.Flags().StringVar(&format, "format", "text", "text, json, sarif or github")
	return cmd
}

// lint compiles for the occasion and writes what was found. A pipeline that the event leaves empty is no mistake.
func (s *streams) lint(cmd *cobra.Command, p *pipelineFlags, tools scriptTools, write lintFormat) error {
	l, err := p.open(cmd.Context())
	if err != nil {
		return err
	}
	s.hide(l)
	var pl *plan.Plan
	var found fault.Faults
	if !isActionFile(l.file) {
		pl, found = l.compile(cmd.Context())
	}
	for i, f := range found {
		if l.idle(f.Code) {
			note := *f
			found[i] = note.WithSeverity(fault.Note)
		}
	}
	if d, ok := l.dialect.(*githubDialect); ok {
		if found, err = d.lint(cmd.Context(), found, tools); err != nil {
			return err
		}
	}
	if err := write(s.out, found, l.repo.Root); err != nil {
		return fmt.Errorf("write the findings: %w", err)
	}
	if found.HasErrors() {
		return &exitError{code: exitUsage}
	}
	switch {
	case pl == nil:
		fmt.Fprintf(s.err, "%s is valid\n", l.file)
	case len(pl.Jobs) > 0:
		fmt.Fprintf(s.err, "%s is valid: %s for this event, %d left out by rules\n", l.file, counted(len(pl.Jobs), "job"), len(pl.Excluded))
	}
	return nil
}

type lintFormat func(w io.Writer, fs fault.Faults, root string) error

var lintFormats = map[string]lintFormat{"text": lintText, "json": lintJSON, "sarif": lintSARIF, "github": lintGitHub}

func lintText(w io.Writer, fs fault.Faults, root string) error {
	writeFaults(w, fs, root)
	return nil
}

func lintJSON(w io.Writer, fs fault.Faults, _ string) error {
	if fs == nil {
		fs = fault.Faults{}
	}
	return writeJSON(w, fs)
}

// lintGitHub writes workflow commands, which a forge shows beside the line.
func lintGitHub(w io.Writer, fs fault.Faults, _ string) error {
	for _, f := range fs {
		level := string(f.Severity)
		if f.Severity == fault.Note {
			level = "notice"
		}
		message := f.Message
		if f.Hint != "" {
			message += " - " + f.Hint
		}
		_, err := fmt.Fprintf(w, "::%s file=%s,line=%d,col=%d,title=%s::%s\n", level,
			commandEscape(f.Place.File, true), f.Place.Line, f.Place.Column, f.Code, commandEscape(message, false))
		if err != nil {
			return err
		}
	}
	return nil
}

// commandEscape escapes what would end a workflow command (Workflow commands for GitHub Actions).
func commandEscape(text string, property bool) string {
	text = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
	if property {
		text = strings.NewReplacer(":", "%3A", ",", "%2C").Replace(text)
	}
	return text
}

func lintSARIF(w io.Writer, fs fault.Faults, _ string) error {
	rep := report.NewV210Report()
	tool := sarif.NewRunWithInformationURI("sluice", "https://github.com/sluice-delivery/sluice")
	for _, f := range fs {
		rule := tool.AddRule(f.Code)
		if d, ok := docOf(f.Code); ok {
			rule.WithDescription(d.Summary)
		}
		level := string(f.Severity)
		message := f.Message
		if f.Hint != "" {
			message += " - " + f.Hint
		}
		result := tool.CreateResultForRule(f.Code).WithLevel(level).WithMessage(sarif.NewTextMessage(message))
		if f.Place.File != "" {
			place := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewSimpleArtifactLocation(f.Place.File))
			if f.Place.Line > 0 {
				region := sarif.NewRegion().WithStartLine(f.Place.Line)
				if f.Place.Column > 0 {
					region = region.WithStartColumn(f.Place.Column)
				}
				place = place.WithRegion(region)
			}
			result.AddLocation(sarif.NewLocationWithPhysicalLocation(place))
		}
	}
	rep.AddRun(tool)
	return rep.PrettyWrite(w)
}
