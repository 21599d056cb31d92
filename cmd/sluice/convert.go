package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/dialect/convert"
	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// convertFlags are those of one conversion.
type convertFlags struct {
	pipelineFlags
	to, output     string
	force, partial bool
}

func newConvert(s *streams) *cobra.Command {
	var c convertFlags
	cmd := &cobra.Command{
		Use:   "convert --to gitlab|github",
		Short: "Write the pipeline in the format of the other forge, and list what is lost",
		Long: `Write a GitLab pipeline as a GitHub workflow, or a workflow as a GitLab pipeline. What the other format cannot say is
listed with its place: a warning where something is lost, an error where a job would do something else. With errors nothing
is written, unless --partial is given: then such jobs never run and such steps are comments. Exit code 0 without errors, 2
with them. docs/convert.md says what becomes what.`,
		Example: `  sluice convert --to github
  sluice convert --to gitlab -f .github/workflows/ci.yml --output -
  sluice convert --to github --output elsewhere --force`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return s.convert(cmd.Context(), &c) },
	}
	f := cmd.Flags()
	c.asked = f.Changed
	f.StringVar(&c.to, "to", "", "the format to write: gitlab or github")
	f.StringVarP(&c.output, "output", "o", "", "write below this `DIR`, or - to print the file (default: the repository)")
	f.BoolVar(&c.force, "force", false, "replace a file that is there")
	f.BoolVar(&c.partial, "partial", false, "write the file also where some of it has no translation")
	f.StringVarP(&c.dir, "directory", "C", "", "run as if started in `DIR`")
	f.StringVarP(&c.file, "file", "f", "", "convert this `FILE` (default .gitlab-ci.yml, or the one workflow of .github/workflows)")
	f.StringArrayVar(&c.varFiles, "variable-file", nil, "variables of the project's settings, from a `FILE`: their names become configuration variables (repeatable)")
	f.StringArrayVar(&c.secrets, "secret", nil, "a masked variable of the settings `K=V`: its name becomes a secret (repeatable)")
	f.StringArrayVar(&c.inputs, "input", nil, "an input `K=V`, for spec:inputs (repeatable)")
	f.StringArrayVar(&c.localRepositories, "local-repository", nil, "take an included project or component from a folder: `OWNER/REPO[@REF]=DIR` (repeatable)")
	f.StringVar(&c.mirror, "mirror", "", "a `DIR` that holds clones of other projects as OWNER/REPO, for include:project and components")
	f.StringVar(&c.templates, "templates", "", "a `DIR` with the templates of include:template")
	c.event = "push"
	return cmd
}

// convert reads the pipeline in the one format and writes the other.
func (s *streams) convert(ctx context.Context, c *convertFlags) error {
	switch {
	case c.to == "":
		return fault.New(codeUsage, "--to is missing").WithHint("--to gitlab or --to github")
	case !slices.Contains(convert.Formats, c.to):
		return fault.New(codeUsage, "--to %s is not gitlab or github", c.to)
	case c.file == "" && c.to == "github":
		c.dialect = "gitlab"
	case c.file == "":
		c.dialect = "github"
	}
	l, err := c.open(ctx)
	if err != nil {
		return err
	}
	s.hide(l)
	p, found := l.whole(ctx)
	var lost fault.Faults
	var file convert.File
	if !found.HasErrors() {
		file, lost = convert.To(c.to, p)
	}
	for _, f := range lost {
		if f.Place.File == "" {
			f.Place.File = l.file
		}
	}
	writeFaults(s.err, append(found, lost...), l.repo.Root)
	switch {
	case found.HasErrors():
		return &exitError{code: exitUsage}
	case file.Text == nil, lost.HasErrors() && !c.partial:
		if file.Text != nil {
			fmt.Fprintln(s.err, "nothing is written; --partial writes what can be said")
		}
		return &exitError{code: exitUsage}
	}
	if err := s.keep(c, l, file, len(lost)); err != nil {
		return err
	}
	if lost.HasErrors() {
		return &exitError{code: exitUsage}
	}
	return nil
}

// whole is the plan of the whole file.
func (l *pipeline) whole(ctx context.Context) (*plan.Plan, fault.Faults) {
	if d, ok := l.dialect.(*githubDialect); ok {
		in := d.input()
		in.All = true
		return github.Compile(ctx, in)
	}
	in := gitlabDialect{l}.input()
	in.All = true
	return gitlab.Compile(ctx, in)
}

// keep prints the file or writes it; one that is there is replaced with --force only.
func (s *streams) keep(c *convertFlags, l *pipeline, file convert.File, lost int) error {
	if c.output == "-" {
		if _, err := s.out.Write(file.Text); err != nil {
			return fmt.Errorf("print the file: %w", err)
		}
		return nil
	}
	root := l.repo.Root
	if c.output != "" {
		root = c.path(c.output)
	}
	path := filepath.Join(root, filepath.FromSlash(file.Path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", path, err)
	}
	how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if c.force {
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, how, 0o644)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fault.New(codeUsage, "there is a file %s already", path).WithHint("--force replaces it, --output - prints what would be written")
	case err != nil:
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(file.Text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	fmt.Fprintf(s.err, "%s is written%s\n", strings.TrimPrefix(path, l.repo.Root+string(filepath.Separator)), remarks(lost))
	return nil
}

func remarks(n int) string {
	if n == 0 {
		return "; nothing is lost"
	}
	return fmt.Sprintf("; see the %s above", counted(n, "remark"))
}
